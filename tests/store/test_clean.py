"""`isheep clean`: what a run names stays, whatever else is there; nothing goes without --yes."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from isheep.cli import app
from isheep.errors import StoreError
from isheep.plan import make_plan
from isheep.runs import LATER_FILE, Later, RunStep, add_later, named_keys, register
from isheep.store import Claim, Store
from isheep.walk import run
from toy import contents, toy


def picture(store: Store) -> set[str]:
    return {path.relative_to(store.root).as_posix() for path in store.root.rglob("*") if path.is_file()}


def clean(store: Store, *more: str) -> str:
    done = CliRunner().invoke(app, ["clean", "--store", str(store.root), *more], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_runs_name_stays_and_the_rest_goes(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    kept = run(toy(tmp_path, "iterations=1"), store, "kept")
    again = run(toy(tmp_path, "iterations=1", seed=1), store, "again")
    run(toy(tmp_path, "iterations=1"), store, "again")  # its name is given to other settings
    gone = run(
        toy(tmp_path, "iterations=1", "filter.keep_fraction=0.9", "filter.threshold=null"), store, "gone"
    )
    only_gone = {step.key for step in gone.steps} - {step.key for step in (*kept.steps, *again.steps)}
    assert only_gone
    later = RunStep("extra.0", "extra", 0, "e" * 64)
    for key in ("e" * 64, "f" * 64):
        with store.claim("extra", key) as claim:
            assert isinstance(claim, Claim)
            claim.publish({}, [])
    add_later(kept, [Later(later, kept.steps[0].key)])
    for path in sorted(gone.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    gone.folder.rmdir()
    before, whole = picture(store), contents(kept)

    said = clean(store)
    assert picture(store) == before, "only said"
    assert f"extra/{'f' * 64}" in said
    assert f"{len(only_gone) + 1} steps in {store.root} are named by no run; `isheep clean --yes`" in said
    assert f"removed {len(only_gone) + 1} steps" in clean(store, "--yes")
    assert {artifact.key for artifact in store.artifacts()} == named_keys(store)
    assert contents(kept) == whole
    assert kept.complete
    assert again.complete, "a list that was replaced still counts"
    assert store.find("extra", "e" * 64) is not None
    assert "0 steps" in clean(store)


@pytest.mark.parametrize("name", ["run.json", LATER_FILE])
def test_a_list_that_cannot_be_read_stops_it(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "store")
    made = register(make_plan(toy(tmp_path)), store, "mine")
    with store.claim("extra", "e" * 64) as claim:
        assert isinstance(claim, Claim)
        claim.publish({}, [])
    (made.folder / name).write_text("{")
    with pytest.raises(StoreError, match=f"{name} cannot be read"):
        clean(store, "--yes")
    assert store.find("extra", "e" * 64) is not None


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    assert "0 steps" in clean(Store(tmp_path / "absent"), "--yes")
