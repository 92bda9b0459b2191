"""The tables of a report, once for the page and for Markdown: the same figures in both, all from the summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isheep.report.figures import duplicate_share, model_name, stages_of, tested_cells
from isheep.report.numbers import (
    NONE,
    count,
    duration,
    energy,
    fixed,
    gain,
    large,
    number,
    percent,
    share,
    short_count,
)
from isheep.report.verdict import DECODING_WORDS, gain_of, score_of
from isheep.text.released import ALL_INSTRUCTION_RULES, ALL_RESPONSE_RULES

Entry = Mapping[str, Any]

#: What a reason means; the rules bring their own words.
REASONS: Mapping[str, str] = {
    "instructions/near_duplicate": "too close to a seed task or to one written before",
    "instructions/over_count": "written after enough new tasks were kept",
    "instructions/cut": "the token limit came before its end",
    "instructions/numbering": "its number does not follow the one before",
    "instructions/empty": "a number without a task",
    "instructions/format": "without its label, or with several inputs",
    "instructions/too_long": "its prompt left no room for a list",
    "filter/contaminated": "shares a run of words with a benchmark",
    "filter/held_out": "is one of the test prompts, never to be trained on",
    "filter/not_in_best": "below the share of best-scored answers that is kept",
    "filter/not_drawn": "not drawn (the control that keeps at random)",
    "filter/low_quality": "quality score not above the threshold",
    "filter/low_following": "instruction-following score not above the threshold",
    "filter/unreadable_quality": "no quality score could be read",
    "filter/unreadable_following": "no instruction-following score could be read",
    "filter/too_long": "its prompt left no room for an answer",
    "filter/wrong": "known to be wrong",
    "filter/unknown_truth": "nobody knows whether it is right",
    "filter/high_ppl_response": "the model finds the answer improbable",
    "filter/high_ppl_pair": "the model finds task and answer improbable",
    "filter/no_perplexity": "too long, or empty: no perplexity",
    "filter/near_duplicate": "too close to a pair that was kept",
    "filter/same_cluster": "others of its cluster were kept",
    "filter/earlier_turn": "an earlier turn of its conversation was dropped",
    "filter/over_match": "beyond the count of the arm it is matched with",
    "preferences/contaminated": "its instruction shares a run of words with a benchmark",
    "preferences/held_out": "is one of the test prompts, never to be trained on",
    "preferences/too_few_answers": "no two answers that are finished and scored",
    "preferences/same_answer": "best and worst are the same text",
    "preferences/small_gap": "best and worst score too much alike",
    "preferences/over_max_pairs": "beyond preferences.max_pairs",
    "followups/unfinished": "the token limit came before its end",
    "followups/too_long": "its prompt left no room for a follow-up",
    "followups/repeats": "says again what was said before",
}


class Marked(str):
    """A cell with a colour: `look` is good or bad. Its text says the same, for who sees no colour."""

    look: str

    def __new__(cls, text: str, look: str) -> Marked:
        made = super().__new__(cls, text)
        made.look = look
        return made


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
    ("training loss", "train", lambda e: _losses(e["train"])),
    ("trained on preferences", "prefer", lambda e: count(e["prefer"]["pairs"])),
    ("steps on preferences", "prefer", lambda e: count(e["prefer"]["steps"])),
    ("loss on preferences", "prefer", lambda e: _losses(e["prefer"])),
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
        if name == "kept":
            rows += _turn_rows(entries)
    names = tuple(model_name(e["iteration"]) for e in entries)
    return Table("What each model wrote, judged, kept and was trained on", ("", *names), tuple(rows))


def _turn_rows(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Answers and kept ones of each turn, where conversations go on for more than one."""
    turns = sorted({turn["turn"] for e in entries for turn in e["turns"]})
    rows = []
    for number_ in turns if len(turns) > 1 else ():
        found = [next((turn for turn in e["turns"] if turn["turn"] == number_), None) for e in entries]
        rows.append((f"answers, turn {number_}", *(count(f["answers"]) if f else NONE for f in found)))
        kept = (
            count(f["kept"]) if f and "filter" in e["keys"] else NONE
            for e, f in zip(entries, found, strict=True)
        )
        rows.append((f"kept, turn {number_}", *kept))
    return rows


def _length(entry: Entry, which: str, field: str) -> float | None:
    found = entry["lengths"][which]
    return found[field] if found else None


def _losses(trained: Entry) -> str:
    losses = trained["losses"]
    return f"{losses[0][1]:.3f} → {losses[-1][1]:.3f}" if losses else NONE


def meaning(reason: str) -> str:
    """What "<stage>/<reason>" means, in a few words; empty where nobody says."""
    stage, _, name = reason.partition("/")
    if reason in REASONS:
        return REASONS[reason]
    rules: Mapping[str, Any] = ALL_RESPONSE_RULES if stage == "filter" else ALL_INSTRUCTION_RULES
    return rules[name].why if name in rules else ""


def dropped_table(summary: Entry) -> Table | None:
    """Why records were dropped, by iteration."""
    entries = [e for e in summary["iterations"] if e["dropped"]]
    reasons = {reason for e in entries for reason in e["dropped"]}
    if not reasons:
        return None
    total = {r: sum(e["dropped"].get(r, 0) for e in entries) for r in reasons}
    stages = ("instructions", "followups", "filter", "preferences")
    order = sorted(reasons, key=lambda r: (stages.index(r.partition("/")[0]), -total[r], r))
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


def ledger_table(summary: Entry) -> Table | None:
    """What the run cost, by stage: all that made the models, then their tests."""
    found = summary["ledger"]
    costs = [*found["stages"].items(), ("all of it", found["training"]), ("tests", found["evaluation"])]
    if not found["stages"] and not found["evaluation"]["seconds"]:
        return None
    columns = ("stage", "generated", "read", "scored", "trained on", "FLOPs (estimated)", "time", "energy")
    rows = tuple(
        (
            stage,
            *(short_count(cost[tokens]) for tokens in ("generated", "read", "scored", "trained")),
            large(cost["flops"]),
            duration(cost["seconds"]),
            energy(cost["joules"]),
        )
        for stage, cost in costs
    )
    return Table("Tokens, FLOPs, time and energy by stage", columns, rows)
