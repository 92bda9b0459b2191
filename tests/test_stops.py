"""A review that says stop ends the run: it is complete, stays stopped, and only another recipe goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isheep.backends.base import Runtime
from isheep.plan import Step, make_plan
from isheep.records import Measure, Outcome
from isheep.runs import Run, open_run, register
from isheep.step import do_step
from isheep.store import Artifact, Store
from isheep.walk import run
from isheep.worker import Worker
from listening import Ear
from toy import contents, toy

#: Twice the first iteration's share cannot be kept in the first iteration.
GUARDED = ("review.guard={action: stop, min_kept_share_of_first: 2.0}",)
#: The fake is right about nothing, ever.
STAGNANT = ("iterations=3", "review={until: stagnation}")


def last(made: Run) -> Outcome:
    reviews = made.artifacts("review")
    (outcome,) = reviews[max(reviews)].read(Outcome)
    return outcome


def summary(made: Run) -> dict[str, object]:
    found: dict[str, object] = json.loads((made.folder / "summary.json").read_text(encoding="utf-8"))
    return found


def test_the_guard_stops_a_run(tmp_path: Path) -> None:
    ear = Ear()
    made = run(toy(tmp_path, *GUARDED), tmp_path / "store", tell=ear)
    assert ear.steps("done")[-1] == "review.0"
    assert last(made) == Outcome("outcome", True, "stopped by the collapse guard: kept_share", 1)
    assert made.due == made.steps[: len(ear.steps("done"))] != made.steps
    assert made.complete
    assert {max(made.artifacts(stage)) for stage in ("responses", "train", "review")} == {0}
    notes = made.artifacts("review")[0].manifest["notes"]
    assert notes[0].startswith("collapse guard: kept_share is ")
    assert notes[-1] == "stopped by the collapse guard: kept_share"
    assert summary(made)["complete"] is True
    assert (made.folder / "report.html").is_file()


def test_a_stopped_run_stays_stopped(tmp_path: Path) -> None:
    first = run(toy(tmp_path, *GUARDED), tmp_path / "store")
    before = contents(first)
    ear = Ear()
    again = run(toy(tmp_path, *GUARDED), tmp_path / "store", tell=ear)
    assert {event.kind for event in ear.events} == {"cached"}
    assert ear.steps("cached")[-1] == "review.0"
    assert contents(again) == before
    opened = open_run("last", tmp_path / "store")
    assert opened.complete
    assert opened.due == again.due


def test_a_stopped_run_that_was_broken_off_before_its_review_stops_when_resumed(tmp_path: Path) -> None:
    loaded = toy(tmp_path, *GUARDED)
    plan, store = make_plan(loaded), Store(tmp_path / "store")
    made = register(plan, store)
    reached = next(n for n, step in enumerate(plan.steps) if step.name == "review.0")
    for step in plan.steps[:reached]:
        do_step(step, store, Runtime(), lambda event: None)
    assert not made.complete
    assert made.due == made.steps, "nobody knows yet that it will stop"
    ear = Ear()
    assert run(loaded, store, tell=ear).complete
    assert ear.steps("done") == ["review.0"]


def test_a_warning_stops_nothing(tmp_path: Path) -> None:
    made = run(toy(tmp_path, *GUARDED, "review.guard.action=warn"), tmp_path / "store")
    assert made.due == made.steps
    assert not last(made).stop
    broken = [m.id for m in made.artifacts("review")[0].read(Measure) if m.ok is False]
    assert "kept_share" in broken


def test_with_a_milder_guard_it_goes_on_from_where_it_stopped(tmp_path: Path) -> None:
    stopped = run(toy(tmp_path, *GUARDED), tmp_path / "store")
    ear = Ear()
    made = run(toy(tmp_path, *GUARDED, "review.guard.action=off"), tmp_path / "store", tell=ear)
    assert ear.steps("done")[:2] == ["review.0", "instructions.1"]
    assert made.complete
    assert made.due == made.steps
    assert open_run(stopped.name, tmp_path / "store").due == stopped.due, (
        "what others did later is not its own"
    )
    assert max(open_run(stopped.name, tmp_path / "store").artifacts("responses")) == 0


@pytest.mark.parametrize(("patience", "models"), [(1, 1), (2, 2), (9, 3)])
def test_a_run_without_progress_stops(tmp_path: Path, patience: int, models: int) -> None:
    made = run(toy(tmp_path, *STAGNANT, f"review.patience={patience}"), tmp_path / "store")
    assert max(made.artifacts("evaluate")) == models
    assert made.complete
    outcome = last(made)
    assert outcome.stop == (patience <= 3)
    if outcome.stop:
        assert outcome.reason == f"stopped: {patience} model(s) without progress over M0"
    assert outcome.best == models, "keep: last"


def test_the_best_model_is_named(tmp_path: Path) -> None:
    made = run(toy(tmp_path, *STAGNANT, "review.keep=best"), tmp_path / "store")
    assert last(made).best == 0, "no model is better than the base"


def test_it_stops_too_where_each_step_has_its_own_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart: list[str] = []

    do = Worker.do

    def do_apart(self: Worker, step: Step) -> Artifact:
        apart.append(step.name)
        return do(self, step)

    monkeypatch.setattr(Worker, "do", do_apart)
    made = run(toy(tmp_path, *GUARDED, "runtime.isolation=process"), tmp_path / "store")
    assert "train.0" in apart
    assert "review.0" not in apart
    assert last(made).stop
    assert made.complete
