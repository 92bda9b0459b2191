"""Conversations of several turns: laid out as the tokenizer's own template does, and written and trained on as such."""

from __future__ import annotations

import pytest

from isheep.backends.hf_layout import chat_layout
from isheep.text.prompts import LAYOUTS
from tiny_models import make_tokenizer

SAID = ("Name a river.", "The Nile.")
TALK = [
    {"role": "user", "content": SAID[0]},
    {"role": "assistant", "content": SAID[1]},
    {"role": "user", "content": "And a lake?"},
]
ONE_TURN = (
    "{% if messages | length > 2 %}{{ raise_exception('one turn only') }}{% endif %}"
    "{% for m in messages %}{% if m['role'] == 'user' %}<|im_start|>{{ m['content'] }}<|im_end|>"
    "{% else %}{{ m['content'] }}<|end|>{% endif %}{% endfor %}"
)


def test_a_conversation_is_what_the_template_makes_of_it() -> None:
    tokenizer = make_tokenizer(template=True)
    layout = chat_layout(tokenizer)
    whole = tokenizer.apply_chat_template(TALK, tokenize=False, add_generation_prompt=True)
    assert layout.prompt("And a lake?", "", SAID) == whole
    assert layout.again == LAYOUTS["chatml"].again
    assert LAYOUTS["chatml"].prompt("And a lake?", "", SAID) == whole


def test_the_open_request_is_where_the_person_speaks_next() -> None:
    tokenizer = make_tokenizer(template=True)
    layout = chat_layout(tokenizer)
    assert layout.prompt("And a lake?", "", SAID).startswith(layout.open_request(SAID) + "And a lake?")
    assert layout.end in layout.request_stops


def test_a_template_that_refuses_a_second_turn_gets_a_blank_line() -> None:
    tokenizer = make_tokenizer(template=True)
    tokenizer.chat_template = ONE_TURN
    layout = chat_layout(tokenizer)
    assert layout.again == ""
    assert layout.open_request(SAID).endswith(f"{layout.end}\n\n{layout.before}")


@pytest.mark.parametrize("name", ["question", "qa", "user", "plain"])
def test_plain_layouts_go_on_after_a_blank_line(name: str) -> None:
    layout = LAYOUTS[name]
    text = layout.prompt("And a lake?", "of ice", SAID)
    first = layout.prompt(SAID[0]) + layout.completion(SAID[1])
    assert text == f"{first}\n\n{layout.prompt('And a lake?', 'of ice')}"
    assert not layout.open_request(SAID).endswith(" ")
    assert text.startswith(layout.open_request(SAID))
    assert any(stop and stop in layout.between for stop in layout.request_stops)


def test_half_an_exchange_is_no_history() -> None:
    with pytest.raises(ValueError, match="zip"):
        LAYOUTS["question"].prompt("And a lake?", "", ("Name a river.",))
