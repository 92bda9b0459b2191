"""The one layout used to ask, to judge, to train and to test.

A layout is a contract: the text a model is asked with is the text it is trained on, to the letter. Everything that
turns an instruction into model text goes through a `Layout` or one of the two builders below.
Knows: strings. Does not know: tokenizers (a chat template of a tokenizer is turned into a `Layout` by the backend).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_FIELD = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Layout:
    """How one exchange is written down.

    `prompt(i, x)` = before + request + between; the completion that follows it = lead + response + end.
    `lead` belongs to the completion, so that a prompt never ends in a space (tokenizers join it to the next word).
    `end` is the text that closes the answer; empty means the tokenizer's end-of-sequence token does.
    `stops` are texts at which an untuned base model, which never learned to stop, is cut.
    """

    name: str
    before: str
    between: str
    lead: str = ""
    end: str = ""
    stops: tuple[str, ...] = ()

    def prompt(self, instruction: str, input: str = "") -> str:
        """The text a model continues with its answer."""
        return f"{self.before}{request(instruction, input)}{self.between}"

    @property
    def stop_texts(self) -> tuple[str, ...]:
        """All texts that end an answer: the turn's own end first."""
        return (self.end, *self.stops) if self.end else self.stops

    @property
    def is_chat(self) -> bool:
        """A chat layout wraps every request in roles with tokens of their own; the others are plain text."""
        return bool(self.end)

    def completion(self, response: str) -> str:
        """The text that follows `prompt`, without the end-of-turn token."""
        return f"{self.lead}{response}"


def request(instruction: str, input: str = "") -> str:
    """Join an instruction and its input: one newline, the same join everywhere (asking, judging, training)."""
    instruction, input = instruction.strip(), input.strip()
    return f"{instruction}\n{input}" if input else instruction


#: The system line of the paper's ChatML template ("the system line of a helpful assistant").
CHATML_SYSTEM = "You are a helpful assistant."

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("plain", "", "\n", stops=("\n\n",)),
        Layout("question", "Question: ", "\nAnswer:", lead=" ", stops=("\nQuestion:", "\n\n\n")),
        Layout("qa", "Q: ", "\nA:", lead=" ", stops=("\nQ:", "\n\n\n")),
        Layout("user", "User: ", "\nAssistant:", lead=" ", stops=("\nUser:", "\n\n\n")),
        Layout(
            "chatml",
            f"<|im_start|>system\n{CHATML_SYSTEM}<|im_end|>\n<|im_start|>user\n",
            "<|im_end|>\n<|im_start|>assistant\n",
            end="<|im_end|>",
            stops=("<|im_start|>",),
        ),
    )
}


def fill(template: str, **values: str) -> str:
    """Put values into a prompt file's {fields}, in one pass: a value that itself holds "{...}" stays as it is.

    Raises KeyError for a field the caller does not offer; model text is data, never a template.
    """
    return _FIELD.sub(lambda m: values[m[1]], template)


def fields(template: str) -> set[str]:
    """The {fields} a prompt file asks for."""
    return {m[1] for m in _FIELD.finditer(template)}


def task_list(header: str, shots: Sequence[tuple[str, str]]) -> str:
    """A numbered list of tasks, open at the next number, for the model to continue.

    `shots` are (instruction, input) of the seed tasks shown; answers are not shown (released code).
    """
    lines = [header.strip(), ""]
    for number, (instruction, input) in enumerate(shots, 1):
        lines.append(list_item(number, instruction, input))
    lines.append(f"{len(shots) + 1}. Task:")
    return "\n".join(lines)


def list_item(number: int, instruction: str, input: str = "") -> str:
    """One item of the numbered list: "3. Task: ..." and, where there is one, a line "Input: ..."."""
    item = f"{number}. Task: {_one_line(instruction)}"
    return f"{item}\nInput: {input.strip()}" if input.strip() else item


def judge_text(template: str, instruction: str, input: str, response: str) -> str:
    """The text a judge continues with its score, from a prompt file with {request} and {response}."""
    return fill(template.strip("\n"), request=request(instruction, input), response=response.strip())


def _one_line(text: str) -> str:
    return " ".join(text.split())
