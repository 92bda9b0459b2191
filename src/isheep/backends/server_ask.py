"""Prompts put to a server through one of its two ways: raw text that is continued, or messages that are answered.

Knows: the payloads of both, and three small questions that tell what the server gives. Does not know: engines.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from isheep.backends.base import Sampling
from isheep.backends.http import RefusedError
from isheep.backends.server import Server
from isheep.backends.server_dialect import decoding
from isheep.backends.server_messages import messages
from isheep.backends.server_wire import Answer, top_tokens
from isheep.backends.threads import concurrently

#: How many most probable tokens are asked for: what vLLM (--max-logprobs) and OpenAI's chat give at most; and what
#: OpenAI's completions and others do.
TOPS = (20, 5)
#: How one token is drawn when only its probability counts.
_ONE = Sampling(1)
#: A question that has many answers, and how many tokens of each are compared.
_OPEN = "Here is a list of random words, no two alike:"
_OPEN_TOKENS = 24
#: Drawn with the same seed twice, among others, as many at once as in the run.
_SEEDS = (1, 1, 2, 3, 4)


class Api:
    """Asks one server for one model. `model` is its name there; empty: the base."""

    def __init__(self, server: Server, chat: bool) -> None:
        self.server, self.is_chat = server, chat
        self.model = ""

    def write(self, prompt: str, wish: Mapping[str, Any], stop: threading.Event | None = None) -> Answer:
        """What comes behind the prompt. Raises HttpError."""
        if self.is_chat:
            return self.server.chat({"messages": messages(prompt), **wish}, stop, self.model)
        return self.server.complete({"prompt": prompt, **wish}, stop, self.model)

    def likely(
        self, prompt: str, written: str = "", top: int = TOPS[0], stop: threading.Event | None = None
    ) -> Answer:
        """The answer with the most probable tokens behind the prompt and what is written of an answer already."""
        wish = decoding(_ONE, 0)
        if not self.is_chat:
            return self.write(prompt + written, wish | {"logprobs": top}, stop)
        said = messages(prompt)
        wish |= {"messages": said, "logprobs": True, "top_logprobs": top}
        if written:
            # The API has no word for going on with an answer. vLLM and SGLang know these; llama.cpp needs none.
            said.append({"role": "assistant", "content": written})
            wish |= {"continue_final_message": True, "add_generation_prompt": False}
        return self.server.chat(wish, stop, self.model)


def most_probable(api: Api) -> int:
    """How many most probable tokens this server can be asked for; 0: none. Raises HttpError when it cannot be asked."""
    for top in TOPS:
        try:
            found = len(top_tokens(api.likely(_OPEN, top=top).logprobs))
        except RefusedError as refusal:
            if "logprobs" not in refusal.reason:
                raise
            continue
        if 0 < found < TOPS[-1]:
            api.server.note(
                f"the server shows no more than the {found} most probable tokens: scores are rough"
            )
        elif 0 < found < TOPS[0]:
            api.server.note(
                f"the server shows no more than the {found} most probable tokens; others count as 0"
            )
        return top if found else 0
    return 0


def draws(api: Api, concurrency: int) -> tuple[bool, bool]:
    """Whether a server draws at random at all, and whether one seed gives one text. Raises HttpError."""

    def work(seed: int, stop: threading.Event) -> tuple[int, str]:
        return seed, api.write(_OPEN, decoding(Sampling(_OPEN_TOKENS), seed), stop).text

    texts: dict[int, set[str]] = {}
    for seed, text in concurrently(work, _SEEDS, concurrency):
        texts.setdefault(seed, set()).add(text)
    return len(set.union(*texts.values())) > 1, all(len(found) == 1 for found in texts.values())
