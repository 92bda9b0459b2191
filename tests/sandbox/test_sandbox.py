"""The sandbox: good programs pass, and nothing a bad one does makes it pass, gets out, or is left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from isheep.sandbox import Limits, Outcome, Program, isolation, run_checks
from isheep.sandbox.running import attempt
from isheep.sandbox.terms import FENCES

QUICK = Limits(seconds=2.0, cpu_seconds=1, memory_mb=256, file_mb=1)
LINUX = sys.platform.startswith("linux")


@pytest.fixture(autouse=True)
def scratch(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the temporary folders are made; none may be left after any test."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def run(code: str, limits: Limits = QUICK) -> Outcome:
    (outcome,) = run_checks([Program("p", code)], limits)
    return outcome


def alone(code: str, *fences: str) -> Outcome:
    """Run behind these fences only; skipped where one of them does not stand on this machine."""
    outcome, held = attempt(Program("p", code), QUICK, fences)
    if set(fences) - set(held):
        pytest.skip(f"{fences} cannot be had here")
    return outcome


# what passes


@pytest.mark.parametrize(
    "code",
    [
        "",
        "assert sorted([3, 1, 2]) == [1, 2, 3]",
        "import math, re, json, hashlib, itertools, collections, datetime, random, decimal, fractions, heapq\n"
        "assert hashlib.md5(b'a').hexdigest() == '0cc175b9c0f1b6a831c399e269772661'",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: 'int'\nassert A(1) == A(1)",
        "print('x' * 10_000_000)",
        "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()",
        "open('a.txt', 'w').write('b')\nassert open('a.txt').read() == 'b'",
        "import os, tempfile\nassert os.listdir('.') == []\nassert tempfile.gettempdir() == os.getcwd()\n"
        "with tempfile.TemporaryDirectory() as d:\n    open(d + '/x', 'w').write('y')",
        "assert 'ünï' in '\\u00fcn\\u00ef 漢'",
        "assert __name__ != '__main__'",
        "import atexit, sys\natexit.register(lambda: 1 / 0)",
        "try:\n    raise SystemExit\nexcept SystemExit:\n    pass",
    ],
)  # fmt: skip
def test_a_good_program_passes(code: str) -> None:
    assert run(code) == Outcome("p", True, "passed", "")


def test_the_order_of_a_set_is_the_same_in_every_run() -> None:
    shown = "raise ValueError(list({'a', 'b', 'c', 'd', 'e', 'f'}))"
    assert run(shown) == run(shown)


@pytest.mark.parametrize("workers", [1, 3])
def test_outcomes_come_in_the_order_given(workers: int) -> None:
    programs = [
        Program(f"p{n}", f"import time\ntime.sleep({0.3 if n == 0 else 0})\nassert {n} % 2 == 0")
        for n in range(6)
    ]
    found = list(run_checks(programs, QUICK, workers))
    assert [(o.id, o.passed) for o in found] == [(f"p{n}", n % 2 == 0) for n in range(6)]


@pytest.mark.parametrize("workers", [1, 2])
def test_who_stops_asking_waits_for_no_more(workers: int) -> None:
    programs = [Program("first", ""), *(Program(str(n), "while True: pass") for n in range(20))]
    begun = time.monotonic()
    found = run_checks(programs, QUICK, workers)
    assert next(found).passed
    found.close()  # type: ignore[attr-defined]
    assert time.monotonic() - begun < 15


# what fails


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("assert 1 == 2, 'no'", "AssertionError: no (line 1)"),
        ("x = 1\n\nx.y", "AttributeError: 'int' object has no attribute 'y' (line 3)"),
        ("def f(:", "SyntaxError: invalid syntax (<program>, line 1)"),
        ("x = '\0'", "source code string cannot contain null bytes"),
        ("x = '\ud800'", "UnicodeEncodeError"),
        ("def f():\n    return f()\nf()", "RecursionError"),
        ("(" * 5000 + ")" * 5000, "too many nested parentheses"),
        ("input()", "EOFError"),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "E: (its message cannot be read)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise type('E' * 9999, (Exception,), {})", "EEEE"),
        ("raise Exception('x' * 10**6)", "Exception: xxx"),
        ("raise Exception('a\\nb passed\\n')", "Exception: a\nb passed"),
        ("import isheep", "ModuleNotFoundError"),
        ("import kernel", "ModuleNotFoundError"),
        ("exit(0)", "NameError"),
    ],
)  # fmt: skip
def test_a_bad_program_fails_with_its_reason(code: str, detail: str) -> None:
    outcome = run(code)
    assert (outcome.passed, outcome.status) == (False, "failed")
    assert detail in outcome.detail
    assert len(outcome.detail) < 600


#: Whoever runs the tests may hold many descriptors: the programs go for the numbers far above, too.
FORGERIES = {
    "sys.exit": "import sys\nsys.exit(0)",
    "os._exit": "import os\nos._exit(0)",
    "SystemExit": "raise SystemExit",
    "print": "print('passed')\nprint('begun hook\\n0 passed')\nraise ValueError",
    "writes to every descriptor": "import os\nfor fd in range(1, 999):\n    try: os.write(fd, b'0 passed\\n')\n"
    "    except OSError: pass\nos._exit(0)",
    "writes, and lives on": "import os, time\nfor fd in range(1, 999):\n    try: os.write(fd, b'begun\\n0 passed\\n')\n"
    "    except OSError: pass\ntime.sleep(60)",
    "floods every descriptor": "import os\nfor fd in range(3, 999):\n    try:\n"
    "        while True: os.write(fd, b'x' * 4096)\n    except OSError: pass",
    "closes every descriptor": "import os, time\nos.closerange(0, 999)\ntime.sleep(60)",
    "closes and ends": "import os\nos.closerange(0, 999)",
    "patches what the answer is told with": "import os, json, builtins\n"
    "os.write = lambda fd, b, w=os.write: w(fd, b.replace(b'failed', b'passed'))\n"
    "json.dumps = builtins.str = builtins.repr = lambda *a, **k: 'passed'\nos._exit = lambda n: None\nassert False",
    "exit handler": "import atexit, os\natexit.register(os._exit, 0)\nassert False",
    "exits from a thread": "import os, threading, time\n"
    "threading.Thread(target=lambda: os._exit(0)).start()\ntime.sleep(5)",
    "kills itself": "import os, signal\nos.abort()",
    "alarm": "import signal, time\nsignal.alarm(1)\ntime.sleep(5)",
    "except hook": "import sys\nsys.excepthook = lambda *a: None\nassert False",
    "main module": "import __main__\n__main__._run = lambda code: None\nassert False",
    "message of the error": "raise Exception('\\n0 passed\\n')",
}  # fmt: skip


@pytest.mark.parametrize("code", FORGERIES.values(), ids=FORGERIES)
def test_ending_early_or_claiming_to_have_passed_is_no_pass(code: str) -> None:
    outcome = run(code)
    assert (outcome.passed, outcome.status) == (False, "failed")
    assert outcome.detail


# what is too much


def test_an_endless_loop_is_stopped_by_its_processor_time() -> None:
    outcome = run("while True: pass", Limits(seconds=20, cpu_seconds=1))
    assert outcome == Outcome("p", False, "timeout", "used more than 1 s of processor time")


def test_an_endless_loop_that_ignores_the_signal_is_stopped_too() -> None:
    code = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    assert run(code, Limits(seconds=20, cpu_seconds=1)).status == "timeout"


def test_an_endless_sleep_is_stopped_by_the_clock() -> None:
    outcome = run("import time\ntime.sleep(60)", Limits(seconds=0.7))
    assert outcome == Outcome("p", False, "timeout", "took more than 0.7 s")


def test_an_error_whose_message_never_ends_is_stopped() -> None:
    code = "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E"
    assert run(code).status == "timeout"


@pytest.mark.parametrize(
    "code",
    ["x = [0] * 10**9", "x = []\nwhile True: x.append(bytearray(10**6))", "x = 'a' * 10**9"],
    ids=["at once", "bit by bit", "text"],
)
def test_a_memory_hog_is_stopped(code: str) -> None:
    assert run(code) == Outcome("p", False, "memory", "ran out of memory")


def test_a_huge_file_is_refused() -> None:
    outcome = run("with open('a', 'wb') as f:\n    for _ in range(100): f.write(b'x' * 10**5)")
    assert outcome.status == "failed"
    assert outcome.detail.startswith("OSError")


def test_all_files_together_are_limited_where_the_kernel_lends_a_disk() -> None:
    code = "for n in range(50):\n    with open(str(n), 'wb') as f: f.write(b'x' * 10**5)"
    assert "No space left" in alone(code, "namespaces", "disk").detail


def test_open_files_are_limited() -> None:
    assert "Too many open files" in run("x = [open('/dev/null') for _ in range(1000)]").detail


def test_many_threads_are_stopped() -> None:
    code = (
        "import threading, time\n"
        "for _ in range(100_000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    )
    assert not run(code).passed


# what stays out of reach

SECRET = "ISHEEP_TEST_SECRET"
BOMB = "import os\nwhile True: os.fork()"
CHILD = "import subprocess\nsubprocess.Popen(['sleep', '987654'], start_new_session=True)"
#: An attempt, and what must stand around it alone to refuse it ("hook" refuses all of them).
REACHES = {
    "fork": ("import os\nos.fork()", "seccomp"),
    "fork bomb": (BOMB, "seccomp"),
    "subprocess": (CHILD, "seccomp"),
    "os.system": ("import os\nassert os.system('true') == 0", "seccomp"),
    "exec": ("import os\nos.execv('/bin/true', ['true'])", "seccomp"),
    "multiprocessing": ("import multiprocessing as m\np = m.Process(target=print)\np.start()", "seccomp"),
    "kills its parent": ("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)", "seccomp"),
    "kills its group": ("import os, signal\nos.killpg(0, 0)", "seccomp"),
    "signals its parent": ("import os\nos.kill(os.getppid(), 0)", "landlock"),
    "kills everybody": ("import os\nos.kill(-1, 0)", "seccomp"),
    "socket": ("import socket\nsocket.socket()", "seccomp"),
    "raises its limits": ("import resource as r\nr.setrlimit(r.RLIMIT_CPU, (99, 99))", "seccomp"),
    "limits its parent": ("import os, resource as r\nr.prlimit(os.getppid(), r.RLIMIT_NOFILE, (5, 5))", "seccomp"),
    "ctypes": ("import ctypes\nassert ctypes.CDLL(None).fork() >= 0", "seccomp"),
    "chmod": ("import os\nos.chmod('.', 0o777)", "seccomp"),
}  # fmt: skip


@pytest.mark.parametrize("fence", ["hook", "kernel", "all"])
@pytest.mark.parametrize(("code", "kernel"), REACHES.values(), ids=REACHES)
def test_each_fence_alone_and_all_together_refuse(code: str, kernel: str, fence: str) -> None:
    fences = {"hook": ["hook"], "kernel": [kernel], "all": FENCES}[fence]
    outcome = alone(code, *fences) if fence != "all" else run(code)
    assert outcome.status == "failed"
    assert any(
        word in outcome.detail
        for word in ("PermissionError", "BlockingIOError", "AssertionError", "ValueError")
    ), outcome.detail


@pytest.mark.skipif(not LINUX, reason="namespaces and Landlock are Linux's")
@pytest.mark.parametrize("fence", ["namespaces", "landlock", "seccomp", "hook"])
def test_no_server_can_be_reached(fence: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = alone(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)", fence)
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.accept()
    assert outcome.status == "failed"


@pytest.mark.parametrize("fence", ["landlock", "hook", "all"])
@pytest.mark.parametrize(
    "change",
    [
        "open({there!r}, 'w')",
        "open({there!r}, 'a')",
        "import os\nos.open({there!r}, os.O_RDWR)",
        "import os\nos.remove({there!r})",
        "import os\nos.rename({there!r}, 'mine')",
        "import os\nos.mkdir({there!r} + 's')",
        "import os\nos.symlink('/', {there!r} + 's')",
        "import os\nos.truncate({there!r}, 0)",
        "import shutil\nshutil.rmtree(__import__('os').path.dirname({there!r}))",
        "import os\nos.symlink({there!r}, 'link')\nopen('link', 'w')",
        "import pathlib\npathlib.Path({there!r}).write_text('')",
    ],
)
def test_nothing_outside_the_folder_is_changed(tmp_path: Path, change: str, fence: str) -> None:
    there = tmp_path / "kept.txt"
    there.write_text("as it was")
    code = change.format(there=str(there))
    outcome = run(code) if fence == "all" else alone(code, fence)
    assert outcome.status == "failed", outcome
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]
    assert there.read_text() == "as it was"


def test_your_files_cannot_be_read_where_landlock_stands(tmp_path: Path) -> None:
    (tmp_path / "private.txt").write_text("mine")
    assert "PermissionError" in alone(f"open({str(tmp_path / 'private.txt')!r})", "landlock").detail


def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "1234")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    code = "import os\nassert set(os.environ) <= {'HOME', 'TMPDIR', 'PYTHONHASHSEED', 'LC_CTYPE'}, sorted(os.environ)"
    assert run(code) == Outcome("p", True, "passed", "")


@pytest.mark.skipif(not LINUX, reason="/proc is Linux's")
@pytest.mark.parametrize("fence", ["namespaces", "landlock"])
def test_the_environment_of_others_cannot_be_read(fence: str) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={SECRET: "1234"})
    try:
        assert "PermissionError" in alone(f"open('/proc/{other.pid}/environ').read()", fence).detail
    finally:
        other.communicate(b"\n")


@pytest.mark.skipif(not LINUX, reason="/proc is Linux's")
def test_nothing_is_left_running_even_without_a_fence() -> None:
    mark = f"98765{os.getpid()}"
    code = f"import subprocess\nsubprocess.Popen(['sleep', '{mark}'])"
    outcome, _ = attempt(Program("p", code), QUICK, ())
    assert outcome.passed, "without fences it may"
    deadline = time.monotonic() + 10
    while running(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not running(mark)


def running(mark: str) -> bool:
    """Whether a process with this argument is alive."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in line.read_bytes().split(b"\0"):
                return True
        except OSError:
            pass  # it has just ended
    return False


