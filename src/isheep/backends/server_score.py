"""How probable each of a few short texts is as what comes next, from a server's most probable tokens.

A server shows the first token's candidates, as text, so the choices are followed through text: behind each token that
begins a choice the server is asked again. It does not matter how a tokenizer cuts "10". Knows: texts, probabilities,
and that not every chat server goes on with an answer. Does not know: engines.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence

from isheep.backends.http import RefusedError
from isheep.backends.server_ask import Api
from isheep.backends.server_dialect import is_too_long
from isheep.backends.server_wire import Answer, top_tokens

#: Beginnings less probable than this are not followed: a question to the server each, for a ten-thousandth of the mass.
SMALL = 1e-4

#: The most probable tokens behind the prompt and this text, with their probabilities; None where that cannot be asked.
Ask = Callable[[str], Mapping[str, float] | None]


def choices(ask: Ask, texts: Sequence[str], spaced: bool) -> list[float]:
    """The probability of each text; they need not sum to 1. `spaced`: a space stands before each.

    A text that is the beginning of another counts only where the other does not follow, as far as that can be asked.
    """
    targets = [f" {text}" if spaced else text for text in texts]
    found = _Walk(ask, targets, spaced).onward("", 1.0)
    return [found.get(target, 0.0) for target in targets]


def _space_restored(top: Mapping[str, float]) -> Mapping[str, float]:
    """Tokens at the beginning of a word as they are.

    Servers that decode each token by itself lose the space in front of it where the tokenizer is SentencePiece's (vLLM
    does, for Llama 2 and Mistral 7B). A list of likely next tokens without any space at all is such a list.
    """
    if any(token[:1].isspace() for token in top):
        return top
    return {f" {token}": value for token, value in top.items()}


class _Walk:
    def __init__(self, ask: Ask, targets: Sequence[str], spaced: bool) -> None:
        self._ask, self._targets, self._spaced = ask, targets, spaced
        self._known: dict[str, Mapping[str, float] | None] = {}

    def onward(self, written: str, probability: float) -> dict[str, float]:
        """Of all that can follow `written`, the share of each target; itself, if it is one, where no longer follows."""
        here = {written: 1.0} if written in self._targets else {}
        longer = any(t.startswith(written) and t != written for t in self._targets)
        top = self._top(written) if longer and probability >= SMALL else None
        if top is None:
            return here
        shares: dict[str, float] = {}
        for token, value in top.items():
            text = written + token
            if token and any(target.startswith(text) for target in self._targets):
                for target, share in self.onward(text, probability * value).items():
                    shares[target] = shares.get(target, 0.0) + value * share
        if here:
            shares[written] = max(0.0, 1.0 - sum(shares.values()))
        return shares

    def _top(self, written: str) -> Mapping[str, float] | None:
        if written not in self._known:
            top = self._ask(written)
            if top and not written:
                # An answer in a chat begins without a space, whatever its first token holds.
                top = _space_restored(top) if self._spaced else _joined(top)
            self._known[written] = top
        return self._known[written]


def _joined(top: Mapping[str, float]) -> dict[str, float]:
    """First tokens of an answer without the space in front of them."""
    found: dict[str, float] = {}
    for token, value in top.items():
        found[token.lstrip()] = found.get(token.lstrip(), 0.0) + value
    return found


class Scoring:
    """Puts one prompt's choices to a server; `top` most probable tokens can be asked for."""

    def __init__(self, api: Api, top: int, prompt: str, stop: threading.Event) -> None:
        self._api, self._top, self._prompt, self._stop = api, top, prompt, stop
        #: The answer to the prompt alone, once there is one.
        self.first: Answer | None = None

    def read(self, texts: Sequence[str], spaced: bool) -> list[float]:
        """The probability of each text behind the prompt; all 0 where the prompt is too long. Raises HttpError."""
        try:
            return choices(self._ask, texts, spaced)
        except RefusedError as refusal:
            if not is_too_long(refusal.reason):
                raise
            return [0.0] * len(texts)

    def _ask(self, written: str) -> Mapping[str, float] | None:
        if not written or not self._api.is_chat:
            answer: Answer | None = self._api.likely(self._prompt, written, self._top, self._stop)
        else:
            answer = self._onward(written)
        if answer is None:
            return None
        self.first = self.first or answer
        return {token: math.exp(value) for token, value in top_tokens(answer.logprobs)}

    def _onward(self, written: str) -> Answer | None:
        """What comes behind the beginning of a chat's answer; None where the server does not go on with it."""
        assert self.first is not None
        try:
            answer = self._api.likely(self._prompt, written, self._top, self._stop)
        except RefusedError as refusal:
            if is_too_long(refusal.reason):
                raise
        else:
            # One that went on has read these few characters more; one that began anew has read a whole turn more.
            read, before = answer.prompt_tokens, self.first.prompt_tokens
            if read is not None and before is not None and 0 < read - before <= len(written):
                return answer
        self._api.server.note(
            "the server does not go on with the beginning of an answer, so a 1 that a 0 would follow counts as a 1"
        )
        return None
