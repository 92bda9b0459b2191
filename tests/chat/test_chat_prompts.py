"""Judge prompts: our folder and FastChat's file, both filled with text that is never a template."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import OURS, written

from isheep.chat.prompts import TEMPLATES, Kind, Shown, read_prompts
from isheep.errors import RecipeError
from toy import write_lines

ONE = Shown(("How many?",), (("Three.",), ("Four.",)))
TWO = Shown(("How many?", "Why?"), (("Three.", "I counted."), ("Four.", "I guessed.")), ("4", "By counting."))


def row(name: str, type: str, template: str, **more: str) -> dict[str, str]:
    return {"name": name, "type": type, "system_prompt": "Judge.", "prompt_template": template, **more}


#: A file of FastChat's form, in words of our own.
FASTCHAT = [
    row("one", "single", "Q: {question} A: {answer} {{Write [[1]]}}", output_format="[[rating]]"),
    row("one-ref", "single", "R: {ref_answer_1} Q: {question} A: {answer}"),
    row("two", "single", "{question_1}|{answer_1}|{question_2}|{answer_2}"),
    row("pair", "pairwise", "{question}|{answer_a}|{answer_b}", output_format="[[A]]"),
    row(
        "pair-two",
        "pairwise",
        "{question_1}|{question_2}|{answer_a_1}|{answer_a_2}|{answer_b_1}|{answer_b_2}",
    ),
    row(
        "pair-two-ref",
        "pairwise",
        "{ref_answer_1}|{ref_answer_2}|{question_1}|{question_2}|{answer_a_1}|{answer_a_2}|{answer_b_1}|{answer_b_2}",
        system_prompt=" ",
    ),
]


# our own form


def test_the_shipped_prompts_show_all_that_is_to_be_judged() -> None:
    prompts = read_prompts(OURS)
    kinds: tuple[Kind, ...] = ("pairwise", "label")
    for kind in kinds:
        ((role, text),) = prompts.messages(kind, TWO)
        assert role == "user"
        places = [text.index(part) for part in ("How many?", "Why?", "Three.", "Four.", "By counting.")]
        assert places == sorted(places)
        assert "Request 2:\nWhy?" in text
        assert "Answer 2:\nI counted." in text
    ((_, text),) = prompts.messages("graded", Shown(TWO.turns, TWO.answers[:1], TWO.references))
    said = ("How many?", "Three.", "Why?", "I counted.", "By counting.")
    assert [text.index(part) for part in said] == sorted(text.index(part) for part in said)
    assert prompts.lacks("label", 9) is None


def test_one_turn_is_not_numbered_and_no_reference_leaves_no_gap() -> None:
    prompts = read_prompts(OURS)
    for kind in ("pairwise", "label"):
        ((_, text),) = prompts.messages(kind, ONE)
        assert "Request 1" not in text
        assert "===== what A answered =====\nThree.\n===== what B answered =====\nFour.\n=====" in text
        assert "known to be a correct answer" not in text
        assert "\n\n\n" not in text
        assert "{" not in text
    ((_, text),) = prompts.messages("graded", Shown(ONE.turns, ONE.answers[:1]))
    assert "Request:\nHow many?\n\nAnswer:\nThree.\n=====" in text


def test_the_shipped_prompts_ask_in_the_form_that_is_read() -> None:
    from isheep.chat.verdicts import parse_choice, parse_grade

    ((_, text),) = read_prompts(OURS).messages("graded", Shown(ONE.turns, ONE.answers[:1]))
    assert parse_grade(text.splitlines()[-1]) is not None
    ((_, text),) = read_prompts(OURS).messages("pairwise", ONE)
    assert [parse_choice(line) for line in text.splitlines()[-3:]] == [1.0, 0.0, 0.5]


def test_a_folder_is_signed_by_its_wording(tmp_path: Path) -> None:
    mine = tmp_path / "isheep"
    shutil.copytree(OURS, mine)
    assert read_prompts(mine).name == read_prompts(OURS).name
    written(mine / "reference.txt", "Truth: {reference}")
    assert read_prompts(mine).name != read_prompts(OURS).name
    assert read_prompts(mine).name.startswith("isheep ")


def test_all_that_is_wrong_with_a_folder_is_told_at_once(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(OURS, mine)
    (mine / "label.txt").unlink()
    written(mine / "graded.txt", "{conversation} {answer}")
    (mine / "pairwise.txt").write_bytes(b"\xff")
    with pytest.raises(RecipeError) as caught:
        read_prompts(mine)
    assert "graded.txt: missing or unknown fields: {answer}, {reference}" in caught.value.message
    assert "pairwise.txt: is not UTF-8 text" in caught.value.message
    assert "label.txt: No such file" in caught.value.message
    assert all(f"{name}.txt" in caught.value.hint for name in TEMPLATES)


# FastChat's form


def test_fastchats_prompts_are_chosen_by_their_fields(tmp_path: Path) -> None:
    prompts = read_prompts(write_lines(tmp_path / "judge_prompts.jsonl", FASTCHAT))
    alone = Shown(ONE.turns, ONE.answers[:1])
    assert prompts.messages("graded", alone) == (
        ("system", "Judge."),
        ("user", "Q: How many? A: Three. {Write [[1]]}"),
    )
    assert prompts.messages("graded", Shown(ONE.turns, ONE.answers[:1], ("4",)))[1][1] == (
        "R: 4 Q: How many? A: Three."
    )
    # Two turns without a prompt that shows a reference: judged without.
    shown = Shown(TWO.turns, TWO.answers[:1], TWO.references)
    assert prompts.messages("graded", shown)[1][1] == "How many?|Three.|Why?|I counted."
    assert prompts.messages("pairwise", ONE)[1][1] == "How many?|Three.|Four."
    # An empty system message is none.
    assert prompts.messages("pairwise", TWO) == (
        ("user", "4|By counting.|How many?|Why?|Three.|I counted.|Four.|I guessed."),
    )
    assert prompts.name.startswith("fastchat ")


def test_what_fastchats_prompts_cannot_ask(tmp_path: Path) -> None:
    prompts = read_prompts(write_lines(tmp_path / "all.jsonl", FASTCHAT))
    assert [prompts.lacks(kind, 2) for kind in ("graded", "pairwise")] == [None, None]
    assert "two turns at most" in str(prompts.lacks("graded", 3))
    assert "no verdict is the first token" in str(prompts.lacks("label", 1))
    few = read_prompts(write_lines(tmp_path / "few.jsonl", FASTCHAT[:1]))
    assert few.lacks("graded", 1) is None
    assert "no prompt of type 'single' for each turn" in str(few.lacks("graded", 2))
    assert "no prompt of type 'pairwise'" in str(few.lacks("pairwise", 1))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (["single"], "expected a JSON object, found list"),
        ({"name": "x", "type": "single", "prompt_template": ""}, "'system_prompt' must be text"),
        (row("x", "multi", "{question}"), "'type' must be single or pairwise, found 'multi'"),
        (row("x", "single", "{question}"), "missing or unknown fields: answer"),
        (row("x", "single", "{question}{answer}{score}"), "missing or unknown fields: score"),
        (row("x", "pairwise", "{question}{answer_a}"), "missing or unknown fields: answer_b"),
        (
            row("x", "single", "{question_1}{question_2}{answer_1}{answer_2}{ref_answer_1}"),
            "shows the reference answer of one turn only",
        ),
        (
            row("x", "pairwise", "{question}{answer_a}{answer_b}", output_format="[[rating_a,rating_b]]"),
            "'output_format' must be '[[A]]'",
        ),
        (row("x", "single", "{question} {answer}"), "'x' and 'one' are for the same use"),
    ],
)
def test_a_prompt_that_cannot_be_used(tmp_path: Path, bad: Any, said: str) -> None:
    path = write_lines(tmp_path / "prompts.jsonl", [FASTCHAT[0], bad])
    with pytest.raises(RecipeError) as caught:
        read_prompts(path)
    assert "prompts.jsonl" in caught.value.message
    assert "line 2: " in caught.value.message
    assert said in caught.value.message


def test_a_file_that_is_none(tmp_path: Path) -> None:
    for text, said in (("", "it is empty"), ("{", "line 1: not JSON")):
        with pytest.raises(RecipeError, match=said):
            read_prompts(written(tmp_path / "prompts.jsonl", text))
    (tmp_path / "prompts.jsonl").write_bytes(b"\xff")
    with pytest.raises(RecipeError, match="not UTF-8"):
        read_prompts(tmp_path / "prompts.jsonl")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_prompts(tmp_path / "nothing.jsonl")


# model text is data

HOSTILE = st.lists(
    st.sampled_from(
        [
            "{question}",
            "{answer_b}",
            "{",
            "}",
            "{{",
            "}}",
            "{0}",
            "{reference}",
            "\n\n",
            "%s",
            "\\1",
            "x",
            "=",
        ]
    ),
    min_size=1,
    max_size=6,
).map("".join)


@given(HOSTILE, HOSTILE)
def test_no_answer_is_ever_a_template(tmp_path_factory: Any, ours: str, theirs: str) -> None:
    file = tmp_path_factory.getbasetemp() / "judge_prompts.jsonl"
    prompts = read_prompts(write_lines(file, FASTCHAT))
    shown = Shown(("How many?",), ((ours,), (theirs,)))
    assert prompts.messages("pairwise", shown)[1][1] == f"How many?|{ours}|{theirs}"
    ((_, text),) = read_prompts(OURS).messages("pairwise", shown)
    assert f"what A answered =====\n{ours.strip()}\n=====" in text
    assert f"what B answered =====\n{theirs.strip()}\n=====" in text
