"""The corpus is a pure function of a seed, in the loop's own formats, and never asks a held-out question."""

from __future__ import annotations

import hashlib
import re

from isheep.lamb import corpus, world
from isheep.lamb.authors import EVASIONS, respond
from isheep.lamb.families import FAMILIES
from isheep.lamb.world import spread
from isheep.text.prompts import LAYOUTS, judge_text

_ITEM = re.compile(r"^\d+\. Task: ", re.MULTILINE)


def _asked(text: str) -> list[tuple[str, str]]:
    """Every (instruction, input) a document asks, by its format."""
    if _ITEM.search(text):
        requests = [part.replace("\nInput: ", "\n") for part in _ITEM.split(text)[1:]]
    elif text.startswith("Review\n"):
        requests = re.findall(r"Asked: (.+?)\nSaid:", text, re.DOTALL)
    elif "Question: " in text:
        requests = re.findall(r"Question: (.+?)\nAnswer:", text, re.DOTALL)
    elif "User: " in text:
        requests = re.findall(r"User: (.+?)\nAssistant:", text, re.DOTALL)
    elif "Q: " in text:
        requests = re.findall(r"Q: (.+?)\nA:", text, re.DOTALL)
    elif "\n" in text:
        requests = [turn.rpartition("\n")[0] for turn in text.split("\n\n")]
    else:
        return []
    pairs = [(request.strip().partition("\n")[0], request.strip().partition("\n")[2]) for request in requests]
    assert pairs, text
    return pairs


def test_the_corpus_is_what_the_shipped_weights_were_trained_on() -> None:
    digest = hashlib.sha256()
    for text in corpus.documents(0, 0, 2000):
        digest.update(text.encode() + b"\0")
    assert digest.hexdigest() == "ad393b87945c6786567bd350992fb8b14afed63c5d2c2a8213fc60f4befba817", (
        "the corpus changed: rebuild the weights with `isheep lamb build`, then put the new digest here"
    )


def test_documents_do_not_depend_on_where_the_reading_starts() -> None:
    assert list(corpus.documents(3, 100, 120)) == list(corpus.documents(3, 0, 120))[100:]
    assert list(corpus.documents(3, 0, 20)) != list(corpus.documents(4, 0, 20))


def test_nothing_held_out_is_asked_and_everything_asked_is_known() -> None:
    asked = [pair for text in corpus.documents(0, 0, 4000) for pair in _asked(text)]
    assert len(asked) > 6000
    assert not [pair for pair in asked if world.is_held_out(*pair)]
    assert not [pair for pair in asked if world.answer(*pair) is None]


def test_all_formats_and_all_families_occur() -> None:
    texts = list(corpus.documents(0, 0, 4000))
    assert {world.family(*pair) for text in texts for pair in _asked(text)} == {f.name for f in FAMILIES}
    assert sum(text.startswith(corpus.prompt_file("instructions")) for text in texts) > 100
    for name in ("question", "qa", "user"):
        assert sum(text.startswith(LAYOUTS[name].before) for text in texts) > 100
    for scale in ("quality", "following"):
        last_line = judge_text(corpus.prompt_file(scale), "", "", "").rpartition("\n")[2]
        assert sum(last_line in text for text in texts) > 100


def test_many_documents_end_after_one_answer() -> None:
    texts = [t for t in corpus.documents(0, 0, 4000) if t.startswith("Question: ")]
    assert sum(t.count("Question: ") == 1 for t in texts) > 0.3 * len(texts)


def test_skill_decides_who_is_right() -> None:
    from random import Random

    rng = Random(0)
    questions = spread(700, 1, held_out=False)
    shares = [
        sum(respond(rng, q, s) == q.right for q in questions) / len(questions) for s in (0.05, 0.5, 0.95)
    ]
    assert shares[0] < 0.3 < shares[1] < 0.8 < shares[2]
    said = [respond(rng, q, 0.0) for q in questions]
    assert sum(text in EVASIONS for text in said) > 0.25 * len(said)
