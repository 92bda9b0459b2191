"""lamb's little web, document by document: lists of tasks, question threads, reviews and plain prose.

Document number i of seed s is a pure function of (s, i): a corpus of any length can be cut, resumed and rebuilt. It is
written with the same layouts, list items and judge prompts that the loop uses, so the base model knows every format it
will be asked in, and it holds no pair of instruction and input that is held out for evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from random import Random

from isheep.lamb.authors import candidate, grade, respond
from isheep.lamb.families import FAMILIES, Family
from isheep.lamb.world import Question, fill_slots, sample
from isheep.text.prompts import LAYOUTS, judge_text, list_item

#: Brackets around what can be known: answers, grades and what a fact states. Pre-training looks at these harder.
KNOWN, UNKNOWN = "\x02", "\x03"
#: The end of a document, and of an answer: the tokenizer's end-of-sequence token.
END = "<|end|>"

_LAYOUTS = tuple(LAYOUTS[name] for name in ("plain", "question", "question", "qa", "user"))
_HEADERS = ("Here are some tasks.", "A list of tasks for you.", "Tasks of the day.", "Some tasks to try.")
_WEIGHTS = tuple(1.0 if f.open else 0.7 for f in FAMILIES)
#: Lists favour the families with thousands of questions: a list writer must not run out of new ones.
_LIST_WEIGHTS = tuple(3.0 if f.open else 0.6 for f in FAMILIES)


@cache
def prompt_file(name: str) -> str:
    """A shipped prompt file in lamb's words: that of task lists, or the judge's for a scale."""
    folder = "lamb" if name == "instructions" else "judge/lamb"
    return (resources.files("isheep") / "prompts" / folder / f"{name}.txt").read_text("utf-8").strip()


def _known(text: str) -> str:
    return f"{KNOWN}{text}{UNKNOWN}"


def _question(rng: Random, weights: tuple[float, ...] = _WEIGHTS) -> Question:
    return sample(rng, rng.choices(FAMILIES, weights)[0], held_out=False)


def _list(rng: Random) -> str:
    header = prompt_file("instructions") if rng.random() < 0.7 else rng.choice(_HEADERS)
    questions = [_question(rng, _LIST_WEIGHTS) for _ in range(rng.randint(6, 13))]
    return "\n".join(
        [header, "", *(list_item(n, q.instruction, q.input) for n, q in enumerate(questions, 1))]
    )


def _thread(rng: Random) -> str:
    layout, skill = rng.choice(_LAYOUTS), rng.random()
    turns = []
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4, 5))):
        q = _question(rng)
        turns.append(
            layout.prompt(q.instruction, q.input) + _known(layout.completion(respond(rng, q, skill)))
        )
    return "\n\n".join(turns)


def _review(rng: Random) -> str:
    reviewer, parts = rng.random(), []
    scales = rng.choice((("quality",), ("quality",), ("following",)))
    for _ in range(rng.randint(1, 4)):
        q = _question(rng)
        text, sort = candidate(rng, q)
        grades = dict(zip(("quality", "following"), grade(rng, q, sort, reviewer), strict=True))
        parts += [
            f"{judge_text(prompt_file(s), q.instruction, q.input, text)}{_known(f' {grades[s]}')}"
            for s in scales
        ]
    return "\n\n".join(parts)


def _prose(rng: Random) -> str:
    """True sentences; the questions behind them are not asked, so a held-out pair's fact may well be told."""
    return " ".join(_sentence(rng, rng.choices(FAMILIES, _WEIGHTS)[0]) for _ in range(rng.randint(2, 6)))


def _sentence(rng: Random, family: Family) -> str:
    args = family.draw(rng)
    told = fill_slots(family.fact, args).replace(" {r}", _known(f" {family.solve(args)}"))
    return told[0].upper() + told[1:]


_KINDS = (_list, _thread, _review, _prose)
#: Shares of documents. By tokens these come to about 16 % lists, 31 % threads, 41 % reviews and 13 % prose.
_KIND_WEIGHTS = (0.055, 0.44, 0.305, 0.20)


def marked_document(seed: int, index: int) -> str:
    """One document of the corpus, without its end token, with brackets around what can be known."""
    rng = Random(f"lamb corpus {seed} {index}")
    return rng.choices(_KINDS, _KIND_WEIGHTS)[0](rng)


def document(seed: int, index: int) -> str:
    """One document of the corpus as a model reads it."""
    return marked_document(seed, index).replace(KNOWN, "").replace(UNKNOWN, "")


def documents(seed: int, start: int, stop: int) -> Iterator[str]:
    """The documents from `start` up to `stop`."""
    return (document(seed, index) for index in range(start, stop))
