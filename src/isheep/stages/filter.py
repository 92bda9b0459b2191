"""filter: keep the pairs that pass the rules and score high (paper, Algorithm 1, D_t, and Table 3's other filters).

Generates nothing: a view over one scored pool. Every pair gets a Decision; every dropped one has its reason. First what
can never be trained on and the rules, then each filter that is switched on, in the recipe's order, over what the ones
before it left; last the count is brought to that of another arm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from isheep.errors import YieldError
from isheep.records import Decision, Leak, Likelihood, Pair, Record, Task, Vector, Verdict, kept_pairs
from isheep.stages.sieves import SIEVES, FilterSettings, Pool, Scores, normal
from isheep.stages.sieves import held_out as test_questions
from isheep.stages.stage import Context, Stage
from isheep.text.leaks import contaminated_pairs
from isheep.text.rules import response_reason
from isheep.text.verdicts import mean_of, scores


def before_filters(
    settings: FilterSettings, pair: Pair, held_out: frozenset[str], copied: Collection[str] = ()
) -> str | None:
    """Why a pair can never be trained on, or which rule it breaks; None when neither. `copied`: ids of pairs that share
    words with a benchmark, where the recipe drops them."""
    if held_out and normal(pair.instruction, pair.input) in held_out:
        return "held_out"
    if pair.id in copied:
        return "contaminated"
    if pair.finish == "too_long":
        return "too_long"
    if settings.threshold is not None and settings.threshold < 0:
        return None
    return response_reason(pair.instruction, pair.input, pair.response, pair.finish, settings.rules)


def decide(
    settings: FilterSettings,
    pool: Pool,
    held_out: Sequence[Task],
    matched: int | None,
    copied: Collection[str] = (),
) -> dict[str, str]:
    """The pure core: pair id -> why it is dropped, for every pair that is."""
    hidden = test_questions(held_out)
    reasons = {p.id: reason for p in pool.pairs if (reason := before_filters(settings, p, hidden, copied))}
    for name in settings.order:
        left = [p for p in pool.pairs if p.id not in reasons]
        reasons.update(SIEVES[name](settings, pool, left))
    for pair in pool.pairs:  # a conversation is cut at its first dropped turn; turns stand in order
        if pair.id not in reasons and pair.parent in reasons:
            reasons[pair.id] = "earlier_turn"
    if matched is not None:
        left = pool.ranked([p for p in pool.pairs if p.id not in reasons], settings.by)
        reasons.update((p.id, "over_match") for p in _parents_first(left)[matched:])
    return reasons


def _parents_first(ranked: Sequence[Pair]) -> list[Pair]:
    """The same order, but no follow-up before what it follows: else a count could cut a conversation's beginning."""
    rank = {pair.id: n for n, pair in enumerate(ranked)}
    place: dict[str, tuple[int, int]] = {}
    for pair in sorted(ranked, key=lambda p: len(p.history)):
        before = place.get(pair.parent or "", (-1, 0))[0]
        place[pair.id] = (max(before, rank[pair.id]), len(pair.history))
    return sorted(ranked, key=lambda p: place[p.id])


class _Ties(dict[str, int]):
    """A pair's seeded number, made when it is asked for: a filter by threshold asks for none."""

    def __init__(self, seed: Callable[[str], int]) -> None:
        super().__init__()
        self._seed = seed

    def __missing__(self, id: str) -> int:
        return self._seed(id)


def run(ctx: Context[FilterSettings]) -> Iterator[Record]:
    settings = ctx.settings
    pairs = ctx.read("responses", Pair)
    judged = scores(ctx.stream("assessment", Verdict))
    pool = Pool(
        pairs,
        judged,
        _Ties(ctx.seed),
        {found.id: found for found in ctx.stream("likelihood", Likelihood)},
        {found.id: found for found in ctx.stream("vectors", Vector)},
        kept_pairs(ctx.stream("earlier_responses", Pair), ctx.stream("earlier", Decision)),
    )
    matched = _matched(ctx)
    copied = contaminated_pairs(ctx.stream("leaks", Leak), pairs)
    reasons = decide(settings, pool, ctx.read("tests", Task), matched, copied)
    kept = sum(p.id not in reasons for p in pairs)
    if kept < settings.min_kept:
        raise _too_few(settings, [reasons.get(p.id) for p in pairs], judged)
    if matched is not None and kept < matched:
        ctx.note(f"{kept} pairs kept where {matched} were to be matched")
    written = ctx.written(Decision)
    for p in pairs:
        if p.id not in written:
            yield _decision(p.id, reasons.get(p.id), judged.get(p.id, {}))
    ctx.report(kept, len(pairs), "kept")


def _decision(id: str, reason: str | None, found: dict[str, float | None]) -> Decision:
    return Decision(id, reason is None, reason, found.get("quality"), found.get("following"))


def _matched(ctx: Context[FilterSettings]) -> int | None:
    """How many pairs to bring the count to: as given, or as the other arm kept."""
    wanted = ctx.settings.match
    if not isinstance(wanted, str):
        return wanted
    if "match" not in ctx.inputs:
        ctx.note(f"{wanted} has no such iteration, so its count cannot be matched")
        return None
    return sum(d.kept for d in ctx.read("match", Decision))


def _too_few(
    settings: FilterSettings, reasons: Sequence[str | None], judged: Mapping[str, Scores]
) -> YieldError:
    """`reasons`: of every pair, None where it was kept."""
    counts = Counter(reason for reason in reasons if reason)
    why = ", ".join(f"{n} {reason}" for reason, n in counts.most_common())
    readable = sorted(mean for of in judged.values() if (mean := mean_of(of)) is not None)
    middle = f"; half of the mean scores are below {readable[len(readable) // 2]:.2f}" if readable else ""
    kept = len(reasons) - counts.total()
    return YieldError(
        f"the filter kept {kept} of {len(reasons)} pairs, fewer than filter.min_kept = {settings.min_kept} "
        f"(dropped: {why or 'none'}){middle}",
        "this model's scores may sit low: set filter.threshold to null and filter.keep_fraction to 0.3, "
        "or lower filter.threshold",
    )


STAGE = Stage("filter", 2, FilterSettings, run, (Decision,))
