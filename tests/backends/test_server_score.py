"""Choices followed through text: however a tokenizer cuts them, the shares are those of the whole tree."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.backends.server_score import SMALL, choices

SCORES = tuple(str(n) for n in range(1, 11))


def whole(tree: Mapping[str, Mapping[str, float]]) -> object:
    """A server that knows these distributions, by what is written; nothing else is likely."""
    return lambda written: tree.get(written, {"x": 1.0})


def test_single_digits() -> None:
    """Qwen: a space, then digit by digit."""
    tree = {"": {" ": 0.9, "\n": 0.1}, " ": {"8": 0.5, "1": 0.3, "2": 0.1}, " 1": {"0": 0.75, ".": 0.25}}
    found = dict(zip(SCORES, choices(whole(tree), SCORES, True), strict=True))  # type: ignore[arg-type]
    assert found["8"] == pytest.approx(0.45)
    assert found["10"] == pytest.approx(0.27 * 0.75)
    assert found["1"] == pytest.approx(0.27 * 0.25)
    assert found["2"] == pytest.approx(0.09)
    assert sum(found.values()) == pytest.approx(0.9 * 0.9)


def test_whole_numbers() -> None:
    """Llama 3: "10" is one token, and stands beside "1"."""
    tree = {"": {" ": 1.0}, " ": {"10": 0.4, "1": 0.2, "7": 0.4}, " 1": {".": 1.0}}
    found = dict(zip(SCORES, choices(whole(tree), SCORES, True), strict=True))  # type: ignore[arg-type]
    assert (found["10"], found["1"], found["7"]) == pytest.approx((0.4, 0.2, 0.4))


def test_a_number_that_goes_too_far_is_none_of_them() -> None:
    tree = {"": {"100": 0.5, "1": 0.5}, "1": {"00": 0.5, "0": 0.5}, "10": {"0": 1.0}}
    found = dict(zip(SCORES, choices(whole(tree), SCORES, False), strict=True))  # type: ignore[arg-type]
    assert found["10"] == pytest.approx(0.25)  # what follows the longest choice is not asked for
    assert found["1"] == pytest.approx(0.25)


@pytest.mark.parametrize("spaced", [True, False])
def test_spaces_that_a_server_strips_are_put_back(spaced: bool) -> None:
    """Llama 2 through vLLM: "▁8" comes as "8", and "▁" as nothing."""
    tree = {"": {"8": 0.5, "": 0.25, "The": 0.25}, " ": {"9": 1.0}, " 1": {}}
    found = dict(zip(SCORES, choices(whole(tree), SCORES, spaced), strict=True))  # type: ignore[arg-type]
    assert found["8"] == pytest.approx(0.5)
    assert found["9"] == pytest.approx(0.25 if spaced else 0)


def test_an_answer_in_a_chat_begins_without_a_space() -> None:
    tree = {"": {" 8": 0.5, "8": 0.3, "\n": 0.2}}
    assert choices(whole(tree), SCORES, False)[7] == pytest.approx(0.8)  # type: ignore[arg-type]


def test_where_nobody_goes_on_a_beginning_counts_as_it_is() -> None:
    found = choices(lambda written: None if written else {"1": 0.5, "10": 0.2}, SCORES, False)
    assert (found[0], found[9]) == (0.5, 0.2)


def test_what_is_hardly_likely_is_not_asked_about() -> None:
    asked = []

    def ask(written: str) -> Mapping[str, float]:
        asked.append(written)
        return {"1": SMALL / 2, "8": 0.9} if not written else {"0": 1.0}

    found = choices(ask, SCORES, False)
    assert asked == [""]
    assert found[0] == SMALL / 2


#: A little tokenizer's vocabulary, and distributions over it for every text of it.
PIECES = ("1", "0", "10", "2", " ", "a")


@given(
    st.dictionaries(
        st.sampled_from(
            ["".join(p) for n in range(4) for p in itertools.product(("1", "0", "10", "2"), repeat=n)]
        ),
        st.lists(st.floats(0.01, 1), min_size=len(PIECES), max_size=len(PIECES)),
    ),
    st.sets(st.sampled_from(("1", "10", "101", "2", "21", "1010")), min_size=1).map(sorted),
)
def test_it_is_the_mass_of_all_paths(weights: dict[str, list[float]], texts: list[str]) -> None:
    def distribution(written: str) -> dict[str, float]:
        values = weights.get(written, [1.0] * len(PIECES))
        return {piece: value / sum(values) for piece, value in zip(PIECES, values, strict=True)}

    def walk(written: str, probability: float, last: str) -> None:
        last = written if written in texts else last
        longer = any(t.startswith(written) and t != written for t in texts)
        if not longer:
            expected[last] = expected.get(last, 0.0) + probability
            return
        for piece, value in distribution(written).items():
            walk(written + piece, probability * value, last)

    expected: dict[str, float] = {}
    walk("", 1.0, "")
    found = choices(distribution, texts, False)
    for text, value in zip(texts, found, strict=True):
        assert value == pytest.approx(expected.get(text, 0.0), abs=50 * SMALL)
