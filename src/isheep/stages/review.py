"""review: after each iteration, what came out: is it collapsing, can the judge judge, is it still getting better.

Generates nothing. Every figure becomes a Measure next to the limit it was held to; the Outcome says whether the run
goes on and which model is the best so far. The paper watched none of this; its own published data collapse at the
fourth iteration, with median answers of 15 words and a third of them near-duplicates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field

from isheep.records import (
    Answer,
    Completion,
    Decision,
    Instruction,
    Measure,
    Outcome,
    Pair,
    Record,
    Verdict,
    kept_pairs,
)
from isheep.stages.stage import Context, Settings, Stage
from isheep.stats import auroc, paired_difference
from isheep.text.collapse import Limits, broken, held_to
from isheep.text.prompts import request
from isheep.text.stopping import Progress, progress
from isheep.text.verdicts import mean_scores

Figures = dict[str, float | None]
DEFAULT = Limits()


class GuardSettings(Settings):
    action: Literal["warn", "stop", "off"] = "warn"
    """What a broken limit does: a warning in the report, or the end of the run."""
    max_rise_short: float | None = Field(DEFAULT.max_rise_short, ge=0, le=1)
    """How far the share of kept answers under 4 words may rise above the first iteration's; null: any."""
    min_share_of_first_median: float | None = Field(DEFAULT.min_share_of_first_median, ge=0)
    """Least median of words of a kept answer, as a share of the first iteration's."""
    max_rise_near_duplicates: float | None = Field(DEFAULT.max_rise_near_duplicates, ge=0, le=1)
    """How far the share of near-duplicates (ROUGE-L F1 above 0.7) among the kept pairs may rise above the first
    iteration's."""
    max_near_duplicates_earlier: float | None = Field(DEFAULT.max_near_duplicates_earlier, ge=0, le=1)
    """Largest share of kept pairs that are near-duplicates of one kept in an earlier iteration."""
    min_share_of_first_distinct: float | None = Field(DEFAULT.min_share_of_first_distinct, ge=0)
    """Least share of distinct bigrams, as a share of the first iteration's, at equal size."""
    min_share_of_first_spread: float | None = Field(DEFAULT.min_share_of_first_spread, ge=0)
    """Least effective number of verb and noun pairs in the instructions, as a share of the first iteration's, at equal
    size."""
    min_share_of_first_yield: float | None = Field(DEFAULT.min_share_of_first_yield, ge=0)
    """Least number of new tasks per list, as a share of the first iteration's: tuning can destroy the list format."""
    max_saturation: float | None = Field(DEFAULT.max_saturation, ge=0, le=1)
    """Largest share of scores that are the top one; above it the judge tells nothing apart."""
    min_kept_share_of_first: float | None = Field(DEFAULT.min_kept_share_of_first, ge=0)
    """Least share of pairs kept, as a share of the first iteration's."""


class ReviewSettings(Settings):
    guard: GuardSettings = GuardSettings()
    """Limits on collapse."""
    until: Literal["fixed", "stagnation"] = "fixed"
    """`fixed`: all iterations. `stagnation`: stop when `patience` models in a row bring no progress."""
    keep: Literal["last", "best"] = "last"
    """Which model is the run's result: the last, or the best on the held-out evaluation."""
    on: str | None = None
    """The evaluation that decides, by the name of its file; null: of those in evaluate.tasks the first by name. Report
    on another one: the best of several models looks better than it is on the questions that picked it."""
    decoding: Literal["greedy", "sampled"] = "greedy"
    """The decoding that decides."""
    patience: int = Field(1, ge=1)
    """Models without progress before stopping."""
    min_effect: float = Field(0.0, ge=0, lt=1)
    """Smallest gain in accuracy that counts as progress (0.01 is a point)."""
    certain: bool = True
    """Count a gain only when its 95 % interval over the paired questions excludes 0."""


def run(ctx: Context[ReviewSettings]) -> Iterator[Record]:
    written = {*ctx.written(Measure), *ctx.written(Outcome)}
    guard = ctx.settings.guard
    limits = Limits(**guard.model_dump(exclude={"action"}))
    here, first = _figures(ctx)
    measures = held_to({**here, **judge_figures(ctx.read("assessment", Verdict))}, first, limits)
    faults = [] if guard.action == "off" else broken(measures)
    for fault in faults:
        ctx.note(f"collapse guard: {fault.id} is {fault.value:.3g}, its limit {fault.limit:.3g}")
    probes = probe_measures(ctx.read("probes", Pair), ctx.read("probe_scores", Verdict))
    for fault in broken(probes):
        ctx.note(
            f"judge: {fault.id} is {fault.value:.3g}, where {fault.limit:.3g} is the least that tells anything"
        )
    outcome = _outcome(ctx, faults)
    if outcome.stop:
        ctx.note(outcome.reason)
    yield from (record for record in (*measures, *probes, outcome) if record.id not in written)


# ---------------------------------------------------------------- the collapse guard


