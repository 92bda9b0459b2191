"""docs/verify.md tells of every type, its arguments, and every type that differs."""

from __future__ import annotations

from pathlib import Path

from isheep.verify import CHECKS, describe, follows

DOC = (Path(__file__).parents[2] / "docs" / "verify.md").read_text(encoding="utf-8")


def test_every_type_stands_there_with_its_arguments() -> None:
    for id, check in CHECKS.items():
        names = ", ".join(f"`{name}`" for name in check.arguments) or "-"
        assert f"| `{id}` | {names} |" in DOC


def test_every_difference_stands_there() -> None:
    section = DOC.partition("## Where we differ")[2].partition("## Agreement")[0]
    for id, check in CHECKS.items():
        group, _, name = id.partition(":")
        told = (
            name in section
            or f"{group}:*" in section
            or (name.startswith("english_") and "english_*" in section)
        )
        if "Differs:" in check.doc:
            assert told, id


def test_the_example_is_true() -> None:
    assert describe("keywords:existence", keywords=["river"]) in DOC
    assert not follows("a fine day", [("punctuation:no_comma", {}), ("startend:quotation", {})])
