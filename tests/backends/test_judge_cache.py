"""The file of answers: cut anywhere, written by several at once, on a disk that refuses."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.backends import judge_cache
from isheep.backends.judge_cache import Cache, Said, question_key
from isheep.backends.outside import JudgeRequest
from isheep.errors import BackendError

#: A child that keeps 150 answers of its own.
CHILD = """
import sys
from pathlib import Path
from isheep.backends.judge_cache import Cache, Said
cache, name = Cache(Path(sys.argv[1])), sys.argv[2]
print("open", flush=True)
sys.stdin.readline()
for n in range(150):
    cache.put(f"{name}{n:063}", "judge", Said(f"{name} {n} " * 50))
"""


def key(n: int) -> str:
    return f"{n:064x}"


def put(cache: Cache, *numbers: int) -> None:
    for n in numbers:
        cache.put(key(n), "sheepdog", Said(f"answer {n}"))


def held(cache: Cache, *numbers: int) -> list[int]:
    return [n for n in numbers if cache.get(key(n)) == Said(f"answer {n}")]


@given(
    said=st.builds(
        Said,
        st.text(st.characters(codec=None)) | st.just("half a pair: \ud83d\nand so on"),
        st.text(max_size=9),
        st.lists(st.tuples(st.text(max_size=5), st.floats(-1e9, 0))).map(tuple),
        st.integers(0, 10**9),
        st.integers(0, 10**9),
    )
)
def test_what_is_kept_comes_back(said: Said, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("cache")
    cache = Cache(folder)
    cache.put(key(1), "sheepdog", said)
    assert cache.get(key(1)) == Cache(folder).get(key(1)) == said
    assert cache.get(key(2)) is None


def test_a_line_says_who_and_when(tmp_path: Path) -> None:
    put(Cache(tmp_path), 7)
    line = json.loads((tmp_path / "judge.jsonl").read_text())
    assert line["key"] == key(7)
    assert line["judge"] == "sheepdog"
    assert line["when"].endswith("Z")


def test_without_a_folder_nothing_is_kept() -> None:
    cache = Cache(None)
    put(cache, 1)
    assert cache.get(key(1)) is None
    cache.close()


def test_a_file_cut_at_any_byte_loses_what_was_cut_and_nothing_else(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "whole")
    put(cache, 0, 1, 2)
    whole = (tmp_path / "whole" / "judge.jsonl").read_bytes()
    ends = [n + 1 for n, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "judge.jsonl").write_bytes(whole[:cut])
        left = [n for n, end in enumerate(ends) if end <= cut]
        torn = Cache(folder)
        assert held(torn, 0, 1, 2, 3) == left
        put(torn, 3, *(n for n in range(3) if n not in left))
        # A line that lacked nothing but its end is whole again; asked for once more, it is there twice.
        assert held(torn, 0, 1, 2, 3) == held(Cache(folder), 0, 1, 2, 3) == [0, 1, 2, 3]
        torn.close()


@pytest.mark.parametrize(
    "line", ["no JSON", '{"key":"' + key(1) + '","said":{"text":1,"x":2}}', "[]", '{"key":"}}']
)
def test_a_strange_line_is_no_answer_and_hides_none(line: str, tmp_path: Path) -> None:
    put(Cache(tmp_path), 0)
    with (tmp_path / "judge.jsonl").open("a") as file:
        file.write(line + "\n")
    cache = Cache(tmp_path)
    assert held(cache, 0, 1) == [0]
    put(cache, 1)
    assert held(cache, 0, 1) == held(Cache(tmp_path), 0, 1) == [0, 1]


def test_lines_longer_than_what_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(Cache(tmp_path), *range(9))
    for chunk in (1, 50, 300, 1000):
        monkeypatch.setattr(judge_cache, "_CHUNK", chunk)
        assert held(Cache(tmp_path), *range(9)) == list(range(9))


def test_two_processes_at_once_and_a_third_that_watches(tmp_path: Path) -> None:
    watching = Cache(tmp_path)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for name in "ab"
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
    put(watching, *range(50))
    for child in children:
        child.communicate()
        assert child.returncode == 0
    for cache in (watching, Cache(tmp_path)):
        for name in "ab":
            assert all(cache.get(f"{name}{n:063}") == Said(f"{name} {n} " * 50) for n in range(150))
        assert held(cache, *range(50)) == list(range(50))


def test_many_threads_on_one_cache(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    threads = [threading.Thread(target=put, args=(cache, *range(n, 200, 8))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(cache, *range(200)) == held(Cache(tmp_path), *range(200)) == list(range(200))


def test_a_full_disk_is_told_and_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    put(cache, 0)
    before = (tmp_path / "judge.jsonl").read_bytes()
    real, left = os.write, [40]

    def write(handle: int, data: memoryview) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(handle, data[: left[0]])
        left[0] -= written
        return written

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        with pytest.raises(BackendError, match="No space left") as caught:
            put(cache, 1)
    assert "space" in caught.value.hint
    assert (tmp_path / "judge.jsonl").read_bytes() == before
    put(cache, 1)
    assert held(cache, 0, 1) == [0, 1]


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendError, match="cannot be used: File exists"):
        Cache(tmp_path / "file")


def test_after_the_end_nothing_is_kept_and_nothing_breaks(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    put(cache, 0)
    cache.close()
    cache.close()
    put(cache, 1)
    assert cache.get(key(0)) is None
    assert held(Cache(tmp_path), 0, 1) == [0]


def test_the_key_is_of_the_question_alone() -> None:
    messages = (("user", "is it so?"),)
    one = question_key("openai", "m", JudgeRequest("x", messages))
    assert one == question_key("openai", "m", JudgeRequest("y", messages, temperature=0))
    others = [
        question_key("engine", "m", JudgeRequest("x", messages)),
        question_key("openai", "n", JudgeRequest("x", messages)),
        question_key("openai", "m", JudgeRequest("x", (("system", "is it so?"),))),
        question_key("openai", "m", JudgeRequest("x", (*messages, *messages))),
        question_key("openai", "m", JudgeRequest("x", messages, max_tokens=9)),
        question_key("openai", "m", JudgeRequest("x", messages, temperature=0.5)),
        question_key("openai", "m", JudgeRequest("x", messages, seed=1)),
        question_key("openai", "m", JudgeRequest("x", messages, top_logprobs=5)),
    ]
    assert len({one, *others}) == 9


def test_an_answer_already_paid_for_keeps_its_key() -> None:
    """A golden key: should it change, VERSION is raised, and users pay for all their verdicts again."""
    request = JudgeRequest("x", (("user", "Ein Schaf \ud83d\udc11?"),), 9, 0.5, 7, 3)
    assert (
        question_key("openai", "m", request)
        == "d477a7f8736ee45013e792c7418485bb5af30ced99496476c4ec1256d12cac25"
    )
