"""What `isheep show` says beyond the summary's tables: damaged files, and sample records with their fate."""

from __future__ import annotations

from collections.abc import Iterator

from isheep.report.samples import sample_records
from isheep.runs import Run
from isheep.view import visible

#: Letters of a sample record that are shown.
SHOWN = 400


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
