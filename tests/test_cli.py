"""The command line as a user meets it: verbs, messages, exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from isheep import cli
from isheep.errors import BackendError, IsheepError, MissingExtraError
from isheep.files import PACKAGE
from isheep.recipe import schema
from isheep.runs import Run, open_run
from isheep.store import Store
from isheep.view import visible
from isheep.walk import run
from toy import contents, toy, toy_file, write_lines


@dataclass
class Said:
    code: int
    out: str
    err: str


Isheep = Callable[..., Said]


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


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("cli")
    return run(toy(folder), folder / "store")


VERBS: Sequence[Sequence[str]] = (
    ("run",), ("plan",), ("show",), ("report",), ("recipes",), ("doctor",), ("lamb",), ("lamb", "build"),
)  # fmt: skip


# help


@pytest.mark.parametrize("verb", [(), *VERBS], ids=" ".join)
def test_every_verb_has_help(isheep: Isheep, verb: Sequence[str]) -> None:
    said = isheep(*verb, "--help")
    assert said.code == 0
    assert said.out.startswith("Usage: ")
    assert len(said.out.splitlines()) > 4
    assert said.err == ""


def test_help_names_every_verb(isheep: Isheep) -> None:
    listed = isheep("--help").out
    for verb in VERBS:
        assert re.search(rf"^  {verb[0]} +\w", listed, re.MULTILINE)


def test_without_a_verb_there_is_help(isheep: Isheep) -> None:
    said = isheep()
    assert "Usage: " in said.out + said.err
    assert said.code == 2


def test_version(isheep: Isheep) -> None:
    assert isheep("--version").out == "0.1.0\n"


@pytest.mark.parametrize("words", ["--help", "run --help", "--version", "recipes --schema", "show last"])
def test_light_verbs_import_nothing_heavy(tmp_path: Path, words: str) -> None:
    """`isheep --help` answers at once: neither torch nor its kin, nor even numpy, is read."""
    code = (
        "import sys\n"
        f"sys.argv = ['isheep', *{shlex.split(words)!r}]\n"
        "from isheep.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'peft', 'trl', 'datasets', 'sklearn', 'accelerate', 'pandas'}\n"
        f"heavy |= {{'numpy', 'yaml'}} if {words.endswith('--help')!r} else set()\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "HEAVY []" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("run", "--nope"),
        ("run", "toy.yaml", "--seed", "x"),
        ("run", "toy.yaml", "--seed", "-1"),
        ("run", "toy.yaml", "another"),
        ("show", "--samples", "-1"),
        ("recipes", "--copy", "fake"),
    ],
    ids=" ".join,
)
def test_wrong_use_prints_the_usage(isheep: Isheep, words: Sequence[str]) -> None:
    said = isheep(*words)
    assert said.code == 2
    assert "Error: " in said.err


# run


def test_run(isheep: Isheep, finished: Run, tmp_path: Path) -> None:
    said = isheep("run", "toy.yaml")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("[ 1/15] seeds ")
    assert lines[14].startswith("[15/15] evaluate.2 ")
    assert lines[-2].split() == ["run", open_run("last").name]
    report = Path(lines[-1].removeprefix("report").strip())
    assert report.is_file()
    assert report.is_relative_to(tmp_path / "isheep-store" / "runs")
    assert contents(open_run("last")) == contents(finished)
    again = isheep("run", "toy.yaml")
    assert again.out.count("from the store") == 15


def test_run_json_is_the_summary_and_progress_goes_elsewhere(isheep: Isheep) -> None:
    said = isheep("run", "toy.yaml", "--json", "--name", "mine", "--seed", "7", "--set", "iterations=1")
    summary = json.loads(said.out)
    assert (summary["run"], summary["seed"], len(summary["iterations"])) == ("mine", 7, 2)
    assert "[9/9] evaluate.1" in said.err
    assert json.loads(isheep("show", "mine", "--json").out) == summary


def test_run_set_store_and_name(isheep: Isheep, tmp_path: Path) -> None:
    words = ("--set", "iterations=0", "--set", "evaluate.decodings=[greedy]", "--store", "else where")
    assert isheep("run", "toy.yaml", *words, "--name", "x").code == 0
    made = open_run("x", tmp_path / "else where")
    assert made.recipe.evaluate.decodings == ("greedy",)
    assert not (tmp_path / "isheep-store").exists()


def test_names_with_brackets_are_no_markup(isheep: Isheep, tmp_path: Path) -> None:
    """Rich would read [bold] as a style and fail at [/x]."""
    write_lines(tmp_path / "a[red]b.jsonl", [{"instruction": "Zwei plus zwei?", "answers": ["vier"]}])
    (tmp_path / "m[").mkdir()
    (tmp_path / "m[" / "x]").mkdir()
    (tmp_path / "m[" / "x]" / "config.json").write_text("{}")
    words = ("--set", "evaluate.tasks=['a[red]b.jsonl']", "--set", "model.base='./m[/x]'", "--store", "s[b]")
    for verb in (("plan", "toy.yaml", *words), ("run", "toy.yaml", *words), ("show", "--store", "s[b]")):
        said = isheep(*verb)
        assert said.code == 0
        assert "a[red]b" in said.out
    assert "model ./m[/x]," in said.out


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("run", "nope"), 2, "recipe: no file 'nope'"),
        (("run", "toy.yaml", "--set", "sead=3"), 2, "sead: unknown setting; did you mean 'seed'?"),
        (("plan", "toy.yaml", "--set", "oops"), 2, "--set oops: expected key.path=value"),
        (("run", "toy.yaml", "--set", "seeds.file=toy.yaml"), 2, "toy.yaml holds 1 row that is not a task"),
        (("run", "toy.yaml", "--set", "filter.threshold=9.99"), 4, "the filter kept 0 of 12 pairs"),
        (("run", "toy.yaml", "--name", "a/b"), 5, "'a/b' cannot name a run"),
        (("run", "toy.yaml", "--store", "toy.yaml"), 5, "Not a directory"),
        (("show",), 5, "no run 'last' in "),
        (("show", "../x"), 5, "no run '../x' in "),
        (("report", "x"), 5, "no run 'x' in "),
        (("recipes", "--copy", "fak", "x.yaml"), 2, "did you mean 'fake'?"),
        (("recipes", "--copy", "fake", "toy.yaml"), 2, "toy.yaml exists"),
        (("recipes", "--copy", "fake", "no/such/x.yaml"), 2, "cannot write no/such/x.yaml: No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_errors_are_a_message_a_hint_and_a_code(
    isheep: Isheep, words: Sequence[str], code: int, error: str
) -> None:
    said = isheep(*words)
    assert said.code == code
    assert said.err.startswith("error: ") or "\nerror: " in said.err
    assert error in said.err
    assert "\nhint: " in said.err


@pytest.mark.parametrize(("error", "code"), [(MissingExtraError, 3), (BackendError, 6)])
def test_a_backend_that_fails_has_codes_of_its_own(
    isheep: Isheep, monkeypatch: pytest.MonkeyPatch, error: type[IsheepError], code: int
) -> None:
    def fail(*given: Any) -> None:
        raise error("it will not go", "try another")

    monkeypatch.setattr("isheep.step.open_engine", fail)
    said = isheep("run", "toy.yaml")
    assert said.code == code
    assert said.err == "error: it will not go\nhint: try another\n"


@pytest.mark.parametrize("words", ["--debug run nope", "run --debug nope", "run nope --debug"])
def test_debug_shows_the_traceback_wherever_it_stands(isheep: Isheep, words: str) -> None:
    said = isheep(*words.split())
    assert said.code == 2
    assert "Traceback" in said.err
    assert said.err.endswith("hint: `isheep recipes` lists the shipped ones\n")


def test_a_bug_of_ours_says_so(isheep: Isheep, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **more: Any) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("isheep.recipe.load_recipe", fail)
    monkeypatch.setattr(sys, "argv", ["isheep", "plan", "--debug"])
    said = isheep("plan", "toy.yaml", "--debug")
    assert said.code == 1
    assert "error: ZeroDivisionError: oops\nhint: this looks like a bug in isheep" in said.err


# plan


def test_plan_states(isheep: Isheep, tmp_path: Path) -> None:
    before = isheep("plan", "toy.yaml")
    assert before.out.count("to do  ") == 15
    assert before.out.splitlines()[-1].startswith("15 steps, 0 done; to do: about ")
    assert not (tmp_path / "isheep-store").exists(), "a plan changes nothing"
    isheep("run", "toy.yaml", "--set", "iterations=1")
    half = json.loads(isheep("plan", "toy.yaml", "--json").out)
    assert [row["state"] for row in half["steps"]] == ["done"] * 9 + ["to do"] * 6
    step = half["steps"][9]
    work = Store(tmp_path / "isheep-store").work_folder("instructions", step["key"])
    work.mkdir(parents=True)
    (work / "journal.jsonl").write_text('{"one"}\n{"two"}\n{"torn')
    assert "instructions.1" in (found := isheep("plan", "toy.yaml").out)
    assert "2 records" in next(line for line in found.splitlines() if line.startswith("instructions.1"))
    assert half["to_do"]["read"] == sum(row["read"] for row in half["steps"][9:])
    (work / "journal.jsonl").unlink()
    isheep("run", "toy.yaml")
    assert isheep("plan", "toy.yaml").out.splitlines()[-1] == "15 steps, 15 done; nothing to do"


def test_plan_json_names_the_run(isheep: Isheep) -> None:
    planned = json.loads(isheep("plan", "toy.yaml", "--json").out)["run"]
    isheep("run", "toy.yaml")
    assert open_run("last").name == planned


# show and report


def test_show(isheep: Isheep, finished: Run) -> None:
    said = isheep("show", finished.name, "--store", str(finished.store.root), "--samples", "2")
    assert said.code == 0
    assert said.out.startswith(f"{finished.name}: recipe toy, model toy-base, complete\n")
    for part in (
        "scores in %",
        "funnel",
        "dropped, by reason",
        "not_in_best",
        "[0] kept  ",
        "[1] dropped: ",
    ):
        assert part in said.out
    assert said.out.count("[0] kept") == 2
    none = isheep("show", "last", "--store", str(finished.store.root), "--samples", "0")
    assert "[0] " not in none.out


def test_show_json_parses(isheep: Isheep, finished: Run) -> None:
    summary = json.loads(isheep("show", "--json", "--store", str(finished.store.root)).out)
    assert summary["run"] == finished.name
    for entry in summary["iterations"]:
        assert {"iteration", "scores", "instructions", "responses", "kept", "dropped", "assessment"} <= set(
            entry
        )


def test_show_verify_finds_one_flipped_byte(isheep: Isheep, tmp_path: Path) -> None:
    isheep("run", "toy.yaml", "--set", "iterations=1")
    fine = isheep("show", "--verify")
    assert (fine.code, fine.out) == (0, "9 artifacts checked, 0 problems\n")
    path = open_run("last").artifacts("responses")[0].path("pair.jsonl")
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    bad = isheep("show", "--verify")
    assert bad.code == 5
    assert re.match(r"responses\.0 \(\w{12}\): pair\.jsonl has other content", bad.err)
    assert bad.out.startswith("9 artifacts checked, ")


def test_show_of_an_unfinished_run(isheep: Isheep) -> None:
    isheep("run", "toy.yaml", "--set", "filter.threshold=9.99")
    said = isheep("show")
    assert said.code == 0
    assert "not complete" in said.out
    assert json.loads(isheep("show", "--json").out)["complete"] is False


def test_report_writes_the_page_again(isheep: Isheep, tmp_path: Path) -> None:
    isheep("run", "toy.yaml", "--set", "iterations=1")
    page = open_run("last").folder / "report.html"
    page.unlink()
    assert isheep("report").out.strip() == str(page)
    assert page.is_file()


def test_model_text_cannot_drive_the_terminal() -> None:
    text = "a\x1b[31mb\rc\u202ed\u2028e\x07f\ud800 é 🐑 [bold]"
    shown = visible(text)
    assert shown == "a\\x1b[31mb\\x0dc\\x202ed\\x2028e\\x07f\\xd800 é 🐑 [bold]"


# recipes


def test_recipes_are_listed(isheep: Isheep) -> None:
    said = isheep("recipes")
    for name in ("lamb", "fake", "one_gpu", "paper"):
        assert re.search(rf"^{name} +\S", said.out, re.MULTILINE)


def test_a_copy_speaks_of_itself_and_runs(isheep: Isheep, tmp_path: Path) -> None:
    said = isheep("recipes", "--copy", "fake", "my own.yaml")
    assert said.out == "my own.yaml\nrun it with: isheep run 'my own.yaml'\n"
    first, second, *_ = (tmp_path / "my own.yaml").read_text(encoding="utf-8").splitlines()
    assert first == "# isheep run 'my own.yaml'"
    assert second == f"# yaml-language-server: $schema={PACKAGE}/recipes/recipe.schema.json"
    assert isheep(*shlex.split(first.removeprefix("# isheep ")), "--set", "iterations=0").code == 0


def test_a_copy_of_each_recipe_loads(isheep: Isheep, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for path in sorted((PACKAGE / "recipes").glob("*.yaml")):
        assert isheep("recipes", "--copy", path.stem, "mine").code == 0
        copy = tmp_path / "mine" / path.name
        assert isheep("plan", str(copy)).code == 0
        assert yaml.safe_load(copy.read_text(encoding="utf-8"))["name"] == path.stem


def test_the_schema_is_printed(isheep: Isheep) -> None:
    printed = json.loads(isheep("recipes", "--schema").out)
    assert printed == schema()
    jsonschema.Draft202012Validator.check_schema(printed)


# doctor


def test_doctor(isheep: Isheep) -> None:
    said = isheep("doctor", "--store", "nowhere")
    assert said.code == 0
    for part in ("python", "device", "free disk", "will be made", "torch", "pydantic"):
        assert part in said.out


def test_doctor_names_what_is_missing(isheep: Isheep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isheep.doctor.NEEDED", {"no-such-package-at-all": "gpu", "pydantic": ""})
    said = isheep("doctor")
    assert said.code == 3
    assert re.search(r"no-such-package-at-all +missing +pip install 'isheep\[gpu\]'", said.out)


# terminals and signals, in processes of their own


def start(folder: Path, *words: str, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "isheep", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **env},
        start_new_session=True,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_with_few_letters(tmp_path: Path, encoding: str) -> None:
    toy_file(tmp_path)
    write_lines(tmp_path / "t\u00e9\u4e2d.jsonl", [{"instruction": "Zwei plus zwei?", "answers": ["vier"]}])
    words = ["run", "toy.yaml", "--set", "iterations=0", "--set", "evaluate.tasks=['t\u00e9\u4e2d.jsonl']"]
    out, err = (child := start(tmp_path, *words, PYTHONIOENCODING=encoding)).communicate(timeout=60)
    assert child.returncode == 0, err
    assert "\\u4e2d" in out.decode(encoding)


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_ctrl_c_says_how_to_go_on(tmp_path: Path, finished: Run, isolation: str) -> None:
    toy_file(tmp_path)
    words = ("run", "toy.yaml", "--set", f"runtime.isolation={isolation}", "--set", "instructions.count=300")
    child = start(tmp_path, *words)
    store = tmp_path / "isheep-store"
    deadline = time.monotonic() + 60
    while not list(store.glob("work/instructions/*/journal.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGINT)  # a terminal tells the whole group
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, (out, err)
    again = shlex.join(["isheep", *words])
    assert err.decode() == f"\nstopped; everything written so far is safe. Go on with: {again}\n"
    assert not open_run("last", store).complete
    with Store(store).claim("instructions", open_run("last", store).steps[3].key):
        pass  # nobody holds on to the step


def test_a_reader_that_has_seen_enough(tmp_path: Path, finished: Run) -> None:
    for words in (["show", "--json"], ["show"], ["recipes", "--schema"]):
        child = start(tmp_path, *words, *(["--store", str(finished.store.root)] if "show" in words else []))
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        said = child.stderr.read()
        child.wait(timeout=60)
        child.stderr.close()
        assert b"Traceback" not in said
        assert b"bug" not in said


def terminal_says(folder: Path, width: int, *words: str, **env: str) -> str:
    """What a run prints to a terminal of this width."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    child = subprocess.Popen(
        [sys.executable, "-m", "isheep", *words],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**clean, "TERM": "xterm-256color", **env},
    )
    os.close(theirs)
    out = io.BytesIO()
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        out.write(piece)
    os.close(ours)
    assert child.wait(timeout=60) == 0
    return out.getvalue().decode()


def test_a_terminal_shows_a_bar_and_gets_its_cursor_back(tmp_path: Path) -> None:
    toy_file(tmp_path)
    said = terminal_says(tmp_path, 80, "run", "toy.yaml", "--set", "iterations=1")
    assert "[9/9] evaluate.1" in said
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l"), "the cursor is shown again"


def test_no_color(tmp_path: Path) -> None:
    toy_file(tmp_path)
    said = terminal_says(tmp_path, 80, "run", "toy.yaml", "--set", "iterations=0", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", said)


def test_a_narrow_terminal(tmp_path: Path, finished: Run) -> None:
    said = terminal_says(tmp_path, 30, "show", "--store", str(finished.store.root), "--samples", "1")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said)
    assert "scores in %" in plain
    assert "dropped, by reason and" in plain
