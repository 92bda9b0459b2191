"""Names and groups of the fixed benchmarks, and that what is said of each agrees with the harness's own files."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from isheep.benchmarks import BENCHMARKS, CHAT, GROUPS, refuse_code, resolve
from isheep.errors import RecipeError

PACKAGE = Path(__file__).parents[2] / "src" / "isheep" / "benchmarks"


def harness() -> Path:
    spec = find_spec("lm_eval")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "tasks"


def test_all_benchmarks_of_the_paper_have_a_place() -> None:
    fixed = [name for group in GROUPS if group != "paper_chat" for name in GROUPS[group]]
    assert len(fixed) == len(set(fixed)) == 17
    assert set(fixed) == set(BENCHMARKS) - {"ifeval_harness"}
    assert GROUPS["paper_chat"] == CHAT
    assert not set(CHAT) & set(BENCHMARKS)


def test_groups_and_other_names_are_settled_each_task_once() -> None:
    assert resolve(["paper_code", "mbpp", "siqa", "humaneval"]) == (*GROUPS["paper_code"], "social_iqa")
    assert resolve(["nq_open", "paper_knowledge"]) == ("nq_open", "triviaqa", "squadv2")
    assert resolve([]) == ()


def test_all_wrong_names_are_told_at_once_with_the_nearest() -> None:
    with pytest.raises(RecipeError) as caught:
        resolve(["bool", "mmlu", "hela_swag", "paper_chat", "ifeval", "xyz"])
    message = caught.value.message
    assert "unknown benchmark 'bool', did you mean 'boolq'?" in message
    assert "did you mean 'hellaswag'?" in message
    assert "'paper_chat' is run by a stage of its own" in message
    assert "'ifeval' is run by a stage of its own" in message
    assert "unknown benchmark 'xyz'" in message
    assert "mmlu" not in message
    assert "paper_standard" in caught.value.hint


@pytest.mark.parametrize("name", BENCHMARKS)
def test_included_task_files_exist_and_say_the_same(name: str) -> None:
    """Hub path, splits and metrics are facts about the installed harness: a new version must not change them unseen."""
    benchmark = BENCHMARKS[name]
    subject = benchmark.subjects[0] if benchmark.subjects else ""
    file = harness() / benchmark.include.format(subject=subject) if benchmark.include else None
    text = (file or PACKAGE / "tasks" / f"{name}.yaml").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.replace('"', "").startswith("include:"):  # one level is all there is
            other = line.partition(":")[2].strip().strip('"')
            assert file is not None
            text = (file.parent / other).read_text(encoding="utf-8") + text
    assert f"dataset_path: {benchmark.hub}" in text
    assert f": {benchmark.split}" in text
    if benchmark.shots_split:
        assert f": {benchmark.shots_split}" in text
    if not benchmark.runs_code:
        for metric in benchmark.metrics:
            assert f"metric: {metric}" in text
    assert ("output_type: generate_until" in text) == benchmark.writes
    assert ("unsafe_code: true" in text) == benchmark.runs_code


def test_every_subject_of_mmlu_has_its_task_file() -> None:
    subjects = BENCHMARKS["mmlu"].subjects
    assert len(subjects) == len(set(subjects)) == 57
    files = {p.stem.removeprefix("mmlu_") for p in (harness() / "mmlu" / "default").glob("mmlu_*.yaml")}
    assert files == set(subjects)


def test_running_code_needs_a_word_and_names_the_tasks() -> None:
    refuse_code(BENCHMARKS, allowed=True)
    refuse_code(["piqa", "triviaqa"], allowed=False)
    with pytest.raises(RecipeError, match="humaneval, mbpp would run code") as caught:
        refuse_code(["piqa", "humaneval", "mbpp"], allowed=False)
    assert "--allow-code-execution" in caught.value.hint
