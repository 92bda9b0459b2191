"""summary.json: the figures of a run, one entry per model from the base (iteration 0) on.

Reads manifests and records only; every number traces back to a key. Entry t describes M_t: how it scores, how it was
trained, and what it then wrote, judged and kept (nothing for the last model).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from isheep.records import Answer, Decision, Instruction, ModelRef, Pair, Score, Verdict
from isheep.report.verdict import verdict, warnings
from isheep.runs import Run
from isheep.stages.assessment import SCALES
from isheep.stats import auroc, paired_difference, wilson
from isheep.store import Artifact

#: Answers of at most this many words count as short (paper.md's table of released data uses the same cut).
SHORT_WORDS = 3

Truth = Callable[[str, str, str], bool | None]


def summarize(run: Run) -> dict[str, Any]:
    """The summary of a run, finished or not: what is done is in, what is not is null or absent."""
    base_answers = _best_base_answers(run)
    iterations = [_iteration(run, t, base_answers) for t in range(run.recipe.iterations + 1)]
    pending = next((step.name for step in run.steps if run.artifact(step) is None), None)
    made: dict[str, Any] = {
        "run": run.name,
        "seed": run.recipe.seed,
        "recipe": run.recipe.name,
        "model": run.recipe.model.base,
        "complete": pending is None,
        "next": pending,
        "tests": [step.name.removeprefix("tests.") for step in run.steps if step.name.startswith("tests.")],
        "iterations": iterations,
        "totals": {
            "seconds": round(sum(sum(i["seconds"].values()) for i in iterations), 1),
            "tokens": sum(sum(i["tokens"].values()) for i in iterations),
        },
    }
    return {**made, "verdict": verdict(made), "warnings": warnings(made)}


def _iteration(run: Run, t: int, base_answers: Mapping[str, Mapping[str, bool]]) -> dict[str, Any]:
    """One entry. Steps of iteration t made by M_t, and the training (of iteration t - 1) that made M_t."""
    at = {stage: run.artifacts(stage).get(t) for stage in _WRITING_STAGES}
    trained = run.artifacts("train").get(t - 1)
    present = {**at, "train": trained}
    instructions = at["instructions"].read(Instruction) if at["instructions"] else []
    pairs = at["responses"].read(Pair) if at["responses"] else []
    verdicts = at["assessment"].read(Verdict) if at["assessment"] else []
    decisions = at["filter"].read(Decision) if at["filter"] else []
    truth = truth_of(run.recipe.report.truth)
    return {
        "iteration": t,
        "scores": _scores(at["evaluate"]),
        "gain": _gain(at["evaluate"], base_answers) if t else [],
        "candidates": len(instructions),
        "instructions": sum(i.reason is None for i in instructions),
        "responses": len(pairs),
        "kept": sum(d.kept for d in decisions),
        "dropped": _dropped(instructions, decisions),
        "assessment": assessment(pairs, verdicts, decisions, truth),
        "lengths": lengths(pairs, decisions),
        "train": _train(trained),
        "tokens": {s: sum(a.manifest["usage"].values()) for s, a in present.items() if a},
        "usage": {s: a.manifest["usage"] for s, a in present.items() if a},
        "seconds": {s: a.manifest["seconds"] for s, a in present.items() if a},
        "keys": {s: a.key for s, a in present.items() if a},
        "notes": [note for a in present.values() if a for note in a.manifest["notes"]],
    }


_WRITING_STAGES = ("instructions", "responses", "assessment", "filter", "evaluate")


def truth_of(name: str) -> Truth | None:
    """Who knows the right answers, by the name in `report.truth`."""
    if name == "lamb":
        from isheep.lamb.world import check

        return check
    return None


def _scores(evaluated: Artifact | None) -> list[dict[str, Any]]:
    """Scores as they are reported: one headline per task, metric and decoding, in the model's best layout.

    A layout that is not the best keeps its figure under "<metric>_<decoding>@<layout>" (the base model only).
    """
    if evaluated is None:
        return []
    scores = evaluated.read(Score)
    best = best_layouts(scores)
    rows = []
    for s in scores:
        name = f"{s.metric}_{s.decoding}"
        is_best = best[s.task, s.decoding] == s.layout
        rows.append(
            {
                "task": s.task,
                "metric": name if is_best else f"{name}@{s.layout}",
                "value": s.value,
                "n": s.n,
                "ci_low": s.ci_low,
                "ci_high": s.ci_high,
                "layout": s.layout,
            }
        )
    return sorted(rows, key=lambda r: ("@" in r["metric"], r["task"], r["metric"]))


def best_layouts(scores: Iterable[Score]) -> dict[tuple[str, str], str]:
    """(task, decoding) -> the layout with the highest accuracy. Choosing it on the test itself favours the base model,
    which is the safe side for a claim of improvement."""
    best: dict[tuple[str, str], tuple[float, str]] = {}
    for s in scores:
        if s.metric == "accuracy":
            here = best.get((s.task, s.decoding))
            if here is None or s.value > here[0]:
                best[s.task, s.decoding] = (s.value, s.layout)
    return {cell: layout for cell, (_, layout) in best.items()}


def _best_base_answers(run: Run) -> dict[str, dict[str, bool]]:
    """The base model's outcome per decoding and test item, in its best layout."""
    evaluated = run.artifacts("evaluate").get(0)
    if evaluated is None:
        return {}
    best = best_layouts(evaluated.read(Score))
    found: dict[str, dict[str, bool]] = {}
    for a in evaluated.read(Answer):
        if best[a.task, a.decoding] == a.layout:
            found.setdefault(a.decoding, {})[a.item] = a.correct
    return found


