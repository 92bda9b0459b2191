"""The case studies as people read them: four corners, each with its pairs, their scores and their fate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isheep.report.markup import Child, Html, cut, el
from isheep.report.numbers import count, fixed
from isheep.report.sample_view import record_tags

#: Corner of `cases` -> its title.
TITLES: Mapping[str, str] = {
    "best": "Best: quality high, following high",
    "worst": "Worst: quality low, following low",
    "good_but_off": "Disputed: quality high, following low",
    "poor_but_faithful": "Disputed: quality low, following high",
}


def case_view(
    iteration: int, author: str, corners: Sequence[Mapping[str, Any]], limit: int, opened: bool
) -> Html:
    """One iteration's corners as `cases` gives them, folded away unless `opened`; texts longer than `limit` are cut."""
    title = el("summary", f"Iteration {iteration}, written by {author}")
    if not corners:
        said = "No answer has a score on both scales, so there are no corners."
        return el("details", title, el("p", said, cls="muted"), open=opened)
    lines = el("p", _lines(corners[0]["lines"]), cls="muted")
    return el(
        "details",
        title,
        lines,
        el("div", [_corner(c, limit) for c in corners], cls="samples corners"),
        open=opened,
    )


def _lines(lines: Mapping[str, float | None]) -> str:
    """What high means in this iteration."""
    flat = [scale for scale, line in lines.items() if line is None]
    if flat:
        return f"Every answer has the same score for {' and for '.join(flat)}: none is high or low."
    said = [f"{scale} from {fixed(line)}" for scale, line in lines.items()]
    return f"High is {' and '.join(said)}: this judge's median of the iteration, or the first score above its lowest."


def _corner(corner: Mapping[str, Any], limit: int) -> Html:
    shown, found = len(corner["pairs"]), corner["found"]
    fill: Child = [_case(record, limit) for record in corner["pairs"]]
    if not shown:
        fill = el("p", "No pair lies in this corner." if not found else "None is shown.", cls="muted")
    head = f"{TITLES[corner['corner']]} ({shown} of {count(found)})"
    return el("div", el("h3", head), fill)


def _case(record: Mapping[str, Any], limit: int) -> Html:
    texts = [(text, "said before") for text in record["history"]]
    texts.append((record["instruction"], "said"))
    if record["input"]:
        texts.append((record["input"], "said input"))
    texts.append((record["response"] or "(empty)", "said answer"))
    tags = [*([("kept", "good")] if record["kept"] else []), *record_tags(record)]
    return el(
        "article",
        [el("span", cut(text, limit), cls=cls, dir="auto") for text, cls in texts],
        el("div", [el("span", words, cls=f"pill {look}".strip()) for words, look in tags], cls="tags"),
        cls="record",
    )  # fmt: skip
