"""Our rules on the answers a model gives.

They are those of the released code, written to match whole words and whole forms, and to look at what was asked: a
dialogue may have two speakers, a quiz has choices. "(a)", "e.g." and HTML are no reason to drop an answer.
Each looks first at what is cheap and rarely there, and at what excuses it last: a million answers are looked at in
seconds, not minutes. Knows: strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from isheep.text.rule import ResponseSubject, Rule, registry, rule
from isheep.text.words import tokens


def _at_a_line(pattern: str) -> Callable[[str], bool]:
    """Whether a line of a text begins with a pattern, in any case. As ^ would; but that is tried at every character,
    and this at every line."""
    first, later = re.compile(pattern, re.I), re.compile(rf"\n{pattern}", re.I)
    return lambda text: bool(first.match(text) or later.search(text))


@rule("empty", "no answer")
def empty(s: ResponseSubject) -> bool:
    """White space alone is empty."""
    return not s.response


@rule("unfinished", "the token limit came before its end")
def unfinished(s: ResponseSubject) -> bool:
    """By the completion's own finish; nothing is guessed from the text."""
    return s.finish == "length"


#: Released code's roles, and "Q" of the layout qa; its "output" is left out: answers with code hold such lines.
_SPEAKER = r"[ \t>#*_]*(assistant|system|human|question|user|Q)[ \t]*[0-9]*[ \t*_]*[:：]"
_SPEAKERS = re.compile(f"^{_SPEAKER}", re.I | re.M)
_has_speaker = _at_a_line(_SPEAKER)
_CHAT_MARK = re.compile(r"<\|im_(?:start|end)\|>", re.I)
#: A chat template's role on a line of its own, after an answer.
_BARE_ROLE = re.compile(r"\n(?:assistant|user)\n")
_SEVERAL_VOICES = re.compile(
    r"\b(?:dialog(?:ue)?|conversation|chat|interview\w*|negotiation|utterances?|script|scene|screenplay|transcript|quiz|"
    r"trivia|faqs?|exam|questions|flash ?cards?|role-?play\w*|(?:write|create|generate|make|pose|ask|come up|provide|"
    r"edit|into|form|formulate|\w*construct|turn)\b.{0,40}\bquestion)\b"
    r"|^\W*(?:user|human|assistant)\W*:",
    re.I | re.M,
)


@rule("second_speaker", "goes on with the next turn of a conversation nobody asked for")
def second_speaker(s: ResponseSubject) -> bool:
    """A speaker's label at the start of a line, unless the task asked for several voices or for that word."""
    marked = _BARE_ROLE.search(s.response) or _CHAT_MARK.search(s.response)
    if not marked and not _has_speaker(s.response):
        return False
    asked = f"{s.instruction}\n{s.input}"
    if _SEVERAL_VOICES.search(asked):
        return False
    labels = {match[1].lower() for match in _SPEAKERS.finditer(s.response)}
    # "System: Windows" answers a task about systems; "Question:" is no answer, though most tasks speak of questions.
    asked_for = {
        role for role in ("assistant", "system", "human", "user") if re.search(rf"\b{role}s?\b", asked, re.I)
    }
    return bool(labels - asked_for or marked)


_CHOICE = re.compile(r"^[ \t]*\(?([A-E])[.)]\s+\S", re.M)
_has_choices_label = _at_a_line(r"\W*(?:answer )?(?:choices|options)\W*:")
_CHOICES_ASKED = re.compile(
    r"\b(?:choices?|options?|multiple|quiz|exam|test|outline|questions|alternatives)\b|^\W?[A-E][.)]\s",
    re.I | re.M,
)


@rule("answer_choices", "offers choices A, B, ... instead of answering")
def answer_choices(s: ResponseSubject) -> bool:
    """Lines "A. ..." and "B. ...", unless choices were asked for; "(a) boil water, (b) ..." in a line are none."""
    offered = "B." in s.response or "B)" in s.response
    if offered:
        offered = "AB" in "".join(_CHOICE.findall(s.response))
    if not offered and not (":" in s.response and _has_choices_label(s.response)):
        return False
    return not _CHOICES_ASKED.search(f"{s.instruction}\n{s.input}")


