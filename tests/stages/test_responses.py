"""responses: each kept instruction is asked in the one layout, below principles or not, once or several times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.backends.base import Request
from isheep.errors import YieldError
from isheep.files import shipped
from isheep.records import Completion, Instruction, Pair, Record
from isheep.stages.responses import ResponsesSettings, run
from isheep.stages.stage import Context, outside_files
from isheep.stages.train import examples
from isheep.text.prompts import LAYOUTS
from toy import Script, context, whole

ASKED = [
    Instruction("0.0.00", "Name a colour.", "", (), "0.0"),
    Instruction("0.0.01", "Sing.", "", (), "0.0", "length"),
    Instruction("0.0.02", "Give the plural.", "cow", (), "0.0"),
]
SAID = ("Name a colour.", "Red.")
LATER = Instruction("0.0.00+", "And another?", "", (), "0.0.00+", None, SAID)


def ctx_for(
    folder: Path,
    engine: Any = None,
    asked: Sequence[Instruction] = ASKED,
    journal: Sequence[Record] = (),
    principles: str | Path = "",
    layout: str = "question",
    **settings: Any,
) -> Context[Any]:
    rest: dict[str, Any] = {} if engine is None else {"open_engine": lambda: engine}
    if principles:
        path = folder / "principles.txt" if isinstance(principles, str) else principles
        if isinstance(principles, str):
            path.write_text(principles, encoding="utf-8")
        settings["principles"] = str(path)
        rest["files"] = {"principles": path}
    made = ResponsesSettings(**settings)
    return context(made, folder, {"instructions": asked}, journal, layout=layout, **rest)


def pairs(ctx: Context[Any]) -> list[Pair]:
    return sorted((r for r in run(ctx) if isinstance(r, Pair)), key=lambda pair: pair.id)


def test_only_kept_instructions_are_asked_in_the_layout(tmp_path: Path) -> None:
    engine = Script()
    found = pairs(ctx_for(tmp_path, engine))
    assert engine.prompts == {
        "0.0.00": "Question: Name a colour.\nAnswer:",
        "0.0.02": "Question: Give the plural.\ncow\nAnswer:",
    }
    assert [pair.id for pair in found] == ["0.0.00", "0.0.02"]


def test_the_answer_is_kept_without_the_space_around_it(tmp_path: Path) -> None:
    engine = Script(lambda request: Completion(request.id, " red\n\n", "length", 7, 3, False))
    (_, pair) = pairs(ctx_for(tmp_path, engine))
    assert pair == Pair("0.0.02", "Give the plural.", "cow", "red", "length", False, 7, 3)


def requests(ctx: Any, folder: Path, **settings: Any) -> list[Request]:
    seen: list[Request] = []

    def write(request: Request) -> str:
        seen.append(request)
        return ""

    list(run(ctx(folder, Script(write), **settings)))
    return seen


def test_settings_and_stops_reach_the_engine(tmp_path: Path) -> None:
    seen = requests(ctx_for, tmp_path, temperature=0.5, top_p=0.9, max_tokens=7, layout="chatml")
    sampling = seen[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.5, 0.9, 7)
    assert sampling.stops[0] == "<|im_end|>"
    assert seen[0].seed != seen[1].seed


def test_without_instructions_there_is_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(YieldError, match="no instruction to answer"):
        list(run(ctx_for(tmp_path, asked=ASKED[1:2])))


@pytest.mark.parametrize("samples", [1, 3])
def test_an_interruption_anywhere_changes_nothing(tmp_path: Path, samples: int) -> None:
    asked = [Instruction(f"0.0.{n:02}", f"Describe thing number {n}.", "", (), "0.0") for n in range(4)]
    found = whole(run, lambda journal: ctx_for(tmp_path, None, asked, journal, samples=samples))
    assert len(found) == 4 * samples


def test_progress_goes_on_from_where_it_was(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    ctx = ctx_for(tmp_path, journal=[Pair("0.0.00", "Name a colour.", "", "red", "stop", True, 1, 1)])
    ctx.report = lambda *now: told.append(now)
    list(run(ctx))
    assert told == [(1, 2, "answers"), (2, 2, "answers")]


# several answers


def test_several_answers_have_their_own_ids_and_seeds(tmp_path: Path) -> None:
    seen = requests(ctx_for, tmp_path, samples=3)
    ids = ["0.0.00/0", "0.0.00/1", "0.0.00/2", "0.0.02/0", "0.0.02/1", "0.0.02/2"]
    assert sorted(request.id for request in seen) == ids
    assert len({request.seed for request in seen}) == 6
    assert len({request.prompt for request in seen}) == 2


def test_several_answers_belong_to_their_instruction(tmp_path: Path) -> None:
    found = pairs(ctx_for(tmp_path, samples=3))
    assert [(p.instruction, p.input) for p in found] == [
        *[("Name a colour.", "")] * 3,
        *[("Give the plural.", "cow")] * 3,
    ]
    assert len({p.response for p in found}) > 2, "each is drawn for itself"


# principles

PRINCIPLES = "Be brief.\nBe right.\n\nThe request:\n{request}\n"


def test_principles_are_shown_when_asked(tmp_path: Path) -> None:
    engine = Script()
    list(run(ctx_for(tmp_path, engine, principles=PRINCIPLES)))
    assert engine.prompts["0.0.02"] == (
        "Question: Be brief.\nBe right.\n\nThe request:\nGive the plural.\ncow\nAnswer:"
    )


@pytest.mark.parametrize("layout", ["question", "chatml"])
def test_principles_are_engraved_and_not_learned(tmp_path: Path, layout: str) -> None:
    """What training sees is what would have been asked without them, whatever they made the model answer."""
    plain, guided = Script(), Script()
    pairs(ctx_for(tmp_path, plain, layout=layout))
    with_them = pairs(ctx_for(tmp_path, guided, principles=PRINCIPLES, layout=layout))
    learned = examples(with_them, LAYOUTS[layout])
    assert {e.id: e.prompt for e in learned} == plain.prompts
    assert not any("Be brief." in e.prompt + e.completion for e in learned)
    assert all("Be brief." in prompt for prompt in guided.prompts.values())


def test_a_request_that_looks_like_a_field_is_left_alone(tmp_path: Path) -> None:
    engine = Script()
    odd = Instruction("0.0.03", "What does {request} mean?", "", (), "0.0")
    list(run(ctx_for(tmp_path, engine, [odd], principles=PRINCIPLES)))
    assert engine.prompts["0.0.03"].endswith("The request:\nWhat does {request} mean?\nAnswer:")


@pytest.mark.parametrize("name", shipped("prompts/principles", ".txt"))
def test_shipped_principles_can_be_used(tmp_path: Path, name: str) -> None:
    path = shipped("prompts/principles", ".txt")[name]
    (mark,) = (mark for setting, mark in outside_files(ResponsesSettings) if setting == "principles")
    assert mark.problem(path) is None
    engine = Script()
    list(run(ctx_for(tmp_path, engine, principles=path)))
    assert engine.prompts["0.0.00"].endswith("Name a colour.\nAnswer:")


# conversations


def test_what_was_said_before_stands_before_the_request(tmp_path: Path) -> None:
    engine = Script(lambda request: " Blue.")
    (found,) = pairs(ctx_for(tmp_path, engine, [LATER]))
    assert engine.prompts["0.0.00+"] == (
        "Question: Name a colour.\nAnswer: Red.\n\nQuestion: And another?\nAnswer:"
    )
    assert (found.history, found.parent) == (SAID, "0.0.00")
    assert examples([found], LAYOUTS["question"])[0].prompt == engine.prompts["0.0.00+"]


def test_principles_stand_with_the_request_and_not_with_what_was_said(tmp_path: Path) -> None:
    engine = Script()
    list(run(ctx_for(tmp_path, engine, [LATER], principles=PRINCIPLES)))
    said, _, now = engine.prompts["0.0.00+"].partition("Be brief.")
    assert said == "Question: Name a colour.\nAnswer: Red.\n\nQuestion: "
    assert now.endswith("And another?\nAnswer:")
