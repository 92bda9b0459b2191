"""A run from end to end on the fake backend: cached, shared, and what happens when there is trouble."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isheep.backends.base import Runtime
from isheep.errors import RecipeError, StoreError, YieldError
from isheep.plan import make_plan
from isheep.records import RECORD_TYPES, Decision, Instruction, ModelRef, Pair, Score, Task, Verdict
from isheep.runs import Run, open_run
from isheep.step import Event, do_step
from isheep.store import Store
from isheep.walk import run
from listening import Ear
from toy import contents, toy


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One finished toy run; read it, change nothing."""
    folder = tmp_path_factory.mktemp("finished")
    return run(toy(folder), folder / "store")


def picture(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# end to end


def test_the_whole_loop(finished: Run) -> None:
    assert finished.complete
    for t in range(2):
        instructions = finished.artifacts("instructions")[t].read(Instruction)
        pairs = finished.artifacts("responses")[t].read(Pair)
        verdicts = finished.artifacts("assessment")[t].read(Verdict)
        decisions = finished.artifacts("filter")[t].read(Decision)
        (model,) = finished.artifacts("train")[t].read(ModelRef)
        kept = [i.id for i in instructions if i.reason is None]
        assert len(kept) == 12
        assert [p.id for p in pairs] == kept == [d.id for d in decisions]
        assert len(verdicts) == 24
        assert model.pairs == sum(d.kept for d in decisions) > 0
        assert finished.artifacts("train")[t].path(model.adapter).is_dir()
    scores = {t: artifact.read(Score) for t, artifact in finished.artifacts("evaluate").items()}
    assert sorted(scores) == [0, 1, 2]
    assert {s.layout for s in scores[0]} == {"question", "plain"}
    assert {s.layout for s in scores[2]} == {"question"}
    assert finished.artifacts("seeds")[0].read(Task)[0].id == "s1", "tests are no seeds"


def test_tuning_changes_the_model(finished: Run) -> None:
    first, second = (finished.artifacts("responses")[t].read(Pair) for t in (0, 1))
    assert {p.response for p in first} != {p.response for p in second}


def test_nothing_is_wrong_with_any_artifact(finished: Run) -> None:
    for step in finished.steps:
        artifact = finished.artifact(step)
        assert artifact is not None
        assert artifact.verify() == []
        counts = artifact.manifest["records"]
        assert {name: len(artifact.read(RECORD_TYPES[name])) for name in counts} == counts


def test_a_manifest_says_where_a_result_is_from(finished: Run) -> None:
    by_name = {step.name: step for step in finished.steps}
    manifest = finished.artifacts("assessment")[1].manifest
    assert manifest["name"] == "assessment.1"
    assert manifest["inputs"] == {"responses": [by_name["responses.1"].key]}
    assert manifest["model"]["adapter"] == by_name["train.0"].key
    assert manifest["model"]["backend"] == "fake"
    assert manifest["settings"]["level"] == "both"
    assert manifest["usage"]["prompt_tokens"] > 0
    assert manifest["resumed"] is False
    assert manifest["provenance"]["python"]
    assert finished.artifacts("train")[0].manifest["usage"]["trained_tokens"] > 0


def test_the_store_holds_no_remains(finished: Run) -> None:
    root = finished.store.root
    for room in ("work", "locks", "trash"):
        assert [path for path in (root / room).rglob("*") if path.is_file()] == []


def test_a_second_run_is_all_cached_and_touches_nothing(tmp_path: Path) -> None:
    first = run(toy(tmp_path), tmp_path / "store")
    before = picture(tmp_path / "store" / "artifacts")
    ear = Ear()
    second = run(toy(tmp_path), tmp_path / "store", tell=ear)
    assert {event.kind for event in ear.events} == {"cached"}
    assert ear.steps("cached") == [step.name for step in second.steps]
    assert picture(tmp_path / "store" / "artifacts") == before
    assert (second.name, second.steps) == (first.name, first.steps)


def test_the_same_recipe_gives_the_same_bytes_anywhere(tmp_path: Path, finished: Run) -> None:
    assert contents(run(toy(tmp_path), tmp_path / "other-store")) == contents(finished)


def test_another_seed_gives_another_result(tmp_path: Path, finished: Run) -> None:
    other = contents(run(toy(tmp_path, "iterations=1", seed=1), tmp_path / "store"))
    assert other["responses.0"] != contents(finished)["responses.0"]


def test_an_ablation_costs_only_what_differs(tmp_path: Path) -> None:
    run(toy(tmp_path, "iterations=1"), tmp_path / "store")
    ear = Ear()
    run(toy(tmp_path, "iterations=1", "filter.by=random"), tmp_path / "store", tell=ear)
    assert ear.steps("done") == ["filter.0", "train.0", "evaluate.1", "review.0"]


def test_events(tmp_path: Path) -> None:
    ear = Ear()
    made = run(toy(tmp_path, "iterations=1"), tmp_path / "store", tell=ear)
    names = [step.name for step in made.steps]
    assert ear.steps("start") == ear.steps("done") == names
    progress = [e for e in ear.events if e.kind == "progress" and e.step == "responses.0"]
    assert [e.done for e in progress] == list(range(13))
    assert {(e.total, e.unit) for e in progress} == {(12, "answers")}


def test_the_report_is_written_and_traces_back_to_keys(finished: Run) -> None:
    summary = json.loads((finished.folder / "summary.json").read_text(encoding="utf-8"))
    keys = {step.name: step.key for step in finished.steps}
    assert summary["complete"] is True
    assert [entry["iteration"] for entry in summary["iterations"]] == [0, 1, 2]
    assert summary["iterations"][1]["keys"]["filter"] == keys["filter.1"]
    assert (finished.folder / "report.html").is_file()


def test_total_base_trains_on_the_pairs_of_all_iterations(tmp_path: Path) -> None:
    made = run(toy(tmp_path, "train.start=total_base"), tmp_path / "store")
    kept = [sum(d.kept for d in artifact.read(Decision)) for artifact in made.artifacts("filter").values()]
    assert [a.read(ModelRef)[0].pairs for a in made.artifacts("train").values()] == [kept[0], sum(kept)]


@pytest.mark.parametrize(
    "override",
    [
        "instructions.author=base",
        "assessment.judge=base",
        "train.start=one_last",
        "train.start=direct",
        "responses.samples=2",
        "responses.principles=general",
        "probes.count=0",
    ],
)
def test_other_settings_of_the_loop_run_too(tmp_path: Path, override: str) -> None:
    assert run(toy(tmp_path, override), tmp_path / "store").complete


def test_without_iterations_or_tests(tmp_path: Path) -> None:
    assert run(toy(tmp_path, "iterations=0"), tmp_path / "store").complete
    assert run(toy(tmp_path, "iterations=0", "evaluate.tasks=[]"), tmp_path / "store").complete
    assert run(toy(tmp_path, "iterations=1", "evaluate.tasks=[]"), tmp_path / "store").complete


def test_a_run_without_assessment(tmp_path: Path) -> None:
    overrides = ("iterations=1", "assessment.level=none", "filter.by=random")
    assert run(toy(tmp_path, *overrides), tmp_path / "store").complete


# trouble


def test_a_stage_that_yields_too_little_stops_and_what_was_done_stays(tmp_path: Path) -> None:
    loaded = toy(tmp_path, "filter.min_kept=6", "filter.threshold=9.99", "iterations=1")
    with pytest.raises(YieldError, match=r"fewer than filter\.min_kept = 6"):
        run(loaded, tmp_path / "store")
    stopped = open_run("last", tmp_path / "store")
    assert not stopped.complete
    assert sorted(stopped.artifacts("assessment")) == [0]
    summary = json.loads((stopped.folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["complete"] is False
    assert summary["iterations"][0]["instructions"] == 12
    ear = Ear()
    run(toy(tmp_path, "iterations=1"), tmp_path / "store", tell=ear)
    assert ear.steps("done") == ["filter.0", "train.0", "evaluate.1", "review.0"]


def test_a_report_that_fails_does_not_hide_why_the_run_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: Run) -> None:
        raise OSError("no room for the report")

    monkeypatch.setattr("isheep.walk.write_report", fail)
    with pytest.raises(YieldError):
        run(toy(tmp_path, "filter.min_kept=6", "filter.threshold=9.99", "iterations=1"), tmp_path / "store")


def test_ctrl_c_does_not_wait_for_a_report(tmp_path: Path) -> None:
    def tell(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(toy(tmp_path), tmp_path / "store", tell=tell)
    assert sorted(path.name for path in open_run("last", tmp_path / "store").folder.iterdir()) == ["run.json"]


def test_bad_seeds_stop_before_a_model_is_asked(tmp_path: Path) -> None:
    seeds = tmp_path / "bad.jsonl"
    seeds.write_text("oops\n")
    ear = Ear()
    with pytest.raises(RecipeError, match="line 1"):
        run(toy(tmp_path, f"seeds.file={seeds}"), tmp_path / "store", tell=ear)
    assert ear.steps("done") == []


def test_an_input_that_is_gone_is_named(tmp_path: Path) -> None:
    plan = make_plan(toy(tmp_path))
    step = next(s for s in plan.steps if s.name == "responses.0")
    with pytest.raises(StoreError, match=r"instructions \w{12} is not in the store"):
        do_step(step, Store(tmp_path / "store"), Runtime(), lambda event: None)
