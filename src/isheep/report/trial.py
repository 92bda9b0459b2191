"""The judge's trial of a run, gathered from its records: every model's scores of answers whose truth is known.

Reads the exam (what was asked, answered, and judged by whom), and the generated pairs before filtering where
`report.truth` names somebody who knows. What is made of them is isheep.trial's business.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from isheep.records import Constraint, Decision, Pair, Verdict
from isheep.runs import Run
from isheep.stages.evaluate import is_correct
from isheep.text.prompts import request
from isheep.text.verdicts import mean_scores
from isheep.trial import Case, Duel, at_filter, drift, self_preference, separation
from isheep.trial.words import headline, judgement
from isheep.verify import follows, from_json

#: Of more generated pairs than this a part is tried, whole questions drawn by the hash of their words: an AUROC on so
#: many is known to within 0.03, and a report should not take minutes.
MOST_PAIRS = 2000
#: The exam's sources of truth: accepted answers, and constraints checked by a program.
SOURCES = ("tests", "constraints")
Truth = Callable[[str, str, str], bool | None]
Sources = dict[str, dict[str, Case]]


def grade(constraint: Constraint, pair: Pair) -> bool:
    """Whether an exam answer is right: equal to an accepted one after normalising, or all checks met (strictly).

    An answer cut off for want of room is wrong like any other that is not right. Raises RecipeError for checks that
    cannot be read, and ValueError for a constraint that grades nothing.
    """
    if constraint.answers:
        return is_correct(pair.response, constraint.answers)
    if constraint.checks:
        return follows(pair.response, from_json(constraint.checks))
    raise ValueError(f"{constraint.id!r} has neither answers nor checks to grade by")


def trial(run: Run) -> dict[str, Any] | None:
    """Everything the report says of the self-assessment; None where no scored answer has a known truth.

    - `headline`: `answer` (to "does it know what it knows?"), `look` and `text`.
    - `sentences`: what the figures amount to.
    - `questions`: how many the exam has, by source ("tests", "constraints").
    - `models`: by model `iteration`, `sources`: the figures of `trial.separation` over its scores of its own exam
      answers, and of the pairs it wrote ("generated": with `judged_by`, `of` (pairs with a known truth) and `filter`,
      what the recipe's own filter gained, see `trial.at_filter`).
    - `drift`: by model after the first, `sources`: `trial.drift` of its scores of M_0's answers.
    - `self_preference`: by model after the first, `trial.self_preference` over the whole exam.
    """
    exam = _Exam(run)
    entries = sorted({step.iteration for step in run.due})
    models = [{"iteration": t, "sources": sources} for t in entries if (sources := _sources(exam, t))]
    if not models:
        return None
    made: dict[str, Any] = {
        "questions": exam.sizes,
        "models": models,
        "drift": list(_drifts(exam)),
        "self_preference": list(_preferences(exam)),
    }
    return {"headline": headline(made), "sentences": judgement(made), **made}


def _sources(exam: _Exam, t: int) -> dict[str, Any]:
    """The figures of M_t as a judge, by source."""
    own = exam.cases("exam_own", judge=t, author=t)
    made: dict[str, Any] = {source: separation(list(cases.values())) for source, cases in own.items()}
    generated = _generated(exam.run, t)
    return {**made, "generated": generated} if generated else made


# ---------------------------------------------------------------- the exam


class _Exam:
    """The exam of a run, as far as it is done. An answer's cluster is its question."""

    def __init__(self, run: Run) -> None:
        self.run = run
        made = run.named("exam").get(0)
        self.graded = {c.id: c for c in made.read(Constraint)} if made else {}
        #: M_t's answers by question, and whether they are right.
        self.answers = {t: {p.id: p for p in a.read(Pair)} for t, a in run.named("exam_responses").items()}
        self.right = {
            t: {id: grade(self.graded[id], pair) for id, pair in pairs.items() if id in self.graded}
            for t, pairs in self.answers.items()
        }
        #: Judging step -> judge -> readable mean scores by question.
        self.scores = {
            name: {t: mean_scores(a.read(Verdict)) for t, a in run.named(name).items()}
            for name in ("exam_own", "exam_first", "exam_base")
        }

    @property
    def sizes(self) -> dict[str, int]:
        """How many questions of each source."""
        return dict(Counter(map(_source, self.graded.values())))

    @property
    def later(self) -> list[int]:
        """The models after the first that have answered."""
        return sorted(t for t in self.answers if t and 0 in self.answers)

    def cases(self, name: str, *, judge: int, author: int) -> Sources:
        """What step `name` of M_`judge` made of M_`author`'s answers, by source and question."""
        scores, made = self.scores[name].get(judge), Sources((source, {}) for source in SOURCES)
        if scores is None:
            return {}
        for id, right in self.right.get(author, {}).items():
            case = Case(scores.get(id), right, len(self.answers[author][id].response), id)
            made[_source(self.graded[id])][id] = case
        return {source: cases for source, cases in made.items() if cases}


def _source(constraint: Constraint) -> str:
    return SOURCES[not constraint.answers]


def _drifts(exam: _Exam) -> Iterator[dict[str, Any]]:
    first = exam.cases("exam_own", judge=0, author=0)
    for t in exam.later:
        now = exam.cases("exam_first", judge=t, author=0)
        sources = {source: drift(cases, first[source]) for source, cases in now.items() if source in first}
        if sources:
            yield {"iteration": t, "sources": sources}


def _preferences(exam: _Exam) -> Iterator[dict[str, Any]]:
    for t in exam.later:
        steps = (("exam_own", t), ("exam_first", t), ("exam_base", t), ("exam_own", 0))
        found = [scores for name, judge in steps if (scores := exam.scores[name].get(judge)) is not None]
        if len(found) < len(steps):
            continue
        own, other, own_by_base, other_by_base = found
        duels = [
            Duel(
                own=own.get(id),
                other=other.get(id),
                own_by_base=own_by_base.get(id),
                other_by_base=other_by_base.get(id),
                right=right,
                other_right=exam.right[0][id],
                same=exam.answers[t][id].response == exam.answers[0][id].response,
                cluster=id,
            )
            for id, right in exam.right[t].items()
            if id in exam.right[0]
        ]
        yield {"iteration": t, **self_preference(duels)}


# ---------------------------------------------------------------- generated pairs


def _generated(run: Run, t: int) -> dict[str, Any] | None:
    """The judge of iteration t on the pairs M_t wrote, before any filter; None where nobody knows what is right."""
    from isheep.report.summary import pairs_of, truth_of  # here, as the summary is what asks for this

    truth, judged = truth_of(run.recipe.report.truth), run.named("assessment").get(t)
    if truth is None or judged is None:
        return None
    scores = mean_scores(judged.read(Verdict))
    if not scores:
        return None
    known = {
        p.id: (p, right)
        for p in pairs_of(run, t)
        if (right := truth(p.instruction, p.input, p.response)) is not None
    }
    cases = {
        id: Case(scores.get(id), right, len(pair.response), _question(pair))
        for id, (pair, right) in known.items()
    }
    return {
        **separation(_part(list(cases.values()))),
        "judged_by": 0 if run.recipe.assessment.judge == "base" else t,
        "of": len(cases),
        "filter": _filtered(run, t, cases),
    }


def _question(pair: Pair) -> str:
    """What makes answers depend on one another: the same request, or the same conversation."""
    return pair.history[0] if pair.history else request(pair.instruction, pair.input)


def _part(cases: Sequence[Case]) -> list[Case]:
    """All, or about MOST_PAIRS of them: whole questions, drawn by their hash."""
    if len(cases) <= MOST_PAIRS:
        return list(cases)
    limit = MOST_PAIRS / len(cases)
    return [case for case in cases if _place(case.cluster) < limit]


def _place(text: str) -> float:
    """Where a text falls in 0..1."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:7], "big") / 2**56


def _filtered(run: Run, t: int, cases: Mapping[str, Case]) -> dict[str, Any] | None:
    made = run.named("filter").get(t)
    if made is None:
        return None
    kept = {d.id: d.kept for d in made.read(Decision) if d.id in cases}
    return at_filter(
        np.array([float(k) for k in kept.values()]),
        np.array([float(cases[id].right) for id in kept]),
        [cases[id].cluster for id in kept],
        seed=0,
    )
