"""Lineage on a run without a model: every record leads back to seeds, every dropped one has its reason."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from isheep import load_recipe, run
from isheep.cli import app
from isheep.errors import StoreError
from isheep.look import find_id, ids, lineage
from isheep.look.ids import having
from isheep.look.index import rows
from isheep.look.terminal import print_lineage
from isheep.look.training import trained_on, trainings
from isheep.records import Decision, Instruction, Pair, Task
from isheep.runs import Run


def _every(found: Run) -> list[str]:
    return [row.id for row in rows(found)]


def test_every_record_leads_back_to_the_seeds_it_came_from(plain_run: Run) -> None:
    seeds = {task.id: task for made in plain_run.artifacts("seeds").values() for task in made.read(Task)}
    every = _every(plain_run)
    assert len(every) == len(set(every)) > 60
    for id in every:
        found = lineage(plain_run, id)
        assert found.id == id
        assert [seed.id for seed in found.shots] == list(found.instruction.shots)
        assert all(seeds[seed.id] == seed for seed in found.shots)
        assert not found.missing
        assert found.completion is not None
        assert found.completion.id == found.instruction.source
        assert " ".join(found.shots[0].instruction.split()) in found.prompt.text
        assert found.prompt.text.endswith(f"{len(found.shots) + 1}. Task:")


def test_every_dropped_record_has_its_reason_and_every_kept_one_its_models(plain_run: Run) -> None:
    taught = {model: trained_on(plain_run, made) for model, made in trainings(plain_run)}
    seen = set()
    for row in rows(plain_run):
        fate = lineage(plain_run, row.id).fate
        assert (fate.stage, fate.status, fate.reason or "") == row.fate
        assert fate.models == row.models == tuple(m for m, ids in taught.items() if row.id in ids)
        assert bool(fate.reason) == (fate.status == "dropped")
        assert bool(fate.models) == (fate.status == "kept")
        assert fate.status != "dropped" or fate.meaning
        seen.add((fate.status, fate.stage))
    assert {("kept", "filter"), ("dropped", "filter"), ("dropped", "instructions")} <= seen


def test_the_judge_and_the_answer_are_shown_as_they_were_asked(plain_run: Run) -> None:
    row = next(row for row in rows(plain_run) if row.pair)
    found = lineage(plain_run, row.id)
    assert found.answer_prompt is not None
    assert found.answer_prompt.text.startswith("Question: ")
    assert [judged.verdict.scale for judged in found.judged] == ["following", "quality"]
    for judged in found.judged:
        assert row.pair is not None
        assert row.pair.response.strip() in judged.prompt.text


def test_a_near_duplicate_is_shown_beside_what_it_is_near_to(plain_run: Run) -> None:
    near = [row for row in rows(plain_run) if row.task.reason == "near_duplicate"]
    assert near
    for row in near:
        found = lineage(plain_run, row.id).near
        assert found is not None, row.id
        assert found.score > 0.7
        assert found.id != row.id


def test_a_pair_the_filter_finds_too_near_is_shown_beside_the_other(tmp_path: Path) -> None:
    done = run(
        load_recipe(
            "fake",
            ["instructions.count=30", "instructions.lists_per_round=8", "filter.min_kept=1", "evaluate.tasks=[]",
             "iterations=1", "filter.overlap={threshold: 0.5}", "filter.keep_fraction=null"],
        ),
        tmp_path,
    )  # fmt: skip
    near = [row for row in rows(done) if row.fate[1:] == ("dropped", "near_duplicate") and row.pair]
    assert near
    for row in near:
        found = lineage(done, row.id).near
        assert found is not None
        assert found.score > 0.5
        assert find_id(done, found.id) == found.id


def _small(tmp_path: Path, samples: int, turns: int) -> Run:
    return run(
        load_recipe(
            "fake",
            ["iterations=1", "instructions.count=8", "instructions.lists_per_round=8", f"responses.samples={samples}",
             f"followups.turns={turns}", "filter.min_kept=1", "evaluate.tasks=[]", "train.max_samples=3"],
        ),
        tmp_path,
    )  # fmt: skip


def test_several_answers_to_one_task_are_records_of_their_own(tmp_path: Path) -> None:
    done = _small(tmp_path, samples=2, turns=1)
    every = _every(done)
    assert len(every) == len(set(every))
    first = next(id for id in every if id.endswith("/0"))
    found = lineage(done, first)
    assert found.siblings == (f"{first[:-1]}1",)
    assert found.pair is not None
    assert found.pair.id == first
    assert {judged.verdict.pair for judged in found.judged} == {first}
    taught = [id for id in every if lineage(done, id).fate.models]
    assert len(taught) == 3  # train.max_samples


def test_a_follow_up_leads_back_to_what_it_goes_on_from(tmp_path: Path) -> None:
    done = _small(tmp_path, samples=1, turns=2)
    every = _every(done)
    found = next(each for each in (lineage(done, id) for id in every if id.endswith("+")) if each.pair)
    assert found.parent == found.id.removesuffix("+")
    assert found.instruction.history
    assert found.prompt.text.startswith("Question: ")
    before = lineage(done, found.parent)
    assert before.follow == (f"{found.parent}+",)
    assert before.pair is not None
    assert before.pair.response == found.instruction.history[1]


def test_an_unfinished_run_shows_what_it_has(plain_run: Run) -> None:
    first = next(n for n, step in enumerate(plain_run.steps) if step.name == "assessment.0")
    begun = dataclasses.replace(plain_run, steps=plain_run.steps[:first])
    states = {row.fate for row in rows(begun)}
    assert ("filter", "waiting", "") in states
    assert not any(status == "kept" for _, status, _ in states)
    waiting = next(row.id for row in rows(begun) if row.pair)
    assert lineage(begun, waiting).fate.status == "waiting"
    assert list(rows(dataclasses.replace(plain_run, steps=plain_run.steps[:1]))) == []


def test_an_id_is_found_by_its_beginning_and_a_wrong_one_says_what_is_near(plain_run: Run) -> None:
    every = _every(plain_run)
    assert find_id(plain_run, every[0]) == every[0]
    with pytest.raises(StoreError, match="begins the ids of") as many:
        find_id(plain_run, every[0][:5])
    assert every[0] in many.value.hint
    with pytest.raises(StoreError, match="has no record") as none:
        find_id(plain_run, every[0][:-1] + "x")
    assert every[0][:-2] in none.value.hint
    with pytest.raises(StoreError):
        find_id(plain_run, "")


def test_a_beginning_that_one_record_has_is_enough(plain_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "ids_in", lambda artifact, cls: iter(("0.000010.00", "0.000011.00")))
    assert find_id(plain_run, "0.000010") == "0.000010.00"
    with pytest.raises(StoreError, match="of 2 records"):
        find_id(plain_run, "0.00001")


def test_an_id_is_matched_whole_and_by_its_json(plain_run: Run, tmp_path: Path) -> None:
    made = plain_run.artifacts("filter")[0]
    id = made.read(Decision)[0].id
    assert [d.id for d in having(made, Decision, id)] == [id]
    assert having(made, Decision, id[:-1]) == []
    assert len(having(made, Decision, id[:-1], begins=True)) >= 1
    assert having(made, Pair, id) == []


def test_nothing_hostile_reaches_the_terminal(hostile_run: Run) -> None:
    for row in list(rows(hostile_run))[:12]:
        console = Console(record=True, width=120, markup=False, highlight=False, file=open("/dev/null", "w"))  # noqa: SIM115
        print_lineage(console, lineage(hostile_run, row.id))
        said = console.export_text(styles=False)
        assert "\u202e" not in said
        assert "\x1b" not in said
        assert "\\x1b[31m" in said
        assert "<script>" in said


def test_why_prints_a_lineage_and_json(plain_run: Run) -> None:
    id = next(row.id for row in rows(plain_run) if row.models)
    store = ["--store", str(plain_run.store.root)]
    said = CliRunner().invoke(app, ["why", plain_run.name, id, *store]).output
    for part in (id, "trained on in M1", "seed tasks shown", "raw completion", "scores", "quality:"):
        assert part in said
    made = json.loads(CliRunner().invoke(app, ["why", "last", id, "--json", *store]).output)
    assert made["id"] == id
    assert made["fate"]["status"] == "kept"
    wrong = CliRunner().invoke(app, ["why", "last", "9.9", *store])
    assert isinstance(wrong.exception, StoreError)


def test_a_prompt_file_that_is_gone_is_said_and_not_guessed(plain_run: Run, tmp_path: Path) -> None:
    made = plain_run.artifacts("instructions")[0]
    settings = {**made.manifest["settings"], "prompt": str(tmp_path / "gone.txt")}
    made.manifest["settings"] = settings
    from isheep.look.prompts import list_prompt

    found = list_prompt(made, (Task("s", "Do it."),), ())
    assert found.text == ""
    assert "not to be found" in found.note
    assert isinstance(made.read(Instruction), list)
