"""Tiny causal LMs with tokenizers, built from a config into a folder: what a user's model folder looks like.

`make_model(folder, arch, template)`: "llama" or "qwen2" (grouped heads), untied or tied, with or without a ChatML
template. Weights are random but fixed; `scale` sharpens them, so that greedy decoding has no near-ties.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHATML = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

_CORPUS = (
    "Question: What is the opposite of hot?\nAnswer: cold",
    "Rate the answer from 1 to 10. The score (1 to 10): 8 9 10 7 3 21 100",
    "1. Task: Describe a sheep.\nInput: the sheep is white\n2. Task: Name the capital of France.",
    "You are a helpful assistant. User: Tell me a story about a small town by the sea.\nAssistant: Once upon a time",
)


def make_tokenizer(
    template: bool = False,
    digits: str = "single",
    pad: str | None = "<|pad|>",
    bos: bool = False,
    chat_tokens: bool | None = None,
) -> Any:
    """A byte-level BPE tokenizer. `digits`: "single" (10 = 1, 0), "whole" (10 is a token), "merged" (" 10" is one).

    `chat_tokens` puts the ChatML tokens in the vocabulary even without a template.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<|end|>"]
    special += [pad] if pad and pad not in special else []
    special += ["<s>"] if bos else []
    if template if chat_tokens is None else chat_tokens:
        special += ["<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(models.BPE())
    steps: list[Any] = [pre_tokenizers.ByteLevel(add_prefix_space=False)]
    if digits != "merged":
        pattern = r"\d" if digits == "single" else r"\d+"
        steps.insert(0, pre_tokenizers.Split(Regex(pattern), "isolated"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    corpus = [*_CORPUS, *(f"): {n}" for n in range(1, 11) for _ in range(50))]
    tokenizer.train_from_iterator(corpus, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
        )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|end|>",
        pad_token=pad,
        bos_token="<s>" if bos else None,
        additional_special_tokens=[s for s in special if s.startswith("<|im_")],
    )
    if template:
        wrapped.chat_template = CHATML
    return wrapped


def make_model(
    folder: Path,
    arch: str = "llama",
    template: bool = False,
    tied: bool = True,
    context: int = 256,
    seed: int = 0,
    scale: float = 0.35,
    hidden: int = 48,
    **tokenizer_options: Any,
) -> Path:
    """Write a model folder and return it. About 60k parameters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    tokenizer = make_tokenizer(template=template, **tokenizer_options)
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer) + 4,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": context,
        "tie_word_embeddings": tied,
        "initializer_range": scale,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        # None, as in most base models: a pad row would be zero, and where pad is eos no model could learn to stop.
        "pad_token_id": None,
    }
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        if arch == "llama":
            model: Any = LlamaForCausalLM(LlamaConfig(**sizes))
        elif arch == "qwen2":
            model = Qwen2ForCausalLM(Qwen2Config(**sizes, num_key_value_heads=2))
        else:
            raise ValueError(f"unknown architecture {arch!r}")
    finally:
        torch.random.set_rng_state(state)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def untrain(folder: Path, tokens: tuple[str, ...] = ("<|im_start|>", "<|im_end|>")) -> Path:
    """Make the rows of these tokens look never trained: all alike, with a small norm."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = tokenizer.convert_tokens_to_ids(list(tokens))
    with torch.no_grad():
        for matrix in {model.get_input_embeddings().weight, model.get_output_embeddings().weight}:
            matrix[rows] = matrix[0] * 0.01
    model.save_pretrained(folder)
    return folder
