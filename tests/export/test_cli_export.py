"""The verbs on the command line: what they print, and their exit codes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from isheep import cli
from isheep.runs import Run
from said import Isheep, Said


@pytest.fixture
def isheep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Isheep:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["isheep", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        assert "Traceback" not in said.err
        assert "looks like a bug" not in said.err
        return Said(ended.value.code, said.out, said.err)

    return call


def test_data_then_a_dry_push(isheep: Isheep, talked: Run, tmp_path: Path) -> None:
    store = str(talked.store.root)
    said = isheep("export", "data", "--store", store, "--iteration", "1", "--format", "alpaca", "--out", "a")
    assert said.code == 0, said.err
    assert 'load_dataset("a")' in said.out
    again = isheep("export", "data", "--store", store, "--out", "a")
    assert again.code == 8
    assert "--force" in again.err
    assert isheep("export", "data", "--store", store, "--all-pairs", "--out", "a", "--force").code == 0
    dry = isheep("push", "a", "--repo", "me/a", "--dry-run")
    assert dry.code == 0
    assert "data/iteration-001.parquet" in dry.out
    assert "https://huggingface.co/datasets/me/a (dataset, private)" in dry.out
    assert "nothing was uploaded" in dry.out


def test_mistakes_name_what_there_is(isheep: Isheep, talked: Run) -> None:
    store = str(talked.store.root)
    said = isheep("export", "data", "nobody", "--store", store, "--out", "a")
    assert (said.code, talked.name in said.err) == (5, True)
    for wrong in ("9", "-1", "two", "²"):
        said = isheep("export", "data", "--store", store, "--out", "a", "--iteration", wrong)
        assert said.code == 8
        assert "all" in said.err
    said = isheep("export", "model", "--store", store, "--out", "a", "--iteration", "9")
    assert (said.code, "one of 1, 2" in said.err) == (8, True)
    assert not Path("a").exists()


def test_a_model(isheep: Isheep, trained: Run, tmp_path: Path) -> None:
    said = isheep("export", "model", "last", "--store", str(trained.store.root), "--out", "m", "--merge")
    assert said.code == 0, said.err
    assert said.out == "m\n"
    assert "comparing" in said.err
    assert (tmp_path / "m" / "model.safetensors").exists()
