"""Strict and loose grades, the four accuracies, and lists of checks as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.errors import RecipeError
from isheep.verify import (
    METRICS,
    Graded,
    demand,
    follows,
    from_json,
    grade,
    loose_variants,
    prompt_scores,
    to_json,
)

NO_COMMA = demand("punctuation:no_comma", {})
QUOTED = demand("startend:quotation", {})
LONG = demand("length_constraints:number_words", {"num_words": 3, "relation": "at least"})
KEYS = demand("keywords:existence", {"keywords": ["river", "é"]})
ALL = (NO_COMMA, QUOTED, LONG, KEYS)


def test_the_eight_variants() -> None:
    assert loose_variants("Sure:\n *a*\nb \nBye") == (
        "Sure:\n *a*\nb \nBye",
        "Sure:\n a\nb \nBye",
        "*a*\nb \nBye",
        "a\nb \nBye",
        "Sure:\n *a*\nb",
        "Sure:\n a\nb",
        "*a*\nb",
        "a\nb",
    )
    assert loose_variants("*one*") == ("*one*", "one", "", "", "", "", "", "")


def test_a_remark_before_and_emphasis_are_forgiven_loosely_only() -> None:
    assert grade([QUOTED, NO_COMMA], 'Sure, here it is:\n**"a fine day"**') == (
        Graded("startend:quotation", False, True),
        Graded("punctuation:no_comma", False, True),
    )
    assert not follows('Sure\n"a"', [QUOTED])
    assert follows('Sure\n"a"', [QUOTED], loose=True)
    assert not follows("no quotes", [QUOTED, NO_COMMA], loose=True)


@given(st.text(alphabet='a ,\n*"é', max_size=40))
def test_strict_implies_loose(response: str) -> None:
    assert all(g.loose >= g.strict for g in grade(ALL, response))
    assert follows(response, ALL, loose=True) >= follows(response, ALL)


def test_a_blank_response_follows_nothing() -> None:
    assert not follows("  \n ", [])
    assert not follows("\n\n", [NO_COMMA], loose=True)


def test_checks_as_pairs() -> None:
    assert follows("a b c", [("length_constraints:number_words", {"num_words": 3, "relation": "at least"})])
    assert follows("a b c", [list(LONG)])


def test_the_four_accuracies() -> None:
    a, b = Graded("x", True, True), Graded("y", False, True)
    c = Graded("z", False, False)
    scores = prompt_scores([[a], [a, b], [c, a], [a, a, c]])
    assert scores == dict(zip(METRICS, (1 / 4, 2 / 4, 5 / 8, 6 / 8), strict=True))
    with pytest.raises(ValueError, match="no graded"):
        prompt_scores([])


def test_json_and_back() -> None:
    assert from_json(to_json(ALL)) == ALL
    assert json.loads(to_json([KEYS])) == [["keywords:existence", {"keywords": ["river", "é"]}]]


@pytest.mark.parametrize(
    "text", ["{", "{}", "[1]", '[["punctuation:no_comma"]]', '[["a", []]]', "[" * 100_000]
)
def test_json_that_is_no_list_of_checks(text: str) -> None:
    with pytest.raises(RecipeError):
        from_json(text)


def test_json_with_wrong_checks_names_all() -> None:
    with pytest.raises(RecipeError) as error:
        from_json('[["nothing", {}], ["startend:quotation", {"a": 1}], ["punctuation:no_comma", {}]]')
    assert "2 mistakes" in error.value.message
    assert "'nothing'" in error.value.message
    assert "`a`" in error.value.message
