"""`isheep eval` from the command line: scores, a judge behind a real server, mistakes with their fix."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chat_server import ChatServer, Status
from evaluated import ASKED, IFEVAL, PAIRS, TALK
from isheep.runs import Run
from said import Isheep, Said
from toy import write_lines

KEY = "sk-the-key-itself"
FAKE = ("--set", "backend={engine: fake, trainer: fake}", "--set", "model.layout=question")


def judge(payload: Any) -> str:
    """Holds with the longer answer, in the form it is asked for; never with its place."""
    text = payload["messages"][-1]["content"]
    parts = dict(re.findall(r"=====[^=\n]*\b([AB])\b[^=\n]*=====\n(.*?)(?=\n=====)", text, re.DOTALL))
    if len(parts) == 2:
        return f"Verdict: {'A' if len(parts['A']) >= len(parts['B']) else 'B'}"
    return "It will do.\nGrade: 7"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("SHEEPDOG_KEY", KEY)
    with ChatServer(judge, key=KEY, told="sheepdog-2026-01") as one:
        yield one


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_lines(folder / "ifeval_input_data.jsonl", IFEVAL)
    (folder / "alpaca_eval.json").write_text(json.dumps(PAIRS), encoding="utf-8")
    write_lines(folder / "question.jsonl", TALK)
    write_lines(folder / "mine.jsonl", ASKED)
    return folder


@pytest.fixture
def store(finished: Run, tmp_path: Path) -> str:
    """A copy of the finished run's store."""
    return str(shutil.copytree(finished.store.root, tmp_path / "store"))


def asked(server: ChatServer) -> tuple[str, ...]:
    words = ("--judge", "openai", "--judge-model", "sheepdog", "--judge-url", server.url)
    return (*words, "--set", "judge.key_env=SHEEPDOG_KEY")


def cells(said: Said) -> dict[tuple[int, str, str], dict[str, Any]]:
    assert said.code == 0, said.err
    return {(row["iteration"], row["task"], row["metric"]): row for row in json.loads(said.out)["scores"]}


# scores


def test_json_has_the_scores_of_the_summary(isheep: Isheep, finished: Run, store: str, data: Path) -> None:
    said = isheep(
        "eval", "last", "--tasks", "boolq,squadv2", "--store", store, "--json", "--set", "benchmarks.limit=2"
    )
    found = cells(said)
    assert {t for t, _, _ in found} == {0, 1, 2}
    summary = json.loads((Path(store) / "runs" / finished.name / "summary.json").read_text(encoding="utf-8"))
    for entry in summary["iterations"]:
        rows = [
            {k: v for k, v in r.items() if k != "iteration"}
            for (t, _, _), r in found.items()
            if t == entry["iteration"]
        ]
        assert rows == entry["scores"]
    made = json.loads(said.out)
    assert made["run"] == finished.name
    assert {"iteration", "task", "metric", "value", "ci_low", "ci_high", "p", "p_holm"} <= made["gain"][
        0
    ].keys()


def test_the_table_has_a_line_for_every_metric(isheep: Isheep, store: str, data: Path) -> None:
    said = isheep(
        "eval", "last", "--tasks", "ifeval", "--tasks", "boolq", "--data-dir", str(data), "--store", store
    )
    assert said.code != 0, "boolq has no data there"
    said = isheep("eval", "last", "--tasks", "ifeval", "--data-dir", str(data), "--store", store)
    assert said.code == 0
    for metric in ("prompt level strict acc", "inst level loose acc"):
        (line,) = [line for line in said.out.splitlines() if metric in line]
        assert "ifeval" in line
        assert line.count(" to ") == 5, "three scores and two changes, each with its interval"
    assert "report.html" in said.out


def test_a_model_that_is_no_run(isheep: Isheep, data: Path) -> None:
    said = isheep(
        "eval", "toy-base", "--tasks", f"ifeval,{data}/mine.jsonl", "--data-dir", str(data), "--json", *FAKE
    )
    assert {(t, task) for t, task, _ in cells(said)} == {(0, "ifeval"), (0, "mine")}
    again = isheep(
        "eval", "toy-base", "--tasks", f"ifeval,{data}/mine.jsonl", "--data-dir", str(data), "--json", *FAKE
    )
    assert again.out == said.out


def test_lamb_itself(isheep: Isheep, data: Path) -> None:
    """The embedded model, really asked: two prompts of each kind."""
    said = isheep(
        "eval", "lamb", "--tasks", f"ifeval,{data}/mine.jsonl", "--data-dir", str(data), "--limit", "2", "--json",
        "--set", "ifeval.max_tokens=8", "--set", "evaluate.max_tokens=8", "--set", "evaluate.decodings=[greedy]",
        "--set", "evaluate.base_layouts=[]", "--set", "runtime.threads=1",
    )  # fmt: skip
    found = cells(said)
    assert found[0, "ifeval", "prompt_level_strict_acc"]["n"] == 2
    assert found[0, "mine", "accuracy_greedy"]["n"] == 2
    assert json.loads(said.out)["model"] == "lamb"


# judged chat


