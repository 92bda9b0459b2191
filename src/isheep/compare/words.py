"""A comparison in words and lines of text: the headline, what its figures cover, and the table for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from isheep.compare.results import Comparison, Result
from isheep.report.numbers import NONE, count, fixed, percent, points
from isheep.report.verdict import DECODING_WORDS
from isheep.stats import Difference

#: A difference is called one when its p value, corrected for all that were compared, is below this.
LEVEL = 0.05


def standing(result: Result) -> int | None:
    """1: better than the reference, -1: worse, 0: not told apart (after Holm's correction); None: not compared."""
    return sign(result.difference, result.p_holm) if result.difference else None


def sign(found: Difference, p: float | None) -> int:
    """1: above 0, -1: below, 0: not told apart from it, by a corrected p value."""
    if p is None or p >= LEVEL:
        return 0
    return 1 if found.value > 0 else -1


def headline(comparison: Comparison) -> str:
    """Who is better than the reference, on the first test and decoding, at the last model that was compared."""
    task, decoding = comparison.cells()[0]
    last = {r.arm: r for r in comparison.results if (r.task, r.decoding) == (task, decoding)}
    where = f"{task}, {DECODING_WORDS.get(decoding, decoding)}"
    told = [
        f"{words}: {', '.join(_sized(r) for r in last.values() if standing(r) == sign)}"
        for sign, words in ((1, "better"), (-1, "worse"), (0, "no clear difference"))
        if any(standing(r) == sign for r in last.values())
    ]
    if not told:
        return f"Nothing to compare {comparison.reference} with ({where})."
    return f"Against {comparison.reference} ({where}): {'; '.join(told)}."


def _sized(result: Result) -> str:
    assert result.difference is not None
    return f"{result.arm} ({points(result.difference.value)})"


def covered(comparison: Comparison) -> Iterator[str]:
    """What a careful reader needs next to the figures."""
    several = max(r.score.seeds for r in comparison.results) > 1
    if several:
        yield (
            "Intervals and p values are for other seeds and other prompts of the same kind: both count as drawn at "
            "random (crossed random effects). Differences are paired, seed by seed and prompt by prompt."
        )
    widest = [(r.difference.high - r.difference.low) / 2 for r in comparison.results if r.difference]
    if widest:
        reach = points(max(widest)).lstrip("+")
        yield f"Intervals reach up to {reach} points to either side: smaller differences cannot be seen here."
    yield (
        f"p is corrected by Holm's method for all differences, those at T = 1 by themselves; below {LEVEL:g} an arm is "
        "called better or worse. An interval speaks for one difference alone: it can leave out 0 where the corrected "
        "p does not."
    )
    yield "The base model is scored in the layout that suits it best on the test itself, which plays gains down."
    if comparison.iteration == "best":
        yield "Each run's best model was picked by its own review; its cost is that of the whole run."
    yield (
        "Matched means within 5 % of the reference: in kept pairs, or in kept and trained pairs, tokens generated, "
        "tokens trained on and model FLOPs, tests left out."
    )


#: The columns of `lines`: heading -> cell.
_COLUMNS: Mapping[str, Callable[[Result], str]] = {
    "arm": lambda r: r.arm,
    "test": lambda r: f"{r.task}, {r.decoding}",
    "model": lambda r: model(r),
    "seeds": lambda r: count(len(r.seeds)),
    "right": lambda r: score(r),
    "difference": lambda r: difference(r.difference),
    "p (Holm)": lambda r: p_value(r.p_holm),
    "over its base": lambda r: difference(r.gain),
    "p (Holm) ": lambda r: p_value(r.gain_p_holm),
    "AUROC": lambda r: fixed(r.auroc),
    "kept": lambda r: " ".join(count(kept) for kept in r.ledger.kept) or NONE,
    "pairs": lambda r: label(r.pair_matched),
    "compute": lambda r: label(r.compute_matched),
}


def lines(comparison: Comparison) -> list[list[str]]:
    """The table as text: a header, then a row per arm, test and model. Scores in percent, differences in points."""
    rows = [[cell(result) for cell in _COLUMNS.values()] for result in comparison.results]
    return [[name.strip() for name in _COLUMNS], *rows]


def model(result: Result) -> str:
    """Which model: "M3", or "best: M2 M3" by seed where the seeds differ."""
    numbers = dict.fromkeys(result.iterations)
    shown = f"M{result.iterations[0]}" if len(numbers) == 1 else " ".join(f"M{t}" for t in result.iterations)
    return shown if result.iteration.isdigit() else f"{result.iteration}: {shown}"


def score(result: Result) -> str:
    """62.5 % (58.1 to 66.7)."""
    s = result.score
    return f"{percent(s.value)} ({100 * s.low:.1f} to {100 * s.high:.1f})"


def difference(found: Difference | None) -> str:
    """+3.4 (−1.0 to +7.8), in points."""
    return NONE if found is None else f"{points(found.value)} ({points(found.low)} to {points(found.high)})"


def p_value(p: float | None) -> str:
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def label(reasons: tuple[str, ...] | None) -> str:
    """A label as a word."""
    return NONE if reasons is None else ("no" if reasons else "matched")
