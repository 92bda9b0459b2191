"""A layout as Ollama's Modelfile: where the weights are, the template in Go's language, the stops.

Knows: strings. Does not know: tokenizers, files.
"""

from __future__ import annotations

from isheep.errors import ExportError
from isheep.text.prompts import CHATML_SYSTEM, Layout

_QUOTES = '"""'


def modelfile(layout: Layout, weights: str, begin: str = "") -> str:
    """A Modelfile for weights in the layout. `begin`: the begin token's text, which Ollama adds by itself."""
    stops = list(dict.fromkeys(stop for stop in layout.stop_texts if stop))
    lines = [
        f"# ollama create NAME -f Modelfile; layout: {layout.name}",
        f"FROM {weights}",
        f"TEMPLATE {quoted(template(layout, begin))}",
        *(f"PARAMETER stop {quoted(stop)}" for stop in stops),
    ]
    return "\n".join(lines) + "\n"


def template(layout: Layout, begin: str = "") -> str:
    """The layout as Ollama fills it in: a conversation, open where the model's answer begins.

    A system message takes the place of ChatML's own, or is a paragraph above any other layout.
    """
    before = layout.before.removeprefix(begin)
    again = layout.again or f"\n\n{layout.before}"
    said = "{{ $.System }}"  # within the range the dot is a message
    if CHATML_SYSTEM in before:
        head, tail = before.split(CHATML_SYSTEM, 1)
        opening = (
            f"{_text(head)}{{{{ if $.System }}}}{said}{{{{ else }}}}{CHATML_SYSTEM}{{{{ end }}}}{_text(tail)}"
        )
    else:
        opening = f"{{{{ if $.System }}}}{said}\n\n{{{{ end }}}}{_text(before)}"
    # Ollama counts a system message among the messages, so whether one was asked before is told apart by hand.
    return (
        "{{- $asked := false }}{{- range .Messages }}"
        '{{- if eq .Role "user" }}'
        f"{{{{- if $asked }}}}{_text(again)}{{{{- else }}}}{opening}{{{{- end }}}}"
        f"{{{{- $asked = true }}}}{{{{ .Content }}}}{_text(layout.between)}"
        '{{- else if eq .Role "assistant" }}'
        f"{_text(layout.lead)}{{{{ .Content }}}}{_text(layout.end)}"
        "{{- end }}{{- end }}"
    )


def _text(text: str) -> str:
    """A text in a Go template, as a string of Go's: nothing in it means anything, and no space around it is eaten."""
    if not text:
        return ""
    return '{{ "' + _escaped(text) + '" }}'


def _escaped(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return plain.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def quoted(text: str) -> str:
    """A value of a Modelfile, over several lines if need be. It knows no way to write its own quotation marks."""
    if _QUOTES in text or text.endswith('"'):
        raise ExportError(f"a Modelfile cannot hold {text!r}", "leave out --ollama, and write one by hand")
    return f"{_QUOTES}{text}{_QUOTES}"
