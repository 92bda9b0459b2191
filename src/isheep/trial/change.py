"""How a judge changes: its drift on frozen answers, and whether it prefers its own to another's.

Knows: the scores of two judges on the same answers, and truths. Everything is paired by question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isheep.stats import clustered_difference
from isheep.trial.cases import SCALE, Case, Cell, Columns, auroc, estimates, spearman
from isheep.trial.separation import LEAST, TOP, mean_cell, missing, widened

#: The most a difference of two differences of scores can be, either way.
_REACH = 2 * (SCALE[1] - SCALE[0])


def drift(now: Mapping[str, Case], first: Mapping[str, Case], seed: int = 0) -> dict[str, Any]:
    """The same answers by id, scored by M_t (`now`) and by M_0 (`first`), where both have a readable score.

    `n`; `mean`, `top` (share of top scores) and `auroc` of M_t; `mean_change` and `auroc_change` from M_0, paired;
    `rank_correlation` of the two judges' scores; `missing`: why there is no AUROC, or None. What would rest on too
    little is None.
    """
    both = [id for id in first if id in now and now[id].score is not None and first[id].score is not None]
    cases = [now[id] for id in both]
    new, old = Columns.of(cases), Columns.of([first[id] for id in both])
    made: dict[str, Any] = {
        "n": len(both),
        "missing": missing(cases, new),
        "mean": mean_cell(new.score.tolist(), new.clusters, SCALE),
        "top": float((new.score >= TOP).mean()) if both else None,
        "mean_change": _difference(new, old),
        "rank_correlation": None,
        "auroc": None,
        "auroc_change": None,
    }
    if made["mean"] is None:
        return made
    statistics = {"rank_correlation": spearman(new.score, old.score)}
    if made["missing"] is None:
        after, before = auroc(new.score, new.right), auroc(old.score, old.right)
        statistics |= {"auroc": after, "auroc_change": lambda w: after(w) - before(w)}
    made |= estimates(statistics, new.clusters, seed)
    return {**made, "auroc": widened(made["auroc"], new.score, new)}


def _difference(new: Columns, old: Columns) -> Cell | None:
    if len(set(new.clusters)) < LEAST:
        return None
    found = clustered_difference(new.score.tolist(), old.score.tolist(), new.clusters, SCALE)
    return {"value": found.value, "n": found.n, "ci_low": found.low, "ci_high": found.high}


# ---------------------------------------------------------------- self-preference


@dataclass(frozen=True, slots=True)
class Duel:
    """One question, answered by M_t and by M_0, both answers scored by both; None is unreadable."""

    #: M_t's scores: of its own answer, and of M_0's.
    own: float | None
    other: float | None
    #: M_0's scores of the same two answers: of M_t's, and of its own.
    own_by_base: float | None
    other_by_base: float | None
    #: Whether M_t's answer is right, and M_0's.
    right: bool
    other_right: bool
    #: Whether the two answers are the same text: then there is nothing to prefer.
    same: bool
    cluster: str

    @property
    def preference(self) -> float | None:
        """How much more M_t likes its own answer than M_0 likes it: a difference of differences, in points."""
        if None in (self.own, self.other, self.own_by_base, self.other_by_base):
            return None
        assert self.own is not None
        assert self.other is not None
        assert self.own_by_base is not None
        assert self.other_by_base is not None
        return (self.own - self.other) - (self.own_by_base - self.other_by_base)


def self_preference(duels: Sequence[Duel]) -> dict[str, Any]:
    """`all`: the mean preference over the questions whose two answers differ and are fully scored, with its interval;
    `equal`: over those of them where both answers are right or both wrong. None with fewer than LEAST.

    `questions`, `same` (answers) and `unreadable` say what was left out. Positive: M_t scores its own answers higher,
    relative to M_0's, than M_0 does. That M_t's answers are better or worse cancels, as both judge the same two; so
    does a judge that is kind to all. What is left may still be skill: where M_t answers better and knows it better than
    M_0 does, `all` rises and `equal` does not.
    """
    apart = [duel for duel in duels if not duel.same]
    scored = [(duel, value) for duel in apart if (value := duel.preference) is not None]
    return {
        "questions": len(duels),
        "same": len(duels) - len(apart),
        "unreadable": len(apart) - len(scored),
        "all": _mean(scored),
        "equal": _mean([(duel, value) for duel, value in scored if duel.right == duel.other_right]),
    }


def _mean(scored: Sequence[tuple[Duel, float]]) -> Cell | None:
    return mean_cell([value for _, value in scored], [duel.cluster for duel, _ in scored], (-_REACH, _REACH))
