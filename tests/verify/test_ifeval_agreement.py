"""Our checks against the harness's reference, on random texts: they differ only in the ways docs/verify.md tells of."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from isheep.verify import CHECKS, check
from isheep.verify.sentences import sentences

ROOT = Path(__file__).parents[2]
TEXTS = 300

#: The types that differ, and the kinds in which they do (docs/verify.md).
DIFFER = {
    "keywords:existence",
    "keywords:frequency",
    "keywords:forbidden_words",
    "keywords:letter_frequency",
    "language:response_language",
    "length_constraints:number_sentences",
    "detectable_content:postscript",
    "detectable_format:multiple_sections",
    "detectable_format:json_format",
    "change_case:capital_word_frequency",
    "change_case:english_capital",
    "change_case:english_lowercase",
}


@pytest.fixture(scope="module")
def agreement() -> ModuleType:
    pytest.importorskip("lm_eval.tasks", reason="needs the extra eval")
    spec = importlib.util.spec_from_file_location(
        "ifeval_agreement", ROOT / "benchmarks" / "ifeval_agreement.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def checked(agreement: ModuleType) -> Iterator[Any]:
    """The reference; what it pins in other packages is let go of afterwards."""
    import langdetect
    import nltk

    with pytest.MonkeyPatch.context() as kept:
        kept.setattr(nltk, "download", lambda *args, **rest: False)
        from lm_eval.tasks.ifeval import instructions_util

        for owner, name in (
            (instructions_util, "nltk"),
            (instructions_util, "_get_sentence_tokenizer"),
            (langdetect.DetectorFactory, "seed"),
        ):
            kept.setattr(owner, name, getattr(owner, name))
        yield agreement.reference()


@pytest.mark.parametrize("id", CHECKS)
def test_agreement(agreement: ModuleType, checked: Any, id: str) -> None:
    row = agreement.measure(id, TEXTS, 11, checked)
    assert not row.unexplained
    assert row.agree == TEXTS or id in DIFFER
    assert row.agree > 0.85 * TEXTS
    assert row.plain > 0.2 * TEXTS, "too few texts on which a difference would be noticed"
    assert 0.03 * TEXTS < row.followed < 0.97 * TEXTS, "the texts do not put this check to the test"


def test_plain_english_is_split_and_counted_as_the_reference_does(
    agreement: ModuleType, checked: Any
) -> None:
    plain = ["The river is wide.", "Is it deep?", "Look at that!", "We went home and had NASA bread."]
    for count in range(1, 5):
        text = " ".join(plain[:count])
        for limit in range(1, 6):
            for relation in ("less than", "at least"):
                asked = {"num_sentences": limit, "relation": relation}
                id = "length_constraints:number_sentences"
                assert check(id, text, **asked) is checked(id, text, asked)
                capitals = {"capital_frequency": limit, "capital_relation": relation}
                id = "change_case:capital_word_frequency"
                assert check(id, text, **capitals) is checked(id, text, capitals)


def test_prose_has_as_many_sentences_as_the_tokenizer_without_trained_data_finds(
    agreement: ModuleType,
) -> None:
    from nltk.tokenize.punkt import PunktSentenceTokenizer

    prose = (
        "The river is wide.",
        "Is it deep?",
        "NO WAY!",
        "We left. then we slept.",
        "Das Wasser ist kalt.",
        "none",
    )
    rng = random.Random(0)
    for _ in range(500):
        text = "".join(
            rng.choice(prose) + rng.choice((" ", "\n", "\n\n")) for _ in range(rng.randint(1, 12))
        ).strip()
        assert not agreement.why("length_constraints:number_sentences", text, {})
        assert len(sentences(text)) == len(PunktSentenceTokenizer().tokenize(text)), text


def test_a_difference_of_no_documented_kind_would_be_found(agreement: ModuleType) -> None:
    row = agreement.Row()
    row.add("punctuation:no_comma", "a, b", {}, True, False)
    row.add(
        "length_constraints:number_sentences",
        "One word",
        {"num_sentences": 1, "relation": "at least"},
        True,
        False,
    )
    row.add("keywords:existence", "x", {"keywords": ["c++"]}, False, None)
    assert len(row.unexplained) == 2
    assert row.kinds == {agreement.PATTERN: 1}
    table = agreement.table({"punctuation:no_comma": row})
    assert "UNEXPLAINED: 2" in table
