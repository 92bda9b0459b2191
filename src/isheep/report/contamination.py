"""What a run's own texts share with the benchmarks it was tested on, and whether that shows in its scores.

Reads leaks and questions from the steps that looked for them. Does not know what the base model saw in its own
pre-training: nobody can tell that from here, and the page says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from isheep.records import Item, Leak, Measure, Question
from isheep.report.evaluations import Row, cells, in_best_layout, score_rows
from isheep.report.items import items_of
from isheep.report.scored import headlines
from isheep.runs import Run
from isheep.text.leaks import clean_and_flagged, leaked_questions

#: Whose texts are looked through, and what one of them is called.
WHERE: Mapping[str, str] = {
    "seed": "seeds",
    "instruction": "generated instructions",
    "response": "generated answers",
}
#: Flagged texts shown in the summary, the first by id.
SHOWN = 10


def contamination(run: Run) -> dict[str, Any] | None:
    """`n` and `drop`; `questions` by task; by iteration the texts `checked` and `flagged` and the questions hit by
    task; `examples`; and `scores` of every model on clean and flagged questions. None where nothing was looked for."""
    looked = [(s, a) for s in run.due if s.stage == "contamination" and (a := run.artifact(s)) is not None]
    if not looked:
        return None
    asked = [a for s in run.due if s.stage == "questions" and (a := run.artifact(s)) is not None]
    known = {question.id: question for artifact in asked for question in artifact.read(Question)}
    questions = list(known.values())  # several evaluations may have asked the same
    leaks: dict[int, list[Leak]] = {}
    checked: dict[int, Counter[str]] = {}
    for step, artifact in looked:
        leaks.setdefault(step.iteration, []).extend(artifact.read(Leak))
        for measure in artifact.read(Measure):
            here = checked.setdefault(step.iteration, Counter())
            here[measure.id] = max(
                here[measure.id], int(measure.value or 0)
            )  # of several steps the same texts
    return {
        "n": run.recipe.contamination.n,
        "drop": run.recipe.contamination.drop,
        "questions": dict(Counter(q.task for q in questions)),
        "iterations": [
            {
                "iteration": t,
                "checked": {where: checked[t][f"{where}/checked"] for where in WHERE},
                "flagged": {
                    where: len({leak.source for leak in found if leak.where == where}) for where in WHERE
                },
                "tasks": dict(Counter(known[q].task for q in {leak.question for leak in found} if q in known)),
            }
            for t, found in sorted(leaks.items())
        ],
        "examples": [
            {"iteration": t, "where": leak.where, "source": leak.source, "task": leak.task, "match": leak.match}
            for t, found in sorted(leaks.items())
            for leak in found[:SHOWN]
        ][:SHOWN],
        "scores": list(_scores(items_of(run), leaks, questions)),
    }  # fmt: skip


def _scores(
    items: Mapping[int, Sequence[Item]], leaks: Mapping[int, Sequence[Leak]], questions: Sequence[Question]
) -> Iterator[Row]:
    """Each model's headline scores on questions that no text before it shares words with, and on the others.

    The base model, which was made of none of these texts, is shown on the same questions: they may just be easier.
    """
    for t, found in items.items():
        seen = [leak for k, here in leaks.items() if k < max(t, 1) for leak in here]
        leaked = leaked_questions(seen, questions)
        best = in_best_layout(found)
        heads = headlines(row for row in score_rows(best))
        for cell, members in cells(best).items():
            clean, flagged = clean_and_flagged(members, leaked)
            if heads.get(cell.task) == cell.name and flagged:
                yield {
                    "iteration": t,
                    "task": cell.task,
                    "metric": cell.name,
                    "clean": score_rows(clean)[0] if clean else None,
                    "flagged": score_rows(flagged)[0],
                }
