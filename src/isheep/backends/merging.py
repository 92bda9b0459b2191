"""A tuned model for use elsewhere: its tokenizer with the chat template it was trained on, and base and adapter in one.

A merged model is read back from the disk and compared with base + adapter before anybody relies on it. Knows: PEFT,
safetensors, chat templates. Does not know: runs, cards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoTokenizer, GenerationConfig

from isheep.backends import hf_layout, hf_load
from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.hf_text import encode_completions, encode_prompt, end_ids
from isheep.errors import BackendError
from isheep.text.chat_template import chat_template
from isheep.text.prompts import Layout

#: How far the merged model's logits may lie from those of base + adapter, relative to their size. Merging rounds once:
#: to the 24 bits of float32, or the 11 or 8 of half precision.
TOLERANCES = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
_SHARD = "5GB"


@dataclass(frozen=True, slots=True)
class Merged:
    """What the comparison found. `error`: merged against base + adapter; `effect`: base alone against the same."""

    dtype: str
    texts: int
    error: float
    effect: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Within the tolerance, and far nearer to base + adapter than the base alone is."""
        return self.error <= self.tolerance and (self.effect == 0 or self.error <= self.effect / 2)


def save_tokenizer(model: ModelSpec, layout: str, folder: Path) -> Layout:
    """Write the base's tokenizer, with a chat template that lays out as the model was trained, and a generation config
    that ends where the model learned to end. Returns the layout.

    The tokenizer's own template stays where it gives the same token ids; else one is written from the layout.
    """
    found = hf_layout.resolve(layout, hf_load.load_tokenizer(model), None)
    where = {"revision": model.revision, "trust_remote_code": model.trust_remote_code}
    tokenizer = AutoTokenizer.from_pretrained(
        model.base, **where
    )  # as it is: without what training sets on it
    if not (tokenizer.chat_template and lays_out(tokenizer, found)):
        tokenizer.chat_template = template_of(tokenizer, found)
        if not lays_out(tokenizer, found):
            raise BackendError(
                f"layout {found.name!r} cannot be written as a chat template of this tokenizer",
                "it joins texts that the layout keeps apart; export the data, and train with a template of your own",
            )
    tokenizer.save_pretrained(folder)
    _generation(model, end_ids(tokenizer, found)).save_pretrained(folder)
    return found


def template_of(tokenizer: Any, layout: Layout) -> str:
    """The layout as a chat template for this tokenizer, begin and end tokens where training had them."""
    first = encode_prompt(tokenizer, "a")[0]
    begins = tokenizer.bos_token_id is not None and first == tokenizer.bos_token_id
    begin = tokenizer.bos_token if begins and not layout.before.startswith(tokenizer.bos_token) else ""
    text = chat_template(layout, begin)
    if layout.end:
        return text
    # Only the last answer is followed by the end token: so it was learned, and so a conversation goes on.
    return (
        f"{text}{{%- if messages[-1]['role'] == 'assistant' and not add_generation_prompt -%}}"
        "{{- eos_token -}}{%- endif -%}"
    )


def lays_out(tokenizer: Any, layout: Layout) -> bool:
    """Does the tokenizer's template give the very token ids that asking and training have?"""
    try:
        return all(_alike(tokenizer, layout, history) for history in ((), ("Say one.", "one")))
    except Exception:  # a template may refuse anything, in errors of its own
        return False


def _alike(tokenizer: Any, layout: Layout, history: tuple[str, ...]) -> bool:
    turns = [*history, "Say two.", "two"]
    talk = [{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(turns)]
    prompt = layout.prompt("Say two.", history=history)
    asked = encode_prompt(tokenizer, prompt)
    (answer,) = encode_completions(tokenizer, [prompt], [layout.completion("two")])
    whole = [*asked, *answer, *end_ids(tokenizer, layout)]
    found = [
        tokenizer(
            tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=open_),
            add_special_tokens=False,
        )["input_ids"]
        for said, open_ in ((talk[:-1], True), (talk, False))
    ]
    return bool(found[0] == asked and found[1][: len(whole)] == whole)


def _generation(model: ModelSpec, ends: Sequence[int]) -> Any:
    """The base's generation config; it ends a text where the model learned to, too."""
    try:
        config = GenerationConfig.from_pretrained(model.base, revision=model.revision)
    except OSError:  # a base without one
        config = GenerationConfig()
    own = config.eos_token_id
    known = [] if own is None else own if isinstance(own, list) else [own]
    if len(ends) == 1 and ends[0] not in known:
        known = [*known, ends[0]]
    config.eos_token_id = known[0] if len(known) == 1 else known or None
    return config


def save_merged(
    model: ModelSpec,
    prompts: Sequence[tuple[str, str]],
    dtype: str,
    folder: Path,
    tell: Callable[[str], None] = lambda text: None,
) -> Merged:
    """Merge `model.adapter` into the base and write it to `folder` as safetensors, which holds the tokenizer already.

    Raises BackendError unless what was written, read back, gives the logits of base + adapter on `prompts` (each a
    prompt and its answer). `dtype` "auto" is the number type the base lies in. On the CPU: a model that fits no GPU can
    be merged too.
    """
    assert model.adapter is not None
    bare = replace(model, load_in="", adapter=None)
    cpu = hf_load.prepare(Runtime(device="cpu"))
    kind = _stored(bare) if dtype == "auto" else hf_load.pick_dtype(dtype, cpu)
    tell(f"reading {model.name or model.base}")
    base = hf_load.load_model(bare, cpu, kind)
    tokenizer = hf_load.load_tokenizer(bare)
    texts = [encode_prompt(tokenizer, prompt + answer) for prompt, answer in prompts]
    limit = hf_load.context_length(base.config, bare)
    rows = [torch.tensor([ids[:limit]]) for ids in texts]
    adapted = PeftModel.from_pretrained(base, model.adapter).eval()
    tell(f"asking base and adapter {len(rows)} prompts")
    wanted = [_logits(adapted, row) for row in rows]
    with adapted.disable_adapter():
        alone = [_logits(adapted, row) for row in rows]
    tell("merging and writing")
    merged = adapted.merge_and_unload()
    ends = GenerationConfig.from_pretrained(folder)
    merged.generation_config = ends
    merged.save_pretrained(folder, max_shard_size=_SHARD)
    del merged, adapted, base
    tell("reading it back and comparing")
    again = hf_load.load_model(ModelSpec(str(folder), trust_remote_code=model.trust_remote_code), cpu, kind)
    got = [_logits(again, row) for row in rows]
    found = Merged(
        str(kind).removeprefix("torch."),
        len(rows),
        max(map(_distance, got, wanted)),
        max(map(_distance, alone, wanted)),
        TOLERANCES[kind],
    )
    if not found.agrees:
        raise BackendError(
            f"the merged model is not base and adapter: its logits are off by {found.error:.2g} of their size "
            f"(at most {found.tolerance:.2g}, and half of the adapter's own effect of {found.effect:.2g}, is right)",
            "merge in more bits with --dtype float32, or export the adapter alone",
        )
    return found


def _stored(model: ModelSpec) -> torch.dtype:
    """The number type a base's weights lie in; float32 where its config does not say."""
    named = getattr(hf_load.load_config(model).get_text_config(), "dtype", None)
    return named if named in TOLERANCES else torch.float32


def _logits(model: Any, row: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=row).logits
    return found[0].float()


def _distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """How far logits lie from others, relative to how far those reach; what all logits share changes no probability."""
    first, second = (logits - logits.mean(-1, keepdim=True) for logits in (found, wanted))
    return float((first - second).norm() / second.norm())
