"""followups: what the person would say next, written by the model where the layout leaves the next request open."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from isheep.backends.base import Request
from isheep.records import Completion, Instruction, Pair, Record
from isheep.stages import responses
from isheep.stages.followups import FollowupsSettings, drop_reason, history, run
from isheep.stages.responses import ResponsesSettings
from isheep.stages.stage import Context
from isheep.stages.train import examples
from isheep.text.prompts import LAYOUTS
from toy import Script, context, pair, whole

PAIRS = [
    pair("0.0.00", "Red.", instruction="Name a colour."),
    pair("0.0.01", "Cows.", instruction="Give the plural.", input="cow"),
]


def ctx_for(
    folder: Path,
    engine: Any = None,
    pairs: Sequence[Pair] = PAIRS,
    journal: Sequence[Record] = (),
    layout: str = "question",
    **settings: Any,
) -> Context[Any]:
    rest: dict[str, Any] = {} if engine is None else {"open_engine": lambda: engine}
    asked = FollowupsSettings(**settings)
    return context(asked, folder, {"responses": pairs}, journal, layout=layout, **rest)


def written(ctx: Context[Any]) -> dict[str, Instruction]:
    return {record.id: record for record in run(ctx) if isinstance(record, Instruction)}


# what is asked


def test_the_text_is_open_where_the_next_request_begins(tmp_path: Path) -> None:
    engine = Script()
    list(run(ctx_for(tmp_path, engine)))
    assert engine.prompts == {
        "0.0.00+": "Question: Name a colour.\nAnswer: Red.\n\nQuestion:",
        "0.0.01+": "Question: Give the plural.\ncow\nAnswer: Cows.\n\nQuestion:",
    }


def test_everything_said_before_is_shown(tmp_path: Path) -> None:
    later = pair("0.0.00+", "Blue.", instruction="And another?", history=("Name a colour.", "Red."))
    engine = Script()
    found = written(ctx_for(tmp_path, engine, [later], layout="chatml"))
    assert engine.prompts["0.0.00++"].endswith(
        "<|im_start|>user\nName a colour.<|im_end|>\n<|im_start|>assistant\nRed.<|im_end|>\n"
        "<|im_start|>user\nAnd another?<|im_end|>\n<|im_start|>assistant\nBlue.<|im_end|>\n<|im_start|>user\n"
    )
    assert found["0.0.00++"].history == ("Name a colour.", "Red.", "And another?", "Blue.")


@pytest.mark.parametrize(
    ("layout", "stop"), [("question", "\nAnswer:"), ("chatml", "<|im_end|>"), ("plain", "\n")]
)
def test_a_request_ends_where_an_answer_would_begin(tmp_path: Path, layout: str, stop: str) -> None:
    seen: list[Request] = []

    def write(request: Request) -> str:
        seen.append(request)
        return " Why is that so?"

    given = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 7}
    list(run(ctx_for(tmp_path, Script(write), layout=layout, **given)))
    sampling = seen[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.5, 0.9, 7)
    assert any(text.startswith(stop) for text in sampling.stops)
    assert seen[0].seed != seen[1].seed


def test_only_finished_answers_get_a_follow_up(tmp_path: Path) -> None:
    pairs = [
        pair("a"),
        pair("b", finish="length"),
        pair("c", ""),
        pair("d", "", finish="too_long"),
        pair("e"),
    ]
    engine = Script()
    assert written(ctx_for(tmp_path, engine, pairs)).keys() == {"a+", "e+"} == set(engine.asked)


def test_without_a_finished_answer_there_is_no_follow_up(tmp_path: Path) -> None:
    assert written(ctx_for(tmp_path, Script(), [pair("a", "")])) == {}


# what becomes of it


def test_what_a_record_holds(tmp_path: Path) -> None:
    found = written(ctx_for(tmp_path, Script(lambda request: "  Why is that so?\n")))
    assert found["0.0.01+"] == Instruction(
        "0.0.01+", "Why is that so?", "", (), "0.0.01+", None, ("Give the plural.\ncow", "Cows.")
    )


SAID = ("Name a colour.", "Red is one.")


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ("And another one?", "stop", None),
        ("Why not?", "stop", None),
        ("Why?", "stop", "length"),
        ("", "stop", "length"),
        ("word " * 151, "stop", "length"),
        ("And another o", "length", "unfinished"),
        ("", "too_long", "too_long"),
        ("Name a colour.", "stop", "repeats"),
        (" name  a\nCOLOUR. ", "stop", "repeats"),
        ("Red is one.", "stop", "repeats"),
        ("Draw a picture of it.", "stop", "blacklist"),
    ],
)
def test_reasons(text: str, finish: str, reason: str | None) -> None:
    assert drop_reason(FollowupsSettings(), text, SAID, finish) == reason


def test_rules_and_lengths_can_be_chosen() -> None:
    none = FollowupsSettings(rules=())
    assert drop_reason(none, "Draw a picture of it.", SAID, "stop") is None
    long = FollowupsSettings(min_words=4, max_words=5)
    assert drop_reason(long, "Name three more.", SAID, "stop") == "length"
    assert drop_reason(long, "Name three more of them now.", SAID, "stop") == "length"
    assert drop_reason(long, "Name three more now.", SAID, "stop") is None
    released = FollowupsSettings(rules=("released",))
    assert drop_reason(released, "What about mapping them?", SAID, "stop") == "released_blacklist"
    assert drop_reason(FollowupsSettings(), "What about mapping them?", SAID, "stop") is None


def test_a_dropped_follow_up_is_kept_with_its_reason(tmp_path: Path) -> None:
    def write(request: Request) -> Completion:
        cut = request.id == "0.0.00+"
        return Completion(request.id, " And then what", "length" if cut else "stop", 3, 3)

    found = written(ctx_for(tmp_path, Script(write)))
    assert {id: i.reason for id, i in found.items()} == {"0.0.00+": "unfinished", "0.0.01+": None}


# interruption, and the whole conversation


def test_an_interruption_anywhere_changes_nothing(tmp_path: Path) -> None:
    pairs = [pair(f"0.0.{n:02}", "An answer.", finish="length" if n == 2 else "stop") for n in range(6)]
    found = whole(run, lambda journal: ctx_for(tmp_path, None, pairs, journal))
    assert sum(isinstance(record, Completion) for record in found) == 5
    assert sum(isinstance(record, Instruction) for record in found) == 5


def test_progress(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    ctx = ctx_for(tmp_path, Script())
    ctx.report = lambda *now: told.append(now)
    list(run(ctx))
    assert told == [(0, 2, "follow-ups"), (1, 2, "follow-ups"), (2, 2, "follow-ups")]


@pytest.mark.parametrize("layout", ["question", "plain", "chatml"])
def test_three_turns_are_trained_on_as_they_were_asked(tmp_path: Path, layout: str) -> None:
    numbers = count()
    engine = Script(lambda request: f" What about number {next(numbers)}?")
    asked: Sequence[Record] = [Instruction("0.0.00", "Name a number.", "", (), "0.0")]
    answered: list[Pair] = []
    for turn in range(3):
        if turn:
            asked = list(run(ctx_for(tmp_path, engine, answered[-1:], layout=layout)))
        given: dict[str, Any] = {"layout": layout, "open_engine": lambda: engine}
        answering = context(ResponsesSettings(), tmp_path, {"instructions": asked}, **given)
        answered += [record for record in responses.run(answering) if isinstance(record, Pair)]
    assert [p.id for p in answered] == ["0.0.00", "0.0.00+", "0.0.00++"]
    assert [len(p.history) for p in answered] == [0, 2, 4]
    assert answered[2].history == history(answered[1])
    for example in examples(answered, LAYOUTS[layout]):
        # A follow-up and its answer are asked under one id, the answer last.
        assert example.prompt == engine.prompts[example.id]
