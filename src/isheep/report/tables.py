"""The tables of a report, once for the page and for Markdown: the same figures in both, all from the summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isheep.report.figures import duplicate_share, model_name, stages_of, tested_cells
from isheep.report.numbers import NONE, count, duration, fixed, gain, number, percent, share, short_count
from isheep.report.verdict import DECODING_WORDS, gain_of, score_of
from isheep.text.rules import INSTRUCTION_RULES, RESPONSE_RULES

Entry = Mapping[str, Any]

#: What a reason means; the rules bring their own words.
REASONS: Mapping[str, str] = {
    "instructions/near_duplicate": "too close to a seed task or to one written before",
    "instructions/over_count": "written after enough new tasks were kept",
    "instructions/cut": "the token limit came before its end",
    "instructions/numbering": "its number does not follow the one before",
    "instructions/empty": "a number without a task",
    "instructions/format": "without its label, or with several inputs",
    "filter/held_out": "is one of the test prompts, never to be trained on",
    "filter/not_in_best": "below the share of best-scored answers that is kept",
    "filter/not_drawn": "not drawn (the control that keeps at random)",
    "filter/low_quality": "quality score not above the threshold",
    "filter/low_following": "instruction-following score not above the threshold",
    "filter/unreadable_quality": "no quality score could be read",
    "filter/unreadable_following": "no instruction-following score could be read",
}


@dataclass(frozen=True)
class Table:
    """Text cells; the first column names the row. `numeric`: the others are figures, set to the right."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: bool = True


def score_tables(summary: Entry) -> list[Table]:
    """By task: every model, and the base model in every layout it was tried in."""
    cells = tested_cells(summary)
    return [
        _score_table(summary, task, [d for t, d in cells if t == task])
        for task in dict.fromkeys(t for t, _ in cells)
    ]


def _score_table(summary: Entry, task: str, decodings: Sequence[str]) -> Table:
    columns = ["model", "layout"]
    for d in decodings:
        columns += [f"right, {DECODING_WORDS.get(d, d)}", "gain in points", "ends itself"]
    rows = []
    for entry in summary["iterations"]:
        mine = [s for s in entry["scores"] if s["task"] == task]
        for layout in dict.fromkeys(s["layout"] for s in mine):
            row = [model_name(entry["iteration"]), layout]
            for d in decodings:
                here = {s["metric"].partition("_")[0]: s for s in mine if _is(s, d, layout)}
                best = score_of(entry, task, d)
                headline = best is not None and best["layout"] == layout
                gained = gain_of(entry, task, d) if headline else None
                row += [share(here.get("accuracy")), gain(gained), _value(here.get("ended"))]
            rows.append(tuple(row))
    return Table(f"Scores on {task}, with 95 % intervals", tuple(columns), tuple(rows))


def _is(score: Entry, decoding: str, layout: str) -> bool:
    _, _, name = score["metric"].partition("@")[0].partition("_")
    return bool(name == decoding and score["layout"] == layout)


def _value(cell: Entry | None) -> str:
    return percent(cell["value"]) if cell else NONE


#: Line of the iteration table -> (the step it needs, how to read it from an entry). Not done is "–", never 0.
_LINES: tuple[tuple[str, str, Callable[[Entry], str]], ...] = (
    ("candidates written", "instructions", lambda e: count(e["candidates"])),
    ("new tasks", "instructions", lambda e: count(e["instructions"])),
    ("near-duplicates", "instructions", lambda e: percent(duplicate_share(e))),
    ("answers", "responses", lambda e: count(e["responses"])),
    ("kept", "filter", lambda e: count(e["kept"])),
    ("kept of answers", "filter", lambda e: percent(e["kept"] / e["responses"]) if e["responses"] else NONE),
    ("right, of all answers", "responses", lambda e: share(e["assessment"].get("right"))),
    ("right, of kept answers", "filter", lambda e: share(e["assessment"].get("right_kept"))),
    ("judge's AUROC", "assessment", lambda e: fixed(e["assessment"]["auroc"])),
    ("mean score", "assessment", lambda e: fixed(e["assessment"]["mean"])),
    ("unreadable scores", "assessment", lambda e: count(e["assessment"]["unreadable"])),
    ("median words, all", "responses", lambda e: number(_length(e, "all", "median"), 1)),
    ("median words, kept", "filter", lambda e: number(_length(e, "kept", "median"), 1)),
    ("at most 3 words, all", "responses", lambda e: percent(_length(e, "all", "short"))),
    ("at most 3 words, kept", "filter", lambda e: percent(_length(e, "kept", "short"))),
    ("trained on pairs", "train", lambda e: count(e["train"]["pairs"])),
    ("training steps", "train", lambda e: count(e["train"]["steps"])),
    ("training loss", "train", lambda e: _losses(e)),
    ("tokens", "", lambda e: short_count(sum(e["tokens"].values()))),
    ("time", "", lambda e: duration(sum(e["seconds"].values()))),
)


def iteration_table(summary: Entry) -> Table:
    """One column a model: how it was trained, and what it then wrote and kept. Lines nobody has are left out."""
    entries = summary["iterations"]
    rows = []
    for name, stage, read in _LINES:
        cells = [read(e) if not stage or stage in e["keys"] else NONE for e in entries]
        if any(cell != NONE for cell in cells):
            rows.append((name, *cells))
    names = tuple(model_name(e["iteration"]) for e in entries)
    return Table("What each model wrote, judged, kept and was trained on", ("", *names), tuple(rows))


def _length(entry: Entry, which: str, field: str) -> float | None:
    found = entry["lengths"][which]
    return found[field] if found else None


def _losses(entry: Entry) -> str:
    losses = entry["train"]["losses"]
    return f"{losses[0][1]:.3f} → {losses[-1][1]:.3f}" if losses else NONE


def meaning(reason: str) -> str:
    """What "<stage>/<reason>" means, in a few words; empty where nobody says."""
    stage, _, name = reason.partition("/")
    if reason in REASONS:
        return REASONS[reason]
    rules: Mapping[str, Any] = INSTRUCTION_RULES if stage == "instructions" else RESPONSE_RULES
    return rules[name].why if name in rules else ""


def dropped_table(summary: Entry) -> Table | None:
    """Why records were dropped, by iteration."""
    entries = [e for e in summary["iterations"] if e["dropped"]]
    reasons = {reason for e in entries for reason in e["dropped"]}
    if not reasons:
        return None
    total = {r: sum(e["dropped"].get(r, 0) for e in entries) for r in reasons}
    order = sorted(reasons, key=lambda r: (not r.startswith("instructions/"), -total[r], r))
    rows = tuple(
        (r.replace("/", ": ", 1), *(count(e["dropped"].get(r, 0)) for e in entries), meaning(r))
        for r in order
    )
    names = tuple(f"iteration {e['iteration']}" for e in entries)
    return Table("Why records were dropped", ("reason", *names, "meaning"), rows)


def cost_table(summary: Entry) -> Table | None:
    """Time and tokens by stage and model."""
    entries = summary["iterations"]
    stages = stages_of(summary, "seconds")
    if not stages:
        return None
    rows = [(s, *(_cost(e["seconds"].get(s), e["tokens"].get(s)) for e in entries)) for s in stages]
    whole = [_cost(sum(e["seconds"].values()), sum(e["tokens"].values())) for e in entries]
    names = tuple(model_name(e["iteration"]) for e in entries)
    return Table("Time and tokens by stage", ("stage", *names), (*rows, ("all", *whole)))


def _cost(seconds: float | None, tokens: int | None) -> str:
    return NONE if seconds is None else f"{duration(seconds)}, {short_count(tokens)}"
