"""responses: each kept instruction is asked once, in the one layout, and its answer kept as it came."""

from __future__ import annotations

from pathlib import Path

import pytest

from isheep.backends.base import Request
from isheep.errors import YieldError
from isheep.records import Completion, Instruction, Pair
from isheep.stages.responses import ResponsesSettings, run
from toy import Script, context

ASKED = [
    Instruction("0.0.00", "Name a colour.", "", (), "0.0"),
    Instruction("0.0.01", "Sing.", "", (), "0.0", "length"),
    Instruction("0.0.02", "Give the plural.", "cow", (), "0.0"),
]


def test_only_kept_instructions_are_asked_in_the_layout(tmp_path: Path) -> None:
    engine = Script()
    pairs = list(
        run(context(ResponsesSettings(), tmp_path, {"instructions": ASKED}, open_engine=lambda: engine))
    )
    assert engine.prompts == {
        "0.0.00": "Question: Name a colour.\nAnswer:",
        "0.0.02": "Question: Give the plural.\ncow\nAnswer:",
    }
    assert sorted(pair.id for pair in pairs) == ["0.0.00", "0.0.02"]


def test_the_answer_is_kept_without_the_space_around_it(tmp_path: Path) -> None:
    engine = Script(lambda request: Completion(request.id, " red\n\n", "length", 7, 3, False))
    (pair, _) = run(
        context(ResponsesSettings(), tmp_path, {"instructions": ASKED}, open_engine=lambda: engine)
    )
    assert pair == Pair("0.0.02", "Give the plural.", "cow", "red", "length", False, 7, 3)


def test_settings_and_stops_reach_the_engine(tmp_path: Path) -> None:
    seen: list[Request] = []

    def write(request: Request) -> str:
        seen.append(request)
        return ""

    settings = ResponsesSettings(temperature=0.5, top_p=0.9, max_tokens=7)
    engine = Script(write)
    list(
        run(context(settings, tmp_path, {"instructions": ASKED}, open_engine=lambda: engine, layout="chatml"))
    )
    sampling = seen[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.5, 0.9, 7)
    assert sampling.stops[0] == "<|im_end|>"
    assert seen[0].seed != seen[1].seed


def test_without_instructions_there_is_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(YieldError, match="no instruction to answer"):
        list(run(context(ResponsesSettings(), tmp_path, {"instructions": ASKED[1:2]})))


def test_an_interruption_anywhere_changes_nothing(tmp_path: Path) -> None:
    asked = [Instruction(f"0.0.{n:02}", f"Describe thing number {n}.", "", (), "0.0") for n in range(9)]
    whole = list(run(context(ResponsesSettings(), tmp_path, {"instructions": asked})))
    assert len(whole) == 9
    for cut in range(10):
        rest = list(run(context(ResponsesSettings(), tmp_path, {"instructions": asked}, whole[:cut])))
        assert sorted([*whole[:cut], *rest], key=lambda p: p.id) == sorted(whole, key=lambda p: p.id)


def test_progress_goes_on_from_where_it_was(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    done = Pair("0.0.00", "Name a colour.", "", "red", "stop", True, 1, 1)
    list(
        run(
            context(
                ResponsesSettings(),
                tmp_path,
                {"instructions": ASKED},
                [done],
                report=lambda *now: told.append(now),
            )
        )
    )
    assert told == [(1, 2, "answers"), (2, 2, "answers")]
