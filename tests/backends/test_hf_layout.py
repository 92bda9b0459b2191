"""Chat templates as layouts, and tokens no training text ever held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isheep.backends.hf_layout import chat_layout, layout_tokens, resolve, untrained_tokens
from isheep.backends.hf_text import Decoder, encode_completions, encode_prompt, end_ids, special_id
from isheep.errors import BackendError
from isheep.text.prompts import LAYOUTS
from tiny_models import make_model, make_tokenizer, untrain

LLAMA2 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] | trim }} [/INST]"
    "{% else %} {{ m['content'] | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)


def _load(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)


def test_chatml_template() -> None:
    tokenizer = make_tokenizer(template=True)
    layout, fixed = chat_layout(tokenizer), LAYOUTS["chatml"]
    assert (layout.before, layout.between, layout.end) == (fixed.before, fixed.between, fixed.end)
    assert (layout.lead, layout.stops) == ("", ("<|im_start|>",))
    whole = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi\n1 2"}, {"role": "assistant", "content": "Ho"}], tokenize=False
    )
    assert whole == layout.prompt("Hi", "1 2") + layout.completion("Ho") + layout.end + "\n"


def test_template_with_begin_token_and_leading_space() -> None:
    tokenizer = make_tokenizer(bos=True)
    tokenizer.chat_template = LLAMA2
    layout = chat_layout(tokenizer)
    assert (layout.before, layout.between) == ("<s>[INST] ", " [/INST]")
    assert (layout.lead, layout.end, layout.stops) == (" ", "<|end|>", ())
    ids = encode_prompt(tokenizer, layout.prompt("Hi"))
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids == tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], add_generation_prompt=True, return_dict=False
    )


def test_begin_token_is_added_once() -> None:
    tokenizer = make_tokenizer(bos=True)
    bos = tokenizer.bos_token_id
    assert encode_prompt(tokenizer, "Hi")[0] == bos
    assert encode_prompt(tokenizer, "<s>Hi") == encode_prompt(tokenizer, "Hi")
    assert encode_prompt(tokenizer, "") == [bos]
    assert encode_prompt(make_tokenizer(), "") == [make_tokenizer().eos_token_id]


def test_an_end_token_the_tokenizer_adds_is_removed() -> None:
    from tokenizers import processors

    tokenizer = make_tokenizer()
    plain = encode_prompt(tokenizer, "Hi")
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|end|>", special_tokens=[("<|end|>", tokenizer.eos_token_id)]
    )
    assert tokenizer("Hi")["input_ids"] == [*plain, tokenizer.eos_token_id]
    assert encode_prompt(tokenizer, "Hi") == plain


def test_completions_follow_their_prompts() -> None:
    tokenizer = make_tokenizer(bos=True, digits="merged")
    prompts, answers = ["Question: a\nAnswer:", "The score (1 to 10): 1"], [" cold", "0"]
    rows = encode_completions(tokenizer, prompts, answers)
    assert (
        rows[0]
        == tokenizer("Question: a\nAnswer: cold")["input_ids"][len(encode_prompt(tokenizer, prompts[0])) :]
    )
    assert tokenizer.decode(rows[1]) == "0"  # " 10" is one token, so the border had to be kept


def test_end_tokens() -> None:
    tokenizer = make_tokenizer(template=True)
    assert end_ids(tokenizer, LAYOUTS["question"]) == [tokenizer.eos_token_id]
    assert end_ids(tokenizer, LAYOUTS["chatml"]) == [special_id(tokenizer, "<|im_end|>")]
    assert special_id(tokenizer, "<|im_end|>\n") == special_id(tokenizer, "<|im_end|>")
    assert special_id(tokenizer, "\n\n") is None
    tokenizer.eos_token = None
    with pytest.raises(BackendError, match="cannot learn to stop"):
        end_ids(tokenizer, LAYOUTS["question"])


def test_decoding_keeps_the_leading_space_and_drops_special_tokens() -> None:
    tokenizer = make_tokenizer(template=True)
    decoder = Decoder(tokenizer)
    ids = tokenizer(" cold sheep<|im_end|>\n")["input_ids"]
    assert decoder.text(ids) == " cold sheep\n"
    flags = decoder.may_complete(("\nQuestion:", "sheep"), len(tokenizer) + 3)
    assert len(flags) == len(tokenizer) + 3
    assert all(flags[i] for i in tokenizer(":")["input_ids"] + tokenizer("sheep")["input_ids"][-1:])
    assert not flags[tokenizer("a")["input_ids"][0]]


@pytest.mark.parametrize("tied", [True, False])
def test_auto_takes_the_template_only_where_its_tokens_were_trained(tmp_path: Path, tied: bool) -> None:
    tokenizer, model = _load(make_model(tmp_path, template=True, tied=tied))
    assert resolve("auto", tokenizer, model).name == "chat"
    tokenizer, model = _load(untrain(tmp_path))
    assert resolve("auto", tokenizer, model).name == "question"
    assert untrained_tokens(tokenizer, model, LAYOUTS["chatml"]) == layout_tokens(
        tokenizer, LAYOUTS["chatml"]
    )
    assert resolve("chatml", tokenizer, model) == LAYOUTS["chatml"]  # forced: allowed, and trained


def test_a_row_like_a_reserved_one_is_untrained(tmp_path: Path) -> None:
    import torch

    tokenizer, model = _load(make_model(tmp_path, template=True))
    weight = model.get_input_embeddings().weight
    start = special_id(tokenizer, "<|im_start|>")
    assert len(weight) > len(tokenizer)
    with torch.no_grad():
        weight[start] = weight[-1] * 1.01
    assert untrained_tokens(tokenizer, model, LAYOUTS["chatml"]) == [start]
    assert untrained_tokens(tokenizer, model, LAYOUTS["question"]) == []
    with torch.no_grad():
        weight[tokenizer.eos_token_id] = 0
    assert untrained_tokens(tokenizer, model, LAYOUTS["question"]) == [tokenizer.eos_token_id]


def test_forced_layouts_that_cannot_be() -> None:
    tokenizer = make_tokenizer()
    with pytest.raises(BackendError, match=r"needs tokens this tokenizer lacks: <\|im_end\|>") as caught:
        resolve("chatml", tokenizer, None)
    assert "model.layout: question" in caught.value.hint
    with pytest.raises(BackendError, match="no chat template"):
        resolve("chat", tokenizer, None)
    assert resolve("auto", tokenizer, None).name == "question"
    tokenizer.chat_template = "{{ raise_exception('only tools') }}"
    with pytest.raises(BackendError, match="only tools"):
        resolve("chat", tokenizer, None)
    tokenizer.chat_template = "{{ messages[0]['content'] | upper }}{{ messages[0]['content'] }}"
    with pytest.raises(BackendError, match="changes the texts"):
        resolve("chat", tokenizer, None)
