"""Named heuristic rules: each looks at one instruction or one answer and keeps it, or drops it under its own name.

The rules are those of the released code (after Self-Instruct and Alpaca), rewritten to match whole words and whole
forms: the released patterns also drop "e.g.", "U.S.A.", "(a)", HTML and "nonetheless". A rule's name is the reason kept
with a dropped record and counted in reports, so names are stable. Knows: strings. Order is the order of trial.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Generic, TypeVar

from isheep.errors import RecipeError
from isheep.text.words import tokens, word_count


@dataclass(frozen=True, slots=True)
class InstructionSubject:
    instruction: str
    input: str
    min_words: int
    max_words: int


@dataclass(frozen=True, slots=True)
class ResponseSubject:
    instruction: str
    input: str
    response: str
    finish: str


S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Rule(Generic[S]):
    """One rule: `why` is for people, `drops` decides. Calling it gives the reason (its name), or None to keep."""

    name: str
    why: str
    drops: Callable[[S], bool]

    def __call__(self, subject: S) -> str | None:
        return self.name if self.drops(subject) else None


def instruction_reason(
    instruction: str, input: str, enabled: Collection[str], min_words: int = 4, max_words: int = 150
) -> str | None:
    """The name of the first enabled rule that drops a task the model wrote, or None to keep it.

    4 to 150 words are the released code's limits; a small world may have shorter tasks.
    """
    subject = InstructionSubject(instruction.strip(), input.strip(), min_words, max_words)
    return _first_reason(INSTRUCTION_RULES, frozenset(enabled), subject)


def response_reason(
    instruction: str, input: str, response: str, finish: str, enabled: Collection[str]
) -> str | None:
    """The name of the first enabled rule that drops an answer, or None to keep it. `finish` is the Completion's."""
    subject = ResponseSubject(instruction.strip(), input.strip(), response.strip(), finish)
    return _first_reason(RESPONSE_RULES, frozenset(enabled), subject)


def _first_reason(rules: Mapping[str, Rule[S]], enabled: frozenset[str], subject: S) -> str | None:
    _check_names(tuple(rules), enabled)
    return next((name for name, rule in rules.items() if name in enabled and rule.drops(subject)), None)


@lru_cache(maxsize=64)
def _check_names(known: tuple[str, ...], enabled: frozenset[str]) -> None:
    for name in sorted(enabled.difference(known)):
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise RecipeError(f"there is no rule {name!r}", f"{hint}the rules are {', '.join(known)}")


# ---------------------------------------------------------------- rules on instructions


def _length(s: InstructionSubject) -> bool:
    return not s.min_words <= word_count(s.instruction) <= s.max_words


#: Marks a task may well begin with: quotation marks, and Spanish ones. Currency signs are allowed by category.
_OPENING_MARKS = "\"'“”„‘’«‹「『¿¡"


def _leading_symbol(s: InstructionSubject) -> bool:
    first = s.instruction[:1]
    if not first or first in _OPENING_MARKS:
        return False
    category = unicodedata.category(first)
    return category[0] in "PSMC" and category != "Sc"


#: What a text model cannot make or look at (released code's list, after Self-Instruct), as whole words.
_BLACKLIST = re.compile(
    r"\b(?:images?|graphs?|pictures?|files?|maps?|draw|plot|go to|videos?|audio|music|flowcharts?|diagrams?)\b",
    re.I,
)
#: The same words where they mean something a text model can do or talk about; taken out before the blacklist looks.
_HARMLESS = re.compile(
    r"""\b(?:
      draw \s+ (?:(?:a|an|any|the|some|your) \s+)? (?:\w+ \s+)?
          (?:conclusion|inference|comparison|parallel|distinction|lesson)s?
    | draw \s+ (?:attention|on|upon|from)
    | plot \s+ (?:twist|hole|point|summary|outline|device|line)s?
    | (?:story|film|movie|novel|book)(?:'s)? \s+ plot
    | plot \s+ (?:of|for) (?! [^.\n]{0,30} \b (?:data|functions?|points|values|results|curves?|equations?) \b)
    | file \s+ (?:a|an|for|your|my) \s+ (?:\w+ \s+)? (?:complaint|claim|lawsuit|report|return|patent|divorce|bankruptcy)
    | graph \s+ (?:theory|algorithms?) | big(?:ger)? \s+ picture | (?:self|public|brand|body)[-\s]image
    | (?:i|you|we|they|people|to|not|never|often|should|can|could|would|will|must|may|might) \s+ go \s+ to
    | music \s+ (?:theory|genres?|history|industry) | (?:type|style|kind|genre)s? \s+ of \s+ music
    | music (?=\s*,) | (?<=,\s) (?:(?:and|or) \s+)? music | video \s+ games?
    )\b""",
    re.I | re.X,
)
#: An input that only stands for something attached: "<image>", "[audio clip]", "photo.jpg".
_ATTACHED = re.compile(
    r"\s*(?:[<\[(]\s*(?:an?\s+|the\s+)?(?:image|picture|photo|graph|map|video|audio|music|file|diagram)s?\b[^\n]{0,40}[>\])]"
    r"|[^\s/]{1,60}\.(?:jpe?g|png|gif|bmp|svg|mp[34]|wav|avi|mov|pdf|docx?|xlsx?))\s*",
    re.I,
)


