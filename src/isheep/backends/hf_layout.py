"""A tokenizer's chat template turned into a Layout, and whether the model ever saw the template's tokens.

The template is rendered with sentinels in place of the texts and cut at them: no knowledge of template languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from isheep.backends.hf_text import end_ids, special_id
from isheep.backends.names import named_layout
from isheep.errors import BackendError
from isheep.text.prompts import Layout

_ASKED, _ANSWERED, _ASKED_AGAIN = "ISHEEPREQUEST", "ISHEEPANSWER", "ISHEEPSECOND"

#: A row is called untrained when its norm is below this share of the median row's ...
_SMALL = 0.25
#: ... or when it points the same way (cosine) as another template token's or a reserved row.
_ALIKE = 0.98

_RESERVED_NAMES = ("reserved", "unused", "extra_id", "placeholder")
_HINT = "set model.layout: question"


def resolve(name: str, tokenizer: Any, model: Any, system: str = "") -> Layout:
    """The layout of this name for this model. `model` is a loaded model (its embeddings are looked at). `system`: what
    a tokenizer's chat template is given as the system's message; a layout that is no such template ignores it."""
    if name == "auto":
        if not tokenizer.chat_template:
            return named_layout("question")
        layout = chat_layout(tokenizer, system)
        return named_layout("question") if untrained_tokens(tokenizer, model, layout) else layout
    if name == "chat":
        return chat_layout(tokenizer, system)
    layout = named_layout(name)
    missing = [t for t in (layout.end, *layout.stops) if layout.is_chat and special_id(tokenizer, t) is None]
    if missing:
        raise BackendError(f"layout {name!r} needs tokens this tokenizer lacks: {', '.join(missing)}", _HINT)
    return layout


def chat_layout(tokenizer: Any, system: str = "") -> Layout:
    """The tokenizer's own chat template as a Layout."""
    if not tokenizer.chat_template:
        raise BackendError("layout 'chat' was asked for, but the tokenizer has no chat template", _HINT)
    ask = [{"role": "system", "content": system}] if system else []
    ask.append({"role": "user", "content": _ASKED})
    try:
        asked = _render(tokenizer, ask, True)
        whole = _render(tokenizer, [*ask, {"role": "assistant", "content": _ANSWERED}], False)
    except Exception as error:
        raise BackendError(f"the tokenizer's chat template cannot be rendered: {error}", _HINT) from error
    if asked.count(_ASKED) != 1 or whole.count(_ANSWERED) != 1:
        raise BackendError("the tokenizer's chat template changes the texts it is given", _HINT)
    before, between = asked.split(_ASKED)
    head, tail = whole.split(_ANSWERED)
    lead = head[len(asked) :] if head.startswith(asked) else ""
    end = _first_special(tokenizer, tail) or tail.strip() or tokenizer.eos_token or ""
    stops = [t for t in _special_texts(tokenizer, before + between) if t not in (end, tokenizer.bos_token)]
    return Layout(
        "chat", before, between, lead=lead, end=end, stops=tuple(stops), again=_again(tokenizer, end)
    )


def _again(tokenizer: Any, end: str) -> str:
    """What the template puts between an answer's end and the next request; empty when it cannot be told."""
    talk = [
        {"role": "user", "content": _ASKED},
        {"role": "assistant", "content": _ANSWERED},
        {"role": "user", "content": _ASKED_AGAIN},
    ]
    try:
        text = _render(tokenizer, talk, False)
    except Exception:  # some templates refuse a second turn; then a conversation is laid out as plain turns
        return ""
    _, _, tail = text.partition(_ANSWERED)
    between, found, _ = tail.partition(_ASKED_AGAIN)
    return between.lstrip()[len(end) :] if found and between.lstrip().startswith(end) else ""


def layout_tokens(tokenizer: Any, layout: Layout) -> list[int]:
    """Ids of the special tokens a layout is made of; begin and end of sequence left out, every base model saw those."""
    text = layout.before + layout.between + layout.end
    ids = [special_id(tokenizer, t) for t in _special_texts(tokenizer, text)]
    return [i for i in ids if i is not None and i not in (tokenizer.bos_token_id, tokenizer.eos_token_id)]


def untrained_tokens(tokenizer: Any, model: Any, layout: Layout) -> list[int]:
    """Those of the layout's special tokens and of its end that look as if no training text ever held them.

    A guess from the embedding rows, input and output: rows that were never used stay small (weight decay), or stay
    (nearly) equal to one another and to the reserved rows. It cannot see a row that kept an ordinary random value of
    its own, and it does not know whether a trained token was used the way this template uses it.
    """
    tokens = sorted({*layout_tokens(tokenizer, layout), *end_ids(tokenizer, layout)})
    reserved = _reserved(tokenizer, model.get_input_embeddings().weight.shape[0])
    found: set[int] = set()
    for matrix in (model.get_input_embeddings(), model.get_output_embeddings()):
        if matrix is not None:
            found |= _odd_rows(matrix.weight.detach(), tokens, reserved)
    return sorted(found)


def _odd_rows(matrix: Tensor, tokens: Sequence[int], reserved: Sequence[int]) -> set[int]:
    median = matrix[:: max(1, len(matrix) // 4096)].float().norm(dim=-1).median()
    rows = matrix[list(tokens)].float()
    others = matrix[[*tokens, *(r for r in reserved if r not in tokens)]].float()
    alike = torch.nn.functional.cosine_similarity(rows.unsqueeze(1), others.unsqueeze(0), dim=-1)
    alike.fill_diagonal_(0)
    odd = (rows.norm(dim=-1) < _SMALL * median) | (alike > _ALIKE).any(-1)
    return {token for token, flag in zip(tokens, odd.tolist(), strict=True) if flag}


def _reserved(tokenizer: Any, rows: int) -> list[int]:
    """Rows no text can use: beyond the tokenizer's vocabulary, or reserved by name."""
    named = [
        i
        for t, i in tokenizer.get_added_vocab().items()
        if any(word in t.lower() for word in _RESERVED_NAMES)
    ]
    return sorted({*named[:64], *range(len(tokenizer), min(rows, len(tokenizer) + 64))})


def _render(tokenizer: Any, messages: list[dict[str, str]], generation: bool) -> str:
    # The date is fixed (the one such templates fall back to): a layout must not change overnight.
    text: str = tokenizer.apply_chat_template(
        messages,
        tokenize=False,
        add_generation_prompt=generation,
        enable_thinking=False,
        date_string="26 Jul 2024",
    )
    return text


def _special_texts(tokenizer: Any, text: str) -> list[str]:
    """Special tokens that occur in a text, in order of first occurrence."""
    known = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    return sorted((t for t in known if t.strip() and t in text), key=lambda t: (text.index(t), t))


def _first_special(tokenizer: Any, text: str) -> str:
    """The special token a text begins with, or nothing."""
    found = [t for t in _special_texts(tokenizer, text) if text.lstrip().startswith(t)]
    return max(found, key=len, default="")
