"""A layout for servers that lay out by themselves: prompts that can be turned back into the messages they stand for.

A stage writes its prompts through a `Layout`, as text; the chat API wants messages. So the marks of this layout are
made of a random number that is drawn once for this process: no text that a model or a person wrote can hold it, and a
turn cannot be forged. Prompts are never kept, so the number is nowhere to be found later.
Knows: strings. Does not know: servers.
"""

from __future__ import annotations

import re
import secrets

from isheep.errors import BackendError
from isheep.text.prompts import Layout

Messages = list[dict[str, str]]

_NUMBER = secrets.token_hex(16)
_USER, _ASSISTANT, _END = (f"<{_NUMBER}:{name}>" for name in ("user", "assistant", "end"))
_MARK = re.compile(f"({_USER}|{_ASSISTANT}|{_END})")

#: Requests and answers as messages. What ends an answer is the server's business, so nothing is ever cut here: `end`
#: cannot occur, and is left out of what is sent.
MESSAGES = Layout("chat", _USER, _ASSISTANT, end=_END, again=_USER)


def messages(prompt: str) -> Messages:
    """The messages a prompt stands for; a prompt in no layout is one message of the user.

    Raises BackendError for a prompt that leaves the user's message open, which the chat API cannot ask for.
    """
    if _NUMBER not in prompt:
        return [{"role": "user", "content": prompt}]
    pieces = _MARK.split(prompt)
    marks, texts = pieces[1::2], pieces[2::2]
    if marks[-1] == _USER:
        raise BackendError(
            "the chat API cannot write a person's message, only answers",
            "set server.api: completions, or do without (followups.turns: 1)",
        )
    turn = [_USER, _ASSISTANT, _END]
    expected = [*turn * (len(marks) // len(turn)), _USER, _ASSISTANT]
    if pieces[0] or marks != expected or texts[-1] or any(texts[2:-1:3]):
        raise BackendError("this prompt is not one that the layout 'chat' of a server writes")
    said = [text for text, mark in zip(texts, marks, strict=True) if mark != _END][:-1]
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]


def plain(prompt: str) -> str:
    """The texts of a prompt without the marks between them, to be measured."""
    return _MARK.sub("\n", prompt)


def sent_stops(stops: tuple[str, ...]) -> list[str]:
    """The stops a server is told of."""
    return [stop for stop in stops if stop and _NUMBER not in stop]
