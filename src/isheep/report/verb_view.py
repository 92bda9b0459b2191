"""What the tasks of a run ask for, for people: a sunburst of verbs and nouns by iteration, and the same in a table.

Knows: `verbs` of the sets of `quality`. Does not know: how verbs are found, nor how a sunburst is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from isheep.report.figures import Figure, model_name
from isheep.report.markup import Html, el
from isheep.report.numbers import NONE, count, percent
from isheep.report.quality import GROUPS, NOUNS, VERBS
from isheep.report.sunburst import Slice, sunburst
from isheep.report.tables import Table

Entry = Mapping[str, Any]
#: (verb, noun), or (verb, "") for a verb with whatever noun.
Name = tuple[str, str]
#: Iterations whose sunbursts are drawn, the first and the last among them; more would be a page of their own.
DRAWN = 6


def verb_section(summary: Entry) -> Iterator[Html | Figure | Table]:
    """Heading, lead, sunbursts for a grid of two, and their table. Nothing where nothing was answered yet."""
    found = summary.get("quality")
    if not found or not found["iterations"]:
        return
    yield el("h3", "What is asked for", cls="part")
    yield el(
        "p",
        "Inside the verb of a task (of a question: its first word), outside the noun it acts on, both guessed from the "
        f"order of words. The {VERBS} most frequent verbs, and the {NOUNS} most frequent nouns of each.",
        cls="lead",
    )
    yield from verb_figures(found)
    yield verb_table(found)


def verb_figures(found: Entry) -> Iterator[Figure]:
    """By iteration: a sunburst of all tasks, and one of those kept unless that is all. A verb has one colour in all."""
    weight = _weights(found)
    looks = {
        verb: look for look, (verb, _) in enumerate(_first((name for name in weight if not name[1]), weight))
    }
    for entry in spaced(found["iterations"], DRAWN):
        t = entry["iteration"]
        for group in GROUPS:
            cell = entry[group] and entry[group]["verbs"]
            if not cell or not cell["total"] or (group == "kept" and cell["total"] == entry["all"]["pairs"]):
                continue
            slices = [Slice(verb, n, nouns, looks.get(verb, 0)) for verb, n, nouns in cell["verbs"]]
            title = f"Iteration {t}, {'tasks kept' if group == 'kept' else 'all tasks'}"
            plot = sunburst(
                f"verbs-{t}-{group}", title, slices, cell["total"], "tasks", most=VERBS, parts=NOUNS
            )
            yield Figure(title, plot, f"Written by {model_name(t)}.")


def spaced(items: Sequence[Entry], most: int) -> list[Entry]:
    """At most `most` (2 or more) of the items, evenly spaced from the first to the last."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def verb_table(found: Entry) -> Table:
    """The most frequent verbs of the run, each with its nouns: count and share by iteration, all → kept."""
    entries, weight = found["iterations"], _weights(found)
    rows = []
    for verb, _ in _first((name for name in weight if not name[1]), weight)[:VERBS]:
        nouns = _first((name for name in weight if name[0] == verb and name[1]), weight)[:NOUNS]
        for name in ((verb, ""), *nouns):
            cells = [arrow(e, _reader(name), _counted) for e in entries]
            rows.append((f"{verb} · {name[1]}" if name[1] else verb, *cells))
    columns = ("verb · noun", *(f"iteration {e['iteration']}" for e in entries))
    return Table("Verbs and nouns of the tasks: all → kept", columns, tuple(rows))


def _weights(found: Entry) -> dict[Name, float]:
    """The share of a verb, or of a verb with a noun, among the tasks of each iteration, summed."""
    weight: dict[Name, float] = {}
    for e in found["iterations"]:
        for name, n in _counts(e["all"]).items():
            weight[name] = weight.get(name, 0.0) + n / e["all"]["pairs"]
    return weight


def _first(names: Iterable[Name], weight: Mapping[Name, float]) -> list[Name]:
    return sorted(names, key=lambda name: (-weight[name], name))


def _counts(group: Entry) -> dict[Name, int]:
    found: dict[Name, int] = {}
    for verb, n, nouns in group["verbs"]["verbs"]:
        found[verb, ""] = n
        found |= {(verb, noun): m for noun, m in nouns}
    return found


def _reader(name: Name) -> Callable[[Entry], tuple[int, int]]:
    return lambda group: (_counts(group).get(name, 0), group["pairs"])


def _counted(cell: tuple[int, int]) -> str:
    n, total = cell
    return f"{count(n)} ({percent(n / total)})" if total else NONE


def arrow(entry: Entry, read: Callable[[Entry], Any], show: Callable[[Any], str]) -> str:
    """A cell "all → kept" of an entry, without the arrow while nothing is filtered; "–" where neither is known."""
    values = [read(entry[group]) for group in GROUPS if entry[group] is not None]
    return (
        " → ".join(NONE if v is None else show(v) for v in values)
        if any(v is not None for v in values)
        else NONE
    )
