"""summary.json: the figures of a run, one entry per model from the base (iteration 0) on.

Reads manifests and records only; every number traces back to a key. Entry t describes M_t: how it scores, how it was
trained, what it then wrote, judged and kept (nothing for the last model), and how that was reviewed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isheep.records import Decision, Instruction, ModelRef, Pair, Preference, R, Verdict
from isheep.report.answers import lengths, turns
from isheep.report.contamination import contamination
from isheep.report.health import judge_health, probed, result, reviewed
from isheep.report.ledger import ledger
from isheep.report.quality import quality
from isheep.report.rigor import rigor
from isheep.report.scored import judging, scored
from isheep.report.siblings import siblings
from isheep.report.trial import trial
from isheep.report.verdict import verdict, warnings
from isheep.runs import Run
from isheep.stages.assessment import SCALES
from isheep.stats import auroc, wilson
from isheep.store import Artifact
from isheep.text.health import histogram
from isheep.text.verdicts import mean_scores

Truth = Callable[[str, str, str], bool | None]


def summarize(run: Run, deep: bool = True) -> dict[str, Any]:
    """The summary of a run, finished or not: what is done is in, what is not is null or absent.

    `deep` adds the judge's trial and the quality of the data, which take seconds for every 10,000 pairs, and the
    reviewer's checklist, which speaks of both.
    """
    tested = scored(run)
    planned = sum(step.stage == "train" for step in run.due)
    iterations = [_iteration(run, t, tested.get(t, {})) for t in range(planned + 1)]
    pending = next((step.name for step in run.due if run.artifact(step) is None), None)
    made: dict[str, Any] = {
        "run": run.name,
        "seed": run.recipe.seed,
        "recipe": run.recipe.name,
        "model": run.recipe.model.base,
        "complete": pending is None,
        "next": pending,
        **result(run),
        "guard": run.recipe.review.guard.action,
        "tests": [step.name.removeprefix("tests.") for step in run.due if step.name.startswith("tests.")],
        "iterations": iterations,
        "totals": {
            "seconds": round(sum(sum(i["seconds"].values()) for i in iterations), 1),
            "tokens": sum(sum(i["tokens"].values()) for i in iterations),
        },
        "ledger": ledger(run).as_dict(),
        "judging": judging(run),
        "contamination": contamination(run),
        "seeds": _seeds(run) if deep else [],
        "trial": trial(run) if deep else None,
        "quality": quality(run) if deep else None,
    }
    made = {**made, "verdict": verdict(made), "warnings": warnings(made)}
    return {**made, "rigor": rigor(run, made) if deep else None}


def _seeds(run: Run) -> list[dict[str, Any]]:
    """What the same recipe scored with other seeds, as far as this store knows."""
    others = [s for s in siblings(run) if s.name != run.name and s.base == run.recipe.model.base]
    return [
        {"run": s.name, "seed": s.seed, "scores": s.scores()} for s in others if s.seed != run.recipe.seed
    ]


def _iteration(run: Run, t: int, tested: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """One entry. Steps of iteration t that M_t did, and those of iteration t - 1 that made M_t."""
    at = _steps_of(run, t)
    instructions = _read(at, Instruction, "instructions")
    pairs = pairs_of(run, t)
    verdicts = _read(at, Verdict, "assessment")
    decisions = _read(at, Decision, "filter")
    truth = truth_of(run.recipe.report.truth)
    spent: dict[str, Counter[str]] = {}
    seconds: Counter[str] = Counter()
    for artifact in at.values():
        spent.setdefault(artifact.stage, Counter()).update(artifact.manifest["usage"])
        seconds[artifact.stage] += artifact.manifest["seconds"]
    return {
        "iteration": t,
        "scores": tested.get("scores", []),
        "gain": tested.get("gain", []),
        "candidates": len(instructions),
        "instructions": sum(i.reason is None for i in instructions),
        "responses": len(pairs),
        "turns": turns(pairs, decisions),
        "kept": sum(d.kept for d in decisions),
        "dropped": _dropped(
            instructions=instructions,
            followups=_followups(run, t),
            filter=decisions,
            preferences=_read(at, Preference, "preferences"),
        ),
        "assessment": assessment(pairs, verdicts, decisions, truth),
        "judge": judge_health(verdicts, _probes(run, t)),
        "review": reviewed(at.get("review")),
        "lengths": lengths(pairs, decisions),
        "train": _train(at.get("train")),
        "prefer": _train(at.get("prefer")),
        "tokens": {stage: sum(usage.values()) for stage, usage in spent.items()},
        "usage": {stage: dict(usage) for stage, usage in spent.items()},
        "seconds": dict(seconds),
        "keys": {name: artifact.key for name, artifact in at.items()},
        # What the review noted is said by `warnings` and `stopped`.
        "notes": [note for name, a in at.items() if name != "review" for note in a.manifest["notes"]],
    }


#: Steps of an iteration that make its next model, and so stand in that model's entry.
_MAKING = ("train", "candidates", "candidate_scores", "preferences", "prefer")


def _steps_of(run: Run, t: int) -> dict[str, Artifact]:
    """The finished steps of entry t by name ("responses", "turn2.responses"), in the order they ran."""
    found = {}
    for step in run.due:
        name, _, iteration = step.name.rpartition(".")
        if iteration == str(step.iteration) and step.iteration + (name in _MAKING) == t:
            artifact = run.artifact(step)
            if artifact is not None:
                found[name] = artifact
    return found


def _read(at: Mapping[str, Artifact], cls: type[R], name: str) -> list[R]:
    return at[name].read(cls) if name in at else []


def _later_turns(run: Run) -> range:
    return range(2, run.recipe.followups.turns + 1)


def pairs_of(run: Run, t: int) -> list[Pair]:
    """The answers of an iteration, those of all turns, as far as they are done."""
    names = ["responses", *(f"turn{n}.responses" for n in _later_turns(run))]
    return [pair for name in names if (done := run.named(name).get(t)) for pair in done.read(Pair)]


def _followups(run: Run, t: int) -> list[Instruction]:
    asked = [run.named(f"turn{n}.followups").get(t) for n in _later_turns(run)]
    return [request for done in asked if done for request in done.read(Instruction)]


def _probes(run: Run, t: int) -> dict[str, Any] | None:
    """What the judge of iteration t made of the planted answers; a base model that judges for all did so once."""
    judged_by = 0 if run.recipe.assessment.judge == "base" else t
    planted, judged = run.named("probes").get(0), run.named("probe_scores").get(judged_by)
    return probed(planted.read(Pair), judged.read(Verdict), judged_by) if planted and judged else None


def truth_of(name: str) -> Truth | None:
    """Who knows the right answers, by the name in `report.truth`."""
    if name == "lamb":
        from isheep.lamb.world import check

        return check
    return None


def _dropped(**stages: Sequence[Instruction] | Sequence[Decision] | Sequence[Preference]) -> dict[str, int]:
    """Reason -> count; the stage that dropped stands before the reason."""
    reasons = Counter(
        f"{stage}/{record.reason}"
        for stage, records in stages.items()
        for record in records
        if record.reason is not None
    )
    return dict(reasons.most_common())


def assessment(
    pairs: Sequence[Pair], verdicts: Sequence[Verdict], decisions: Sequence[Decision], truth: Truth | None
) -> dict[str, Any]:
    """What the judge said, and, where truth is known, whether it was right."""
    means = mean_scores(verdicts)
    made: dict[str, Any] = {
        "mean": sum(means.values()) / len(means) if means else None,
        "auroc": None,
        "unreadable": sum(v.score is None for v in verdicts),
        "scales": {scale: _scale([v for v in verdicts if v.scale == scale]) for scale in SCALES},
    }
    if truth is None or not pairs:
        return made
    checked = ((p.id, truth(p.instruction, p.input, p.response)) for p in pairs)
    known = {id: outcome for id, outcome in checked if outcome is not None}
    kept = [known[d.id] for d in decisions if d.kept and d.id in known]
    right = [means[id] for id, ok in known.items() if ok and id in means]
    wrong = [means[id] for id, ok in known.items() if not ok and id in means]
    return {
        **made,
        "auroc": auroc(right, wrong),
        "known": len(known),
        "right": _share(list(known.values())),
        "right_kept": _share(kept),
    }


def _scale(verdicts: Sequence[Verdict]) -> dict[str, Any] | None:
    """Mean and histogram (rounded to whole scores) of one scale; None when it was not asked."""
    readable = [v.score for v in verdicts if v.score is not None]
    if not verdicts:
        return None
    return {
        "mean": sum(readable) / len(readable) if readable else None,
        "unreadable": len(verdicts) - len(readable),
        "histogram": list(histogram(readable)),
    }


def _share(outcomes: Sequence[bool]) -> dict[str, Any] | None:
    if not outcomes:
        return None
    low, high = wilson(sum(outcomes), len(outcomes))
    return {"value": sum(outcomes) / len(outcomes), "n": len(outcomes), "ci_low": low, "ci_high": high}


def _train(trained: Artifact | None) -> dict[str, Any] | None:
    """How a model was trained, be it on pairs or on preferences."""
    if trained is None:
        return None
    (model,) = trained.read(ModelRef)
    lines = trained.path("losses.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [json.loads(line) for line in lines if line]
    return {
        "pairs": model.pairs,
        "steps": model.steps,
        "trained_tokens": model.trained_tokens,
        "layout": model.layout,
        "losses": [[entry["step"], entry["loss"]] for entry in losses],
    }
