"""Talking in a terminal, or through a pipe: lines in, answers out.

Knows: lines, commands, columns. Does not know: models; a conversation or a blind session is handed in.
Model text is data: control and direction characters are made visible, nothing in it is markup.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from isheep.report.markup import visible
from isheep.talk.blind import SIDES, Blind, Round
from isheep.talk.conversation import Answer, Conversation, Models, TellOf
from isheep.talk.preferences import VOTES, Vote

#: Narrower columns than this are hard to read: then the answers stand one below the other.
COLUMN = 34

HELP = """\
/retry   ask the last question again, drawn anew (the same at temperature 0)
/reset   forget what was said
/help    this
/quit    the end; Ctrl-D too
A question that begins with a slash: write the slash twice."""
BLIND_HELP = """\
/help    this
/quit    the end; Ctrl-D too
After the answers: a, b, tie or skip. Every question stands alone."""

#: A line from the person; None at the end.
Reader = Callable[[str], str | None]


def reader(console: Console) -> Reader:
    """Lines from the keyboard, or from a pipe without a prompt."""

    def read(prompt: str) -> str | None:
        try:
            return input(prompt if console.is_terminal else "")
        except (EOFError, KeyboardInterrupt):
            return None

    if console.is_terminal:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  (input() then knows arrows and what was asked before)
    return read


def talk_here(run: str, models: Models, session: Blind | None, console: Console, as_json: bool) -> None:
    """Talk until the person ends it: blind where there is a session, else side by side."""
    names = [model.name for model in models.models] if session is None else SIDES
    screen, read = Screen(console, names, as_json), reader(console)
    if console.is_terminal:
        screen.say(f"{run}: {', '.join(names)}. /help lists the commands, /quit ends.")
    if session is None:
        chat(Conversation(models), screen, read)
    else:
        blind(session, screen, read)


class Screen:
    """Shows answers: in columns that fill as they are written, as labelled text on a pipe, or as JSON."""

    def __init__(self, console: Console, names: Sequence[str], as_json: bool = False) -> None:
        self.console, self.names, self.as_json = console, names, as_json

    def say(self, text: str) -> None:
        """A word of ours. On a pipe of JSON nothing but JSON is written."""
        if not self.as_json:
            self.console.print(Text(visible(text)), soft_wrap=True)

    def answers(self, question: str, ask: Callable[[TellOf], Sequence[Answer]]) -> Sequence[Answer]:
        """Have it asked, and show what comes."""
        if not self.console.is_terminal or self.as_json:
            said = ask(lambda place, piece: None)
            self._plain(question, said)
            return said
        texts = [""] * len(self.names)
        with Live(console=self.console, transient=True, auto_refresh=False) as live:

            def tell(place: int, piece: str) -> None:
                texts[place] += piece
                live.update(self._shown(texts), refresh=True)

            live.update(self._shown(texts), refresh=True)
            said = ask(tell)
        self.console.print(self._shown([a.text for a in said], [a.note for a in said]))
        return said

    def _plain(self, question: str, said: Sequence[Answer]) -> None:
        named = list(zip(self.names, said, strict=True))
        if self.as_json:
            row: dict[str, object] = {"question": question}
            row["answers"] = {name.split()[0]: answer.text for name, answer in named}
            row["notes"] = {name.split()[0]: answer.note for name, answer in named if answer.note}
            self.console.print(Text(json.dumps(row)), soft_wrap=True)
            return
        for name, answer in named:
            label = f"{name}: " if len(said) > 1 else ""
            self.say(f"{label}{answer.text}")
            if answer.note:
                self.say(f"{label}({answer.note})")

    def _shown(self, texts: Sequence[str], notes: Sequence[str] = ()) -> RenderableType:
        panels = [
            Panel(Text(visible(text)), title=Text(name), title_align="left", subtitle=note or None)
            for name, text, note in zip(self.names, texts, notes or [""] * len(texts), strict=True)
        ]
        if self.console.width < COLUMN * len(panels):
            return Group(*panels)
        grid = Table.grid(expand=True)
        for _ in panels:
            grid.add_column(ratio=1)
        grid.add_row(*panels)
        return grid


def chat(conversation: Conversation, screen: Screen, read: Reader) -> None:
    """Question after question, until the person ends it."""
    for line in _lines(read, screen, HELP, more=("/reset", "/retry")):
        if line == "/reset":
            conversation.reset()
            screen.say("forgotten")
        elif line == "/retry" and not conversation.turns:
            screen.say("nothing was asked yet")
        else:
            again = line == "/retry"
            question = conversation.last_question() if again else _unescaped(line)
            ask = conversation.retry if again else partial(conversation.ask, question)
            with _breakable(screen):
                screen.answers(question, ask)


def blind(session: Blind, screen: Screen, read: Reader) -> None:
    """Question, two answers, a vote; at the end what the votes come to."""
    for line in _lines(read, screen, BLIND_HELP):
        question = _unescaped(line)
        with _breakable(screen):
            asked = _round(session, screen, question)
            vote = _vote(screen, read)
            if vote is None:
                break
            session.vote(asked, vote)
    screen.say(session.closing())


def _round(session: Blind, screen: Screen, question: str) -> Round:
    rounds: list[Round] = []

    def ask(tell: TellOf) -> Sequence[Answer]:
        rounds.append(session.ask(question, tell))
        # A note (cut, no room) would give one of them away.
        return [Answer(answer.text, answer.tokens) for answer in rounds[0].answers]

    screen.answers(question, ask)
    return rounds[0]


def _vote(screen: Screen, read: Reader) -> Vote | None:
    """a, b, tie or skip; None when the person leaves."""
    while True:
        line = read("better: a, b, tie or skip? ")
        if line is None or line.strip() == "/quit":
            return None
        found = [vote for vote in VOTES if vote == line.strip().lower()]
        if found:
            return found[0]
        screen.say("answer a, b, tie or skip (/quit ends)")


def _lines(read: Reader, screen: Screen, help: str, more: Sequence[str] = ()) -> Iterator[str]:
    """What the person says, up to /quit or the end: questions, and the commands in `more`."""
    while (line := read("> ")) is not None and (word := line.strip()) != "/quit":
        if word == "/help":
            screen.say(help)
        elif word.startswith("/") and not word.startswith("//") and word not in more:
            screen.say(f"no command {word.split()[0]}; /help lists them")
        elif word:
            yield word


def _unescaped(line: str) -> str:
    return line[1:] if line.startswith("//") else line


@contextlib.contextmanager
def _breakable(screen: Screen) -> Iterator[None]:
    """Ctrl-C while models write breaks this answer off, not the conversation."""
    try:
        yield
    except KeyboardInterrupt:
        screen.say("broken off; it is not part of the conversation")
