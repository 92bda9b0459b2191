"""evaluate: exact match, intervals, and a base model that is tried in several layouts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.backends.base import ModelSpec, Request
from isheep.errors import RecipeError
from isheep.records import Answer, Completion, Record, Score, Task
from isheep.stages.evaluate import EvaluateSettings, is_correct, normalise, run, scores
from isheep.stats import wilson
from toy import Script, context

TESTS = [
    Task("lamb:1", "Opposite of hot?", "", "cold", ("cold",), "opposite"),
    Task("lamb:2", "Which animal says moo?", "", "cow", ("cow", "a cow"), "sound"),
    Task("mine:1", "Add.", "2 and 3", "5", ("5",), "sum"),
]
TUNED = ModelSpec("toy-base", adapter="somewhere")


def ctx_for(
    folder: Path,
    engine: Any = None,
    journal: Sequence[Record] = (),
    tests: Sequence[Task] = TESTS,
    model: ModelSpec = TUNED,
    layout: str = "question",
    **settings: Any,
) -> Any:
    rest: dict[str, Any] = {"open_engine": lambda: engine} if engine is not None else {}
    return context(
        EvaluateSettings(**settings), folder, {"tests": tests}, journal, model=model, layout=layout, **rest
    )


def answers(records: Sequence[Record]) -> list[Answer]:
    return [record for record in records if isinstance(record, Answer)]


def score_of(records: Sequence[Record], id: str) -> Score:
    (found,) = (record for record in records if isinstance(record, Score) and record.id == id)
    return found


# exact match


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("cold", "cold"),
        (" Cold. ", "cold"),
        ("COLD", "cold."),
        ("a  cow\n", "a cow"),
        ("stra\u00dfe", "STRASSE"),
        ("cafe\u0301", "caf\u00e9"),
        ("5.", "5"),
        ("3.5", "3.5"),
        ("...", "..."),
    ],
)
def test_the_same_answer(response: str, answer: str) -> None:
    assert is_correct(response, [answer])
    assert is_correct(response, ["something else", answer])


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("", "cold"),
        ("cold water", "cold"),
        ("It is cold", "cold"),
        ("colder", "cold"),
        ("35", "3.5"),
        ("", "..."),
        (".", "..."),
        ("not cold", "cold"),
        ("cold!", "cold"),
    ],
)
def test_another_answer(response: str, answer: str) -> None:
    assert not is_correct(response, [answer])


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(min_size=1).filter(str.strip))
def test_the_reference_is_right_and_silence_is_wrong(text: str) -> None:
    assert is_correct(text, [text])
    assert not is_correct("", [text])


# scores


def answer(item: str, correct: bool, layout: str = "question", ended: bool = True) -> Answer:
    return Answer(
        f"{layout}/greedy/{item}", item.partition(":")[0], item, layout, "greedy", "x", correct, ended, 1, 1
    )


def test_scores_are_shares_with_wilson_intervals() -> None:
    found = list(scores([answer(f"lamb:{n}", n < 3, ended=n < 9) for n in range(10)]))
    assert [s.id for s in found] == ["lamb/question/greedy/accuracy", "lamb/question/greedy/ended"]
    low, high = wilson(3, 10)
    assert found[0] == Score(
        "lamb/question/greedy/accuracy", "lamb", "accuracy", 0.3, 10, low, high, "question", "greedy"
    )
    assert (found[1].value, found[1].n) == (0.9, 10)


def test_scores_do_not_hang_on_the_order_of_answers() -> None:
    given = [answer(f"{task}:{n}", n % 2 == 0, layout) for task in "ab" for layout in "xy" for n in range(5)]
    assert list(scores(given)) == list(scores(given[::-1]))
    assert len(list(scores(given))) == 2 * 2 * 2


def test_no_answers_no_scores() -> None:
    assert list(scores([])) == []


# the step


def test_a_tuned_model_is_tested_in_its_own_layout_only(tmp_path: Path) -> None:
    engine = Script(lambda request: " cold.")
    records = list(run(ctx_for(tmp_path, engine)))
    assert {a.layout for a in answers(records)} == {"question"}
    assert {a.decoding for a in answers(records)} == {"greedy", "sampled"}
    assert len(answers(records)) == 3 * 2
    first = next(a for a in answers(records) if a.id == "question/greedy/lamb:1")
    assert (first.task, first.item, first.response, first.correct, first.group) == (
        "lamb", "lamb:1", "cold.", True, "opposite",
    )  # fmt: skip
    assert score_of(records, "lamb/question/greedy/accuracy").value == 0.5
    assert score_of(records, "mine/question/greedy/accuracy").value == 0.0
    assert score_of(records, "mine/question/greedy/accuracy").n == 1


def test_the_base_model_is_tried_in_several_layouts(tmp_path: Path) -> None:
    records = list(
        run(ctx_for(tmp_path, Script(), model=ModelSpec("toy-base"), base_layouts=("plain", "qa")))
    )
    assert {a.layout for a in answers(records)} == {"question", "plain", "qa"}
    assert len(answers(records)) == 3 * 3 * 2


def test_a_layout_under_two_names_is_tried_once(tmp_path: Path) -> None:
    """`chat` may turn out to be the run's own layout: its answers must not count twice."""
    records = list(
        run(
            ctx_for(
                tmp_path,
                Script(),
                model=ModelSpec("toy-base"),
                layout="chat",
                base_layouts=("chat", "plain", "chatml"),
            )
        )
    )
    assert len({a.id for a in answers(records)}) == len(answers(records)) == 3 * 2 * 2
    assert score_of(records, "lamb/chatml/greedy/accuracy").n == 2


