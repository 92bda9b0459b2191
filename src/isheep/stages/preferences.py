"""preferences: of several own answers to one instruction, the best against the worst by the model's own scores.

The paper leaves preference learning as an open question; this is the data for trying it after SFT.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from pydantic import Field

from isheep.errors import YieldError
from isheep.records import Leak, Pair, Preference, Record, Task, Verdict
from isheep.stages.sieves import held_out, normal
from isheep.stages.stage import Context, Settings, Stage
from isheep.text.leaks import contaminated_pairs
from isheep.text.verdicts import mean_scores


class PreferencesSettings(Settings):
    samples: int = Field(0, ge=0)
    """Answers drawn per instruction after SFT; 0 leaves the whole preference step out."""
    min_gap: float = Field(1.0, ge=0)
    """Smallest difference of mean score between best and worst; smaller ones tell nothing."""
    max_pairs: int | None = Field(None, ge=1)
    """At most this many preferences, those of the widest gap; null keeps all."""


def choose(
    settings: PreferencesSettings,
    answers: Sequence[Pair],
    means: Mapping[str, float],
    held_out: frozenset[str] = frozenset(),
    copied: Collection[str] = (),
) -> list[Preference]:
    """Pure core: a Preference for every instruction, those to be trained on first, widest gap first. `copied`: answers
    to instructions that share words with a benchmark, where the recipe drops them."""
    groups: dict[str, list[Pair]] = {}
    for pair in answers:
        groups.setdefault(pair.id.rpartition("/")[0], []).append(pair)
    found = [_compared(settings, id, group, means, held_out, copied) for id, group in groups.items()]
    kept = [p for p in found if p.reason is None]
    kept.sort(key=lambda p: (-_gap(p), p.id))
    most = len(kept) if settings.max_pairs is None else settings.max_pairs
    dropped = [p for p in found if p.reason is not None]
    return [*kept[:most], *(replace(p, reason="over_max_pairs") for p in kept[most:]), *dropped]


def _compared(
    settings: PreferencesSettings,
    id: str,
    answers: Sequence[Pair],
    means: Mapping[str, float],
    held_out: frozenset[str],
    copied: Collection[str],
) -> Preference:
    """Best and worst of one instruction's finished, scored answers; equal texts are no preference."""
    usable = [p for p in answers if p.id in means and p.finish == "stop" and p.response]
    instruction, input = answers[0].instruction, answers[0].input
    if len(usable) < 2:
        return Preference(id, instruction, input, "", "", None, None, "too_few_answers")
    ranked = sorted(usable, key=lambda p: (-means[p.id], p.id))
    best, worst = ranked[0], ranked[-1]
    gap = means[best.id] - means[worst.id]
    reason = None
    if normal(instruction, input) in held_out:
        reason = "held_out"
    elif best.id in copied:
        reason = "contaminated"
    elif best.response == worst.response:
        reason = "same_answer"
    elif gap <= 0 or gap < settings.min_gap:
        reason = "small_gap"
    return Preference(
        id, instruction, input, best.response, worst.response, means[best.id], means[worst.id], reason
    )


def _gap(found: Preference) -> float:
    return (found.chosen_score or 0.0) - (found.rejected_score or 0.0)


def run(ctx: Context[PreferencesSettings]) -> Iterator[Record]:
    answers = ctx.read("responses", Pair)
    means = mean_scores(ctx.read("assessment", Verdict))
    # The answers are new, so only what was found in the instructions speaks of them.
    leaks = [leak for leak in ctx.read("leaks", Leak) if leak.where == "instruction"]
    copied = contaminated_pairs(leaks, answers)
    found = choose(ctx.settings, answers, means, held_out(ctx.read("tests", Task)), copied)
    kept = sum(p.reason is None for p in found)
    if not kept:
        raise YieldError(
            f"no preference among {len(answers)} answers: best and worst are never "
            f"{ctx.settings.min_gap:g} points apart",
            "lower preferences.min_gap, raise preferences.samples or responses.temperature",
        )
    written = ctx.written(Preference)
    yield from (p for p in found if p.id not in written)
    ctx.report(kept, len(found), "preferences")


STAGE = Stage("preferences", 1, PreferencesSettings, run, (Preference,))
