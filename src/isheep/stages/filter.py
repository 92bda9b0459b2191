"""filter: keep the pairs that pass the rules and score high (paper, Algorithm 1, D_t).

Generates nothing: a view over one scored pool. Every pair gets a Decision; every dropped one has its reason. Reasons
are tried in a fixed order: held-out prompts, rules, unreadable scores, thresholds, then the share to keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field, field_validator

from isheep.errors import YieldError
from isheep.records import Decision, Pair, Record, Task, Verdict
from isheep.stages.stage import Context, Settings, Stage, known_names
from isheep.text.prompts import request
from isheep.text.rules import RESPONSE_RULES, response_reason


class FilterSettings(Settings):
    threshold: float | None = Field(8.0, ge=-1, le=10)
    """Keep scores strictly above this on every assessed scale (paper: 8). 0 applies the rules only, -1 not even
    those; null leaves the choice to keep_fraction."""
    keep_fraction: float | None = Field(None, gt=0, le=1)
    """Keep this share of the readable pairs that passed everything else, best mean score first. For models whose scores
    sit low: with a fixed threshold a small model keeps next to nothing."""
    by: Literal["score", "random"] = "score"
    """How keep_fraction chooses: by score, or at random (the control: same count, no self-assessment)."""
    rules: tuple[str, ...] = tuple(RESPONSE_RULES)
    """Heuristic rules a response must pass, by name."""
    min_kept: int = Field(10, ge=1)
    """Stop with advice when fewer pairs are kept: training on next to nothing teaches nothing."""

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(rules, RESPONSE_RULES)


Scores = Mapping[str, float | None]


def drop_reason(settings: FilterSettings, pair: Pair, scores: Scores, held_out: frozenset[str]) -> str | None:
    """Why a pair is dropped before any ranking, or None."""
    if normal(pair.instruction, pair.input) in held_out:
        return "held_out"
    if pair.finish == "too_long":
        return "too_long"
    threshold = settings.threshold
    if threshold is None or threshold >= 0:
        reason = response_reason(pair.instruction, pair.input, pair.response, pair.finish, settings.rules)
        if reason is not None:
            return reason
    if threshold is not None and threshold <= 0:
        return None
    for scale, score in scores.items():
        if score is None:
            return f"unreadable_{scale}"
    for scale, score in scores.items():
        if threshold is not None and score is not None and score <= threshold:
            return f"low_{scale}"
    return None


def normal(instruction: str, input: str) -> str:
    """The form two requests are compared in: case and white space do not make another question."""
    return " ".join(request(instruction, input).casefold().split())


def decide(
    settings: FilterSettings,
    pairs: Sequence[Pair],
    scores: Mapping[str, Scores],
    held_out: Iterable[Task],
    tie: Mapping[str, int],
) -> list[Decision]:
    """The pure core: a Decision for every pair. `tie` orders pairs of equal score, and all pairs when `by: random`."""
    hidden = frozenset(normal(task.instruction, task.input) for task in held_out)
    reasons = {p.id: drop_reason(settings, p, scores.get(p.id, {}), hidden) for p in pairs}
    if settings.keep_fraction is not None:
        passed = [id for id, reason in reasons.items() if reason is None]
        by_score = settings.by == "score"
        passed.sort(key=lambda id: (-_mean(scores.get(id, {})) if by_score else 0.0, tie[id]))
        for id in passed[round(settings.keep_fraction * len(passed)) :]:
            reasons[id] = "not_in_best" if by_score else "not_drawn"
    return [
        Decision(
            p.id,
            reasons[p.id] is None,
            reasons[p.id],
            scores.get(p.id, {}).get("quality"),
            scores.get(p.id, {}).get("following"),
        )
        for p in pairs
    ]


def _mean(scores: Scores) -> float:
    readable = [score for score in scores.values() if score is not None]
    return sum(readable) / len(readable) if readable else 0.0


def run(ctx: Context[FilterSettings]) -> Iterator[Record]:
    pairs = ctx.read("responses", Pair)
    scores: dict[str, dict[str, float | None]] = {}
    for verdict in ctx.read("assessment", Verdict):
        scores.setdefault(verdict.pair, {})[verdict.scale] = verdict.score
    ties = {pair.id: ctx.seed(pair.id) for pair in pairs}
    decisions = decide(ctx.settings, pairs, scores, ctx.read("tests", Task), ties)
    kept = sum(d.kept for d in decisions)
    if kept < ctx.settings.min_kept:
        raise _too_few(ctx.settings, decisions, kept)
    written = ctx.written(Decision)
    yield from (d for d in decisions if d.id not in written)
    ctx.report(kept, len(pairs), "kept")


def _too_few(settings: FilterSettings, decisions: Sequence[Decision], kept: int) -> YieldError:
    counts: dict[str, int] = {}
    for d in decisions:
        if d.reason:
            counts[d.reason] = counts.get(d.reason, 0) + 1
    why = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items(), key=lambda item: -item[1]))
    scored = [d for d in decisions if d.quality is not None or d.following is not None]
    readable = sorted(_mean({"quality": d.quality, "following": d.following}) for d in scored)
    middle = f"; half of the mean scores are below {readable[len(readable) // 2]:.2f}" if readable else ""
    return YieldError(
        f"the filter kept {kept} of {len(decisions)} pairs, fewer than filter.min_kept = {settings.min_kept} "
        f"(dropped: {why or 'none'}){middle}",
        "this model's scores may sit low: set filter.threshold to null and filter.keep_fraction to 0.3, "
        "or lower filter.threshold",
    )


STAGE = Stage("filter", 1, FilterSettings, run, (Decision,))
