"""What counts as a word, in any script: the tokens near-duplicates are compared by, and the length of an instruction.

Knows: characters. Text in Latin letters is cut exactly as the rouge_score package cuts it (the measure of the released
code); letters of other scripts, which that package throws away, become tokens too instead of nothing.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import groupby

#: Scripts written without spaces: Thai, Lao, Burmese, Khmer, kana, bopomofo, Han (half-width kana included). Korean
#: is written with spaces and is therefore cut into words like any other script.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
#: Where Latin letters, their accents, and symbols live. Nothing here but a-z and 0-9 makes a token (rouge_score).
_LATIN = (
    "\u0000-\u036f\u1d00-\u1dbf\u1e00-\u1eff\u2000-\u2bff\u2c60-\u2c7f"
    "\ua720-\ua7ff\uab30-\uab6f\ufb00-\ufb06\uff01-\uff5e"
)

_WORD = re.compile(r"[a-z0-9]+")
_NOT_LATIN = re.compile(f"[^{_LATIN}]")
_UNSPACED_LETTER = re.compile(f"[{_UNSPACED}]")


def tokens(text: str) -> list[str]:
    """The words of a text, lower-cased.

    For text in Latin script: runs of a-z and 0-9, exactly rouge_score's tokens without its stemmer (accented letters
    separate, as there). Otherwise additionally: runs of letters, marks and digits of the other script, and one token
    per character for scripts written without spaces.
    """
    text = text.lower()
    if not _NOT_LATIN.search(text):
        return _WORD.findall(text)
    found: list[str] = []
    for kind, letters in groupby(text, _kind):
        if kind == "unspaced":
            found.extend(letters)
        elif kind != "gap":
            found.append("".join(letters))
    return found


def word_count(text: str) -> int:
    """How long a text is for the length rule: pieces between spaces, as the released code counts them.

    A character of a script without spaces counts as one word, or every Chinese or Thai instruction was "too short".
    """
    return len(_UNSPACED_LETTER.sub(" x ", text).split())


def spaced(text: str) -> str:
    """The text with a space around every character of a script without spaces: what a search index cuts at spaces."""
    return _UNSPACED_LETTER.sub(lambda found: f" {found[0]} ", text)


@lru_cache(maxsize=65536)
def _kind(letter: str) -> str:
    if letter.isascii():
        return "ascii" if letter.isalnum() else "gap"
    if not _NOT_LATIN.match(letter) or unicodedata.category(letter) not in _IN_WORDS:
        return "gap"
    return "unspaced" if _UNSPACED_LETTER.match(letter) else "other"


#: Letters, combining marks (Indic vowels are marks, not letters) and decimal digits.
_IN_WORDS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd", "Nl"})
