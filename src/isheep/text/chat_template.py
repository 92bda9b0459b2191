"""A layout written as a Jinja chat template, the form in which servers and tokenizers keep one.

Knows: strings, and the roles of messages. Does not know: tokenizers, servers, or Jinja itself.
"""

from __future__ import annotations

from isheep.text.prompts import CHATML_SYSTEM, Layout


def chat_template(layout: Layout, begin: str = "") -> str:
    """The Jinja template that lays messages out to the letter as `layout.prompt` does with a history.

    `begin`: text that goes in front of everything, for a tokenizer whose begin token is not part of the layout (servers
    tokenise a laid out conversation without adding any). A first message of the role "system" takes the place of
    ChatML's own system line; above any other layout it is a paragraph of its own.
    """
    again = layout.again or f"\n\n{layout.before}"
    return "".join(
        (
            "{%- set told = messages[0]['role'] == 'system' -%}",
            "{%- set talk = messages[1:] if told else messages -%}",
            "{{- ", _literal(begin), " -}}",
            _opening(layout),
            "{%- for message in talk -%}",
            "{%- if message['role'] != ('user' if loop.index0 % 2 == 0 else 'assistant') -%}",
            "{{- raise_exception('user and assistant must take turns, the user first') -}}",
            "{%- endif -%}",
            "{%- if message['role'] == 'user' -%}",
            "{%- if not loop.first -%}{{- ", _literal(again), " -}}{%- endif -%}",
            "{{- message['content'] | trim -}}",
            "{%- if not loop.last or add_generation_prompt -%}{{- ", _literal(layout.between), " -}}{%- endif -%}",
            "{%- else -%}",
            "{{- ", _literal(layout.lead), " + (message['content'] | trim) + ", _literal(layout.end), " -}}",
            "{%- endif -%}",
            "{%- endfor -%}",
        )
    )  # fmt: skip


def _opening(layout: Layout) -> str:
    """What stands before the first request, with the system's message and without."""
    own = f"{{{{- {_literal(layout.before)} -}}}}"
    said = "(messages[0]['content'] | trim)"
    if CHATML_SYSTEM in layout.before:
        head, tail = layout.before.split(CHATML_SYSTEM, 1)
        told = f"{{{{- {_literal(head)} + {said} + {_literal(tail)} -}}}}"
    else:
        told = f"{{{{- {said} + {_literal(chr(10) * 2 + layout.before)} -}}}}"
    return f"{{%- if told -%}}{told}{{%- else -%}}{own}{{%- endif -%}}"


def _literal(text: str) -> str:
    """A text as a Jinja string, whatever is in it."""
    escaped = text.encode("unicode_escape").decode("ascii").replace("'", "\\'")
    return f"'{escaped}'"