def _figures(ctx: Context[ReviewSettings]) -> tuple[Figures, Figures]:
    """The figures of this iteration, and those of the first, measured at equal size."""
    from isheep.text import diversity, health

    decisions = ctx.read("filter", Decision)
    kept = kept_pairs(ctx.read("responses", Pair), decisions)
    earlier = kept_pairs(ctx.read("earlier_responses", Pair), ctx.read("earlier", Decision))
    first = [p for p in earlier if p.id.startswith("0.")] if ctx.iteration else kept
    here, there = texts_figures(kept, first, ctx.seed("pairs"))
    asked = ctx.read("instructions", Instruction)
    lists = health.yield_counts(ctx.read("instructions", Completion), asked)
    here |= {
        "kept": float(len(kept)),
        "kept_share": len(kept) / len(decisions) if decisions else None,
        "near_duplicates_earlier": diversity.near_duplicate_share_against(
            _exchanges(kept), _exchanges(earlier)
        ),
        "self_similarity": diversity.self_similarity(_exchanges(kept), ctx.seed("pairs")),
        "items_per_list": lists.items_per_list,
        "new_per_list": _times(lists.items_per_list, lists.share_kept),
        "list_form": lists.share_form,
        "list_cut": lists.share_cut,
        "list_known": lists.share_known,
        "list_kept": lists.share_kept,
    }
    started = {m.id: m.value for m in ctx.read("first", Measure)}
    there |= {name: started.get(name, here[name]) for name in ("kept_share", "new_per_list")}
    return here, there


def _times(one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else one * two


def texts_figures(kept: Sequence[Pair], first: Sequence[Pair], seed: int) -> tuple[Figures, Figures]:
    """Length, variety and likeness of the kept pairs, and of those of the first iteration."""
    from isheep.text import diversity, verbs

    sets = [(p, _exchanges(p)) for p in (kept, first)]
    budget = min(diversity.ngram_total(texts, 2) for _, texts in sets)
    size = min(len(pairs) for pairs, _ in sets)
    here, there = (
        {
            "median_words": diversity.median_words([p.response for p in pairs]),
            "share_short": diversity.share_short([p.response for p in pairs]),
            "distinct": diversity.distinct_n(texts, 2, budget),
            "spread": verbs.verb_noun_spread([p.instruction for p in pairs], size),
            "near_duplicates": diversity.near_duplicate_share(texts, seed=seed),
        }
        for pairs, texts in sets
    )
    return here, there


def _exchanges(pairs: Sequence[Pair]) -> list[str]:
    return [f"{request(p.instruction, p.input)}\n{p.response}" for p in pairs]


# ---------------------------------------------------------------- the judge


def judge_figures(verdicts: Sequence[Verdict]) -> Figures:
    """How the judge fares on the model's own answers; nothing where there is no judge."""
    if not verdicts:
        return {}
    from isheep.text import health

    figures: Figures = {
        "unreadable": health.parse_failures(verdicts),
        "agreement": health.scale_agreement(verdicts),
    }
    for scale in sorted({v.scale for v in verdicts}):
        figures[f"saturation/{scale}"] = health.saturation(v.score for v in verdicts if v.scale == scale)
    return figures


def probe_measures(planted: Sequence[Pair], verdicts: Sequence[Verdict]) -> list[Measure]:
    """Whether the judge tells planted right answers from the others; "probe_auroc" is not ok when it cannot."""
    if not planted or not verdicts:
        return []
    from isheep.text.probes import BLIND, probe_report

    means = mean_scores(verdicts)
    found = probe_report({p.id: means.get(p.id) for p in planted}, auroc)
    ok = None if found.blind is None else not found.blind
    measures = [Measure("probe_auroc", found.auroc, BLIND, ok)]
    for kind in found.kinds:
        measures.append(Measure(f"probe_mean/{kind.kind}", kind.mean))
        if kind.auroc is not None:
            measures.append(Measure(f"probe_auroc/{kind.kind}", kind.auroc))
    return measures


# ---------------------------------------------------------------- whether to go on


def _outcome(ctx: Context[ReviewSettings], faults: Sequence[Measure]) -> Outcome:
    settings = ctx.settings
    made = ctx.iteration + 1
    found = _progress(ctx) if settings.until != "fixed" or settings.keep == "best" else None
    best = found.best if found and settings.keep == "best" else made
    if faults and settings.guard.action == "stop":
        names = ", ".join(fault.id for fault in faults)
        return Outcome("outcome", True, f"stopped by the collapse guard: {names}", best)
    if found and found.stop and settings.until == "stagnation":
        reason = f"stopped: {found.without} model(s) without progress over M{found.to_beat}"
        return Outcome("outcome", True, reason, best)
    return Outcome("outcome", False, "", best)


def _progress(ctx: Context[ReviewSettings]) -> Progress:
    """Every model so far on the questions that decide, each in the layout that suits it best."""
    history: list[Mapping[str, bool]] = []
    for k in range(ctx.iteration + 2):
        answers = [a for a in ctx.read(f"evaluate.{k}", Answer) if a.decoding == ctx.settings.decoding]
        task = ctx.settings.on or min((a.task for a in answers), default="")
        history.append(_outcomes([a for a in answers if a.task == task]))
    s = ctx.settings
    return progress(
        history, paired_difference, patience=s.patience, min_effect=s.min_effect, certain=s.certain
    )


def _outcomes(answers: Sequence[Answer]) -> dict[str, bool]:
    """Item -> right, in the layout with the most right (the base model is tried in several)."""
    by_layout: dict[str, dict[str, bool]] = {}
    for a in answers:
        by_layout.setdefault(a.layout, {})[a.item] = a.correct
    return max(by_layout.values(), key=lambda found: sum(found.values()), default={})


STAGE = Stage("review", 1, ReviewSettings, run, (Measure, Outcome))