@rule("repeats_question", "only repeats the request")
def repeats_question(s: ResponseSubject) -> bool:
    """Compared by words, with and without the input."""
    one, two = s.response[:1].lower(), s.instruction[:1].lower()
    if one != two and _begins_word(one) and _begins_word(two):
        return False
    starts = zip(_first_tokens(s.response), _first_tokens(s.instruction), strict=False)
    if any(here != there for here, there in starts):
        return False
    said = tokens(s.response)
    return bool(said) and said in (tokens(s.instruction), tokens(f"{s.instruction}\n{s.input}"))


def _begins_word(letter: str) -> bool:
    """Whether a text that begins so has a first token that begins so."""
    return letter.isascii() and letter.isalnum()


def _first_tokens(text: str) -> list[str]:
    """The tokens of a text's first four pieces between spaces: the beginning of all its tokens."""
    return tokens(" ".join(text.split(None, 4)[:4]))


#: Tasks whose right answer may well be a question: text to be written or reworked.
_WORDING_ASKED = re.compile(
    r"\b(?:questions?|quer(?:y|ies)|prompts?|problems?|ask|inquir\w+|survey|poll|riddles?|jokes?|\w*write|reword|rephrase|"
    r"paraphrase|translate|correct|edit|fix|proofread|punctuat\w+|convert|change|transform|repl(?:y|ies)|respond|e-?mail|message|headlines?|titles?|slogans?|"
    r"sentences?|quotes?|repeat|extract|find|identify|complete)\b",
    re.I,
)
_ASKS_USER = re.compile(r"\n[ \t]*\n[ \t]*(?:can|could|do|did|would|will|are|have) you\b[^\n]*\?$", re.I)
_STATEMENT = re.compile(r"[.!。！](?:\s|$)")


@rule("asks_back", "answers with a question, or ends by asking the user")
def asks_back(s: ResponseSubject) -> bool:
    """Nothing but questions, or a last paragraph put to the user, unless wording was asked for."""
    only_questions = s.response.endswith(("?", "？")) and not _STATEMENT.search(s.response)
    if not only_questions and not _ASKS_USER.search(s.response):
        return False
    excused = _WORDING_ASKED.search(s.instruction) or _SEVERAL_VOICES.search(s.instruction) or "?" in s.input
    return not excused


_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]")
_CJK_RUN = re.compile(2 * _CJK.pattern)
_ABOUT_LANGUAGE = re.compile(
    r"\b(?:translat\w*|chin(?:a|ese)|japan(?:ese)?|korean?|mandarin|cantonese|taiwan(?:ese)?|kanji|hiragana|katakana|"
    r"hanzi|hangul|pinyin|asian?|languages?|multilingual|unicode)\b",
    re.I,
)


@rule("cjk", "runs into Chinese, Japanese or Korean in an answer to a request without any")
def cjk(s: ResponseSubject) -> bool:
    """Two such characters in a row, unless the request has some or is about languages."""
    if s.response.isascii() or not _CJK_RUN.search(s.response):
        return False
    asked = f"{s.instruction}\n{s.input}"
    return not _CJK.search(asked) and not _ABOUT_LANGUAGE.search(asked)


@rule("input_repeated", "the input already stands in the instruction: a badly written task")
def input_repeated(s: ResponseSubject) -> bool:
    """Two or more whole words in a row; a single word may well stand in both."""
    if not s.input:
        return False
    task = s.instruction.lower()
    if any(word not in task for word in _first_tokens(s.input)):
        return False
    part, whole = tokens(s.input), tokens(s.instruction)
    starts = range(len(whole) - len(part) + 1)
    return len(part) >= 2 and any(whole[i : i + len(part)] == part for i in starts)


#: Which "any case" takes for an i as well.
_OTHER_I = ("\u0131", "i\u0307")
_NOINPUT = re.compile(r"\bnoinput\b", re.I)


@rule("noinput", "a leaked mark for an absent input")
def leaked_noinput(s: ResponseSubject) -> bool:
    """The whole word; "there is no input" is prose."""
    said = s.response.lower()
    if "noinput" not in said and not any(i in said for i in _OTHER_I):
        return False
    return bool(_NOINPUT.search(s.response))


#: In order of trial.
RESPONSE_RULES: Mapping[str, Rule[ResponseSubject]] = registry(
    empty,
    unfinished,
    second_speaker,
    answer_choices,
    repeats_question,
    asks_back,
    cjk,
    input_repeated,
    leaked_noinput,
)
