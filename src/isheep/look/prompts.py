"""What a model was asked, laid out again: the store keeps what was written, not what was asked.

Knows: the run's settings, its layout, its prompt files as they are now. Does not know: a tokenizer, so a text inside a
model's own chat template is shown without it. Each prompt comes with a note that says what it rests on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isheep.errors import IsheepError
from isheep.files import locate
from isheep.records import Instruction, ModelRef, Pair, Task
from isheep.runs import Run
from isheep.stages.assessment import shown_examples
from isheep.store import Artifact
from isheep.text.prompts import LAYOUTS, Layout, fill, judge_text, request, task_list


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text a model continued; `text` is empty when it cannot be laid out again, and `note` says why."""

    text: str
    note: str


def list_prompt(made: Artifact, shots: Sequence[Task], missing: Sequence[str]) -> Prompt:
    """The numbered list that the model went on with."""
    if missing:
        return Prompt("", f"not in the run's seed tasks, so not to be laid out again: {', '.join(missing)}")
    name = str(made.manifest["settings"]["prompt"])
    header = _text(name, "prompts", "/instructions.txt")
    if isinstance(header, Prompt):
        return header
    return Prompt(task_list(header, [(task.instruction, task.input) for task in shots]), _again(name))


def followup_prompt(run: Run, made: Artifact, asked: Instruction) -> Prompt:
    """The conversation, open where the person speaks next."""
    layout = layout_of(run, made)
    if layout is None:
        return Prompt("\n\n".join(asked.history), NO_LAYOUT)
    return Prompt(layout.open_request(asked.history), _again(f"layout {layout.name}"))


def answer_prompt(run: Run, made: Artifact, pair: Pair) -> Prompt:
    """What the model was asked when it answered."""
    name = made.manifest["settings"].get("principles")
    template = _text(str(name), "prompts/principles", ".txt") if name else "{request}"
    if isinstance(template, Prompt):
        return template
    asked = fill(template.strip(), request=request(pair.instruction, pair.input))
    layout = layout_of(run, made)
    if layout is None:
        return Prompt(asked, NO_LAYOUT)
    return Prompt(
        layout.prompt(asked, "", pair.history), _again(f"layout {layout.name}", *([name] if name else []))
    )


def judge_prompt(run: Run, made: Artifact, pair: Pair, scale: str) -> Prompt:
    """What the judge continued with its score."""
    settings: Mapping[str, Any] = made.manifest["settings"]
    name = str(settings["prompts"])
    found = locate(name, "prompts/judge", "/quality.txt")
    if isinstance(found, str):
        return Prompt("", f"the judging prompts are not to be found: {found}")
    folder = found if found.is_dir() else found.parent
    try:
        template = (folder / f"{scale}.txt").read_text(encoding="utf-8")
        text = judge_text(
            template,
            pair.instruction,
            pair.input,
            pair.response,
            shown_examples(folder),
            scale,
            pair.history,
        )
    except (OSError, UnicodeDecodeError, KeyError, IsheepError) as error:
        return Prompt("", f"the judging prompt cannot be laid out again: {error}")
    layout = layout_of(run, made)
    if settings["wrap"] == "never" or (
        layout is not None and not layout.is_chat and settings["wrap"] == "auto"
    ):
        return Prompt(text, _again(name))
    return Prompt(layout.prompt(text), _again(name)) if layout else Prompt(text, NO_LAYOUT)


NO_LAYOUT = (
    "Stands inside the model's own chat template, which its tokenizer knows; shown is what was put into it."
)


def layout_of(run: Run, made: Artifact) -> Layout | None:
    """The layout a step used; None where it is a chat template of the model's tokenizer."""
    name = str((made.manifest.get("model") or {}).get("layout", run.recipe.model.layout))
    if name == "auto":  # what it came to was written down when a model was trained with it
        for trained in run.artifacts("train").values():
            name = next((model.layout for model in trained.stream(ModelRef)), name)
    return LAYOUTS.get(name)


def _again(*rests_on: str) -> str:
    return f"Laid out again from the records and {', '.join(map(str, rests_on))}, as it is now."


def _text(name: str, folder: str, suffix: str) -> str | Prompt:
    found: Path | str = locate(name, folder, suffix)
    if isinstance(found, str):
        return Prompt("", f"the prompt file is not to be found: {found}")
    try:
        return found.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Prompt("", f"the prompt file cannot be read: {error}")
