"""What the harness logs of a task, as our records: items, replies, questions, and programs still to be run.

Pure: the harness's samples in, records out. Knows no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from isheep.benchmarks import Benchmark
from isheep.records import Item, Question, Reply
from isheep.sandbox import humaneval_program, mbpp_program

#: Benchmarks whose scores are computed here, not by the harness (benchmarks/scoring.py, and the sandbox for code).
OURS = frozenset({"squadv2", "humaneval", "humaneval_plus", "mbpp"})
#: Raised when one of those computations changes its meaning.
OUR_VERSION = 1


@dataclass(frozen=True, slots=True)
class Pending:
    """A program whose end decides the value of an item (which is None until then)."""

    item: Item
    code: str


def scorer(benchmark: Benchmark) -> str:
    """Who scores, with a version."""
    return f"isheep {OUR_VERSION}" if benchmark.name in OURS else f"lm_eval {version('lm_eval')}"


def records(
    benchmark: Benchmark,
    subject: str,
    samples: Sequence[Mapping[str, Any]],
    layout: str,
    hashes: Mapping[str, str],
    counts: Callable[[Mapping[str, Any]], tuple[int, int, bool]],
) -> Iterator[Item | Reply | Pending]:
    """The records of one task. `samples` are the harness's, one a document; `hashes` are sha256 of prompts without
    layout by prompt as laid out; `counts` tells (prompt tokens, tokens, ended) of a document's answer."""
    for sample in samples:
        prompt = document(subject, sample["doc_id"])
        text = sample["resps"][0][0] if benchmark.writes else None
        if text is not None:
            read, written, ended = counts(sample)
            yield Reply(
                f"{benchmark.name}/{prompt}", benchmark.name, prompt, text, "stop" if ended else "length", ended,
                prompt_tokens=read, tokens=written,
            )  # fmt: skip
        asked = sample["arguments"][0][0]
        for metric in benchmark.metrics:
            for place, (part, value) in enumerate(_values(benchmark, sample, metric)):
                item = Item(
                    id=f"{benchmark.name}/{prompt}/{metric}" + (f"/{place}" if part else ""),
                    task=benchmark.name,
                    prompt=prompt,
                    item=part,
                    cluster=_cluster(benchmark, sample["doc"], prompt),
                    metric=metric,
                    value=None if benchmark.runs_code else float(value),
                    prompt_hash=hashes.get(asked, sample["prompt_hash"]),
                    length=None if text is None else len(text),
                    scorer=scorer(benchmark),
                    group=_group(benchmark, subject, sample["doc"]),
                    layout=layout,
                    decoding="greedy" if benchmark.writes else "",
                )
                if benchmark.runs_code:
                    yield Pending(item, _program(benchmark, sample["doc"], str(text)))
                else:
                    yield item


def question(benchmark: Benchmark, subject: str, number: int, task: Any, doc: Mapping[str, Any]) -> Question:
    """A document's prompt and reference in words, for whoever looks for them in other texts."""
    text, answer = task.doc_to_text(doc), task.doc_to_target(doc)
    if benchmark.name == "winogrande":  # whose `text` is a number, `answer` the sentence's end
        text, answer = doc["sentence"], doc[f"option{doc['answer']}"]
    elif benchmark.runs_code:
        answer = doc.get("canonical_solution") or doc.get("code") or ""
    elif benchmark.name == "ifeval_harness" or (benchmark.name == "squadv2" and not doc["answers"]["text"]):
        answer = ""  # checks in place of a reference; a passage that does not say
    elif task.config.doc_to_choice is not None:
        answer = _option(doc, task.doc_to_choice(doc), answer)
    prompt = document(subject, number)
    first = answer[0] if isinstance(answer, list) and answer else answer
    return Question(f"{benchmark.name}/{prompt}", benchmark.name, prompt, str(text), str(first))


def document(subject: str, number: int) -> str:
    """A prompt's id within its task: the document's number, behind its subject where there are several."""
    return f"{subject}/{number}" if subject else str(number)


def _program(benchmark: Benchmark, doc: Mapping[str, Any], text: str) -> str:
    """The answer and its tests as one program."""
    if benchmark.name == "mbpp":
        return mbpp_program(text, doc["test_list"], doc.get("test_setup_code") or "")
    return humaneval_program(doc["prompt"], text, doc["test"], doc["entry_point"])


def _values(benchmark: Benchmark, sample: Mapping[str, Any], metric: str) -> list[tuple[str, Any]]:
    """(what of the prompt, its value): the whole, or each of several instructions."""
    value = sample[metric]
    if not isinstance(value, list):
        return [("", value)]
    names = sample["doc"]["instruction_id_list"]
    return [(f"{n}:{name}", v) for n, (name, v) in enumerate(zip(names, value, strict=True))]


def _cluster(benchmark: Benchmark, doc: Mapping[str, Any], prompt: str) -> str:
    if not benchmark.passage:
        return prompt
    return hashlib.sha256(str(doc[benchmark.passage]).encode()).hexdigest()[:16]


def _group(benchmark: Benchmark, subject: str, doc: Mapping[str, Any]) -> str:
    if benchmark.name == "squadv2":
        return "answerable" if doc["answers"]["text"] else "unanswerable"
    return subject


def _option(doc: Mapping[str, Any], choices: Sequence[str], answer: Any) -> str:
    """The right option's text; where a task's choices are letters only, the text behind the letter."""
    right = choices.index(answer) if answer in choices else int(answer)
    options = doc.get("choices")
    if isinstance(options, Mapping):
        options = options.get("text")
    elif options is None and "choice1" in doc:
        options = [doc[f"choice{n}"] for n in (1, 2, 3, 4)]
    return str((options or choices)[right])
