"""Our rules on the tasks a model writes.

They are those of the released code (after Self-Instruct and Alpaca), written to match whole words and whole forms:
"e.g.", "U.S.A.", "(a)", HTML, "nonetheless" and "mapping" are no reason to drop a task. Knows: strings.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from isheep.text.rule import InstructionSubject, Rule, registry, rule
from isheep.text.words import word_count


@rule("length", "too short to be a task, or so long that it is several")
def length(s: InstructionSubject) -> bool:
    """Words as words.py counts them, so that a Chinese or Thai task has a length too; the limits are the recipe's."""
    return not s.min_words <= word_count(s.instruction) <= s.max_words


#: Marks a task may well begin with: quotation marks, and Spanish ones. Currency signs are allowed by category.
_OPENING_MARKS = "\"'“”„‘’«‹「『¿¡"


@rule("leading_symbol", "begins with punctuation, a symbol or a broken character: a fragment")
def leading_symbol(s: InstructionSubject) -> bool:
    """By Unicode category, so that letters of every script, quotation marks and prices may begin a task."""
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


@rule("blacklist", "asks to make or look at something that is not text")
def blacklist(s: InstructionSubject) -> bool:
    """Whole words ("paragraph" is no graph), but for turns of speech in which they mean something else."""
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


@rule("list_marker", "a label of the list leaked into it: two items run together, or an answer")
def list_marker(s: InstructionSubject) -> bool:
    """A number at the very start, or a label of the list; "e.g.", "U.S.A." and "(a)" are none."""
    in_instruction = _NUMBER_FIRST.match(s.instruction) or _LABEL_IN_LINE.search(s.instruction)
    return bool(in_instruction or _LABEL.search(s.instruction) or _LABEL_IN_INPUT.search(s.input))


_LINK = re.compile(r"\b(?:https?://|www\.)\w", re.I)


@rule("link", "points to a page the model cannot open")
def link(s: InstructionSubject) -> bool:
    """An address, in instruction or input; a question about HTTP has none."""
    return bool(_LINK.search(s.instruction) or _LINK.search(s.input))


_NO_INPUT = re.compile(
    r"\bnoinput\b|[<(\[]\s*no[ -]input\s*[>)\]]"
    r"|^\W*no input(?: (?:is )?(?:needed|required|necessary|given|provided))?\W*$",
    re.I | re.M,
)


@rule("noinput", "a leaked mark for an absent input")
def noinput(s: InstructionSubject) -> bool:
    """The whole word, or a line that says nothing else; "none", "nonetheless" and tags of HTML are none."""
    return bool(_NO_INPUT.search(s.instruction) or _NO_INPUT.search(s.input))


#: In order of trial.
INSTRUCTION_RULES: Mapping[str, Rule[InstructionSubject]] = registry(
    length, leading_symbol, list_marker, noinput, link, blacklist
)