def _blacklist(s: InstructionSubject) -> bool:
    return bool(_BLACKLIST.search(_HARMLESS.sub(" ", s.instruction)) or _ATTACHED.fullmatch(s.input))


_NUMBER_FIRST = re.compile(r"[0-9]{1,3}[.)](?:\s|$)")
_LABEL = re.compile(
    r"^[ \t]*(?:[0-9]+\.[ \t]*)?(?:task|instruction|input|output)[ \t]*[0-9]*[ \t]*:", re.I | re.M
)
#: An input may have labels of its own ("Task: plan a party"); these are the list's next item, or a leaked answer.
_LABEL_IN_INPUT = re.compile(
    r"^[ \t]*[0-9]+\.[ \t]*(?:task|instruction|input)[ \t]*:|\n[ \t]*output[ \t]*:", re.I | re.M
)
#: In mid-line only with a capital: "given the input: 5" is prose, "Add them. Input: 5" is a leaked label.
_LABEL_IN_LINE = re.compile(r"\S[ \t]+(?:Task|Instruction|Input|Output):")


def _list_marker(s: InstructionSubject) -> bool:
    in_instruction = _NUMBER_FIRST.match(s.instruction) or _LABEL_IN_LINE.search(s.instruction)
    return bool(in_instruction or _LABEL.search(s.instruction) or _LABEL_IN_INPUT.search(s.input))


_LINK = re.compile(r"\b(?:https?://|www\.)\w", re.I)


def _link(s: InstructionSubject) -> bool:
    return bool(_LINK.search(s.instruction) or _LINK.search(s.input))


_NO_INPUT = re.compile(
    r"\bnoinput\b|[<(\[]\s*no[ -]input\s*[>)\]]"
    r"|^\W*no input(?: (?:is )?(?:needed|required|necessary|given|provided))?\W*$",
    re.I | re.M,
)


def _noinput(s: InstructionSubject) -> bool:
    return bool(_NO_INPUT.search(s.instruction) or _NO_INPUT.search(s.input))


# ---------------------------------------------------------------- rules on responses


def _empty(s: ResponseSubject) -> bool:
    return not s.response


def _unfinished(s: ResponseSubject) -> bool:
    return s.finish == "length"


#: Released code's roles, and "Q" of the layout qa; its "output" is left out: answers with code hold such lines.
_SPEAKER = re.compile(
    r"^[ \t>#*_]*(assistant|system|human|question|user|Q)[ \t]*[0-9]*[ \t*_]*[:：]|<\|im_(?:start|end)\|>",
    re.I | re.M,
)
#: A chat template's role on a line of its own, after an answer.
_BARE_ROLE = re.compile(r"\n(?:assistant|user)\n")
_SEVERAL_VOICES = re.compile(
    r"\b(?:dialog(?:ue)?|conversation|chat|interview\w*|negotiation|utterances?|script|scene|screenplay|transcript|quiz|"
    r"trivia|faqs?|exam|questions|flash ?cards?|role-?play\w*|(?:write|create|generate|make|pose|ask|come up|provide|"
    r"edit|into|form|formulate|\w*construct|turn)\b.{0,40}\bquestion)\b"
    r"|^\W*(?:user|human|assistant)\W*:",
    re.I | re.M,
)


def _second_speaker(s: ResponseSubject) -> bool:
    asked = f"{s.instruction}\n{s.input}"
    if _SEVERAL_VOICES.search(asked):
        return False
    labels = {(match[1] or "").lower() for match in _SPEAKER.finditer(s.response)}
    # "System: Windows" answers a task about systems; "Question:" is no answer, though most tasks speak of questions.
    asked_for = {
        role for role in ("assistant", "system", "human", "user") if re.search(rf"\b{role}s?\b", asked, re.I)
    }
    return bool(labels - asked_for or _BARE_ROLE.search(s.response))


_CHOICE = re.compile(r"^[ \t]*\(?([A-E])[.)]\s+\S", re.M)
_CHOICES_LABEL = re.compile(r"^\W*(?:answer )?(?:choices|options)\W*:", re.I | re.M)
_CHOICES_ASKED = re.compile(
    r"\b(?:choices?|options?|multiple|quiz|exam|test|outline|questions|alternatives)\b|^\W?[A-E][.)]\s",
    re.I | re.M,
)