def test_a_program_does_not_outlive_who_started_it(tmp_path: Path) -> None:
    code = (
        "import os, sys, tempfile\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "from isheep.sandbox import Limits, Program, run_checks\n"
        "print('go', flush=True)\n"
        "list(run_checks([Program('p', 'import time\\ntime.sleep(600)')], Limits(seconds=600)))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        deadline = time.monotonic() + 30
        while not (child := children(parent.pid)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert child
        time.sleep(0.5)  # until it has its fences up
        parent.kill()
    while any(map(alive, child)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, child))


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# what is left behind


@pytest.mark.parametrize("fences", [FENCES, ()], ids=["all", "none"])
def test_a_deep_and_closed_folder_is_removed(fences: tuple[str, ...]) -> None:
    code = (
        "import os\n"
        "os.mkdir('closed')\nopen('closed/x', 'w')\n"
        "for _ in range(900):\n    os.mkdir('d')\n    os.chdir('d')\n"
    )
    attempt(Program("p", code), QUICK, fences)  # the folder's absence is seen by the fixture


def test_a_program_is_not_begun_where_a_fence_fails_that_held_before() -> None:
    isolation()
    outcome = run("open('/dev/null')", Limits(open_files=1))  # Landlock needs to open the folders it allows
    assert (outcome.passed, outcome.status) == (False, "error")
    assert "did not come up" in outcome.detail


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_a_limit_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Limits(**{name: 0})


def test_what_holds_here_is_said() -> None:
    found = isolation()
    assert "hook" in found.held
    assert str(found).count("the kernel") + str(found).count("only Python") == 3


def test_descriptors_are_not_leaked() -> None:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("no /proc")
    run("")
    before, threads = len(list(folder.iterdir())), threading.active_count()
    for code in ("", "assert 0", "import os; os._exit(1)"):
        run(code)
    assert len(list(folder.iterdir())) == before
    assert threading.active_count() == threads
