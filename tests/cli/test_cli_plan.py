"""`isheep plan --devices N --gpu NAME` as a user meets it."""

from __future__ import annotations

import json
import re

import pytest

from said import Isheep


def test_without_devices_the_plan_is_as_before(isheep: Isheep) -> None:
    told = json.loads(isheep("plan", "qwen", "--json").out)
    assert told.keys() == {"run", "steps", "to_do"}
    assert set(told["steps"][0]) == {"step", "key", "state", "read", "written", "bytes"}
    assert "time" not in isheep("plan", "qwen").out


def test_a_plan_on_devices(isheep: Isheep) -> None:
    said = isheep("plan", "qwen", "--gpu", "A100-SXM4-80GB", "--set", "backend.engine=vllm")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[1].split()[-4:] == ["memory/GPU", "most", "of", "it"]
    assert re.match(r"about .* on 1 x a100-80gb \(80 GiB\), at most .* GiB on each \(estimates\)", lines[-4])
    assert lines[-3].startswith("Qwen/Qwen1.5-7B: 7.72 billion parameters; 14.4 GiB of files")
    told = json.loads(isheep("plan", "qwen", "--gpu", "a100", "--set", "backend.engine=vllm", "--json").out)
    steps = {row["step"]: row for row in told["steps"]}
    assert told["capacity"]["seconds"] == pytest.approx(sum(row["seconds"] for row in steps.values()))
    assert told["capacity"]["memory"] == max(row["memory"] for row in steps.values())
    assert told["capacity"]["training"]["how"] == "plain_1"
    assert steps["train.0"]["limit"]


def test_a_plan_that_does_not_fit_is_no_failure(isheep: Isheep) -> None:
    said = isheep("plan", "qwen", "--gpu", "t4", "--set", "model.base=Qwen/Qwen1.5-14B")
    assert said.code == 0
    assert "does not fit on 1 x t4 (15 GiB)" in said.out
    assert "no room" in said.out
    told = json.loads(
        isheep("plan", "qwen", "--gpu", "t4", "--set", "model.base=Qwen/Qwen1.5-14B", "--json").out
    )
    assert told["capacity"]["fits"] is False
    assert told["capacity"]["seconds"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--devices", "8"], "--devices and --params need --gpu"),
        (["--params", "7e9"], "--devices and --params need --gpu"),
        (["--gpu", "a101"], "no GPU 'a101' in the table; did you mean a10, a10g, a100?"),
        (["--gpu", "t4", "--set", "model.base=a/b"], "cannot be known without downloading"),
        (
            ["--gpu", "t4", "--set", "runtime.tensor_parallel=3", "--set", "backend.engine=vllm"],
            "cannot share 32 heads",
        ),
    ],
)
def test_mistakes_are_told(isheep: Isheep, words: list[str], said: str) -> None:
    found = isheep("plan", "qwen", *words)
    assert found.code == 2
    assert said in found.err


def test_longest_alone_counts_longer_texts(isheep: Isheep) -> None:
    plain, longest = (
        json.loads(isheep("plan", "qwen", *more, "--json").out) for more in ((), ("--longest",))
    )
    assert longest["to_do"]["written"] > 5 * plain["to_do"]["written"]
