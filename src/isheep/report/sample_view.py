"""The sample records as people read them: task, answer, and why it was kept or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isheep.report.markup import Html, cut, el
from isheep.report.numbers import fixed

#: Group of `sample_records` -> its title.
GROUPS: Mapping[str, str] = {
    "kept": "Kept, and trained on",
    "dropped": "Dropped by the filter",
    "refused_instructions": "Tasks refused before they were answered",
}


def sample_view(
    iteration: int, author: str, samples: Mapping[str, Sequence[Mapping[str, Any]]], limit: int, opened: bool
) -> Html:
    """One iteration's samples, folded away unless `opened`."""
    groups = [
        el("div", el("h3", f"{GROUPS[name]} ({len(records)} shown)"), [_record(r, limit) for r in records])
        for name, records in samples.items()
        if records
    ]
    title = el("summary", f"Iteration {iteration}, written by {author}")
    return el("details", title, el("div", groups, cls="samples"), open=opened)


def _record(record: Mapping[str, Any], limit: int) -> Html:
    parts = [_said(text, "said before", limit) for text in record.get("history", ())]
    parts.append(_said(record["instruction"], "said", limit))
    if record["input"]:
        parts.append(_said(record["input"], "said input", limit))
    if "response" in record:
        parts.append(_said(record["response"] or "(empty)", "said answer", limit))
    tags = [el("span", text, cls=f"pill {look}".strip()) for text, look in record_tags(record)]
    return el("article", parts, el("div", tags, cls="tags"), cls="record")


def _said(text: str, cls: str, limit: int) -> Html:
    """Model text: its own direction of writing, kept apart from what stands around it."""
    return el("span", cut(text, limit), cls=cls, dir="auto")


def record_tags(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(words, colour) of what is known about a record: its fate first."""
    tags = []
    if record["reason"] is not None:
        tags.append((str(record["reason"]), "warn"))
    if record.get("right") is not None:
        tags.append(("right", "good") if record["right"] else ("wrong", "bad"))
    if record.get("history"):
        tags.append((f"turn {1 + len(record['history']) // 2}", ""))
    for scale in ("quality", "following"):
        if record.get(scale) is not None:
            tags.append((f"{scale} {fixed(record[scale])}", ""))
    if record.get("ended") is False:
        tags.append(("did not end by itself", ""))
    return tags
