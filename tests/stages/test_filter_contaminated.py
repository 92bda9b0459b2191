"""A planted leak, from the model that wrote it to the filter that drops it: found, told, dropped, and nothing else."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from isheep.backends import fake
from isheep.records import Decision, Instruction, Leak, Pair, Preference
from isheep.runs import Run
from isheep.walk import run
from toy import SEEDS, toy, write_lines
from watching import Watch

#: Prompts of a benchmark, each long enough to be known by 13 words in a row.
IN_SEEDS = (
    "Write a letter to the keeper of the old lighthouse and ask how many ships he has seen pass this year."
)
IN_TASKS = (
    "Describe the smell of a wet dog that has just come home from a long walk along the muddy river bank."
)
IN_ANSWERS = (
    "The seven bells of the sunken church can be heard on still nights by anyone who rows out far enough."
)
NOT_SEEN = "Compare the way a baker and a potter use their hands when they shape something soft into something round."

WRITES = (
    "iterations=1",
    "instructions.count=24",
    "filter={threshold: null, keep_fraction: null, min_kept: 1}",
    "preferences={samples: 6, min_gap: 0.0}",
)


@pytest.fixture
def leaky(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake model knows two of the prompts by heart: it sets one as a task, and puts one into answers."""
    task, sentence = fake._task, fake._sentence

    def leaking_task(rng: random.Random) -> str:
        found = task(rng)
        return f"Take your time. {IN_TASKS} Use short words." if "bread" in found else found

    def leaking_sentence(rng: random.Random) -> str:
        found = sentence(rng)
        return f"As they say: {IN_ANSWERS}" if "winter" in found else found

    monkeypatch.setattr(fake, "_task", leaking_task)
    monkeypatch.setattr(fake, "_sentence", leaking_sentence)


def asked(folder: Path) -> tuple[str, ...]:
    """Overrides: the benchmark, and seeds of which one was copied from it."""
    rows = [
        {"key": n, "prompt": text, "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
        for n, text in enumerate((IN_SEEDS, IN_TASKS, IN_ANSWERS, NOT_SEEN))
    ]
    write_lines(folder / "bench.jsonl", rows)
    write_lines(
        folder / "leaky_seeds.jsonl", [*SEEDS, {"id": "copied", "instruction": IN_SEEDS, "output": "Dear."}]
    )
    return (*WRITES, f"ifeval.file={folder}/bench.jsonl", f"seeds.file={folder}/leaky_seeds.jsonl")


def decisions(made: Run) -> dict[str, str | None]:
    return {d.id: d.reason for d in made.artifacts("filter")[0].read(Decision)}


@pytest.fixture
def runs(tmp_path: Path, leaky: None) -> tuple[Run, Run]:
    """The same run on one store, flagged only and dropped."""
    overrides = asked(tmp_path)
    store = tmp_path / "store"
    return run(toy(tmp_path, *overrides), store), run(
        toy(tmp_path, *overrides, "contamination.drop=true"), store
    )


def of_the_plant(made: Run) -> tuple[set[str], set[str]]:
    """Ids of the planted instructions that were kept, and of the planted answers, by their text."""
    written = [i for i in made.artifacts("instructions")[0].read(Instruction) if i.reason is None]
    tasks = {i.id for i in written if IN_TASKS in i.instruction}
    pairs = made.artifacts("responses")[0].read(Pair)
    return tasks, {p.id for p in pairs if IN_ANSWERS in p.response}


def test_all_that_was_planted_is_found_and_nothing_else(runs: tuple[Run, Run]) -> None:
    flagged, _ = runs
    tasks, answers = of_the_plant(flagged)
    assert tasks
    assert answers
    leaks = flagged.artifacts("contamination")[0].read(Leak)
    found = {(leak.where, leak.source, leak.question) for leak in leaks}
    assert found == {
        ("seed", "copied", "ifeval/0"),
        *(("instruction", id, "ifeval/1") for id in tasks),
        *(("response", id, "ifeval/2") for id in answers),
    }
    assert {leak.kind for leak in leaks} == {"ngram"}


def test_it_is_told_by_iteration_with_the_scores_on_both_kinds_of_questions(runs: tuple[Run, Run]) -> None:
    flagged, _ = runs
    summary = json.loads((flagged.folder / "summary.json").read_text(encoding="utf-8"))
    told = summary["contamination"]
    (first,) = told["iterations"]
    tasks, answers = of_the_plant(flagged)
    assert first["flagged"] == {"seed": 1, "instruction": len(tasks), "response": len(answers)}
    assert first["tasks"] == {"ifeval": 3}
    rows = {row["iteration"]: row for row in told["scores"] if row["task"] == "ifeval"}
    assert (rows[1]["clean"]["n"], rows[1]["flagged"]["n"]) == (1, 3)
    page = (flagged.folder / "report.html").read_text(encoding="utf-8")
    assert "pre-training" in page, "what this cannot show is said"


def test_dropping_drops_the_copied_pairs_with_their_reason_and_changes_nothing_else(
    runs: tuple[Run, Run],
) -> None:
    flagged, dropped = runs
    before, after = decisions(flagged), decisions(dropped)
    tasks, answers = of_the_plant(flagged)
    copied = {id for id in before if id in tasks | answers}
    assert "contaminated" not in before.values()
    assert {id for id, reason in after.items() if reason == "contaminated"} == copied
    assert {id: r for id, r in after.items() if id not in copied} == {
        id: r for id, r in before.items() if id not in copied
    }
    assert any(before[id] is None for id in copied), "it would have been trained on"
    keys = [{step.name: step.key for step in one.steps} for one in runs]
    same = {name for name, key in keys[0].items() if keys[1][name] == key}
    assert {"instructions.0", "responses.0", "assessment.0", "contamination.0", "ifeval.0"} <= same
    assert not {"filter.0", "train.0", "ifeval.1", "preferences.0"} & same
    summary = json.loads((dropped.folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["iterations"][0]["dropped"]["filter/contaminated"] == len(copied)


def test_preferences_on_copied_instructions_are_dropped_too(runs: tuple[Run, Run]) -> None:
    flagged, dropped = runs
    tasks, _ = of_the_plant(flagged)
    (before, after) = (
        {p.id: p for p in one.artifacts("preferences")[0].read(Preference)} for one in (flagged, dropped)
    )
    assert "contaminated" not in {p.reason for p in before.values()}
    # What was copied is the instruction; these answers are new, and none of them was looked through.
    assert {id for id, p in after.items() if p.reason == "contaminated"} == tasks & after.keys() != set()


def test_the_trainer_never_sees_them(tmp_path: Path, leaky: None, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch)
    made = run(toy(tmp_path, *asked(tmp_path), "contamination.drop=true"), tmp_path / "store")
    tasks, answers = of_the_plant(made)
    assert watch.of("train") == [id for id, reason in decisions(made).items() if reason is None]
    assert not set(watch.of("train")) & (tasks | answers)
    assert not set(watch.of("prefer")) & tasks


def test_more_words_in_a_row_let_more_pass(tmp_path: Path, leaky: None) -> None:
    made = run(toy(tmp_path, *asked(tmp_path), "contamination={n: 30, drop: true}"), tmp_path / "store")
    kinds = {(leak.where, leak.kind) for leak in made.artifacts("contamination")[0].read(Leak)}
    # Of 30 words no prompt has so many: each is short by that measure, and counts where it stands whole.
    assert kinds == {("seed", "exact"), ("instruction", "exact"), ("response", "exact")}
