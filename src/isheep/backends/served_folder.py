"""The folder another program's server loads: base, adapter beside it (not merged), tokenizer, chat template.

Knows: what transformers and vLLM read from a model's folder. Does not know: how a server is started (talk/server.py).

The base's weights are linked, never copied. A folder that holds a whole model and an adapter is loaded by transformers
as that model with the adapter put on by PEFT (transformers 5.23, `integrations/peft.py`): an iteration, not merged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from isheep.backends import hf_load
from isheep.backends.base import ModelSpec
from isheep.backends.hf_streaming import asked_in
from isheep.backends.hf_text import encode_prompt, end_ids
from isheep.errors import BackendError
from isheep.text.chat_template import chat_template
from isheep.text.prompts import Layout

#: Of a base's folder, what is written anew or would be taken for ours.
_OWN = ("tokenizer", "generation_config", "chat_template", "special_tokens", "added_tokens", "adapter_")


@dataclass(frozen=True, slots=True)
class ServedFolder:
    """What was written, and what whoever starts a server has to know of it."""

    folder: Path
    layout: Layout
    #: The chat template's file; also in the tokenizer's own files.
    template: Path
    #: The number type a run on this device would have used ("float32").
    dtype: str
    device: str


def write_served_folder(
    model: ModelSpec, layout: str, device: str, folder: Path, adapter: str | None
) -> ServedFolder:
    """Write such a folder for a base and an adapter, asked in the layout of this name."""
    where = hf_load.pick_device(device)
    tokenizer = hf_load.load_tokenizer(model)
    # Only what "auto" means depends on the embeddings.
    found = asked_in(layout, tokenizer, hf_load.load_embeddings(model) if layout == "auto" else None, "")
    folder.mkdir(parents=True)
    for file in sorted(_base_folder(model).iterdir()):
        if file.is_file() and not file.name.startswith(_OWN):
            (folder / file.name).symlink_to(file.resolve())
    for name in ("adapter_config.json", "adapter_model.safetensors") if adapter else ():
        (folder / name).symlink_to((Path(adapter or "") / name).resolve())
    if found.name != "chat":  # then the tokenizer's own template is the layout
        tokenizer.chat_template = chat_template(found, _begin(tokenizer, found))
    tokenizer.save_pretrained(folder)
    template = folder / "chat_template.jinja"
    template.write_text(tokenizer.chat_template, encoding="utf-8")
    _generation_config(model, tokenizer, found).save_pretrained(folder)
    dtype = str(hf_load.pick_dtype(model.dtype, where)).removeprefix("torch.")
    return ServedFolder(folder, found, template, dtype, where.type if device == "auto" else device)


def _base_folder(model: ModelSpec) -> Path:
    """Where the base's files are on this machine; those of a model of the hub are fetched."""
    if Path(model.base).is_dir():
        return Path(model.base)
    from huggingface_hub import snapshot_download

    try:
        kinds = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.py"]
        return Path(snapshot_download(model.base, revision=model.revision, allow_patterns=kinds))
    except Exception as error:
        raise BackendError(
            f"the files of {model.base} cannot be fetched: {error}", "check the network, or the folder's name"
        ) from error


def _begin(tokenizer: Any, layout: Layout) -> str:
    """What the tokenizer puts in front of a prompt by itself: servers do not have it add anything."""
    prompt = layout.prompt("a")
    with_it, without = (
        encode_prompt(tokenizer, prompt),
        tokenizer(prompt, add_special_tokens=False)["input_ids"],
    )
    added = len(with_it) - len(without)
    return "".join(tokenizer.convert_ids_to_tokens(with_it[:added])) if added > 0 else ""


def _generation_config(model: ModelSpec, tokenizer: Any, layout: Layout) -> GenerationConfig:
    """How a server writes when the request does not say: drawn from the whole distribution, as the API's defaults are,
    until the model's end, the layout's, or (transformers alone) a text that shows a new question."""
    try:
        own = GenerationConfig.from_pretrained(model.base, revision=model.revision).eos_token_id
    except OSError:  # a base without such a file
        own = hf_load.load_config(model).get_text_config().eos_token_id
    ends = {
        *(own if isinstance(own, list) else [own]),
        tokenizer.eos_token_id,
        *_single(end_ids(tokenizer, layout)),
    }
    return GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        eos_token_id=sorted(end for end in ends if end is not None),
        pad_token_id=tokenizer.pad_token_id,
        stop_strings=list(layout.stop_texts) or None,
    )


def _single(ids: list[int]) -> list[int]:
    """An end that is one token; one of several tokens ends nothing by its parts."""
    return ids if len(ids) == 1 else []
