"""The console script, called in an empty folder; and a finished run to look at."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from isheep import cli
from isheep.runs import Run
from isheep.walk import run
from said import Isheep, Said
from toy import toy, toy_file


@pytest.fixture
def isheep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Isheep:
    """Call the console script's `main` in an empty folder with a toy.yaml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    toy_file(tmp_path)

    def call(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["isheep", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code
        assert isinstance(code, int)
        said = capsys.readouterr()
        if "--debug" not in words:
            assert "Traceback" not in said.err
            assert "looks like a bug" not in said.err
        return Said(code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("cli")
    return run(toy(folder), folder / "store")
