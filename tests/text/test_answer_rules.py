"""The rules on answers are quick by what they look at first; each decides as its plain form, written out here."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from isheep.text import answer_rules as ours
from isheep.text.rule import ResponseSubject
from isheep.text.words import tokens


def second_speaker(s: ResponseSubject) -> bool:
    asked = f"{s.instruction}\n{s.input}"
    if ours._SEVERAL_VOICES.search(asked):
        return False
    either = re.compile(f"^{ours._SPEAKER}|{ours._CHAT_MARK.pattern}", re.I | re.M)
    labels = {(match[1] or "").lower() for match in either.finditer(s.response)}
    roles = ("assistant", "system", "human", "user")
    asked_for = {role for role in roles if re.search(rf"\b{role}s?\b", asked, re.I)}
    return bool(labels - asked_for or ours._BARE_ROLE.search(s.response))


LABEL = re.compile(r"^\W*(?:answer )?(?:choices|options)\W*:", re.I | re.M)


def answer_choices(s: ResponseSubject) -> bool:
    if ours._CHOICES_ASKED.search(f"{s.instruction}\n{s.input}"):
        return False
    letters = "".join(ours._CHOICE.findall(s.response))
    return "AB" in letters or bool(LABEL.search(s.response))


def repeats_question(s: ResponseSubject) -> bool:
    said = tokens(s.response)
    return bool(said) and said in (tokens(s.instruction), tokens(f"{s.instruction}\n{s.input}"))


def asks_back(s: ResponseSubject) -> bool:
    if (
        ours._WORDING_ASKED.search(s.instruction)
        or ours._SEVERAL_VOICES.search(s.instruction)
        or "?" in s.input
    ):
        return False
    only_questions = s.response.endswith(("?", "？")) and not ours._STATEMENT.search(s.response)
    return only_questions or bool(ours._ASKS_USER.search(s.response))


def cjk(s: ResponseSubject) -> bool:
    asked = f"{s.instruction}\n{s.input}"
    excused = ours._CJK.search(asked) or ours._ABOUT_LANGUAGE.search(asked)
    return bool(re.search(ours._CJK.pattern + "{2}", s.response)) and not excused


def input_repeated(s: ResponseSubject) -> bool:
    part, whole = tokens(s.input), tokens(s.instruction)
    starts = range(len(whole) - len(part) + 1)
    return len(part) >= 2 and any(whole[i : i + len(part)] == part for i in starts)


def noinput(s: ResponseSubject) -> bool:
    return bool(re.search(r"\bnoinput\b", s.response, re.I))


PLAIN: dict[str, Callable[[ResponseSubject], bool]] = {
    rule.__name__: rule
    for rule in (second_speaker, answer_choices, repeats_question, asks_back, cjk, input_repeated, noinput)
}
#: What the rules look for, and what comes near it.
PIECES = (
    "User:", "user 2 :", "> Q：", "System: Windows", "system", "\nuser\n", "<|im_start|>", "<|IM_END|>", "interview",
    "A. tea", "B) milk", "(A) rain", "C. snow", "Options:", "answer choices :", "multiple", "Tell", "me", "about",
    "the", "tea", "tea.", "-", "**", "...", "can you say more?", "\n\nWould you like it?", "Why?", "Really？",
    "Rewrite", "你好", "你", "안녕", "translate", "é", "Ω", "ΟΔΟΣ", "ΣΑΣ.", "สวัสดี", "İ", "noinput", "NoInput,",
    "noinputs", "xnoinput", "noİnput", "noınput", "_noinput", "\n", "\x85", "\u3000",
)  # fmt: skip
TEXT = st.lists(
    st.sampled_from(PIECES) | st.text(max_size=3), max_size=6
).flatmap(lambda parts: st.sampled_from([" ", "", "\n"]).map(lambda between: between.join(parts).strip()))  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(instruction=TEXT, input=TEXT, response=TEXT, same=st.sampled_from(["", "response", "input"]))
@example(instruction="tea", input="me", response="- TEA me", same="")
@example(instruction="- tea me", input="", response="TEA me", same="")
@example(instruction="tea me", input="", response="étea me", same="")
@example(instruction="tea rain about me", input="rain about", response="", same="")
@example(instruction="", input="", response="<|im_end|>", same="")
@example(instruction="", input="", response="你好", same="")
@example(instruction="", input="", response="A. tea\nB. milk", same="")
@example(instruction="", input="", response="(A) tea\n(B) milk", same="")
def test_quick_rules_decide_as_their_plain_forms(
    instruction: str, input: str, response: str, same: str
) -> None:
    if same == "response":  # said again, with other marks
        response = f"{instruction.upper()} - {input}".strip()
    if same == "input":
        instruction = f"{instruction}. {input}, {instruction}".strip()
    subject = ResponseSubject(instruction, input, response, "stop")
    found = {name: ours.RESPONSE_RULES[name].drops(subject) for name in PLAIN}
    assert found == {name: decides(subject) for name, decides in PLAIN.items()}


def test_the_plain_forms_are_all_the_rules_that_look_at_text() -> None:
    assert {*PLAIN, "empty", "unfinished"} == set(ours.RESPONSE_RULES)
