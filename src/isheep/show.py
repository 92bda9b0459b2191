"""What `isheep show` says beyond scores and funnel: guard and judge, damaged files, sample records with their fate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from isheep.records import to_json
from isheep.report.items import items_of
from isheep.report.measures import broken_limits, held, named
from isheep.report.numbers import fixed, percent
from isheep.report.samples import sample_records
from isheep.runs import Run
from isheep.view import key_value_table, visible

#: Letters of a sample record that are shown.
SHOWN = 400


def item_lines(run: Run) -> Iterator[str]:
    """Every scored item of every model as a line of JSON."""
    return (to_json(item) for items in items_of(run).values() for item in items)


def watch_table(summary: Mapping[str, Any]) -> Table:
    """The collapse guard and the judge's health, a line for each and iteration; empty for a run that had neither."""
    return key_value_table("collapse guard and judge", list(_watched(summary)), _plain)


def _plain(text: str) -> str:
    """For a terminal, where the space before a unit is a space like any other."""
    return visible(text.replace("\u00a0", " "))


def _watched(summary: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for entry in summary["iterations"]:
        if entry["review"]:
            broken = broken_limits(summary, entry)
            state = f"{len(broken)} broken" if broken else "off" if summary["guard"] == "off" else "ok"
            told = (f"{named(name).title} {_against(entry, name)}" for name in broken)
            yield f"[{entry['iteration']}] guard", state, "; ".join(told)
        if entry["judge"]:
            blind = {True: "blind", False: "ok", None: "-"}[entry["judge"]["blind"]]
            yield f"[{entry['iteration']}] judge", blind, "; ".join(_judged(entry["judge"]))


def _against(entry: Mapping[str, Any], name: str) -> str:
    value, limit = held(name, entry["review"]["measures"][name])
    return f"{value}, {limit}"


def _judged(judge: Mapping[str, Any]) -> Iterator[str]:
    if judge["probes"]:
        yield f"AUROC {fixed(judge['probes']['auroc'])} on planted answers"
    yield f"unreadable {percent(judge['unreadable'])}"
    top = ", ".join(f"{scale} {percent(share)}" for scale, share in judge["saturation"].items())
    yield f"top scores: {top}"
    if judge["agreement"] is not None:
        yield f"agreement of the scales {fixed(judge['agreement'])}"


def problems(run: Run) -> list[str]:
    """Everything wrong with a run's finished artifacts: files missing, changed or unreadable. Reads every byte."""
    found = []
    for step in run.steps:
        artifact = run.artifact(step)
        if artifact is not None:
            found += [f"{step.name} ({step.key[:12]}): {what}" for what in run.store.verify(artifact)]
    return found


def sample_lines(run: Run, count: int) -> Iterator[str]:
    """Some kept and some dropped records of each iteration, as lines of text."""
    if count == 0:
        return
    for iteration in range(run.recipe.iterations):
        samples = sample_records(run, iteration, count)
        for group in ("kept", "dropped", "refused_instructions"):
            for sample in samples.get(group, []):
                yield visible(f"[{iteration}] {_fate(group, sample)}  {_text(sample)}")


def _fate(group: str, sample: dict[str, object]) -> str:
    return "kept" if group == "kept" else f"dropped: {sample.get('reason')}"


def _text(sample: dict[str, object]) -> str:
    asked = " / ".join(str(sample[k]) for k in ("instruction", "input") if sample.get(k))
    answer = f" -> {sample['response']}" if "response" in sample else ""
    text = " ".join(f"{asked}{answer}".split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."
