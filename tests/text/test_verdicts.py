"""Several verdicts of one pair on one scale become one score, and what cannot be read never becomes a number."""

from hypothesis import given
from hypothesis import strategies as st

from isheep.records import Verdict
from isheep.text.verdicts import mean_of, mean_scores, scores


def verdict(pair: str, scale: str, score: float | None, n: int | None = None) -> Verdict:
    return Verdict(f"{pair}/{scale}" + ("" if n is None else f"/{n}"), pair, scale, score)


def test_one_verdict_is_its_score() -> None:
    given = [verdict("a/1", "quality", 7.3), verdict("a/1", "following", None)]
    assert scores(given) == {"a/1": {"quality": 7.3, "following": None}}
    assert mean_scores(given) == {"a/1": 7.3}


def test_several_are_averaged_over_the_readable_ones() -> None:
    given = [
        *(verdict("a", "quality", score, n) for n, score in enumerate((8.0, None, 5.0))),
        *(verdict("a", "following", score, n) for n, score in enumerate((10.0, 9.0, 8.0))),
        *(verdict("b", "quality", None, n) for n in range(3)),
    ]
    assert scores(given) == {"a": {"quality": 6.5, "following": 9.0}, "b": {"quality": None}}
    assert mean_scores(given) == {"a": 7.75}


def test_the_mean_weighs_scales_alike_however_many_verdicts_each_has() -> None:
    given = [
        verdict("a", "quality", 2.0, 0),
        verdict("a", "quality", 2.0, 1),
        verdict("a", "following", 8.0, 0),
    ]
    assert mean_scores(given) == {"a": 5.0}


def test_no_scale_has_no_mean() -> None:
    assert scores([]) == {}
    assert mean_scores([]) == {}
    assert mean_of({}) is None
    assert mean_of({"quality": None}) is None


_SCORE = st.none() | st.floats(1, 10)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["quality", "following"]), _SCORE)),
    st.randoms(),
)
def test_the_order_changes_nothing_and_scores_stay_on_the_scale(
    rows: list[tuple[str, str, float | None]], rng: object
) -> None:
    verdicts = [verdict(*row, n) for n, row in enumerate(rows)]
    shuffled = list(verdicts)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert scores(shuffled) == scores(verdicts)
    assert mean_scores(shuffled) == mean_scores(verdicts)
    assert all(1 <= mean <= 10 for mean in mean_scores(verdicts).values())
    readable = {pair for pair, _, score in rows if score is not None}
    assert mean_scores(verdicts).keys() == readable
