"""A lineage on the terminal: the order of the paper's steps, everything visible, nothing taken as markup.

Knows: rich. Does not know: where a lineage comes from.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.text import Text

from isheep.look.lineage import Lineage
from isheep.look.words import fate_in_words, finish_in_words, mass_in_words
from isheep.text.prompts import request
from isheep.view import visible

_COLOURS = {"kept": "green", "dropped": "red", "waiting": "yellow"}


def print_lineage(console: Console, found: Lineage) -> None:
    """Print all of it, top to bottom."""
    for part in _parts(found):
        console.print(part, soft_wrap=not console.is_terminal)


def _parts(found: Lineage) -> Iterator[RenderableType]:
    yield Text.assemble(
        (visible(found.id), "bold"), "  ", (fate_in_words(found.fate), _COLOURS[found.fate.status])
    )
    yield from _written(found)
    if found.pair is not None:
        yield from _answered(found)
    for leak in found.leaks:
        yield _line(f"shares words with {leak.task} ({leak.kind}): {leak.match}")
    if found.preference is not None:
        yield Rule("preference", align="left")
        yield _line(
            f"not used: {found.preference.reason}" if found.preference.reason else "used for preferences"
        )
    for name, ids in (("goes on from", [found.parent] if found.parent else []), ("goes on in", found.follow),
                      ("other answers", found.siblings)):  # fmt: skip
        if ids:
            yield _line(f"{name}: {', '.join(ids)}")


def _written(found: Lineage) -> Iterator[RenderableType]:
    if found.shots or found.missing:
        yield Rule(f"seed tasks shown: {len(found.shots) + len(found.missing)}", align="left")
        for seed in found.shots:
            yield _line(f"{seed.id}  {' '.join(request(seed.instruction, seed.input).split())}")
        for id in found.missing:
            yield _line(f"{id}  (not among the run's seeds)")
    yield Rule("prompt", align="left")
    yield _note(found.prompt.note)
    yield _block(found.prompt.text)
    if found.completion is not None:
        wrote = found.completion
        yield Rule(f"raw completion {visible(wrote.id)}", align="left")
        yield _note(f"{finish_in_words(wrote.finish)}, {wrote.tokens} tokens")
        yield _block(wrote.text)
    yield Rule(f"task {visible(found.instruction.id)}", align="left")
    yield _block(request(found.instruction.instruction, found.instruction.input))
    if found.near is not None:
        yield _note(f"near-duplicate of {found.near.id} (ROUGE-L {found.near.score:.2f}, {found.near.where})")
        yield _block(found.near.text)


def _answered(found: Lineage) -> Iterator[RenderableType]:
    assert found.pair is not None
    assert found.answer_prompt is not None
    yield Rule("asked", align="left")
    yield _note(found.answer_prompt.note)
    yield _block(found.answer_prompt.text)
    yield Rule("answer", align="left")
    closed = ", closed its turn itself" if found.pair.ended else ""
    yield _note(f"{finish_in_words(found.pair.finish)}{closed}, {found.pair.tokens} tokens")
    yield _block(found.pair.response)
    if found.judged:
        yield Rule("scores", align="left")
    for judged in found.judged:
        verdict = judged.verdict
        score = "unreadable" if verdict.score is None else f"{verdict.score:.2f}"
        yield Text(f"  {visible(verdict.scale)}: {score}  {mass_in_words(judged)}")
        if verdict.text:
            yield _block(verdict.text, 4)
    if found.likelihood is not None:
        yield _line(f"log-likelihood of the answer: {found.likelihood.text_loglik:.2f} nats")


def _line(text: str) -> Text:
    return Text(f"  {visible(' '.join(text.split()))}")


def _note(text: str) -> Text:
    return Text(f"  {visible(text)}", style="dim")


def _block(text: str, indent: int = 2) -> RenderableType:
    return Text("\n".join(" " * indent + line for line in visible(text).split("\n")))
