"""assessment: how a score is read from probabilities or from text, and what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.backends.base import Choice, Request
from isheep.records import Completion, Pair, Record, Verdict
from isheep.stages.assessment import CHOICES, AssessmentSettings, expected_score, run, scales
from toy import Script, context, whole

PAIRS = [
    Pair("0.0.00", "Name a colour.", "", "red", "stop", True, 1, 1),
    Pair("0.0.01", "Give the plural.", "cow", "cows {response}", "stop", True, 1, 1),
]


def prompt_set(folder: Path) -> Path:
    """A folder of judging prompts as a user may have."""
    own = folder / "judge"
    own.mkdir(exist_ok=True)
    (own / "quality.txt").write_text("Task: {request}\nAnswer: {response}\nScore:\n", encoding="utf-8")
    (own / "following.txt").write_text("Follows? {request} -> {response}\n", encoding="utf-8")
    return own


def ctx_for(
    folder: Path,
    engine: Any = None,
    journal: Sequence[Record] = (),
    layout: str = "question",
    **settings: Any,
) -> Any:
    rest: dict[str, Any] = {} if engine is None else {"open_engine": lambda: engine}
    given = {"responses": PAIRS}
    files = {"prompts": prompt_set(folder)}
    return context(AssessmentSettings(**settings), folder, given, journal, files=files, layout=layout, **rest)


def sure_of(score: int) -> tuple[float, ...]:
    return tuple(1.0 if k == score else 0.0 for k in range(1, 11))


def test_scales() -> None:
    assert scales("none") == ()
    assert scales("quality") == ("quality",)
    assert scales("following") == ("following",)
    assert scales("both") == ("quality", "following")
    assert CHOICES == ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")


# the expected reading


@pytest.mark.parametrize("score", range(1, 11))
def test_a_sure_judge_gives_its_score(score: int) -> None:
    assert expected_score(Choice("x", sure_of(score), 1.0, 1), 0.01) == score


def test_the_expected_score_is_the_mean() -> None:
    assert expected_score(Choice("x", (0.1,) * 10, 1.0, 1), 0.01) == pytest.approx(5.5)
    assert expected_score(Choice("x", (0.5, *(0.0,) * 8, 0.5), 1.0, 1), 0.01) == pytest.approx(5.5)
    assert expected_score(Choice("x", (0.0,) * 7 + (0.25, 0.5, 0.25), 1.0, 1), 0.01) == pytest.approx(9.0)


@given(st.lists(st.floats(0.001, 1), min_size=10, max_size=10))
def test_the_expected_score_is_on_the_scale(weights: list[float]) -> None:
    probabilities = tuple(w / sum(weights) for w in weights)
    score = expected_score(Choice("x", probabilities, 0.5, 1), 0.01)
    assert score is not None
    assert 1 <= score <= 10 + 1e-9


@pytest.mark.parametrize(("mass", "readable"), [(0.0, False), (0.0099, False), (0.01, True), (1.0, True)])
def test_a_judge_that_was_not_about_to_give_a_score_is_unreadable(mass: float, readable: bool) -> None:
    score = expected_score(Choice("x", sure_of(9), mass, 1), 0.01)
    assert (score is not None) == readable


def test_expected_verdicts(tmp_path: Path) -> None:
    engine = Script()
    verdicts = {v.id: v for v in run(ctx_for(tmp_path, engine))}
    assert set(verdicts) == {f"{pair.id}/{scale}" for pair in PAIRS for scale in ("quality", "following")}
    assert verdicts["0.0.01/following"] == Verdict(
        "0.0.01/following", "0.0.01", "following", 8.5, "", 11, 0, mass=0.8
    )
    assert engine.asked == [], "nothing is written"
    prompts = {query.id: query.prompt for query in engine.queries}
    assert prompts["0.0.00/quality"] == "Task: Name a colour.\nAnswer: red\nScore:"
    assert prompts["0.0.01/following"] == "Follows? Give the plural.\ncow -> cows {response}"
    assert all(query.choices == CHOICES for query in engine.queries)


@pytest.mark.parametrize("level", ["quality", "following"])
def test_one_scale(tmp_path: Path, level: str) -> None:
    verdicts = list(run(ctx_for(tmp_path, Script(), level=level)))
    assert {v.scale for v in verdicts} == {level}
    assert len(verdicts) == 2


def test_no_scale_loads_no_model(tmp_path: Path) -> None:
    def fail() -> None:
        raise AssertionError("a model was loaded")

    ctx = ctx_for(tmp_path, level="none")
    ctx.open_engine = fail
    assert list(run(ctx)) == []


@pytest.mark.parametrize(
    ("wrap", "layout", "wrapped"),
    [
        ("auto", "question", False),
        ("auto", "chatml", True),
        ("always", "question", True),
        ("never", "chatml", False),
    ],
)
def test_wrap(tmp_path: Path, wrap: str, layout: str, wrapped: bool) -> None:
    engine = Script()
    list(run(ctx_for(tmp_path, engine, wrap=wrap, layout=layout)))
    plain = "Task: Name a colour.\nAnswer: red\nScore:"
    expected = engine.layout(layout).prompt(plain) if wrapped else plain
    assert expected in {query.prompt for query in engine.queries}


# the sampled reading


@pytest.mark.parametrize(
    ("text", "score"),
    [
        (" 8", 8.0),
        ("10||because", 10.0),
        ("7.5", 7.5),
        ("", None),
        ("great", None),
        ("0", None),
        ("11", None),
    ],
)
def test_sampled_verdicts(tmp_path: Path, text: str, score: float | None) -> None:
    engine = Script(lambda request: Completion(request.id, text, "stop", 5, 2))
    verdicts = list(run(ctx_for(tmp_path, engine, reading="sampled", level="quality")))
    assert [v.score for v in verdicts] == [score] * 2
    assert verdicts[-1] == Verdict("0.0.00/quality", "0.0.00", "quality", score, text, 5, 2)
    assert engine.queries == []


def test_the_sampled_request(tmp_path: Path) -> None:
    seen: list[Request] = []

    def write(request: Request) -> str:
        seen.append(request)
        return " 8"

    settings: dict[str, Any] = {"reading": "sampled", "temperature": 0.3, "top_p": 0.6, "max_tokens": 9}
    list(run(ctx_for(tmp_path, Script(write), **settings)))
    sampling = seen[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.3, 0.6, 9)
    assert "||" in sampling.stops
    assert len({request.seed for request in seen}) == 4


# both


@pytest.mark.parametrize("reading", ["expected", "sampled"])
def test_an_interruption_anywhere_changes_nothing(tmp_path: Path, reading: str) -> None:
    found = whole(run, lambda journal: ctx_for(tmp_path, journal=journal, reading=reading))
    assert len(found) == 4


def test_an_unreadable_score_is_none_and_never_a_number(tmp_path: Path) -> None:
    engine = Script()
    engine.score = lambda queries, skip=(): iter(Choice(query.id, sure_of(9), 1e-9, 1) for query in queries)
    assert [v.score for v in run(ctx_for(tmp_path, engine))] == [None] * 4