def _gain(evaluated: Artifact | None, base: Mapping[str, Mapping[str, bool]]) -> list[dict[str, Any]]:
    """Paired difference to the base model (its best layout) over the same prompts, by task and decoding."""
    if evaluated is None or not base:
        return []
    cells: dict[tuple[str, str], list[tuple[bool, bool]]] = {}
    for a in evaluated.read(Answer):
        if a.item in base.get(a.decoding, {}):
            cells.setdefault((a.task, a.decoding), []).append((a.correct, base[a.decoding][a.item]))
    rows = []
    for (task, decoding), outcomes in sorted(cells.items()):
        value, low, high = paired_difference([a for a, _ in outcomes], [b for _, b in outcomes])
        metric = f"accuracy_{decoding}"
        rows.append(
            {
                "task": task,
                "metric": metric,
                "value": value,
                "n": len(outcomes),
                "ci_low": low,
                "ci_high": high,
            }
        )
    return rows


def _dropped(instructions: Sequence[Instruction], decisions: Sequence[Decision]) -> dict[str, int]:
    """Reason -> count; the stage that dropped stands before the reason."""
    reasons = Counter(f"instructions/{i.reason}" for i in instructions if i.reason is not None)
    reasons.update(f"filter/{d.reason}" for d in decisions if d.reason is not None)
    return dict(reasons.most_common())


def mean_scores(verdicts: Iterable[Verdict]) -> dict[str, float]:
    """Pair id -> mean of its readable scores."""
    by_pair: dict[str, list[float]] = {}
    for v in verdicts:
        if v.score is not None:
            by_pair.setdefault(v.pair, []).append(v.score)
    return {pair: sum(s) / len(s) for pair, s in by_pair.items()}


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
    counts = Counter(round(score) for score in readable)
    return {
        "mean": sum(readable) / len(readable) if readable else None,
        "unreadable": len(verdicts) - len(readable),
        "histogram": [counts.get(score, 0) for score in range(1, 11)],
    }


def _share(outcomes: Sequence[bool]) -> dict[str, Any] | None:
    if not outcomes:
        return None
    low, high = wilson(sum(outcomes), len(outcomes))
    return {"value": sum(outcomes) / len(outcomes), "n": len(outcomes), "ci_low": low, "ci_high": high}


def lengths(pairs: Sequence[Pair], decisions: Sequence[Decision]) -> dict[str, Any]:
    """Words per answer, over all answers and over the kept ones: the first sign of collapse is that they shrink."""
    kept = {d.id for d in decisions if d.kept}
    return {
        "all": _lengths([len(p.response.split()) for p in pairs]),
        "kept": _lengths([len(p.response.split()) for p in pairs if p.id in kept]),
    }


def _lengths(words: Sequence[int]) -> dict[str, Any] | None:
    if not words:
        return None
    return {
        "median": median(words),
        "mean": sum(words) / len(words),
        "max": max(words),
        "short": sum(w <= SHORT_WORDS for w in words) / len(words),
    }


def _train(trained: Artifact | None) -> dict[str, Any] | None:
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
