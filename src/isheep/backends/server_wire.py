"""What is said to a server that speaks the OpenAI API, and how its answers are read.

Knows: the two forms of an answer (completion, chat completion), the two forms of log-probabilities, and what servers
put beside them. Does not know: HTTP, or what is asked and why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: Names shown in an error.
_SHOWN = 20
#: Ends of a text, in the words of several servers (OpenAI, TGI), that mean the token limit.
_AT_LIMIT = ("length", "max_tokens", "model_length")
#: ... and those that mean neither limit nor end: the text was taken away.
_TAKEN_AWAY = ("content_filter",)


@dataclass(frozen=True, slots=True)
class Answer:
    """One text from a server. `finish`: "stop", "length", "filtered", or "" where it does not say."""

    text: str
    finish: str = ""
    #: What the text stopped at, where the server says: a stop text, a token's id, or None for the model's own end.
    stopped_at: str | int | None = None
    #: Whether the server is one that says what a text stopped at (vLLM: stop_reason; SGLang: matched_stop).
    says_why: bool = False
    #: The model's name as the server tells it; empty when it does not.
    model: str = ""
    #: Tokens read and written, as the server counts; None when it does not.
    prompt_tokens: int | None = None
    tokens: int | None = None
    #: As they came; `top_tokens`, `read_tokens` and `prompt_logprobs` read them.
    logprobs: Any = None
    prompt: Any = None


def completion(body: Any) -> Answer:
    """An answer of /completions. Raises ValueError when it is none."""
    return _read(body, lambda choice: choice["text"], "completion")


def chat(body: Any) -> Answer:
    """An answer of /chat/completions. Raises ValueError when it is none."""
    return _read(body, lambda choice: _content(choice["message"].get("content")), "chat completion")


def _content(content: Any) -> Any:
    if isinstance(content, list):  # some servers give parts
        content = "".join(part.get("text", "") for part in content)
    return content or "" if isinstance(content, str | None) else content


def _read(body: Any, text: Any, what: str) -> Answer:
    try:
        choice = body["choices"][0]
        written = text(choice)
        if not isinstance(written, str):
            raise ValueError(f"the text of this {what} is no text")
        usage = body.get("usage") or {}
        model = body.get("model")
        why = [choice[name] for name in ("stop_reason", "matched_stop") if name in choice]
        return Answer(
            written,
            _finish(choice.get("finish_reason")),
            next((value for value in why if isinstance(value, str | int)), None),
            bool(why),
            _one_line(model)[:200] if isinstance(model, str) else "",
            _count(usage.get("prompt_tokens")),
            _count(usage.get("completion_tokens")),
            choice.get("logprobs"),
            choice.get("prompt_logprobs") or body.get("prompt_logprobs"),
        )
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"no {what}: {str(body)[:200]}") from error


def _finish(reason: Any) -> str:
    if not isinstance(reason, str):
        return ""
    if reason in _AT_LIMIT:
        return "length"
    return "filtered" if reason in _TAKEN_AWAY else "stop"


def _one_line(name: str) -> str:
    """A name from outside as a terminal shows it."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def top_tokens(logprobs: Any) -> list[tuple[str, float]]:
    """The most probable first tokens of an answer, in nats; empty where the server gives none, or in a form unknown."""
    try:
        if "content" in logprobs:  # chat, and llama.cpp everywhere
            entries = logprobs["content"][0]["top_logprobs"]
            pairs = [(str(entry["token"]), float(entry["logprob"])) for entry in entries]
        else:
            first = logprobs["top_logprobs"][0]
            pairs = [(str(token), float(value)) for token, value in first.items()]
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return []
    return [(token, value) for token, value in pairs if math.isfinite(value)]


def read_tokens(logprobs: Any) -> list[tuple[str, float | None]]:
    """Each token of an echoed text with its log-probability in nats (None: nothing predicts it); empty if unknown."""
    try:
        values = zip(logprobs["tokens"], logprobs["token_logprobs"], strict=True)
        return [(str(token), _finite(value)) for token, value in values]
    except (LookupError, TypeError, ValueError, OverflowError):
        return []


def prompt_logprobs(found: Any) -> list[tuple[str, float | None]]:
    """The same from vLLM's `prompt_logprobs: 0`: for each token of the prompt a mapping with that token alone."""
    try:
        rows = [next(iter(entry.values())) if entry else None for entry in found]
        return [
            ("", None) if row is None else (str(row.get("decoded_token") or ""), _finite(row["logprob"]))
            for row in rows
        ]
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return []


def _finite(value: Any) -> float | None:
    number = None if value is None else float(value)
    return number if number is not None and math.isfinite(number) else None


def listed(names: Sequence[str]) -> str:
    """Names from outside, on one line of bearable length."""
    shown = ", ".join(repr(name[:100]) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
