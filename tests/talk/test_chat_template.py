"""A layout as a chat template: the same text, and the same tokens, as the layout itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.backends.hf_text import encode_prompt
from isheep.backends.served_folder import _begin
from isheep.backends.streaming import with_system
from isheep.text.chat_template import chat_template
from isheep.text.prompts import LAYOUTS, Layout
from tiny_models import make_tokenizer

ODD = Layout("odd", "Ä'\\ {{x}} {% y %}\n😀 ", "\n\tB%}:", lead=" ", end="{#")
TEXT = st.text("ab'\"\\{}%# \n\té😀<|>", max_size=8)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return make_tokenizer()


def laid_out(tokenizer: Any, template: str, said: list[str], system: str = "", **how: Any) -> Any:
    talk = [{"role": "system", "content": system}] if system else []
    talk += [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
    how = {"tokenize": False, "add_generation_prompt": True, **how}
    return tokenizer.apply_chat_template(talk, chat_template=template, **how)


@pytest.mark.parametrize("layout", [*LAYOUTS.values(), ODD], ids=lambda layout: layout.name)
@settings(deadline=None)  # a busy machine is no mistake
@given(said=st.lists(TEXT, min_size=1, max_size=5).filter(lambda said: len(said) % 2 == 1))
def test_it_is_the_layout_to_the_letter(tokenizer: Any, layout: Layout, said: list[str]) -> None:
    said = [text.strip() for text in said]
    assert laid_out(tokenizer, chat_template(layout), said) == layout.prompt(said[-1], "", said[:-1])


@pytest.mark.parametrize("layout", [*LAYOUTS.values(), ODD], ids=lambda layout: layout.name)
def test_a_system_message_stands_where_chat_puts_it(tokenizer: Any, layout: Layout) -> None:
    told = laid_out(tokenizer, chat_template(layout), ["a", "b", "c"], system="Be 'brief'.")
    assert told == with_system(layout, "Be 'brief'.").prompt("c", "", ("a", "b"))


def test_an_answered_conversation_ends_as_it_is_trained(tokenizer: Any) -> None:
    layout = LAYOUTS["chatml"]
    whole = laid_out(tokenizer, chat_template(layout), [" a", "b "], add_generation_prompt=False)
    assert whole == layout.prompt("a") + layout.completion("b") + layout.end


@pytest.mark.parametrize("roles", [["user", "user"], ["assistant"], ["tool"]])
def test_other_orders_are_refused(tokenizer: Any, roles: list[str]) -> None:
    talk = [{"role": role, "content": "x"} for role in roles]
    with pytest.raises(Exception, match="take turns"):
        tokenizer.apply_chat_template(talk, chat_template=chat_template(LAYOUTS["qa"]), tokenize=False)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
@pytest.mark.parametrize("bos", [False, True])
def test_the_tokens_are_those_of_a_prompt(layout: Layout, bos: bool) -> None:
    tokenizer = make_tokenizer(bos=bos, chat_tokens=True)
    template = chat_template(layout, _begin(tokenizer, layout))
    ids = laid_out(tokenizer, template, ["a", "b", "c"], tokenize=True, return_dict=False)
    assert ids == encode_prompt(tokenizer, layout.prompt("c", "", ("a", "b")))
