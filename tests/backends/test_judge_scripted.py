"""The judge without a model: its policies on prompts of both families, and its files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from isheep.backends.base import Runtime
from isheep.backends.judge_scripted import POLICIES, ScriptedJudge
from isheep.backends.outside import JudgeReply, JudgeRequest, JudgeSpec
from isheep.chat.verdicts import parse_choice, parse_grade
from isheep.errors import RecipeError
from isheep.files import PACKAGE
from isheep.text.prompts import fill

OURS = "Two answers.\n===== what A answered =====\n{a}\n===== what B answered =====\n{b}\n===== end =====\n"
VERDICT = OURS + "Then write exactly one of these:\nVerdict: A\nVerdict: B"
LETTER = OURS + "Reply with a single letter."
BRACKETS = (
    "[User Question]\nWhy?\n\n[The Start of Assistant A's Answer]\n{a}\n[The End of Assistant A's Answer]\n\n"
    "[The Start of Assistant B's Answer]\n{b}\n[The End of Assistant B's Answer]\nWrite [[A]] or [[B]]."
)
GRADE = "Grade it.\n===== the conversation =====\n{a}{b}\n===== end =====\nGrade: 4"
RATING = "Rate it as [[rating]].\n[The Start of Assistant's Answer]\n{a}{b}\n[The End of Assistant's Answer]"
SHORT, LONG = "Because.", "Because it is so, and was so, and will be so. " * 10


def say(script: str, content: str, **options: int) -> JudgeReply:
    judge = ScriptedJudge(JudgeSpec("", script=script), Runtime())
    [reply] = judge.judge([JudgeRequest("r", (("user", content),), **options)])
    return reply


@pytest.mark.parametrize(("a", "b", "longer"), [(SHORT, LONG, "B"), (LONG, SHORT, "A")])
@pytest.mark.parametrize(
    ("prompt", "form"),
    [(VERDICT, "Verdict: {}"), (LETTER, "{}"), (BRACKETS, "[[{}]]")],
    ids=["ours", "letter", "[[]]"],
)
def test_who_wins_a_comparison(prompt: str, form: str, a: str, b: str, longer: str) -> None:
    shown = prompt.format(a=a, b=b)
    assert say("longer", shown).text.endswith(form.format(longer))
    assert say("first", shown).text.endswith(form.format("A"))
    assert not set(say("garbage", shown).text) & set("[]:AB")


def test_a_letter_comes_with_probabilities_where_asked() -> None:
    shown = LETTER.format(a=SHORT, b=LONG)
    assert say("longer", shown).logprobs == ()
    chances = {token: math.exp(value) for token, value in say("longer", shown, top_logprobs=5).logprobs}
    assert chances == pytest.approx({"B": 0.9, "A": 0.1})


@pytest.mark.parametrize(("prompt", "form"), [(GRADE, "Grade: {}"), (RATING, "[[{}]]")], ids=["ours", "[[]]"])
def test_grades_grow_with_length(prompt: str, form: str) -> None:
    grades = [say("longer", prompt.format(a=text, b="")).text for text in (SHORT, LONG, LONG * 9)]
    assert [grade.split()[-1] for grade in grades] == [form.split()[-1].format(n) for n in (1, 5, 10)]
    assert say("first", prompt.format(a=SHORT, b="")).text.endswith(form.format(10))


def test_the_shipped_prompts_get_verdicts_that_are_read() -> None:
    def shown(name: str, a: str, b: str) -> str:
        template = (PACKAGE / "prompts" / "chat" / "isheep" / f"{name}.txt").read_text(encoding="utf-8")
        parts = {"answers_a": a, "answers_b": b, "conversation": a, "requests": "Why?", "reference": ""}
        return fill(template, **parts)

    for a, b, winner in ((SHORT, LONG, 0.0), (LONG, SHORT, 1.0)):
        assert parse_choice(say("longer", shown("pairwise", a, b)).text) == winner
        assert parse_choice(say("first", shown("pairwise", a, b)).text) == 1.0
        assert say("longer", shown("label", a, b)).text == ("A" if winner else "B")
    assert parse_choice(say("garbage", shown("pairwise", SHORT, LONG)).text) is None
    short, long = (parse_grade(say("longer", shown("graded", text, "")).text) for text in (SHORT, LONG))
    assert short is not None
    assert long is not None
    assert short < long
    assert parse_grade(say("garbage", shown("graded", SHORT, "")).text) is None


def test_a_file_says_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    rows = [
        {"match": "sheep", "text": "Grade: 9", "logprobs": {"9": -0.1}},
        {"match": "wolf", "error": "eaten"},
        {"match": "", "text": "Grade: 1"},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    assert say(str(path), "of sheep and a wolf") == JudgeReply("r", "Grade: 9", "", (("9", -0.1),), tokens=2)
    assert say(str(path), "a wolf") == JudgeReply("r", "", "eaten")
    assert say(str(path), "a dog").text == "Grade: 1"
    path.write_text(json.dumps(rows[0]))
    assert say(str(path), "a dog") == JudgeReply("r", "", "no line of the script matches")


def test_a_file_that_is_no_script_is_told_with_every_line(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text('{"match": "a"}\n[]\n{"text": "fine"}\n{"text": 1}\n{"text": "a", "error": "b"}\nno\n')
    with pytest.raises(RecipeError) as caught:
        say(str(path), "x")
    assert [line.split(":")[0].strip() for line in caught.value.message.splitlines()[1:]] == [
        f"line {n}" for n in (1, 2, 4, 5, 6)
    ]
    path.write_text("\n")
    with pytest.raises(RecipeError, match="the file is empty"):
        say(str(path), "x")


def test_an_unknown_script_is_told_with_the_policies() -> None:
    for name in ("", "longest"):
        with pytest.raises(RecipeError, match="unknown policy or file") as caught:
            say(name, "x")
        assert all(policy in caught.value.hint for policy in POLICIES)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b'{"text": "\xe9"}', "UTF-8"),
        (b"[" * 100_000, "line 1: RecursionError"),
        (b'{"text": "\xff', "UTF-8"),
    ],
)
def test_a_script_nobody_can_read_is_named(tmp_path: Path, content: bytes, wrong: str) -> None:
    script = tmp_path / "script.jsonl"
    script.write_bytes(content)
    with pytest.raises(RecipeError, match=wrong) as caught:
        say(str(script), GRADE)
    assert str(script) in caught.value.message


def test_a_script_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_bytes(b'\xef\xbb\xbf{"text": "Grade: 3"}\r\n')
    assert say(str(script), GRADE).text == "Grade: 3"
