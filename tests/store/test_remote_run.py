"""Whole runs on a remote store: what one machine made, another finds; evaluated, shown, compared, swept by address."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from typer.testing import CliRunner

from isheep import load_recipe, open_run, run, summarize
from isheep.cli import app
from isheep.errors import StoreError
from isheep.recipe import Loaded
from isheep.report import write_report
from isheep.runs import Run
from isheep.step import Event
from toy import toy, toy_file

SMALL = ("instructions.count=12", "filter.min_kept=2", "report.samples=2")
pytestmark = [pytest.mark.usefixtures("quick"), pytest.mark.slow]


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Loaded]:
    def made(*overrides: str, seed: int = 0) -> Loaded:
        return toy(tmp_path, "report.samples=2", "iterations=1", *overrides, seed=seed)

    return made


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Go on as another machine, which shares nothing but the remote store."""

    def go(name: str) -> None:
        monkeypatch.setenv("ISHEEP_CACHE", str(tmp_path / name))

    go("first")
    return go


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    files = fsspec.filesystem("memory")
    place = f"memory://bucket/{request.node.name}"
    if files.exists(place):
        files.rm(place, recursive=True)
    return place


def do(url: str, loaded: Loaded) -> tuple[Run, Counter[str]]:
    kinds: Counter[str] = Counter()
    made = run(loaded, url, tell=lambda event: kinds.update([event.kind]))
    return made, kinds


def report_of(made: Run) -> dict[str, bytes]:
    files = (path for path in made.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(made.folder)): path.read_bytes() for path in sorted(files)}


def isheep(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_wiped_machine_finds_everything(url: str, elsewhere: Callable[[str], None], tmp_path: Path) -> None:
    made, kinds = do(url, load_recipe("fake", [*SMALL, "iterations=1"]))
    steps = kinds["start"]
    assert steps == kinds["done"] == len(made.steps)
    first = report_of(made)
    there = {name.partition(f"/runs/{made.name}/")[2]: fsspec.open(f"memory://{name}").open().read()
             for name in fsspec.filesystem("memory").find(f"{url}/runs/{made.name}")}  # fmt: skip
    assert there == first
    shutil.rmtree(tmp_path / "first")
    again, kinds = do(url, load_recipe("fake", [*SMALL, "iterations=1"]))
    assert kinds == Counter({"cached": steps})
    assert report_of(again) == first
    plain, _ = do(str(tmp_path / "folder"), load_recipe("fake", [*SMALL, "iterations=1"]))
    assert [step.key for step in plain.steps] == [step.key for step in again.steps]
    for step in plain.steps:
        ours, theirs = plain.artifact(step), again.artifact(step)
        assert ours is not None
        assert theirs is not None
        assert ours.manifest["content"] == theirs.manifest["content"]


def test_nothing_goes_up_but_what_is_meant_to(
    recipe: Callable[..., Loaded], url: str, elsewhere: Callable[[str], None]
) -> None:
    made, _ = do(url, recipe())
    (made.store.root / "logs").mkdir()
    (made.store.root / "logs" / "secret.log").write_text("x")
    (made.store.root / "cache").mkdir()
    (made.store.root / "cache" / "judge.jsonl").write_text("x")
    do(url, recipe())
    base = "/" + url.removeprefix("memory://")
    rooms = {name.removeprefix(f"{base}/").split("/")[0] for name in fsspec.filesystem("memory").find(url)}
    assert rooms == {"artifacts", "runs", "isheep-store.json"}


def test_by_its_address_it_is_shown_evaluated_and_compared(
    recipe: Callable[..., Loaded], tmp_path: Path, url: str, elsewhere: Callable[[str], None]
) -> None:
    names = [do(url, recipe(seed=seed))[0].name for seed in (0, 1)]
    before = isheep("show", names[0], "--store", url, "--json")
    elsewhere("second")
    assert isheep("show", names[0], "--store", url, "--json") == before
    assert "0 problems" in isheep("show", names[0], "--store", url, "--verify")
    assert "artifacts checked" in isheep("show", "--store", url, "--verify")
    table = json.loads(isheep("compare", *names, "--store", url, "--json"))
    assert table
    assert isheep("report", names[0], "--store", url).strip().endswith("report.html")
    asked = ("--set", "iterations=1", "--set", "report.samples=2", "--store", url, "--json")
    assert '"state": "done"' in isheep("plan", str(toy_file(tmp_path)), *asked)
    isheep("eval", names[0], "--tasks", "lamb", "--limit", "3", "--store", url, "--set", "runtime.threads=1")
    second = summarize(open_run(names[0], url))
    elsewhere("third")
    third = open_run(names[0], url)
    assert summarize(third) == second
    assert "/third/" in str(third.folder)


def test_adapters_are_not_brought_for_a_report(
    recipe: Callable[..., Loaded], url: str, elsewhere: Callable[[str], None]
) -> None:
    made, _ = do(url, recipe())
    (trained,) = made.artifacts("train").values()
    assert len(trained.manifest["files"]) > 2
    elsewhere("second")
    opened = open_run(made.name, url)
    write_report(opened)
    (found,) = opened.artifacts("train").values()
    here = {path.name for path in found.folder.rglob("*") if path.is_file()}
    assert not any(name.startswith("adapter") for name in here), here
    assert here


def test_a_second_machine_goes_on_where_the_first_ended(
    recipe: Callable[..., Loaded], url: str, elsewhere: Callable[[str], None]
) -> None:
    made, _ = do(url, recipe())
    elsewhere("second")
    _, kinds = do(url, recipe("iterations=2"))
    assert kinds["cached"] == len(made.steps)
    assert kinds["start"] > 0


def test_a_sweep_by_address(url: str, elsewhere: Callable[[str], None], tmp_path: Path) -> None:
    from isheep.sweep import load_sweep, open_sweep, run_sweep

    plain: dict[str, Any] = {
        "name": "little",
        "recipe": str(toy_file(tmp_path, iterations=1)),
        "arms": {"all": {}, "half": {"filter": {"keep_fraction": 0.25}}},
        "reference": "all",
        "seeds": [0, 1],
    }
    path = tmp_path / "little.yaml"
    path.write_text(json.dumps(plain))
    record = run_sweep(load_sweep(str(path)), url)
    elsewhere("second")
    again = open_sweep("little", url)
    assert again.entries == record.entries
    assert {arm: [r.name for r in runs] for arm, runs in again.arms.items()} == {
        arm: [r.name for r in runs] for arm, runs in record.arms.items()
    }
    with pytest.raises(StoreError, match=f"no sweep 'other' in {url}"):
        open_sweep("other", url)
    with pytest.raises(StoreError, match=f"no run 'other' in {url}"):
        open_run("other", url)


def test_steps_in_processes_of_their_own(
    recipe: Callable[..., Loaded], elsewhere: Callable[[str], None], tmp_path: Path
) -> None:
    loaded = recipe("iterations=0", "runtime.isolation=process")
    made, kinds = do(f"file://{tmp_path}/remote", loaded)
    assert kinds["done"] == len(made.steps)
    elsewhere("second")
    again, kinds = do(f"file://{tmp_path}/remote", loaded)
    assert kinds == Counter({"cached": len(made.steps)})
    assert report_of(again) == report_of(made)


def test_a_store_that_cannot_be_written_stops_before_any_work(
    recipe: Callable[..., Loaded], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    events: list[Event] = []
    with pytest.raises(StoreError, match=r"cannot read file://.*Not a directory"):
        run(recipe(), f"file://{tmp_path}/file/store", tell=events.append)
    assert events == []
