"""preferences: of several own answers to one instruction, the best against the worst by the model's own scores.

The paper leaves preference learning as an open question; this is the data for trying it after SFT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from isheep.errors import YieldError
from isheep.records import Pair, Preference, Record, Verdict
from isheep.stages.stage import Context, Settings, Stage
from isheep.text.verdicts import mean_scores


class PreferencesSettings(Settings):
    samples: int = Field(0, ge=0)
    """Answers drawn per instruction after SFT; 0 leaves the whole preference step out."""
    min_gap: float = Field(1.0, ge=0)
    """Smallest difference of mean score between best and worst; smaller ones tell nothing."""
    max_pairs: int | None = Field(None, ge=1)
    """At most this many preferences, those of the widest gap; null keeps all."""


def choose(
    settings: PreferencesSettings, answers: Sequence[Pair], means: Mapping[str, float]
) -> list[Preference]:
    """Pure core: at most one Preference per instruction, widest gap first; equal texts are no preference."""
    groups: dict[str, list[Pair]] = {}
    for pair in answers:
        if pair.id in means and pair.finish == "stop" and pair.response:
            groups.setdefault(pair.id.rpartition("/")[0], []).append(pair)
    found = []
    for id, group in groups.items():
        ranked = sorted(group, key=lambda p: (-means[p.id], p.id))
        best, worst = ranked[0], ranked[-1]
        gap = means[best.id] - means[worst.id]
        if best.response != worst.response and gap > 0 and gap >= settings.min_gap:
            found.append(
                Preference(
                    id, best.instruction, best.input, best.response, worst.response, means[best.id], means[worst.id]
                )
            )  # fmt: skip
    found.sort(key=lambda p: (p.rejected_score - p.chosen_score, p.id))
    return found[: settings.max_pairs]


def run(ctx: Context[PreferencesSettings]) -> Iterator[Record]:
    answers = ctx.read("responses", Pair)
    found = choose(ctx.settings, answers, mean_scores(ctx.read("assessment", Verdict)))
    if not found:
        raise YieldError(
            f"no preference among {len(answers)} answers: best and worst are never "
            f"{ctx.settings.min_gap:g} points apart",
            "lower preferences.min_gap, raise preferences.samples or responses.temperature",
        )
    written = ctx.written(Preference)
    yield from (p for p in found if p.id not in written)
    ctx.report(len(found), len(answers) // max(1, ctx.settings.samples), "preferences")


STAGE = Stage("preferences", 1, PreferencesSettings, run, (Preference,))
