"""Records found by their id, without reading those beside them.

Knows: that a record is a line of JSON that begins with its id, sorted by it. Does not know: what the other fields mean.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator

from isheep.errors import StoreError
from isheep.records import Instruction, Pair, R, Record, from_json, kind
from isheep.runs import Run
from isheep.store import Artifact

#: Stages that write tasks; each writes Instructions.
WRITING = ("instructions", "followups")
#: How many ids an error lists.
SHOWN = 6

_ID = re.compile(rb'\{"id":("(?:[^"\\]|\\.)*")')


def having(artifact: Artifact, cls: type[R], id: str, *, begins: bool = False) -> list[R]:
    """The records with this id; with `begins`, those whose id begins with it."""
    if not artifact.has(cls):
        return []
    start = b'{"id":' + json.dumps(id, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if begins:
        start = start[:-1]
    with artifact.path(f"{kind(cls)}.jsonl").open("rb") as lines:
        return [from_json(cls, line) for line in lines if line.startswith(start)]


def ids_in(artifact: Artifact, cls: type[Record]) -> Iterator[str]:
    """The ids alone, in their order."""
    with artifact.path(f"{kind(cls)}.jsonl").open("rb") as lines:
        for line in lines:
            found = _ID.match(line)
            if found:
                yield json.loads(found[1])


def is_answers(name: str, iteration: int) -> bool:
    """Whether a step of this name answers the run's own tasks (and not an exam's, or those drawn for preferences)."""
    base = name.removesuffix(f".{iteration}")
    return base == "responses" or (base.startswith("turn") and base.endswith(".responses"))


def writing_steps(run: Run) -> Iterator[tuple[int, Artifact]]:
    """(iteration, artifact) of every finished step that wrote tasks."""
    for step in run.due:
        artifact = run.artifact(step) if step.stage in WRITING else None
        if artifact is not None:
            yield step.iteration, artifact


def answering_steps(run: Run) -> Iterator[tuple[int, Artifact]]:
    """(iteration, artifact) of every finished step that answered the run's own tasks."""
    for step in run.due:
        if step.stage == "responses" and is_answers(step.name, step.iteration):
            artifact = run.artifact(step)
            if artifact is not None:
                yield step.iteration, artifact


def find_id(run: Run, begun: str) -> str:
    """The id of the record that is meant: the id itself, or a beginning of it that only one record has.

    Raises StoreError with the ids that are near, when there is none or more than one.
    """
    known = {id for _, artifact in writing_steps(run) for id in ids_in(artifact, Instruction)}
    known |= {id for _, artifact in answering_steps(run) for id in ids_in(artifact, Pair)}
    if not known:
        raise StoreError(f"{run.name} has written no task yet", "look again when its first step is done")
    if begun in known:
        return begun
    found = sorted(id for id in known if begun and id.startswith(begun))
    if len(found) == 1:
        return found[0]
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise StoreError(
            f"{begun!r} begins the ids of {len(found)} records",
            f"these are: {', '.join(found[:SHOWN])}{more}",
        )
    ordered = sorted(known)
    near = difflib.get_close_matches(begun, ordered, SHOWN) if len(ordered) < 20_000 else []
    raise StoreError(
        f"{run.name} has no record {begun!r}",
        f"the nearest: {', '.join(near)}" if near else f"the first ids are: {', '.join(ordered[:SHOWN])}",
    )
