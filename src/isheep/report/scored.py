"""The scores of every model of a run and their changes against the base model, with the family of tests corrected.

Knows: which metric of a task is its headline. The arithmetic is in evaluations.py and, for judged chat, in `chat`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from isheep.benchmarks import BENCHMARKS
from isheep.chat.protocols import GRADE, PREFERENCE, RULE
from isheep.chat.summary import graded_scores, lengths_of, pairwise_scores
from isheep.records import Item, Judgment, Reply, Score
from isheep.report.evaluations import Row, correct, family_of, gain_rows, score_rows
from isheep.report.items import items_of
from isheep.runs import Run
from isheep.store import Artifact

#: Headline metrics of what is no fixed benchmark, the first that a task has.
HEADLINES = ("accuracy_greedy", "accuracy_sampled", "prompt_level_strict_acc", "win_rate", "grade")
#: Metrics of judged chat, whose summaries are made by `chat`.
JUDGED = (PREFERENCE, GRADE)
#: Metric of an item -> what its mean is called.
MEANS = {PREFERENCE: "win_rate"}


def scored(run: Run) -> dict[int, dict[str, list[Row]]]:
    """Model -> its `scores` and its `gain` over the base model. Holm's correction covers the recipe's family over all
    models of the run."""
    items, chat = items_of(run), _chat(run)
    made = {
        t: {
            "scores": [*(row for row in score_rows(found) if row["metric"] not in JUDGED), *chat.get(t, [])],
            "gain": [_named(row) for row in gain_rows(found, items.get(0, ()))] if t else [],
        }
        for t, found in items.items()
    }
    rows = [row for entry in made.values() for row in entry["gain"]]
    correct(family_of(rows, run.recipe.report.family, headlines(rows)))
    return made


def _named(row: Row) -> Row:
    return {**row, "metric": MEANS.get(row["metric"], row["metric"])}


def _chat(run: Run) -> dict[int, list[Row]]:
    """Model -> the scores of its judged chat, which are more than means: length-controlled, by category and turn.
    As with all items, the last of several steps of one name counts."""
    found: dict[int, dict[str, list[Row]]] = {}
    for step in run.due:
        artifact = run.artifact(step) if step.stage == "judged" else None
        if artifact is not None:
            items = artifact.read(Item)
            lengths = lengths_of(_baseline(run, artifact))
            scores = graded_scores(items) + pairwise_scores(items, artifact.read(Judgment), lengths)
            found.setdefault(step.iteration, {})[step.name] = [_row(score) for score in scores]
    return {t: [row for rows in steps.values() for row in rows] for t, steps in found.items()}


def judging(run: Run) -> list[dict[str, Any]]:
    """By judged task and model: who judged, when, how many verdicts (and how many cannot be read), and the tokens that
    judge read and wrote; those of a judge one pays for are its bill."""
    made = []
    for step in run.due:
        artifact = run.artifact(step) if step.stage == "judged" else None
        if artifact is None:
            continue
        found = artifact.read(Judgment)
        judges = sorted({j.judge for j in found if j.judge != RULE})
        made.append(
            {
                "task": next((j.task for j in found), ""),
                "iteration": step.iteration,
                "judge": ", ".join(judges) or RULE,
                "date": str(artifact.manifest["started"])[:10],
                "verdicts": len(found),
                "unreadable": sum(j.value is None for j in found),
                "prompt_tokens": sum(j.prompt_tokens for j in found),
                "tokens": sum(j.tokens for j in found),
                # Of its last go, where the step was interrupted.
                "spent": artifact.manifest.get("judge"),
            }
        )
    return made


def _baseline(run: Run, judged: Artifact) -> list[Reply]:
    """What a model's replies were held against: the file's own, kept with the verdicts, or the base model's."""
    keys = judged.manifest["inputs"].get("baseline")
    if not keys:
        return judged.read(Reply)
    made = (run.store.find("chat", key) for key in keys)
    return [reply for artifact in made if artifact is not None for reply in artifact.read(Reply)]


def _row(score: Score) -> Row:
    return {
        "task": score.task,
        "metric": score.metric,
        "value": score.value,
        "ci_low": score.ci_low,
        "ci_high": score.ci_high,
        "n": score.n,
        "layout": score.layout,
    }


def headlines(rows: Iterable[Row]) -> dict[str, str]:
    """Task -> its headline metric, of those that `rows` have."""
    metrics: dict[str, list[str]] = {}
    for row in rows:
        metrics.setdefault(row["task"], []).append(row["metric"])
    found = {task: headline(task, names) for task, names in metrics.items()}
    return {task: name for task, name in found.items() if name is not None}


def headline(task: str, metrics: Sequence[str]) -> str | None:
    """The metric a task is known by, if it has it."""
    known = (BENCHMARKS[task].headline,) if task in BENCHMARKS else HEADLINES
    return next((name for name in known if name in metrics), None)
