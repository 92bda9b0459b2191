"""Servers that speak the OpenAI API differ in what they take. This is what one of them was found to take.

Everything is first asked the way that says most. A refusal that names a field is believed: the field is left out from
then on where that changes nothing that was asked for, and is an error where it does. Knows: fields and refusals. Does
not know: HTTP.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from isheep.backends.base import Sampling
from isheep.errors import BackendError

#: Fields beside the OpenAI API that switch something off. They are sent because servers have defaults of their own
#: (llama.cpp: top_k 40, min_p 0.05; vLLM and SGLang: those of the model's generation_config.json).
NEUTRAL: Mapping[str, Any] = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
#: Fields that may be left out when they are refused, whatever they hold: without them a run is less exact, not wrong.
_SPARED = ("seed", "stop_token_ids")
#: Stop texts that hosted APIs take (OpenAI's API reference: up to 4); the others are found in the text.
_FEW_STOPS = 4
#: How transformers' own server words a field it does not know. It samples only if the model's own settings say so, and
#: takes others as JSON.
_OWN_CONFIG = "Unexpected fields in the request"
#: What servers say of a prompt that leaves no room: vLLM, SGLang, llama.cpp, TGI, hosted ones.
_TOO_LONG = re.compile(
    r"context[ _]?(length|size|window)|exceed_context|maximum (model|sequence|prompt|input) length"
    r"|(prompt|input) is too long|(must have less than|too many) \S+ tokens|inputs. must have less",
    re.IGNORECASE,
)
_SEED_MASK = 2**31 - 1


def decoding(sampling: Sampling, seed: int) -> dict[str, Any]:
    """How to draw, in the fields of the API. Seeds are cut to 31 bits, which every server can hold."""
    return {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": seed & _SEED_MASK,
        **NEUTRAL,
        "top_k": sampling.top_k or NEUTRAL["top_k"],
    }


def is_too_long(reason: str) -> bool:
    """Whether a refusal speaks of a prompt too long for the model."""
    return bool(_TOO_LONG.search(reason))


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server takes; at first everything."""

    without: frozenset[str] = frozenset()
    #: At most so many stop texts; None: all.
    stops: int | None = None
    #: What it calls the limit on tokens.
    limit: str = "max_tokens"
    #: How to decode is told as transformers' GenerationConfig.
    own_config: bool = False

    def fit(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """A payload as this server takes it."""
        asked = {name: value for name, value in wish.items() if name not in self.without}
        if self.own_config and "temperature" in asked:
            asked["generation_config"] = _generation_config(wish)
            asked = {name: value for name, value in asked.items() if name not in NEUTRAL}
        if self.stops is not None and asked.get("stop"):
            asked["stop"] = asked["stop"][: self.stops]
        if not asked.get("stop"):
            asked.pop("stop", None)
        if "max_tokens" in asked:
            asked[self.limit] = asked.pop("max_tokens")
        return asked

    def learnt(self, reason: str, wish: Mapping[str, Any]) -> Dialect | None:
        """The dialect that a refusal of this wish teaches; None when it teaches nothing new.

        Raises BackendError when the field that is refused is one that was truly asked for.
        """
        asked = self.fit(wish)
        if "max_completion_tokens" in reason and "max_tokens" in asked:
            return replace(self, limit="max_completion_tokens")
        if _OWN_CONFIG in reason and not self.own_config:
            return replace(self, own_config=True)
        if named := frozenset(
            name for name in (*NEUTRAL, *_SPARED) if name in asked and _names(reason, name)
        ):
            _check_spared(named, asked, reason)
            return replace(self, without=self.without | named)
        if "stop" in asked and re.search(r"\bstops?\b", reason):
            many = len(asked["stop"]) > _FEW_STOPS
            return replace(self, stops=_FEW_STOPS if many else 0)
        return None


def _names(reason: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", reason) is not None


def _check_spared(named: frozenset[str], asked: Mapping[str, Any], reason: str) -> None:
    for name in sorted(named & NEUTRAL.keys()):
        if asked[name] != NEUTRAL[name]:
            raise BackendError(
                f"the server does not take {name} ({asked[name]}), which is asked for: {reason}",
                f"switch {name} off, or use a server that has it (vLLM, SGLang, llama.cpp)",
            )


def _generation_config(wish: Mapping[str, Any]) -> str:
    drawn = wish["temperature"] > 0
    settings: dict[str, Any] = {"do_sample": drawn}
    if drawn:
        top_k = max(0, wish.get("top_k", 0))
        settings |= {"temperature": wish["temperature"], "top_p": wish.get("top_p", 1.0), "top_k": top_k}
    return json.dumps(settings)
