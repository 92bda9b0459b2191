"""The quality of the data by iteration, for people: one table and small plots (what is asked for: verb_view.py).

Knows: `quality` of a summary (what quality.quality gives) and the entries it stands beside. In every cell and plot
`all` is every answer of an iteration, `kept` those that are trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from isheep.report.chart import PERCENT, PLAIN
from isheep.report.charts import Point, Series, Unit
from isheep.report.figures import Figure, duplicate_share
from isheep.report.markup import Html, el
from isheep.report.multiples import Half, halves, spans
from isheep.report.numbers import NONE, count, fixed, number, percent, share
from isheep.report.quality import GROUPS, LEAST_PAIRS, SCALES
from isheep.report.tables import Table
from isheep.report.verb_view import arrow, verb_table
from isheep.text.overlap import DEFAULT_THRESHOLD

Entry = Mapping[str, Any]
#: Reads a figure from a set, `all` or `kept` of an entry; None where it has none.
Read = Callable[[Entry], Any]
#: Part of a pair -> what one of them is called.
PARTS: Mapping[str, str] = {"instructions": "task", "responses": "answer"}


def quality_section(summary: Entry) -> Iterator[Html | Figure | Table]:
    """A lead, the table, plots for a grid of three; what is asked for has a part of its own (verb_view). Nothing where
    nothing was answered yet."""
    found = summary.get("quality")
    if found and found["iterations"]:
        yield el("p", _size_words(found), cls="lead")
        yield quality_table(summary)
        yield from quality_figures(found)


def _size_words(found: Entry) -> str:
    said = (
        "Arrows lead from all answers of an iteration to those kept. Duplicates are near ones, of task and answer "
        f"together: a ROUGE-L F1 above {DEFAULT_THRESHOLD:g}."
    )
    if found["size"] is None:
        return f"{said} No set has {LEAST_PAIRS} pairs: too few to compare how varied they are."
    return (
        f"{said} What grows or shrinks with the number of texts alone is taken at one size in all columns (in "
        f"brackets; the smallest set has {count(found['size'])} pairs), so that they can be compared."
    )


# ---------------------------------------------------------------- the table


def quality_tables(summary: Entry) -> list[Table]:
    """The figures by iteration, and the verbs and nouns behind the sunbursts; none where nothing was answered yet."""
    found = summary.get("quality")
    return [quality_table(summary), verb_table(found)] if found and found["iterations"] else []


def quality_table(summary: Entry) -> Table:
    """A column for each iteration, a line for each figure; lines nobody has are left out."""
    found = summary["quality"]
    entries = found["iterations"]
    beside = [{e["iteration"]: e for e in summary["iterations"]}.get(e["iteration"]) for e in entries]
    rows = [("kept of answers", [share(e["kept_share"]) for e in entries])]
    rows += [(name, [arrow(e, read, show) for e in entries]) for name, read, show in _lines(found)]
    rows += [
        ("duplicates of all kept earlier", [_reviewed(e) for e in beside]),
        ("tasks refused as duplicates", [percent(duplicate_share(e)) if e else NONE for e in beside]),
    ]
    there = tuple((name, *cells) for name, cells in rows if any(cell != NONE for cell in cells))
    columns = ("", *(f"iteration {e['iteration']}" for e in entries))
    return Table("The data of each iteration: all answers → those kept", columns, there)


def _lines(found: Entry) -> Iterator[tuple[str, Read, Callable[[Any], str]]]:
    """Name, how to read it from a set, and how to write it."""
    for scale in SCALES:
        yield f"{scale} score, mean", read_at("scores", scale), lambda cell: fixed(cell["mean"])
    for part, name in PARTS.items():
        yield f"words per {name} (quartiles)", read_at("words", part), _quartiles
    for part, name in PARTS.items():
        for n, gram in (("1", "words"), ("2", "bigrams")):
            budget = count(found["budgets"].get(f"{part}/{n}"))
            yield f"distinct {gram}, {name}s (of {budget})", read_at("distinct", part, n), percent
    for part, name in PARTS.items():
        yield f"likeness of two {name}s", read_at("likeness", part), fixed
    size = count(found["copies_size"])
    yield f"duplicates (of {size})", read_at("near_duplicates", "within"), percent
    yield f"duplicates of before (of {size})", read_at("near_duplicates", "before"), percent
    yield f"kinds of task (of {count(found['size'])})", read_at("spread"), lambda value: fixed(value, 1)


def read_at(*path: str) -> Read:
    """Reads what lies there in a set."""

    def read(group: Entry) -> Any:
        found: Any = group
        for name in path:
            found = found[name]
        return found

    return read


def _quartiles(cell: Entry) -> str:
    return f"{number(cell['median'], 1)} ({number(cell['q1'], 1)} to {number(cell['q3'], 1)})"


def _reviewed(entry: Entry | None) -> str:
    """As the review measured it, against everything kept so far."""
    measures = entry["review"]["measures"] if entry and entry["review"] else {}
    return percent(measures.get("near_duplicates_earlier", {}).get("value"))


# ---------------------------------------------------------------- small multiples


def quality_figures(found: Entry) -> Iterator[Figure]:
    """A small plot for each figure, all with the same columns; those that nobody has are left out."""
    entries = found["iterations"]
    if any(e["kept_share"] for e in entries):
        points = [_interval(e["kept_share"]) for e in entries]
        note = "95 % Wilson intervals."
        yield _plot(entries, "kept", "Kept of all answers", [Series("kept", points, 2)], PERCENT, note)
    yield from _score_figures(entries)
    for part, name in PARTS.items():
        series = _series(entries, read_at("words", part), _box)
        note = "Median, and the middle half of all."
        yield _plot(entries, f"words-{part}", f"Words per {name}", series, PLAIN, note)
    for slug, title, read, unit, note in _single(found):
        series = _series(entries, read, _dot)
        if any(point for one in series for point in one.points):
            yield _plot(entries, slug, title, series, unit, note)


def _single(found: Entry) -> Iterator[tuple[str, str, Read, Unit, str]]:
    """Figures without a spread: slug, title, how to read and to write it, and what it is."""
    size = count(found["size"])
    note = f"Effective number among {size} tasks: 1 all alike, {size} all different."
    yield "spread", "Kinds of task (verb and noun)", read_at("spread"), PLAIN, note
    for part, name in PARTS.items():
        note = f"Of {count(found['budgets'].get(f'{part}/2'))} bigrams."
        yield (
            f"distinct-{part}",
            f"Distinct bigrams in {name}s",
            read_at("distinct", part, "2"),
            PERCENT,
            note,
        )
    for part, name in PARTS.items():
        note = "Mean ROUGE-L F1 of random pairs: 0 nothing in common, 1 equal."
        yield f"likeness-{part}", f"Likeness of two {name}s", read_at("likeness", part), PLAIN, note
    size = count(found["copies_size"])
    note = f"Pairs close to another (ROUGE-L F1 above {DEFAULT_THRESHOLD:g}), of {size}."
    yield "within", "Duplicates", read_at("near_duplicates", "within"), PERCENT, note
    title, note = "Duplicates of the iteration before", f"{size} pairs against as many."
    yield "before", title, read_at("near_duplicates", "before"), PERCENT, note


def _columns(entries: Sequence[Entry]) -> list[str]:
    return [str(e["iteration"]) if len(entries) > 6 else f"it. {e['iteration']}" for e in entries]


def _plot(
    entries: Sequence[Entry], slug: str, title: str, series: Sequence[Series], unit: Unit, note: str
) -> Figure:
    columns = _columns(entries)
    said = "; ".join(
        f"{column}: {', '.join(p.hover for s in series if (p := s.points[i])) or 'not known'}"
        for i, column in enumerate(columns)
    )
    return Figure(title, spans(f"quality-{slug}", title, said, columns, series, unit), note)


def _series(entries: Sequence[Entry], read: Read, point: Callable[[Any], Point | None]) -> list[Series]:
    """`all` and `kept`, where there are any."""
    made = []
    for look, group in zip((0, 2), GROUPS, strict=True):
        points = [point(read(e[group])) if e[group] else None for e in entries]
        points = [p and Point(p.value, p.low, p.high, f"{group} {p.hover}") for p in points]
        if any(points):
            made.append(Series(group, points, look))
    return made


def _box(cell: Entry | None) -> Point | None:
    return Point(cell["median"], cell["q1"], cell["q3"], _quartiles(cell)) if cell else None


def _dot(value: float | None) -> Point | None:
    return None if value is None else Point(value, value, value, fixed(value, 3))


def _interval(cell: Entry | None) -> Point | None:
    return Point(cell["value"], cell["ci_low"], cell["ci_high"], share(cell)) if cell else None


def _score_figures(entries: Sequence[Entry]) -> Iterator[Figure]:
    columns = _columns(entries)
    for scale in SCALES:
        cells = [(_half(e, "all", scale), _half(e, "kept", scale)) for e in entries]
        if not any(half for cell in cells for half in cell):
            continue
        title = f"Scores for {scale}"
        said = "; ".join(
            f"{column}: {', '.join(f'{h.name} mean {h.mean:.2f}' for h in cell if h) or 'not known'}"
            for column, cell in zip(columns, cells, strict=True)
        )
        plot = halves(f"quality-{scale}", title, said, columns, cells, GROUPS)
        yield Figure(
            title, plot, "Share of each score, all answers to the left, kept to the right; triangles: means."
        )


def _half(entry: Entry, group: str, scale: str) -> Half | None:
    cell = entry[group] and entry[group]["scores"][scale]
    return Half(group, cell["histogram"], cell["mean"]) if cell else None
