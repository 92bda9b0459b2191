"""Exact McNemar and the family of tests."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as oracle
from statsmodels.stats.multitest import multipletests

from isheep.stats import adjusted, mcnemar


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
def test_it_agrees_with_statsmodels(pairs: list[tuple[bool, bool]]) -> None:
    table = [[sum(p == (a, b) for p in pairs) for b in (True, False)] for a in (True, False)]
    expected = min(1.0, float(oracle(table, exact=True).pvalue))
    assert mcnemar([a for a, _ in pairs], [b for _, b in pairs]) == pytest.approx(expected)


def test_by_hand() -> None:
    # Six items changed, all for the better: 2 x (1/2)^6.
    assert mcnemar([True] * 9, [False] * 6 + [True] * 3) == pytest.approx(2 / 64)
    assert mcnemar([True, False], [True, False]) == 1.0


@pytest.mark.parametrize(("after", "before"), [([True], []), ([], [])])
def test_it_refuses_unpaired(after: list[bool], before: list[bool]) -> None:
    with pytest.raises(ValueError, match="equal length"):
        mcnemar(after, before)


@settings(max_examples=15)  # the oracle takes 50 ms
@given(st.dictionaries(st.sampled_from("hgfedcba"), st.floats(0, 1), min_size=1))
def test_a_family_is_adjusted_by_name(family: dict[str, float]) -> None:
    expected = multipletests(list(family.values()), method="holm")[1]
    assert adjusted(family) == pytest.approx(dict(zip(family, expected, strict=True)))


def test_an_empty_family_is_empty() -> None:
    assert adjusted({}) == {}
