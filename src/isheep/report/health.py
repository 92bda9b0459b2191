"""What the review of an iteration came to, and how the judge fared, as plain figures for summary.json.

The judge's figures are read from its verdicts themselves, so they are known before the review, and of a run that has
none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isheep.records import Measure, Outcome, Pair, Verdict
from isheep.report.verdict import DECODING_WORDS
from isheep.runs import Run
from isheep.stats import auroc
from isheep.store import Artifact
from isheep.text import health
from isheep.text.probes import BLIND, probe_report
from isheep.text.verdicts import mean_scores


def reviewed(review: Artifact | None) -> dict[str, Any] | None:
    """`measures` by name, each with `value`, `limit` and `ok`, and the `outcome`; None where there was no review."""
    if review is None:
        return None
    measures = {m.id: {"value": m.value, "limit": m.limit, "ok": m.ok} for m in review.read(Measure)}
    (outcome,) = review.read(Outcome)
    return {
        "measures": measures,
        "outcome": {"stop": outcome.stop, "reason": outcome.reason, "best": outcome.best},
    }


def judge_health(verdicts: Sequence[Verdict], probes: dict[str, Any] | None) -> dict[str, Any] | None:
    """Shares of unreadable and of top scores, agreement of the two scales, and the probes; None without a verdict.

    `blind` is None where nobody probed the judge. Its histograms stand with the assessment.
    """
    if not verdicts:
        return None
    scales = dict.fromkeys(v.scale for v in verdicts)
    return {
        "unreadable": health.parse_failures(verdicts),
        "saturation": {
            scale: health.saturation(v.score for v in verdicts if v.scale == scale) for scale in scales
        },
        "agreement": health.scale_agreement(verdicts),
        "probes": probes,
        "blind": probes["blind"] if probes else None,
    }


def probed(planted: Sequence[Pair], verdicts: Sequence[Verdict], judged_by: int) -> dict[str, Any] | None:
    """What a judge, M_`judged_by`, made of the planted answers: AUROC, and mean and AUROC by kind."""
    if not planted or not verdicts:
        return None
    means = mean_scores(verdicts)
    found = probe_report({pair.id: means.get(pair.id) for pair in planted}, auroc)
    return {
        "judged_by": judged_by,
        "auroc": found.auroc,
        "limit": BLIND,
        "blind": found.blind,
        "preferred": list(found.preferred),
        "kinds": {
            kind.kind: {
                "count": kind.count,
                "unreadable": kind.unreadable,
                "mean": kind.mean,
                "auroc": kind.auroc,
            }
            for kind in found.kinds
        },
    }


# ---------------------------------------------------------------- the run's result


def result(run: Run) -> dict[str, Any]:
    """`result`: the model that this run came to, and why it; None while nobody can say. `stopped`: why a review ended
    the run before its last iteration, or None."""
    reviews = run.named("review")
    if not reviews:
        return {"result": _unreviewed(run), "stopped": None}
    outcome = reviews[max(reviews)].read(Outcome)[-1]
    why = _why(run, outcome.best) + ("" if run.complete else ", so far")
    return {
        "result": {"iteration": outcome.best, "why": why},
        "stopped": outcome.reason if outcome.stop else None,
    }


def _unreviewed(run: Run) -> dict[str, Any] | None:
    """A run without reviews: the last model, once all is done."""
    if not run.complete or any(step.stage == "review" for step in run.due):
        return None
    made = max(run.artifacts("train"), default=-1) + 1
    return {"iteration": made, "why": "the last model" if made else "there is no other"}


def _why(run: Run, best: int) -> str:
    settings = run.recipe.review
    if settings.keep == "last":
        return "the last model"
    tests = [step.name.removeprefix("tests.") for step in run.due if step.name.startswith("tests.")]
    on = settings.on or (tests[0] if len(tests) == 1 else "the held-out evaluation")
    where = f"{on}, {DECODING_WORDS[settings.decoding]}"
    return f"the best on {where}" if best else f"no other was better on {where}"
