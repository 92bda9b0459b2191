"""The one layout used to ask, to judge, to train and to test.

A layout is a contract: the text a model is asked with is the text it is trained on, to the letter. Everything that
turns an instruction into model text goes through a `Layout` or one of the two builders below.
Knows: strings. Does not know: tokenizers (a chat template of a tokenizer is turned into a `Layout` by the backend).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isheep.errors import RecipeError

_FIELD = re.compile(r"\{([a-z_]+)\}")
_EXAMPLES = re.compile(r"^\{examples\}\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one exchange is written down.

    `prompt(i, x)` = before + request + between; the completion that follows it = lead + response + end. In a
    conversation, `again` stands between an answer's end and the next request (empty: a blank line and `before`).
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
    again: str = ""

    def prompt(self, instruction: str, input: str = "", history: Sequence[str] = ()) -> str:
        """The text a model continues with its answer. `history`: request, answer, request, answer ... said before."""
        return f"{self._opening(history)}{request(instruction, input)}{self.between}"

    def open_request(self, history: Sequence[str]) -> str:
        """The text a model continues with the person's next request. Ends in no space, as `lead` says why."""
        return self._opening(history).rstrip(" ")

    @property
    def request_stops(self) -> tuple[str, ...]:
        """Texts that end a request the model writes itself: where the answer would begin, or anything that ends one."""
        return (self.between.rstrip() or self.between, *self.stop_texts)

    def _opening(self, history: Sequence[str]) -> str:
        again = self.again or f"\n\n{self.before}"
        said = zip(history[::2], history[1::2], strict=True)
        return self.before + "".join(
            f"{asked}{self.between}{self.completion(answer)}{self.end}{again}" for asked, answer in said
        )

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
            again="\n<|im_start|>user\n",
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


@dataclass(frozen=True, slots=True)
class ScoredExample:
    """A request and its answer with the marks it was given, 1 to 10 on both scales: an example for a judge."""

    instruction: str
    input: str
    response: str
    quality: int
    following: int

    def score(self, scale: str) -> int:
        """The mark on a scale: "quality" or "following"."""
        return {"quality": self.quality, "following": self.following}[scale]


def judge_text(
    template: str,
    instruction: str,
    input: str,
    response: str,
    examples: Sequence[ScoredExample] = (),
    scale: str = "",
    history: tuple[str, ...] = (),
) -> str:
    """The text a judge continues with its score, from a prompt file with {request} and {response}.

    A prompt file may have {examples} on a line of its own. What follows that line is then written once for each of
    `examples`, with the example's score on `scale` behind it, and once more, open, for the pair to be judged. A file
    without that line shows no examples. `history` is what was said before: request, answer, request, answer ...
    Raises RecipeError when the file asks for examples and there are none.
    """
    head, item = _judge_parts(template)
    if head is not None and not examples:
        raise RecipeError(
            "the judging prompt has {examples}, but there are none", "give a file of scored examples"
        )
    shown = examples if head is not None else ()
    lines = [] if not head else [head]
    for example in shown:
        asked = request(example.instruction, example.input)
        text = fill(item, request=asked, response=example.response.strip())
        lines.append(f"{text} {example.score(scale)}\n\n")
    asked = _with_history(request(instruction, input), history)
    return "".join((*lines, fill(item, request=asked, response=response.strip())))


def _judge_parts(template: str) -> tuple[str | None, str]:
    """A judging prompt as (what stands above its line {examples}, what stands below): (None, all) without that line."""
    template = template.strip("\n")
    if "examples" not in fields(template):
        return None, template
    head, *items = _EXAMPLES.split(template)
    if len(items) == 1 and not fields(head) and "examples" not in fields(items[0]):
        return head, items[0].strip("\n")
    raise RecipeError(
        "{examples} stands once in a judging prompt, on a line of its own, above {request} and {response}"
    )


def _with_history(asked: str, history: tuple[str, ...]) -> str:
    """A request with the turns before it, as a judge reads them."""
    if not history:
        return asked
    turns = zip(history[::2], history[1::2], strict=True)
    said = "\n\n".join(
        f"They asked: {before.strip()}\nThey were told: {answer.strip()}" for before, answer in turns
    )
    return f"(said before)\n{said}\n\n(the request now)\n{asked}"


def read_examples(text: str) -> tuple[ScoredExample, ...]:
    """Scored examples from JSONL: objects with `instruction`, `response`, `quality`, `following`, optionally `input`.

    Raises RecipeError with every line that is none and why.
    """
    examples, problems = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                examples.append(_scored_example(json.loads(line)))
            except json.JSONDecodeError as error:
                problems.append(f"line {number}: not JSON: {error.msg} at column {error.colno}")
            except RecursionError:
                problems.append(f"line {number}: nested too deeply")
            except ValueError as error:
                problems.append(f"line {number}: {error}")
    if not examples and not problems:
        problems.append("the file is empty")
    if problems:
        raise RecipeError(
            "the scored examples cannot be used:\n  " + "\n  ".join(problems),
            "each line is a JSON object with `instruction`, `response`, `quality` and `following` (1 to 10), and "
            "optionally `input`",
        )
    return tuple(examples)


def _scored_example(row: object) -> ScoredExample:
    """One decoded line. Raises ValueError with what is wrong."""
    if not isinstance(row, dict):
        raise ValueError(f"expected a JSON object, found {type(row).__name__}")
    texts, marks = ("instruction", "input", "response"), ("quality", "following")
    row = {"input": "", **row}
    if wrong := row.keys() ^ {*texts, *marks}:
        raise ValueError(f"missing or unknown fields: {', '.join(sorted(wrong))}")
    for name in texts:
        if not isinstance(row[name], str) or (name != "input" and not row[name].strip()):
            raise ValueError(f"{name!r} must be text")
    for name in marks:
        if type(row[name]) is not int or not 1 <= row[name] <= 10:
            raise ValueError(f"{name!r} must be a whole number from 1 to 10, found {row[name]!r}")
    return ScoredExample(**row)


def _one_line(text: str) -> str:
    return " ".join(text.split())
