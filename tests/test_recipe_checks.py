"""What cannot be, though every setting is valid: each sentence, and all of them at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from evaluated import write_evaluations
from isheep.errors import RecipeError
from isheep.recipe import load_recipe
from toy import toy, toy_recipe, write_lines


def found(source: dict[str, Any], *overrides: str) -> list[str]:
    """The sentences of the refusal."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(source, overrides)
    return [line.strip() for line in caught.value.message.split("\n")[1:]]


NO_SCORES = "assessment.level=none"


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        # scores
        (
            [NO_SCORES],
            "filter.by: there is no score to keep the best by, as assessment.level is 'none'; set it to 'random'",
        ),
        (
            [NO_SCORES, "filter={keep_fraction: null, match: 3}"],
            "filter.by: there is no score to keep the best by, as assessment.level is 'none'; set it to 'random'",
        ),
        (
            [NO_SCORES, "filter={threshold: 8, by: random}"],
            "filter.threshold: there is no score to be above 8, as assessment.level is 'none'; set it to 0 (rules "
            "only) or null",
        ),
        (
            [NO_SCORES, "filter.by=random", "preferences.samples=4"],
            "preferences.samples: best and worst answers need scores; set assessment.level to 'both'",
        ),
        # turns
        (
            ["followups.turns=2", "backend.engine=openai", "server.api=chat"],
            "followups.turns: the chat API cannot write a person's message, only answers; set server.api to "
            "'completions', or followups.turns to 1",
        ),
        # counts
        (
            ["filter={keep_fraction: null, min_kept: 13}"],
            "filter.min_kept: 13 pairs can never be kept, as at most 12 of 12 are; raise instructions.count or lower "
            "filter.min_kept",
        ),
        (
            ["filter.min_kept=7"],
            "filter.min_kept: 7 pairs can never be kept, as at most 0.5 of 12, which is 6, are; raise "
            "instructions.count or lower filter.min_kept",
        ),
        (
            ["responses.samples=2", "filter.min_kept=13"],
            "filter.min_kept: 13 pairs can never be kept, as at most 0.5 of 24, which is 12, are; raise "
            "instructions.count or lower filter.min_kept",
        ),
        (["filter.match=13"], "filter.match: 13 pairs cannot be kept of 12; raise instructions.count"),
        (
            ["responses.samples=2", "responses.temperature=0"],
            "responses.samples: at responses.temperature 0 all answers are the same; raise it or draw 1",
        ),
        (
            ["followups.min_words=5", "followups.max_words=4"],
            "followups.min_words: 5 is above followups.max_words (4); no follow-up could pass",
        ),
        (
            ["preferences.samples=1"],
            "preferences.samples: one answer cannot be best and worst; draw 2 or more",
        ),
        (
            ["preferences.samples=4", "responses.temperature=0"],
            "preferences.samples: at responses.temperature 0 all answers are the same; raise it",
        ),
        # turns
        (
            ["followups.turns=2", "responses.samples=2"],
            "followups.turns: a conversation goes on from one answer; set responses.samples to 1",
        ),
        # review
        (
            ["evaluate.tasks=[]", "review.until=stagnation"],
            "review.until: 'stagnation' needs a held-out evaluation; name one in evaluate.tasks",
        ),
        (
            ["evaluate.tasks=[]", "review.keep=best"],
            "review.keep: 'best' needs a held-out evaluation; name one in evaluate.tasks",
        ),
        (
            ["review={keep: best, on: other}"],
            "review.on: no evaluation 'other'; declared in evaluate.tasks: toy_tests",
        ),
        (
            ["review.keep=best", "evaluate.decodings=[sampled]"],
            "review.decoding: 'greedy' is not among evaluate.decodings",
        ),
    ],
)
def test_each_contradiction_is_named_with_its_way_out(
    tmp_path: Path, overrides: list[str], sentence: str
) -> None:
    assert found(toy_recipe(tmp_path), *overrides) == [sentence]


@pytest.mark.parametrize(
    "overrides",
    [
        [NO_SCORES, "filter.by=random"],
        [NO_SCORES, "filter={threshold: 0, keep_fraction: null}"],
        [NO_SCORES, "filter={threshold: -1, keep_fraction: null, match: 3, by: random}"],
        ["filter={keep_fraction: null, min_kept: 12, match: 12}"],
        ["filter.min_kept=7", "iterations=0"],
        ["filter.min_kept=12", "followups.turns=2"],
        ["preferences.samples=2"],
        ["review={until: stagnation, keep: best, on: toy_tests}"],
        ["evaluate.tasks=[]", "review.decoding=sampled"],
    ],
)
def test_the_ways_out_are_possible(tmp_path: Path, overrides: list[str]) -> None:
    toy(tmp_path, *overrides)


