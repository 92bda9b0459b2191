"""The rows the package ships: 175 seed tasks and 500 held-out questions, both a function of one fixed seed.

The files are checked in, so a reader can see them; a test regenerates them, so they cannot drift from the world. Run
`python -m isheep.lamb.samples` after a change to the world.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from isheep.lamb import world

SEED = 2408
SEEDS, HELD_OUT = 175, 500

_HERE = Path(__file__).parent
SEEDS_FILE = _HERE.parent / "seeds" / "lamb.jsonl"
HELD_OUT_FILE = _HERE / "held_out.jsonl"


def seed_rows() -> list[dict[str, str]]:
    """The seed tasks, with right answers, spread over all families; none of them is held out."""
    return [
        {
            "id": f"lamb-seed-{n:03d}",
            "instruction": q.instruction,
            "input": q.input,
            "output": q.right,
            "category": q.family.category,
        }
        for n, q in enumerate(world.spread(SEEDS, SEED, held_out=False))
    ]


def held_out_rows() -> list[dict[str, object]]:
    """The questions lamb is examined on; none of these pairs is in corpus or seeds."""
    return [
        {
            "id": f"lamb-{n:03d}",
            "instruction": q.instruction,
            "input": q.input,
            "answers": [q.right],
            "family": q.family.name,
        }
        for n, q in enumerate(world.spread(HELD_OUT, SEED, held_out=True))
    ]


def as_lines(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as JSONL."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> None:
    """Write both files anew."""
    SEEDS_FILE.write_text(as_lines(seed_rows()), "utf-8")
    HELD_OUT_FILE.write_text(as_lines(held_out_rows()), "utf-8")


if __name__ == "__main__":
    main()
