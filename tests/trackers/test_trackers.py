"""Trackers, each read back with its own reader: what is logged, once each, and what a failing one may do."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep import trackers
from isheep.errors import BackendError, MissingExtraError, RecipeError
from isheep.plan import make_plan
from isheep.recipe import load_recipe
from isheep.recipe_sections import TRACKERS
from isheep.report import summarize
from isheep.runs import Run, plan_digest
from isheep.sweep import arms_of
from isheep.trackers.base import About, Points
from isheep.trackers.figures import points
from isheep.trackers.tracking import harmless
from isheep.walk import run
from listening import Ear
from toy import toy


class Memory:
    """A tracker that remembers, also when it is opened anew."""

    def __init__(self) -> None:
        self.started: list[About] = []
        self.logged: list[Points] = []
        self.files: list[str] = []
        self.finished = 0
        #: What raises: "start", "metrics", "artifact", "finish".
        self.fails = ""

    def _may_fail(self, where: str) -> None:
        print("a library that talks")
        if self.fails == where:
            raise ConnectionError(f"{where}: no way to https://me:hidden@host/x?token=abc\nmore")

    def start(self, about: About) -> None:
        self._may_fail("start")
        self.started.append(about)

    def metrics(self, points: Sequence[Points]) -> None:
        self._may_fail("metrics")
        self.logged += points

    def artifact(self, path: Path) -> None:
        self._may_fail("artifact")
        assert path.is_file()
        self.files.append(path.name)

    def finish(self) -> None:
        self._may_fail("finish")
        self.finished += 1


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    one = Memory()
    monkeypatch.setattr("isheep.walk.open_tracker", lambda name: one)
    monkeypatch.setattr("isheep.walk.missing", lambda names: iter(()))
    monkeypatch.setattr("isheep.walk.unready", lambda names: iter(()))
    return one


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("trackers")
    return run(toy(folder), folder / "store")


def names(logged: Sequence[Points]) -> list[tuple[str, int]]:
    return [(name, point.at) for point in logged for name in point.values]


def tracked(folder: Path, *changes: str, use: str = "[tensorboard]") -> Any:
    return toy(folder, f"trackers.use={use}", *changes)


def test_what_is_logged_of_a_run(finished: Run) -> None:
    logged = [
        p for step in finished.steps if (a := finished.artifact(step)) for p in points(finished, step, a)
    ]
    found = {(name, p.at): p for p in logged for name in p.values}
    assert len(found) == len(names(logged)), "no figure twice"
    summary = summarize(finished, deep=False)
    for entry in summary["iterations"]:
        t = entry["iteration"]
        for row in entry["scores"]:
            if row["metric"] == "accuracy_greedy":
                name = f"eval/{row['task']}/greedy"
                values = found[name, t].values
                assert (values[name], values[f"{name}/ci_low"], values[f"{name}/ci_high"]) == (
                    row["value"], row["ci_low"], row["ci_high"],
                )  # fmt: skip
        if entry["candidates"]:
            assert found["funnel/instructions/written", t].values["funnel/instructions/kept"] == 12
            assert found["funnel/filter/kept", t].values["funnel/filter/kept"] == entry["kept"]
            dropped = sum(
                v for n, v in found["funnel/filter/kept", t].values.items() if n.startswith("dropped")
            )
            assert dropped == entry["responses"] - entry["kept"]
            assert found["tokens/responses/written", t].values["tokens/responses/written"] > 0
            assert f"seconds/train/{t}" not in found
            assert ("seconds/train", t) in found
            assert ("review/kept_share", t) in found
        if entry["train"]:
            losses = [
                [at, p.values[f"train/{t - 1}/loss"]]
                for (name, at), p in found.items()
                if name == f"train/{t - 1}/loss"
            ]
            assert losses == entry["train"]["losses"]
    assert not any(name.startswith("funnel/exam") for name, _ in found)


def test_each_step_is_logged_once_whoever_interrupts(tmp_path: Path, memory: Memory) -> None:
    def stop(event: Any) -> None:
        if event.kind == "done" and event.step == "filter.0":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tracked(tmp_path), tmp_path / "store", tell=stop)
    first = names(memory.logged)
    assert ("funnel/responses/written", 0) in first
    assert ("funnel/filter/kept", 0) not in first
    assert (memory.files, memory.finished) == ([], 1)
    made = run(tracked(tmp_path), tmp_path / "store")
    every = names(memory.logged)
    assert len(every) == len(set(every))
    assert every[: len(first)] == first
    alone = [p for step in made.steps if (a := made.artifact(step)) for p in points(made, step, a)]
    assert set(every) == set(names(alone))
    assert memory.files == ["report.html", "report.md", "summary.json", "recipe.yaml"]
    assert {about.id for about in memory.started} == {made.name}
    run(tracked(tmp_path), tmp_path / "store")
    assert (names(memory.logged), len(memory.files), len(memory.started)) == (every, 4, 2), "nothing new"


def test_a_tracker_named_later_gets_everything(tmp_path: Path, memory: Memory) -> None:
    made = run(toy(tmp_path, "iterations=1"), tmp_path / "store")
    assert memory.logged == []
    again = run(tracked(tmp_path, "iterations=1", "trackers.project=p2"), tmp_path / "store")
    assert again.name == made.name, "trackers enter no key"
    assert ("eval/toy_tests/greedy", 1) in names(memory.logged)
    assert memory.started[0].project == "p2"
    before = len(memory.logged)
    run(tracked(tmp_path, "iterations=1", "trackers.project=p3"), tmp_path / "store")
    assert len(memory.logged) == 2 * before


def test_another_plan_under_the_same_name_is_another_run_to_a_tracker(tmp_path: Path, memory: Memory) -> None:
    for count in (0, 1):
        run(tracked(tmp_path, f"iterations={count}", "trackers.run=mine"), tmp_path / "store", "x")
    one, two = memory.started
    assert one.name == two.name == "mine"
    assert one.id != two.id
    assert one.id.startswith("x-")


@pytest.mark.parametrize("where", ["start", "metrics", "artifact", "finish"])
def test_a_tracker_that_fails_never_stops_a_run(
    tmp_path: Path, memory: Memory, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    memory.fails = where
    ear = Ear()
    made = run(tracked(tmp_path, "iterations=0"), tmp_path / "store", tell=ear)
    assert made.complete
    (said,) = [event.text for event in ear.events if event.step == "trackers"]
    assert said == (
        "tensorboard failed, the run goes on without it: ConnectionError: "
        f"{where}: no way to https://***@host/x?***"
    )
    assert "talks" not in capsys.readouterr().out, "standard output is the run's own"


def test_secrets_are_not_in_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "s3cr3tvalue")
    assert harmless("denied for s3cr3tvalue\nand more") == "denied for ***"


def test_trackers_enter_no_key_and_make_no_other_arm(tmp_path: Path, finished: Run, memory: Memory) -> None:
    plain, named = make_plan(toy(tmp_path)), make_plan(tracked(tmp_path))
    assert plan_digest(plain) == plan_digest(named)
    other = run(tracked(tmp_path, "iterations=0"), tmp_path / "store")
    same = run(toy(tmp_path, "iterations=0", "seed=1"), tmp_path / "store")
    assert len(arms_of([other, same])) == 1


def test_what_a_tracker_is_told_of_the_recipe(tmp_path: Path, memory: Memory) -> None:
    run(tracked(tmp_path, "iterations=0", "judge.url=http://me:pw@host/v1"), tmp_path / "store")
    assert "pw" not in json.dumps(memory.started[0].config)


def test_a_missing_package_is_told_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isheep.trackers.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as refused:
        run(tracked(tmp_path, use="[wandb, mlflow]"), tmp_path / "store")
    assert "'wandb'" in refused.value.message
    assert "'mlflow'" in refused.value.message
    assert refused.value.hint == "pip install 'isheep[wandb,mlflow]'"
    assert not (tmp_path / "store" / "runs").exists()


def test_an_unknown_tracker_is_a_mistake_in_the_recipe() -> None:
    with pytest.raises(RecipeError, match="did you mean 'wandb'"):
        load_recipe("fake", ["trackers.use=[wanddb]"])


def test_no_tracker_is_imported_unless_named() -> None:
    code = f"import isheep.walk, sys; assert not set(sys.modules) & {set(TRACKERS)!r}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_tracker_has_its_module_and_extra() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    for name in TRACKERS:
        assert (Path(trackers.__file__).parent / f"{name}.py").is_file()
        assert f"\n{name} = [" in text


# ---------------------------------------------------------------- the libraries themselves

LOGGED = [
    Points({"eval/lamb/greedy": 0.5, "funnel/filter/kept": 12.0}, 1),
    Points({"train/0/loss": 2.5}, 1, "train/0/step"),
    Points({"train/0/loss": 1.5}, 2, "train/0/step"),
]
LATER = [Points({"eval/lamb/greedy": 0.75}, 2)]


def log_twice(name: str, folder: Path) -> About:
    """A run, interrupted and resumed."""
    (folder / "run").mkdir(parents=True)
    report = folder / "run" / "report.md"
    report.write_text("# report")
    about = About(
        "mine", "mine-abc123", "proj", folder / "run", folder, {"seed": 0, "model": {"base": "lamb"}}
    )
    for batch in (LOGGED, LATER):
        tracker = trackers.open_tracker(name)
        tracker.start(about)
        tracker.metrics(batch)
        tracker.artifact(report)
        tracker.finish()
    return about


def test_tensorboard_is_read_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    about = log_twice("tensorboard", tmp_path)
    read = EventAccumulator(str(tmp_path / "run" / "tensorboard" / about.id), size_guidance={"tensors": 0})
    read.Reload()
    found = {
        tag: [(e.step, float(make_ndarray(e.tensor_proto))) for e in read.Tensors(tag)]
        for tag in read.Tags()["tensors"]
    }
    assert found == {
        "eval/lamb/greedy": [(1, 0.5), (2, 0.75)],
        "funnel/filter/kept": [(1, 12.0)],
        "train/0/loss": [(1, 2.5), (2, 1.5)],
    }


def test_mlflow_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    log_twice("mlflow", tmp_path)
    from mlflow import MlflowClient

    client = MlflowClient((tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("proj")
    (made,) = client.search_runs([experiment.experiment_id])
    assert (made.info.run_name, made.info.status) == ("mine", "FINISHED")
    assert made.data.params["model.base"] == "lamb"
    history = client.get_metric_history(made.info.run_id, "eval/lamb/greedy")
    assert sorted((m.step, m.value) for m in history) == [(1, 0.5), (2, 0.75)]
    losses = client.get_metric_history(made.info.run_id, "train/0/loss")
    assert sorted((m.step, m.value) for m in losses) == [(1, 2.5), (2, 1.5)]
    assert [file.path for file in client.list_artifacts(made.info.run_id)] == ["report.md"]


def apart(name: str, folder: Path, read: str, **env: str) -> Any:
    """A tracker that keeps state in its module, in a process of its own; what `read` prints, as JSON."""
    code = (
        "import json, sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"from test_trackers import log_twice\nlog_twice({name!r}, Path({str(folder)!r}))\n{read}"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "TRACKIO"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**clean, **env}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (told,) = (
        line for line in done.stdout.splitlines() if line.startswith("[")
    )  # a tracker may say something too
    return json.loads(told)


def test_trackio_is_read_back(tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    read = (
        "import trackio\nfrom trackio.sqlite_storage import SQLiteStorage\n(run,) = trackio.Api().runs('proj')\n"
        "print(json.dumps([run.name, SQLiteStorage.get_logs('proj', run.name)], default=str))\n"
    )
    home = {"TRACKIO_DIR": str(tmp_path / "trackio"), "HF_HUB_OFFLINE": "1"}
    name, rows = apart("trackio", tmp_path / "x", read, **home)
    assert name == "mine mine-abc123"
    kept = [(row["step"], metric, row[metric]) for row in rows for metric in row if "/" in metric]
    assert sorted(kept) == [
        (1, "eval/lamb/greedy", 0.5),
        (1, "funnel/filter/kept", 12.0),
        (1, "train/0/loss", 2.5),
        (2, "eval/lamb/greedy", 0.75),
        (2, "train/0/loss", 1.5),
    ]


def test_wandb_offline(tmp_path: Path) -> None:
    """Its files have no public reader; that there is one for each time the run was started is what can be seen."""
    pytest.importorskip("wandb")
    read = f"print(json.dumps(sorted(str(p.name) for p in Path({str(tmp_path / 'x')!r}).rglob('*.wandb'))))"
    kept = apart("wandb", tmp_path / "x", read, WANDB_MODE="offline")
    assert kept == ["run-mine-abc123.wandb"] * 2


def test_wandb_takes_what_it_is_given() -> None:
    wandb = pytest.importorskip("wandb")
    given = {"project", "name", "id", "resume", "dir", "config", "reinit", "settings"}
    assert given <= set(inspect.signature(wandb.init).parameters)
    assert {"step_metric"} <= set(inspect.signature(wandb.Run.define_metric).parameters)


def test_wandb_without_a_key_is_told_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setattr("isheep.trackers.wandb.has_key", lambda: False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with pytest.raises(BackendError, match="WANDB_MODE=offline"):
        run(tracked(tmp_path, use="[wandb]"), tmp_path / "store")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert list(trackers.unready(["wandb"])) == []