def _answer_choices(s: ResponseSubject) -> bool:
    if _CHOICES_ASKED.search(f"{s.instruction}\n{s.input}"):
        return False
    letters = "".join(_CHOICE.findall(s.response))
    return "AB" in letters or bool(_CHOICES_LABEL.search(s.response))


def _repeats_question(s: ResponseSubject) -> bool:
    said = tokens(s.response)
    return bool(said) and said in (tokens(s.instruction), tokens(f"{s.instruction}\n{s.input}"))


#: Tasks whose right answer may well be a question: text to be written or reworked.
_WORDING_ASKED = re.compile(
    r"\b(?:questions?|quer(?:y|ies)|prompts?|problems?|ask|inquir\w+|survey|poll|riddles?|jokes?|\w*write|reword|rephrase|"
    r"paraphrase|translate|correct|edit|fix|proofread|punctuat\w+|convert|change|transform|repl(?:y|ies)|respond|e-?mail|message|headlines?|titles?|slogans?|"
    r"sentences?|quotes?|repeat|extract|find|identify|complete)\b",
    re.I,
)
_ASKS_USER = re.compile(r"\n[ \t]*\n[ \t]*(?:can|could|do|did|would|will|are|have) you\b[^\n]*\?$", re.I)
_STATEMENT = re.compile(r"[.!。！](?:\s|$)")


def _asks_back(s: ResponseSubject) -> bool:
    if _WORDING_ASKED.search(s.instruction) or _SEVERAL_VOICES.search(s.instruction) or "?" in s.input:
        return False
    only_questions = s.response.endswith(("?", "？")) and not _STATEMENT.search(s.response)
    return only_questions or bool(_ASKS_USER.search(s.response))


_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]")
_CJK_RUN = re.compile(_CJK.pattern + "{2}")
_ABOUT_LANGUAGE = re.compile(
    r"\b(?:translat\w*|chin(?:a|ese)|japan(?:ese)?|korean?|mandarin|cantonese|taiwan(?:ese)?|kanji|hiragana|katakana|"
    r"hanzi|hangul|pinyin|asian?|languages?|multilingual|unicode)\b",
    re.I,
)


def _cjk(s: ResponseSubject) -> bool:
    asked = f"{s.instruction}\n{s.input}"
    return bool(_CJK_RUN.search(s.response)) and not _CJK.search(asked) and not _ABOUT_LANGUAGE.search(asked)


def _input_repeated(s: ResponseSubject) -> bool:
    part, whole = tokens(s.input), tokens(s.instruction)
    starts = range(len(whole) - len(part) + 1)
    return len(part) >= 2 and any(whole[i : i + len(part)] == part for i in starts)


def _leaked_noinput(s: ResponseSubject) -> bool:
    return bool(re.search(r"\bnoinput\b", s.response, re.I))


# ---------------------------------------------------------------- the registries, in order of trial


def _registry(*rules: Rule[S]) -> Mapping[str, Rule[S]]:
    return {rule.name: rule for rule in rules}


INSTRUCTION_RULES: Mapping[str, Rule[InstructionSubject]] = _registry(
    Rule("length", "too short to be a task, or so long that it is several", _length),
    Rule(
        "leading_symbol",
        "begins with punctuation, a symbol or a broken character: a fragment",
        _leading_symbol,
    ),
    Rule(
        "list_marker",
        "a label of the list leaked into it: two items run together, or an answer",
        _list_marker,
    ),
    Rule("noinput", "a leaked mark for an absent input", _noinput),
    Rule("link", "points to a page the model cannot open", _link),
    Rule("blacklist", "asks to make or look at something that is not text", _blacklist),
)

RESPONSE_RULES: Mapping[str, Rule[ResponseSubject]] = _registry(
    Rule("empty", "no answer", _empty),
    Rule("unfinished", "the token limit came before its end", _unfinished),
    Rule("second_speaker", "goes on with the next turn of a conversation nobody asked for", _second_speaker),
    Rule("answer_choices", "offers choices A, B, ... instead of answering", _answer_choices),
    Rule("repeats_question", "only repeats the request", _repeats_question),
    Rule("asks_back", "answers with a question, or ends by asking the user", _asks_back),
    Rule("cjk", "runs into Chinese, Japanese or Korean in an answer to a request without any", _cjk),
    Rule(
        "input_repeated", "the input already stands in the instruction: a badly written task", _input_repeated
    ),
    Rule("noinput", "a leaked mark for an absent input", _leaked_noinput),
)