def test_all_contradictions_are_reported_at_once(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path)
    recipe["filter"] |= {
        "threshold": 8,
        "match": 99,
        "min_kept": 50,
        "density": {"choose": "perplexity"},
    }
    recipe |= {
        "backend": {"engine": "fake", "trainer": "fake"},
        "assessment": {"level": "none"},
        "preferences": {"samples": 1},
        "responses": {"temperature": 0, "samples": 2},
        "followups": {"turns": 3},
        "review": {"until": "stagnation", "on": "other", "decoding": "sampled"},
        "evaluate": {**recipe["evaluate"], "decodings": ["greedy"]},
    }
    recipe["seeds"] = {"file": "gone.jsonl"}
    assert [line.split(": ")[0] for line in found(recipe)] == [
        "filter.by",
        "filter.threshold",
        "preferences.samples",
        "filter.min_kept",
        "filter.match",
        "responses.samples",
        "preferences.samples",
        "preferences.samples",
        "followups.turns",
        "review.on",
        "review.decoding",
        "seeds.file",
    ]


# evaluations

CODE = "read docs/sandbox.md, then set runtime.allow_code_execution to true (`--allow-code-execution`)"
NOBODY = (
    "set it to 'openai' (a server, with judge.url and judge.model), 'engine' (a model on this machine) or"
    " 'scripted'"
)


@pytest.mark.parametrize(
    ("overrides", "sentences"),
    [
        (
            ["benchmarks.tasks=[paper_code, boolq]"],
            [f"benchmarks.tasks: humaneval, humaneval_plus, mbpp run code that the model wrote; {CODE}"],
        ),
        (["judge.kind=null"], [f"judge.kind: nobody judges FOLDER/pairs.jsonl, FOLDER/talk.jsonl; {NOBODY}"]),
        (["judge={kind: openai, script: null}"], ["judge.model: the judge 'openai' needs a model's name"]),
        (["judge={kind: engine, script: null}"], ["judge.model: the judge 'engine' needs a model's name"]),
        (
            ["judge.script=null"],
            ["judge.script: the judge 'scripted' needs a policy ('longer', 'first') or a file"],
        ),
        (
            ["chat.graded=[FOLDER/pairs.jsonl]"],
            ["two evaluations are called 'pairs', and results go by it; rename a file"],
        ),
        (
            ["evaluate.also=[FOLDER/toy_tests.jsonl]"],
            ["two evaluations are called 'toy_tests', and results go by it; rename a file"],
        ),
        (
            ["chat.pairwise=[FOLDER/sub/boolq.jsonl, FOLDER/sub/tests.jsonl]"],
            [
                "two evaluations are called 'boolq', and results go by it; rename a file",
                "chat: a question file cannot be called 'tests', as something else is; rename it",
            ],
        ),
        (
            ["chat.pairwise=[FOLDER/sub/ifeval.jsonl]"],
            ["two evaluations are called 'ifeval', and results go by it; rename a file"],
        ),
    ],
)
def test_what_is_wrong_with_evaluations_is_known_before_any_work(
    tmp_path: Path, overrides: list[str], sentences: list[str]
) -> None:
    recipe, rest = toy_recipe(tmp_path), write_evaluations(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("boolq", "tests", "ifeval"):
        shutil.copy(tmp_path / "pairs.jsonl", tmp_path / "sub" / f"{name}.jsonl")
    load_recipe(recipe, rest)
    given = [text.replace("FOLDER", str(tmp_path)) for text in overrides]
    assert found(recipe, *rest, *given) == [text.replace("FOLDER", str(tmp_path)) for text in sentences]


@pytest.mark.parametrize(
    "overrides",
    [
        ["benchmarks.tasks=[paper_code]", "runtime.allow_code_execution=true"],
        ["judge={kind: engine, model: base, script: null}"],
        ["judge={kind: openai, model: sheepdog, script: null}"],
        ["judge={kind: null, script: null}", "chat={pairwise: [], graded: []}"],
    ],
)
def test_the_ways_out_of_these_are_possible(tmp_path: Path, overrides: list[str]) -> None:
    load_recipe(toy_recipe(tmp_path), [*write_evaluations(tmp_path), *overrides])


def test_files_of_evaluations_are_read_before_any_work(tmp_path: Path) -> None:
    """Each names every bad row, and all of them come at once."""
    rest = list(write_evaluations(tmp_path))
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"key": 1, "prompt": "Hm.", "instruction_id_list": ["none:such"], "kwargs": [{}]}\n7\n')
    lines = found(
        toy_recipe(tmp_path), *rest, f"ifeval.file={bad}", f"chat.graded=[{bad}]", f"judge.prompts={tmp_path}"
    )
    said = "\n".join(lines)
    for path in ("ifeval.file: ", "chat.graded.0: ", "judge.prompts: "):
        assert path in said
    assert "none:such" in said
    assert "line 2" in said


def test_the_evaluation_that_decides_is_named_by_its_file(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path)
    more = write_lines(tmp_path / "more.jsonl", [{"id": "m", "instruction": "Say yes.", "answers": ["yes"]}])
    recipe["evaluate"]["tasks"] += [str(more)]
    assert load_recipe(recipe, ["review.keep=best", "review.on=more"]).recipe.review.on == "more"
