"""filter by perplexity: what a text's likelihood is worth per token, and that it is never no number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from isheep.records import Likelihood
from isheep.stages.sieves import PerplexitySettings, perplexity
from toy import decided, kept, pair


def likely(id: str, response: float, prompt: float = 5.0, tokens: int = 4) -> Likelihood:
    """A pair whose response and prompt, of `tokens` tokens each, have these perplexities."""
    return Likelihood(id, -tokens * math.log(prompt), tokens, -tokens * math.log(response), tokens)


def test_perplexity_is_per_token() -> None:
    found = Likelihood("a", -9.0, 3, -4.0, 2)
    assert perplexity(found, "response") == pytest.approx(math.exp(2.0))
    assert perplexity(found, "pair") == pytest.approx(math.exp(13 / 5))


def test_an_answer_of_one_token_has_a_perplexity() -> None:
    """It is predicted from its prompt; the harness that leaves the first token out would divide by 0."""
    found = Likelihood("a", 0.0, 0, -math.log(7), 1)
    assert perplexity(found, "response") == perplexity(found, "pair") == pytest.approx(7)


@pytest.mark.parametrize("of", ["response", "pair"])
@pytest.mark.parametrize("found", [None, Likelihood("a", 0.0, 0, 0.0, 0), Likelihood("a", -9.0, 3, 0.0, 0)])
def test_what_was_not_read_has_none(found: Likelihood | None, of: str) -> None:
    assert perplexity(found, of) is None


@given(
    st.floats(), st.integers(0, 10_000), st.floats(), st.integers(0, 10_000),
    st.sampled_from(["response", "pair"]),
)  # fmt: skip
def test_whatever_a_model_says_it_is_a_number_or_none(
    prompt: float, prompt_tokens: int, text: float, text_tokens: int, of: str
) -> None:
    value = perplexity(Likelihood("a", prompt, prompt_tokens, text, text_tokens), of)
    assert (value is None) == (text_tokens == 0)
    assert value is None or 0 <= value < math.inf


POOL = {
    p.id: p
    for p in (
        likely("fine", 10, 10),
        likely("odd_answer", 400, 1.1),
        likely("odd_request", 20, 500),
        likely("odd_both", 400, 400),
        Likelihood("empty", -8.0, 4, 0.0, 0),
        Likelihood("short", -1.0, 1, -2.0, 1),
    )
}
PAIRS = [pair(id, "" if id == "empty" else "Some answer.") for id in POOL]


@pytest.mark.parametrize(
    ("of", "reasons"),
    [
        ("response", {"odd_answer": "high_ppl_response", "odd_both": "high_ppl_response"}),
        ("pair", {"odd_request": "high_ppl_pair", "odd_both": "high_ppl_pair"}),
        (
            "both",
            {
                "odd_answer": "high_ppl_response",
                "odd_request": "high_ppl_pair",
                "odd_both": "high_ppl_response",
            },
        ),
    ],
)
def test_response_pair_or_both(of: str, reasons: dict[str, str]) -> None:
    found = decided(PAIRS, threshold=-1, ppl={"of": of}, known={"likelihood": POOL})
    none = dict.fromkeys(POOL)
    assert found == {**none, **reasons, "empty": "no_perplexity"}


def test_an_empty_answer_is_dropped_by_its_rule_first() -> None:
    found = decided(PAIRS, threshold=None, ppl={}, known={"likelihood": POOL})
    assert found["empty"] == "empty"


def test_a_pair_at_the_limit_is_kept() -> None:
    value = perplexity(POOL["fine"], "response")
    assert value is not None
    for limit, reason in ((value, None), (math.nextafter(value, 0), "high_ppl_response")):
        ppl = {"limit": limit, "of": "response"}
        assert decided(PAIRS[:1], threshold=None, ppl=ppl, known={"likelihood": POOL}) == {"fine": reason}


def test_a_pair_nobody_read_is_dropped_and_not_kept_by_chance() -> None:
    assert decided([pair("a")], threshold=None, ppl={}) == {"a": "no_perplexity"}


@given(
    st.lists(st.tuples(st.floats(1.5, 200), st.floats(1.5, 200), st.integers(1, 9)), max_size=12),
    st.floats(2, 150),
)
def test_both_drops_what_either_drops_and_a_lower_limit_drops_more(
    rows: list[tuple[float, float, int]], limit: float
) -> None:
    pairs = [pair(f"{n}") for n in range(len(rows))]
    pool = {f"{n}": likely(f"{n}", *row) for n, row in enumerate(rows)}

    def left(of: str, limit: float = limit) -> set[str]:
        ppl = {"of": of, "limit": limit}
        return set(kept(decided(pairs, threshold=None, ppl=ppl, known={"likelihood": pool})))

    assert left("both") == left("response") & left("pair")
    assert left("both", limit / 1.3) <= left("both")


def test_a_limit_of_one_would_keep_nothing() -> None:
    with pytest.raises(ValidationError, match="greater than 1"):
        PerplexitySettings(limit=1.0)
