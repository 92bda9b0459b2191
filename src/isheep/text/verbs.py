"""What instructions ask for, as a verb and its object ("write", "story"), and how many kinds of asking there are.

Knows: English word order and some two hundred function words; there is no parser here, so a pair is a good guess, not
an analysis (Self-Instruct's figure of verbs and objects used one). Guesses err alike in every iteration, and iterations
are what the figure compares.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from isheep.text.rarefaction import expected_entropy
from isheep.text.words import tokens

#: What may stand before the verb of a request, over and over; matches nothing where there is nothing.
_POLITE = re.compile(
    r"""\s*(?: (?:please|kindly|now|then|also|first|next|finally)\b[\s,]*
      | (?:can|could|would|will)\s+you\s+
      | i(?:'d|\s+would|\s+want|\s+need)?\s+(?:like|want|need|you)(?:\s+you)?\s+to\s+
      | (?:your|the)\s+(?:task|job|goal)\s+(?:here\s+)?is\s+to\s+
      | you\s+(?:have|need|are\s+asked|are\s+required)\s+to\s+
      | help\s+me\s+(?:to\s+)?
    )*""",
    re.X,
)
#: Opens a clause that stands before the request: "Given a list, sort it.", "In this task, you ...".
_CLAUSE = re.compile(
    r"(?:given|based|using|considering|assuming|suppose|imagine|if|when|while|for|in|from|with|as|after|before|at|on|by|under)\b"
    r"[^,:.\n]*[,:.\n]\s*(?=\S)"
)

_LISTED = """
    a an the this that these those some any all both each every either neither no such same other another following
    given certain various several many much more most few fewer less least enough own only just very quite rather too so
    one two three four five six seven eight nine ten
    i me my mine you your yours he him his she her hers it its we us our ours they them their theirs who whom whose
    what which where when why how there here
    about above according across after against along among around as at based before behind below beneath beside
    between beyond by despite down during except for from in inside into like near of off on onto out outside over past
    per since than through throughout to together toward towards under until up upon using via with within without
    and or but nor yet if whether because while although though unless
    am is are was were be been being do does did done doing have has had having can could may might must shall should
    will would not don't doesn't didn't isn't aren't can't cannot
"""
#: Words that are neither a verb worth counting nor a noun. Between words of a noun phrase they end it.
_FUNCTION_WORDS = frozenset(_LISTED.split())
#: A word, or a mark that ends a noun phrase. Quotation marks, brackets and digits end one too, but none is kept.
_PIECE = re.compile(r"[^\W\d_](?:[\w'’-]*\w)?|[^\w\s]|\d+")


def verb_and_noun(instruction: str) -> tuple[str, str]:
    """The verb of a request and the noun it acts on, lower-cased; "" for what is missing.

    The verb is the first word after courtesies ("please", "could you") and an opening clause ("Given a list,"); in a
    question it is the question word. The noun is the last word of the first noun phrase after it: what stands before
    the next function word or mark, articles and the like skipped ("Write a very short story about ..." gives "story").
    Text without one English function word gives its first two words; in scripts written without spaces, its first two
    characters and the two after them.
    """
    text = _POLITE.sub("", instruction.lower(), count=1)
    opening = _CLAUSE.match(text)
    if opening:
        text = _POLITE.sub("", text[opening.end() :], count=1)
    pieces = _PIECE.findall(text)
    if not _FUNCTION_WORDS.intersection(pieces):
        return _first_words(text, [piece for piece in pieces if piece[0].isalpha()])
    words = iter(pieces)
    verb = next((word for word in words if word[0].isalpha()), "")
    noun = ""
    for piece in words:
        content = piece[0].isalpha() and piece not in _FUNCTION_WORDS
        if noun and not content:
            break
        if content:
            noun = piece
    return verb, noun


def _first_words(text: str, words: list[str]) -> tuple[str, str]:
    letters = tokens(text)
    if letters and len(letters[0]) == 1 and not letters[0].isascii():
        return "".join(letters[:2]), "".join(letters[2:4])
    return words[0] if words else "", words[1] if len(words) > 1 else ""


def verb_noun_spread(instructions: Sequence[str], size: int | None = None) -> float | None:
    """Effective number of (verb, noun) kinds: exp of their entropy, 1 (all alike) to `size` (all different).

    It rises with the number of instructions, so to compare sets give each the size of the smallest; the default is all
    of this one. Mean over all draws of that size, in closed form (rarefaction.py). None without any instruction or
    with a size of 0; ValueError for a size below 0 or above their number.
    """
    size = len(instructions) if size is None else size
    if not 0 <= size <= len(instructions):
        raise ValueError(f"a sample of {size} instructions cannot be drawn from {len(instructions)}")
    if not size:
        return None
    kinds = Counter(map(verb_and_noun, instructions))
    return math.exp(expected_entropy(np.array(list(kinds.values()), dtype=np.int64), size))
