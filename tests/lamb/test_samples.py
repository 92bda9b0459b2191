"""The shipped rows are what their generator writes, and keep their promises."""

from __future__ import annotations

import json
from collections import Counter

from isheep.lamb import samples, world


def test_the_shipped_files_are_what_the_generator_writes() -> None:
    assert samples.SEEDS_FILE.read_text("utf-8") == samples.as_lines(samples.seed_rows())
    assert samples.HELD_OUT_FILE.read_text("utf-8") == samples.as_lines(samples.held_out_rows())


def test_seeds_are_right_diverse_and_not_held_out() -> None:
    rows = [json.loads(line) for line in samples.SEEDS_FILE.read_text("utf-8").splitlines()]
    assert len(rows) == samples.SEEDS
    assert len({(r["instruction"], r["input"]) for r in rows}) == samples.SEEDS
    assert all(world.check(r["instruction"], r["input"], r["output"]) for r in rows)
    assert not any(world.is_held_out(r["instruction"], r["input"]) for r in rows)
    assert len({r["category"] for r in rows}) >= 8
    assert 0.25 < sum(bool(r["input"]) for r in rows) / len(rows) < 0.75


def test_the_exam_is_spread_over_the_families_and_shares_nothing_with_the_seeds() -> None:
    rows = [json.loads(line) for line in samples.HELD_OUT_FILE.read_text("utf-8").splitlines()]
    assert len(rows) == samples.HELD_OUT
    assert all(world.is_held_out(r["instruction"], r["input"]) for r in rows)
    assert all(world.check(r["instruction"], r["input"], a) for r in rows for a in r["answers"])
    counts = Counter(r["family"] for r in rows)
    assert max(counts.values()) <= 25
    seeds = {(r["instruction"], r["input"]) for r in samples.seed_rows()}
    assert not seeds & {(str(r["instruction"]), str(r["input"])) for r in rows}
