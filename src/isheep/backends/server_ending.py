"""Where a text from a server ends, as the contract of engines has it, whatever the server itself cut.

A server may have cut the text before a stop, may have left the stop in it, or may not have been told of it. Knows: one
answer and the sampling it was asked with. Does not know: servers.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from isheep.backends.base import Sampling
from isheep.backends.server_wire import Answer
from isheep.records import Completion


def completion(
    id: str, answer: Answer, sampling: Sampling, prompt_tokens: int, tokens: int, ends: Collection[str] = ()
) -> Completion:
    """The finished text. `ends`: stops that are end tokens; a text that stopped there was ended by the model."""
    stops = [stop for stop in sampling.stops if stop and stop not in ends]
    cut = _cut(answer.text, stops, sampling.until)
    at_stop = isinstance(answer.stopped_at, str) and answer.stopped_at not in ends
    finish = "stop" if cut is not None else answer.finish
    if not finish:  # the server does not say
        finish = "length" if tokens >= sampling.max_tokens else "stop"
    ended = cut is None and finish == "stop" and not at_stop
    return Completion(
        id,
        answer.text if cut is None else answer.text[:cut],
        "length" if finish == "length" else "stop",
        prompt_tokens,
        min(tokens, sampling.max_tokens),
        ended,
    )


def _cut(text: str, stops: Collection[str], until: str) -> int | None:
    """Where the text ends: at the earliest stop, or behind the pattern's first match."""
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    if until and (match := re.search(until, text)):
        found.append(match.end())
    return min(found, default=None)
