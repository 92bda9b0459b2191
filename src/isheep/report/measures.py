"""The review's figures in words: what each is called, how it is written, and which side of its limit is the right one.

Knows: `review` and `judge` of a summary's entries. Does not know: how they are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isheep.report.numbers import NONE, count, fixed, percent

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure's name; `write` takes the value and how many more digits than usual. `least`: its limit is a floor, if
    value and limit do not tell (they are equal)."""

    title: str
    write: Callable[[float, int], str]
    least: bool = False

    @property
    def is_share(self) -> bool:
        """Whether it is written in percent."""
        return self.write is _share


def _share(value: float, more: int) -> str:
    return percent(value, 1 + more)


def _plain(value: float, more: int) -> str:
    return fixed(value, 1 + more)


def _fine(value: float, more: int) -> str:
    return fixed(value, 2 + more)


#: What the collapse guard looks at, in the order it is shown; a name's end ("saturation/quality") says of what.
GUARD: Mapping[str, Figure] = {
    "median_words": Figure("median words of a kept answer", _plain, least=True),
    "share_short": Figure("kept answers under 4 words", _share),
    "near_duplicates": Figure("near-duplicates among the kept pairs", _share),
    "near_duplicates_earlier": Figure("near-duplicates of pairs kept earlier", _share),
    "distinct": Figure("distinct bigrams in the kept pairs", _share, least=True),
    "spread": Figure("kinds of kept task (verb and noun)", _plain, least=True),
    "new_per_list": Figure("new tasks a list gives", _plain, least=True),
    "saturation": Figure("top scores", _share),
    "kept_share": Figure("kept of all answers", _share, least=True),
    "kept": Figure("pairs kept", lambda value, _: count(value)),
    "self_similarity": Figure("likeness of two kept pairs", _fine),
    "items_per_list": Figure("tasks in a list", _plain),
    "list_form": Figure("listed tasks of broken form", _share),
    "list_cut": Figure("listed tasks cut short", _share),
    "list_known": Figure("listed tasks known before", _share),
    "list_kept": Figure("listed tasks kept", _share),
}
#: Measures of a review that speak of the judge; an entry's `judge` has them in full.
_OF_THE_JUDGE = frozenset({"unreadable", "agreement", "probe_auroc", "probe_mean"})


def guard_names(summary: Entry) -> list[str]:
    """Every figure of the guard that some iteration has, in the order of GUARD; names it does not know come last."""
    names = {name for e in summary["iterations"] if e["review"] for name in e["review"]["measures"]}
    order = list(GUARD)

    def place(name: str) -> tuple[int, str]:
        head = _head(name)
        return (order.index(head) if head in order else len(order), name)

    return sorted((name for name in names if _head(name) not in _OF_THE_JUDGE), key=place)


def named(name: str) -> Figure:
    """How a measure is called and written."""
    head, _, of = name.partition("/")
    found = GUARD.get(head) or Figure(head.replace("_", " "), _fine)
    return Figure(f"{found.title} for {of}", found.write, found.least) if of else found


def _head(name: str) -> str:
    return name.partition("/")[0]


def held(name: str, measure: Entry) -> tuple[str, str]:
    """(value, limit) in words: ("15.0", "at least 17.1"); the limit is empty where there is none. Written with more
    digits where the two would look alike."""
    figure, value, limit = named(name), measure["value"], measure["limit"]
    if value is None:
        return NONE, ""
    if limit is None:
        return figure.write(value, 0), ""
    for more in (0, 1, 2, 4):
        shown = figure.write(value, more), figure.write(limit, more)
        if shown[0] != shown[1] or value == limit:
            break
    floor = figure.least if value == limit else (value > limit) is measure["ok"]
    return shown[0], f"{'at least' if floor else 'at most'} {shown[1]}"


# ---------------------------------------------------------------- what is wrong


def broken_limits(summary: Entry, entry: Entry) -> list[str]:
    """The figures of an iteration that break the guard's limits; none where the recipe has switched it off."""
    if summary["guard"] == "off" or not entry["review"]:
        return []
    measures = entry["review"]["measures"]
    return [name for name in guard_names(summary) if measures.get(name, {}).get("ok") is False]


def guard_sentences(summary: Entry, entry: Entry) -> Iterator[str]:
    """A sentence for each broken limit, with the figure and the limit."""
    for name in broken_limits(summary, entry):
        value, limit = held(name, entry["review"]["measures"][name])
        yield f"collapse guard: {named(name).title}: {value}, where the limit is {limit}."


def is_blind(entry: Entry) -> bool:
    """Whether the model of this iteration was found to judge blindly. A base model that judges for all is only told
    of once, where it was probed."""
    probes = entry["judge"] and entry["judge"]["probes"]
    return bool(probes and probes["blind"] and probes["judged_by"] == entry["iteration"])


def blind_sentence(entries: Sequence[Entry]) -> str:
    """What a judge that was blind in these iterations could not do, with its figures."""
    probes = [entry["judge"]["probes"] for entry in entries]
    values = sorted(fixed(found["auroc"]) for found in probes)
    span = " to ".join(dict.fromkeys((values[0], values[-1])))
    when = f"iteration{'s' * (len(entries) > 1)} {', '.join(str(entry['iteration']) for entry in entries)}"
    liked = dict.fromkeys(kind.replace("_", "-") for found in probes for kind in found["preferred"])
    others = f"{', '.join(liked)} ones" if liked else "the others"
    limit = fixed(probes[0]["limit"])
    return (
        f"Judge: it does not score planted right answers above {others} ({when}: AUROC {span}, where {limit} is the "
        "least and 0.5 is chance)."
    )


def alarms(summary: Entry) -> list[str]:
    """What the first screen must not hide, in a few words each."""
    entries = summary["iterations"]
    found = []
    if broken := sum(len(broken_limits(summary, e)) for e in entries):
        found.append(f"Collapse guard: {broken} limit{'s' * (broken > 1)} broken")
    if any(is_blind(e) for e in entries):
        found.append("Judge blind to planted answers")
    return found
