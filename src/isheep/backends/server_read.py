"""How probable a given text is, from a server that shows the log-probabilities of what it has read.

Two ways: OpenAI's old `echo` (vLLM, SGLang, some hosted ones), and vLLM's own `prompt_logprobs`. llama.cpp, Ollama and
transformers' server have neither. Knows: answers that hold a text's tokens. Does not know: engines.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isheep.backends.http import RefusedError
from isheep.backends.server_ask import Api
from isheep.backends.server_wire import Answer, prompt_logprobs, read_tokens
from isheep.records import Likelihood

#: A token and its log-probability in nats; None where nothing predicts it.
Token = tuple[str, float | None]

#: A text that a server is tried with.
_TRIED = "The sheep stands in the rain and looks at us."


@dataclass(frozen=True, slots=True)
class Way:
    """Fields that make a server show what it has read."""

    fields: Mapping[str, Any]

    def tokens(self, answer: Answer) -> list[Token]:
        """The tokens that were read; empty where the answer does not hold them."""
        if "echo" not in self.fields:
            return prompt_logprobs(answer.prompt)
        tokens = read_tokens(answer.logprobs)
        written = 1 if answer.tokens is None else answer.tokens
        return tokens[: len(tokens) - written]


#: In the order they are tried. One token is written: to write none makes some servers fail (transformers' own: 500).
WAYS = (
    Way({"echo": True, "logprobs": 1, "max_tokens": 1}),
    Way({"prompt_logprobs": 0, "max_tokens": 1}),
)


def find_way(api: Api) -> Way | None:
    """The way to read through this server; None where there is none. Raises UnavailableError."""
    if api.is_chat:
        return None
    for way in WAYS:
        try:
            answer = api.write(_TRIED, way.fields)
        except RefusedError:
            continue
        tokens = way.tokens(answer)
        # A server that passes over `echo` shows what it wrote instead.
        if len(tokens) > 1 and len(tokens) == (answer.prompt_tokens or len(tokens)) and _all_known(tokens):
            return way
    return None


def likelihood(
    api: Api, way: Way, id: str, prompt: str, text: str, border: int | None, stop: threading.Event
) -> Likelihood:
    """The log-likelihoods of one text and its prompt. `border`: tokens of the prompt, where they can be counted.

    Raises HttpError, and ValueError for an answer that does not hold what was read.
    """
    tokens = way.tokens(api.write(prompt + text, way.fields, stop))
    if not tokens or not _all_known(tokens):
        raise ValueError("the server does not show the log-probability of every token")
    if border is None:
        border = _border(tokens, len(prompt))
    border = min(
        border, len(tokens) - 1
    )  # a token that holds the end of the prompt and all of the text is the text's
    before = [value for _, value in tokens[:border] if value is not None]
    after = [value for _, value in tokens[border:] if value is not None]
    return Likelihood(id, math.fsum(before), len(before), math.fsum(after), len(after))


def _all_known(tokens: Sequence[Token]) -> bool:
    """Only the first token may be one that nothing predicts."""
    return all(value is not None for _, value in tokens[1:])


def _border(tokens: Sequence[Token], characters: int) -> int:
    """The first token that holds a character of the text."""
    end = 0
    for n, (token, _) in enumerate(tokens):
        end += len(token)
        if end > characters:
            return n
    return len(tokens)
