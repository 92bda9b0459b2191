"""Which plots a comparison holds, and which of its figures go into each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isheep.compare.charts import Branch, Step, climb, forest
from isheep.compare.outcomes import Cell
from isheep.compare.results import Comparison, Level, Result
from isheep.compare.words import difference, model, p_value, sign, standing
from isheep.report.charts import Point
from isheep.report.figures import Figure, model_name
from isheep.report.numbers import percent
from isheep.report.verdict import DECODING_WORDS
from isheep.stats import Difference

#: What `sign` says -> the class that colours it.
LOOKS = {1: "better", -1: "worse", 0: "even"}
#: The axis of scores never shows less.
LEAST_SPAN = 0.3
_NOTE = "95 % intervals over seeds and prompts; p after Holm's correction. Small dots are single seeds."


def difference_figures(comparison: Comparison) -> list[Figure]:
    """By test and decoding: every arm against the reference."""
    rows = [
        (r, r.difference, r.difference_by_seed, r.p_holm, standing(r))
        for r in comparison.results
        if r.difference
    ]
    return _forests(comparison, "difference", f"difference to {comparison.reference}", rows)


def gain_figures(comparison: Comparison) -> list[Figure]:
    """By test and decoding: every arm against its own base model."""
    rows = []
    for r in comparison.results:
        if r.gain:
            by_seed = tuple(a - b for a, b in zip(r.score_by_seed, r.base_by_seed, strict=True))
            rows.append((r, r.gain, by_seed, r.gain_p_holm, sign(r.gain, r.gain_p_holm)))
    return _forests(comparison, "gain", "gain over its own base model", rows)


Line = tuple[Result, Difference, tuple[float, ...], float | None, int | None]


def _forests(comparison: Comparison, slug: str, what: str, rows: Sequence[Line]) -> list[Figure]:
    several = len({r.iteration for r in comparison.results}) > 1
    made = []
    for number, cell in enumerate(comparison.cells()):
        branches = []
        for r, found, by_seed, p, look in rows:
            if (r.task, r.decoding) == cell:
                name = f"{r.arm}, {model(r)}" if several else r.arm
                said = difference(found)
                point = Point(found.value, found.low, found.high, f"{name}: {said} points")
                branches.append(Branch(name, point, by_seed, f"{said}, p {p_value(p)}", LOOKS[look or 0]))
        if branches:
            title = f"{_named(cell)}: {what}"
            said = "; ".join(f"{branch.name}: {branch.note}" for branch in branches)
            plot = forest(f"{slug}-{number}", title, said, branches)
            made.append(Figure(title, plot, _NOTE))
    return made


def climb_figures(comparison: Comparison, cell: Cell) -> list[Figure]:
    """A panel for each arm with the score of every model; all panels share one axis."""
    levels = [level for level in comparison.levels if (level.task, level.decoding) == cell]
    spread = [v for level in levels for v in (level.score.low, level.score.high, *level.score_by_seed)]
    pad = max(0.02, (LEAST_SPAN - (max(spread) - min(spread))) / 2)
    limits = (max(0.0, min(spread) - pad), min(1.0, max(spread) + pad))
    reference = {level.iteration: level.score.value for level in levels if level.arm == comparison.reference}
    made = []
    for number, arm in enumerate(dict.fromkeys(level.arm for level in levels)):
        ghosts = {} if arm == comparison.reference else reference
        steps = [_step(level, ghosts) for level in levels if level.arm == arm]
        title = f"{arm}: {_named(cell)}"
        name = f"climb-{comparison.cells().index(cell)}-{number}"
        said = "; ".join(step.point.hover for step in steps)
        made.append(Figure(title, climb(name, title, said, steps, limits)))
    return made


def _step(level: Level, ghosts: Mapping[int, float]) -> Step:
    s, name = level.score, model_name(level.iteration)
    hover = f"{name}: {percent(s.value)} ({100 * s.low:.1f} to {100 * s.high:.1f}), seeds: {s.seeds}"
    point = Point(s.value, s.low, s.high, hover)
    return Step(f"M{level.iteration}", point, level.score_by_seed, ghosts.get(level.iteration))


def _named(cell: Cell) -> str:
    return f"{cell[0]}, {DECODING_WORDS.get(cell[1], cell[1])}"
