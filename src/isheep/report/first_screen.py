"""The first screen of a page: did it work, what is its result, what must not be overlooked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isheep.report.markup import Html, el, join
from isheep.report.measures import alarms
from isheep.report.numbers import count, duration, fixed, percent, points, short_count
from isheep.report.verdict import DECODING_WORDS, gain_of, score_of, sign

#: Verdict -> what the pill says, and its colour.
STATUS: Mapping[str, tuple[str, str]] = {
    "improved": ("Improved", "good"),
    "no_difference": ("No clear difference", "calm"),
    "worse": ("Worse", "bad"),
    "mixed": ("Mixed", "warn"),
    "base_only": ("Not known", "calm"),
    "not_tested": ("Not known", "calm"),
}
Entry = Mapping[str, Any]


def first_screen(summary: Entry, plots: Html) -> Html:
    """Did it work? In words, in five figures, in the `plots`. An alarm stands right below the words."""
    found = summary["verdict"]
    words, colour = STATUS[found["status"]]
    rung = alarms(summary)
    pills = [
        el("span", words, cls="pill"),
        None if summary["complete"] else el("span", "Unfinished run", cls="pill"),
        el("span", "Stopped early", cls="pill warn") if summary["stopped"] else None,
        *(el("span", f"✗ {alarm}", cls="pill warn") for alarm in rung),
    ]
    verdict = el(
        "section",
        join([pill for pill in pills if pill], " "),
        el("h2", found["headline"]),
        [el("p", line) for line in found["outcome"]],
        cls=f"verdict {colour}",
        aria_label="Verdict",
    )
    details = el("div", el("ul", [el("li", text) for text in found["details"]]), cls="details")
    box, tiles = _warnings(summary), _tiles(summary)
    order = [verdict, box, tiles] if rung else [verdict, tiles, box]
    return join([*order, plots, details if found["details"] else None])


def _warnings(summary: Entry) -> Html | None:
    if not summary["warnings"]:
        return None
    listed = el("ul", [el("li", text) for text in summary["warnings"]])
    return el("section", el("strong", "Look at this first"), listed, cls="box", aria_label="Warnings")


def _tiles(summary: Entry) -> Html:
    found, entries = summary["verdict"], summary["iterations"]
    tiles: list[Html] = []
    if found["task"] and found["last"] is not None:
        cell = (found["task"], found["decoding"])
        before, after = score_of(entries[0], *cell), score_of(entries[found["last"]], *cell)
        change = gain_of(entries[found["last"]], *cell)
        if before and after and change:
            decoding = DECODING_WORDS.get(found["decoding"], found["decoding"])
            span = f"95 % interval {points(change['ci_low'])} to {points(change['ci_high'])}"
            scores = f"{100 * before['value']:.1f} → {percent(after['value'])}"
            tiles.append(_tile("Right answers", scores, f"base → M{found['last']}, {decoding}"))
            look = {1: "good", -1: "bad"}.get(sign(change), "")
            tiles.append(_tile("Gain, in points", points(change["value"]), span, look))
    judged = [e for e in entries if e["assessment"]["auroc"] is not None]
    if judged:
        values = " → ".join(dict.fromkeys(fixed(e["assessment"]["auroc"]) for e in (judged[0], judged[-1])))
        tiles.append(_tile("Judge's AUROC", values, "own answers; 0.5 is chance"))
    answers, kept = (sum(e[name] for e in entries) for name in ("responses", "kept"))
    if answers:
        tiles.append(
            _tile("Pairs kept", count(kept), f"{percent(kept / answers, 0)} of {count(answers)} answers")
        )
    totals = summary["totals"]
    tiles.append(_tile("Time", duration(totals["seconds"]), f"{short_count(totals['tokens'])} tokens"))
    return el("dl", tiles, cls="tiles")


def _tile(name: str, big: str, small: str, look: str = "") -> Html:
    return el(
        "div",
        el("dt", name),
        el("dd", big, cls=f"big {look}".strip()),
        el("dd", small, cls="small"),
        cls="tile",
    )
