"""The examiner that asks nobody: the same contract, in no time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from isheep.backends import open_examiner
from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.outside import Examination
from isheep.benchmarks import BENCHMARKS
from isheep.errors import RecipeError
from isheep.records import Item, Reply

ALL = Examination(tuple(BENCHMARKS))


def ask(
    what: Examination = ALL, model: ModelSpec | None = None, skip: Any = (), allow: bool = True
) -> list[Any]:
    examiner = open_examiner("fake", model or ModelSpec("toy"), Runtime(allow_code_execution=allow))
    told: list[tuple[int, int]] = []
    records = list(
        examiner.examine(what, Path("unused"), lambda done, total: told.append((done, total)), skip)
    )
    assert told[-1][0] == told[-1][1] == len(list(examiner.questions(what)))
    return records


def test_every_benchmark_and_metric_has_its_items() -> None:
    records = ask()
    items = [r for r in records if isinstance(r, Item)]
    assert {(i.task, i.metric) for i in items} == {
        (b.name, m) for b in BENCHMARKS.values() for m in b.metrics
    }
    assert {r.task for r in records if isinstance(r, Reply)} == {
        b.name for b in BENCHMARKS.values() if b.writes
    }
    assert all((i.length is not None) == BENCHMARKS[i.task].writes for i in items)
    assert len({r.id for r in records}) == len(records)
    assert len({i.group for i in items if i.task == "mmlu"}) == 3
    boolq = {i.prompt: i.cluster for i in items if i.task == "boolq"}
    assert 1 < len(set(boolq.values())) < len(boolq)
    share = sum(i.value or 0 for i in items) / len(items)
    assert 0.2 < share < 0.8


def test_the_same_model_has_the_same_scores_and_another_has_others(tmp_path: Path) -> None:
    assert ask() == ask()
    values = [r.value for r in ask() if isinstance(r, Item)]
    assert values != [r.value for r in ask(model=ModelSpec("other")) if isinstance(r, Item)]
    (tmp_path / "adapter_config.json").write_text(json.dumps({"digest": "d1"}), encoding="utf-8")
    tuned = ask(model=ModelSpec("toy", adapter=str(tmp_path)))
    assert values != [r.value for r in tuned if isinstance(r, Item)]
    hashes = [r.prompt_hash for r in ask() if isinstance(r, Item)]
    assert hashes == [r.prompt_hash for r in tuned if isinstance(r, Item)]


def test_what_is_skipped_is_not_told_again_and_a_limit_holds() -> None:
    records = ask()
    skipped = {r.id for r in records[::3]}
    assert ask(skip=skipped) == [r for r in records if r.id not in skipped]
    short = ask(Examination(("mmlu", "squadv2"), limit=2, layout="question"))
    assert len({r.prompt for r in short if r.task == "squadv2"}) == 2
    assert len({r.prompt for r in short if r.task == "mmlu"}) == 6
    assert {r.layout for r in short if isinstance(r, Item)} == {"question"}


def test_it_refuses_what_the_real_one_refuses(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="would run code"):
        ask(allow=False)
    with pytest.raises(RecipeError, match="piqa: no file"):
        ask(Examination(("piqa",), data_dir=tmp_path))
