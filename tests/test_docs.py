"""What is generated is up to date, and links between documents lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_reference_and_schema_are_up_to_date(generate: ModuleType) -> None:
    advice = "run `make docs`"
    assert generate.REFERENCE.read_text(encoding="utf-8") == generate.reference(), advice
    assert generate.SCHEMA.read_text(encoding="utf-8") == generate.schema_text(), advice


def test_every_setting_says_what_it_means(generate: ModuleType) -> None:
    rows = [line for line in generate.reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert all(row.split("|")[3].strip() for row in rows)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link