def test_the_requests(tmp_path: Path) -> None:
    seen: dict[str, Request] = {}

    def write(request: Request) -> str:
        seen[request.id] = request
        return ""

    list(run(ctx_for(tmp_path, Script(write), max_tokens=9)))
    greedy, sampled = seen["question/greedy/mine:1"], seen["question/sampled/mine:1"]
    assert greedy.prompt == sampled.prompt == "Question: Add.\n2 and 3\nAnswer:"
    assert (greedy.sampling.temperature, sampled.sampling.temperature) == (0.0, 1.0)
    assert (sampled.sampling.top_p, sampled.sampling.max_tokens) == (1.0, 9)
    assert "\nQuestion:" in greedy.sampling.stops
    assert len({request.seed for request in seen.values()}) == len(seen)


def test_decodings_can_be_chosen(tmp_path: Path) -> None:
    records = list(run(ctx_for(tmp_path, Script(), decodings=("greedy",))))
    assert {a.decoding for a in answers(records)} == {"greedy"}


def test_a_model_that_stops_by_itself_is_told_from_one_that_is_cut(tmp_path: Path) -> None:
    engine = Script(lambda request: Completion(request.id, " x", "stop", 1, 1, ended="lamb" in request.id))
    records = list(run(ctx_for(tmp_path, engine)))
    assert score_of(records, "lamb/question/greedy/ended").value == 1.0
    assert score_of(records, "mine/question/greedy/ended").value == 0.0


def test_tests_without_answers_are_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    ctx = ctx_for(tmp_path, tests=[*TESTS, Task("mine:2", "Free text."), Task("mine:3", "More.")])
    ctx.open_engine = None
    with pytest.raises(RecipeError) as caught:
        list(run(ctx))
    assert caught.value.message == "2 test tasks have no `answers` (first: mine:2)"


def test_without_tests_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert list(run(ctx_for(tmp_path, tests=[]))) == []


def test_an_interruption_anywhere_changes_nothing(tmp_path: Path) -> None:
    base = ModelSpec("toy-base")
    whole = list(run(ctx_for(tmp_path, model=base, base_layouts=("plain",))))
    for cut in range(len(whole) + 1):
        rest = list(run(ctx_for(tmp_path, model=base, base_layouts=("plain",), journal=whole[:cut])))
        assert {r.id: r for r in [*whole[:cut], *rest]} == {r.id: r for r in whole}
        assert len(answers([*whole[:cut], *rest])) == len(answers(whole))


def test_progress_goes_on_from_where_it_was(tmp_path: Path) -> None:
    whole = list(run(ctx_for(tmp_path)))
    told: list[tuple[int, int, str]] = []
    ctx = ctx_for(tmp_path, journal=whole[:4])
    ctx.report = lambda *now: told.append(now)
    list(run(ctx))
    assert told == [(4, 6, "answers"), (5, 6, "answers"), (6, 6, "answers")]