def test_both_protocols_against_a_server(
    isheep: Isheep, store: str, data: Path, server: ChatServer, finished: Run
) -> None:
    words = (
        "eval",
        "last",
        "--tasks",
        "alpaca_eval,mt_bench",
        "--data-dir",
        str(data),
        "--store",
        store,
        "--json",
    )
    found = cells(isheep(*words, *asked(server)))
    for t in range(3):
        assert found[t, "mt_bench", "grade"]["value"] == 7
        assert 0 <= found[t, "alpaca_eval", "win_rate"]["value"] <= 1
        assert found[t, "alpaca_eval", "flip_rate"]["value"] == 0
        assert (
            found[t, "alpaca_eval", "lc_win_rate"]["ci_low"]
            <= found[t, "alpaca_eval", "lc_win_rate"]["ci_high"]
        )
        assert {m for k, task, m in found if (k, task) == (t, "mt_bench")} >= {
            "grade/1",
            "grade/2",
            "grade/math",
        }
    questions = len(server.questions)
    assert questions > 0
    assert all(question["model"] == "sheepdog" for question in server.questions)
    # Done once; the key is nowhere, and the judge is signed with the name it gives itself.
    assert cells(isheep(*words, *asked(server))) == found
    assert len(server.questions) == questions
    texts = [
        path.read_text(encoding="utf-8", errors="replace")
        for path in Path(store).rglob("*")
        if path.is_file()
    ]
    assert not any(KEY in text for text in texts)
    assert any("sheepdog-2026-01" in text for text in texts)


def test_the_base_model_as_the_baseline(isheep: Isheep, store: str, data: Path, server: ChatServer) -> None:
    said = isheep(
        "eval", "last", "--tasks", "alpaca_eval", "--data-dir", str(data), "--store", store, "--json",
        "--baseline", "base", *asked(server),
    )  # fmt: skip
    assert {t for t, task, _ in cells(said) if task == "alpaca_eval"} == {1, 2}


def test_where_the_judge_lives_is_no_part_of_its_verdicts(
    isheep: Isheep, store: str, data: Path, server: ChatServer
) -> None:
    words = ("eval", "last", "--tasks", "mt_bench", "--data-dir", str(data), "--store", store, "--json")
    found = cells(isheep(*words, *asked(server)))
    with ChatServer(judge, key=KEY) as moved:
        assert cells(isheep(*words, *asked(moved))) == found
        assert moved.asked == []


def test_a_judge_that_dies_in_the_middle_is_asked_the_rest_later(
    isheep: Isheep, store: str, data: Path, server: ChatServer, tmp_path: Path, finished: Run
) -> None:
    words = (
        "eval",
        "last",
        "--tasks",
        "mt_bench",
        "--data-dir",
        str(data),
        "--json",
        "--set",
        "runtime.concurrency=1",
    )
    unbroken = cells(isheep(*words, "--store", store, *asked(server)))
    questions = [q["messages"] for q in server.questions]
    second = str(shutil.copytree(finished.store.root, tmp_path / "second"))
    seen: list[Any] = []

    def reject(payload: Any) -> Status | None:
        seen.append(payload)
        return Status(401) if len(seen) > 2 else None

    with ChatServer(judge, key=KEY, told="sheepdog-2026-01", reject=reject) as dying:
        said = isheep(*words, "--store", second, *asked(dying))
        assert said.code != 0
        assert "SHEEPDOG_KEY" in said.err
    before = len(server.questions)
    assert cells(isheep(*words, "--store", second, *asked(server))) == unbroken
    assert len(server.questions) - before == len(questions) - 2


# refused


def test_mistakes_name_the_way_out(isheep: Isheep, store: str, data: Path, tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        said = isheep("eval", *words, "--store", store)
        assert said.code == 2
        assert said.out == ""
        return said.err

    assert "did you mean 'hellaswag'?" in refused("last", "--tasks", "helaswag")
    assert "--allow-code-execution" in refused("last", "--tasks", "humaneval")
    assert "judge.kind" in refused("last", "--tasks", "mt_bench", "--data-dir", str(data))
    assert "--data-dir" in refused("last", "--tasks", "alpaca_eval")
    assert "no folder" in refused("last", "--tasks", "boolq", "--data-dir", str(tmp_path / "gone"))
    every = refused(
        "last", "--tasks", "boolq", "--judge", "nobody", "--set", "sead=3", "--set", "ifeval.limit=0"
    )
    assert all(path in every for path in ("judge.kind", "sead", "ifeval.limit"))
    missing = refused("last", "--tasks", "boolq,piqa,mt_bnch", "--data-dir", str(data))
    assert all(name in missing for name in ("boolq", "piqa", "mt_bench"))


def test_a_run_that_is_not_there(isheep: Isheep, store: str, finished: Run) -> None:
    said = isheep("eval", "nobody", "--tasks", "boolq", "--store", store)
    assert said.code == 5
    assert "no run 'nobody'" in said.err
    assert finished.name in said.err


def test_tasks_must_be_given(isheep: Isheep) -> None:
    assert isheep("eval", "lamb").code == 2
