"""What is put between the harness and its model classes: batches, the journal, memory; vLLM's arguments."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.backends import lm_eval_model
from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.lm_eval_batches import Careful, Journal, batches
from isheep.backends.lm_eval_model import vllm_arguments
from isheep.errors import BackendError
from isheep.text.prompts import LAYOUTS
from tiny_models import make_model


@dataclass
class Asked:
    """As the harness's Instance: what is asked stands in `args`."""

    arguments: tuple[Any, ...]

    @property
    def args(self) -> tuple[Any, ...]:
        return self.arguments


class Base:
    """In place of a model class: its memory holds `room` rows."""

    max_length, max_gen_toks, room, batch_size_per_gpu = 16, 256, 99, 8

    def __init__(self) -> None:
        self.seen: list[list[Any]] = []

    def set_cache_hook(self, hook: Any) -> None:
        self.hook = hook

    def tok_encode(self, text: str) -> list[str]:
        return text.split()

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        if min(len(requests), self.batch_size_per_gpu) > self.room:
            raise RuntimeError("DefaultCPUAllocator: not enough memory")
        self.seen.append([r.args for r in requests])
        return [(-float(len(r.args[1])), False) for r in requests]

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        self.seen.append([r.args for r in requests])
        return [f"answer to {r.args[0]}" for r in requests]


class Model(Careful, Base):
    batch = 2


def model(path: Path, **changes: Any) -> tuple[Any, list[tuple[int, int]]]:
    made: Any = Model()
    for name, value in changes.items():
        setattr(made, name, value)
    told: list[tuple[int, int]] = []
    made.prepare(Journal(path), lambda done, of: told.append((done, of)), (" ", "\n\n"))
    return made, told


CHOICES = [Asked((f"prompt {n}", f" {word}")) for n in range(5) for word in ("yes", "no", "maybe")]


@given(st.lists(st.sampled_from(["a", "bb", "bb c", "dddd", ""]), max_size=30), st.integers(1, 4))
def test_batches_hold_every_request_once_and_choices_together(prompts: list[str], size: int) -> None:
    requests = [Asked((p, str(n))) for n, p in enumerate(prompts)]
    parts = list(batches(requests, size))
    assert sorted(n for part in parts for n in part) == list(range(len(prompts)))
    for part in parts:
        assert 1 <= len({prompts[n] for n in part}) <= size
    where = [{prompts[n] for n in part} for part in parts]
    assert sum(map(len, where)) == len(set(prompts))


def test_answers_are_kept_batch_by_batch_and_resumed_in_the_same_batches(tmp_path: Path) -> None:
    whole, told = model(tmp_path / "whole.jsonl")
    expected = whole.loglikelihood(CHOICES)
    assert expected == [(-float(len(r.args[1])), False) for r in CHOICES]
    assert told == [(6, 15), (12, 15), (15, 15)]
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(True)
    assert len(lines) == 3
    (tmp_path / "torn.jsonl").write_bytes(lines[0] + lines[1][:-20])
    resumed, told = model(tmp_path / "torn.jsonl")
    assert resumed.loglikelihood(CHOICES) == expected
    assert resumed.seen == whole.seen[1:]
    assert told[-1] == (15, 15)
    resumed.journal.close()
    again, _ = model(tmp_path / "torn.jsonl")
    assert again.loglikelihood(CHOICES) == expected
    assert again.seen == []


def test_out_of_memory_halves_the_rows(tmp_path: Path) -> None:
    tight, _ = model(tmp_path / "a.jsonl", room=3)
    assert tight.loglikelihood(CHOICES) == model(tmp_path / "b.jsonl")[0].loglikelihood(CHOICES)
    assert tight.batch_size_per_gpu == 2
    with pytest.raises(BackendError, match="single prompt"):
        model(tmp_path / "c.jsonl", room=0)[0].loglikelihood(CHOICES)


def test_other_errors_are_not_taken_for_lack_of_memory(tmp_path: Path) -> None:
    broken, _ = model(tmp_path / "a.jsonl", tok_encode=lambda text: 1 / 0, max_length=1)
    with pytest.raises(ZeroDivisionError):
        broken.loglikelihood(CHOICES)


def test_a_choice_longer_than_the_context_has_no_probability(tmp_path: Path) -> None:
    long = Asked(("prompt", " word" * 40))
    found = model(tmp_path / "a.jsonl")[0].loglikelihood([CHOICES[0], long])
    assert found == [(-4.0, False), (float("-inf"), False)]
    assert model(tmp_path / "a.jsonl")[0].loglikelihood([CHOICES[0], long]) == found


def test_an_answer_takes_at_most_half_the_context(tmp_path: Path) -> None:
    writer, _ = model(tmp_path / "a.jsonl")
    task, free = Asked(("p", {"until": ["\n"], "max_gen_toks": 5})), Asked(("q", {"until": ["\n"]}))
    assert writer.generate_until([task, free]) == ["answer to p", "answer to q"]
    limits = {args[0]: args[1]["max_gen_toks"] for part in writer.seen for args in part}
    assert limits == {"p": 5, "q": 8}
    assert writer.counts(task) == (1, 3, True)
    short, _ = model(tmp_path / "b.jsonl", max_tokens=3)
    short.generate_until([task])
    assert short.seen[0][0][1]["max_gen_toks"] == 3
    assert short.counts(task) == (1, 3, False)
    assert task.args[1] == {"until": ["\n"], "max_gen_toks": 5}


def test_conversations_are_laid_out_and_remembered_without_layout(tmp_path: Path) -> None:
    layout = LAYOUTS["question"]
    chat, _ = model(tmp_path / "a.jsonl", layout=layout)
    talk = [
        {"role": "system", "content": "Answer:\n\n"},
        {"role": "user", "content": "one?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two?"},
    ]
    text = chat.apply_chat_template(talk)
    assert text == layout.prompt("two?", history=("Answer:\n\none?", "1")) + " "
    import hashlib

    assert chat.hashes[text] == hashlib.sha256(b"Answer:\n\none? 1\n\ntwo?").hexdigest()
    chat.generate_until([Asked((text, {"until": ["\n"]}))])
    ((context, options),) = chat.seen[0]
    assert context == text.rstrip(" ")
    assert options["until"] == ["\n", *layout.stop_texts]


@pytest.mark.parametrize("pad", ["<|pad|>", "<|end|>"])
def test_what_is_written_is_what_the_harness_itself_writes(tmp_path: Path, pad: str) -> None:
    """Rows end on their own here, where the harness goes on until all have met one stop text; the texts are equal."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    spec = ModelSpec(str(make_model(tmp_path / "model", pad=pad, scale=0.6)))
    ours: Any = lm_eval_model.HFModel(spec, Runtime(batch_size=3, device="cpu", threads=1), "")
    ours.prepare(Journal(tmp_path / "a.jsonl"), lambda done, of: None, (" ", "\n\n"))
    theirs = HFLM(pretrained=ours.model, tokenizer=ours.tokenizer, batch_size=3)
    options = {"until": ["a", "he", "1"], "do_sample": False, "max_gen_toks": 12}
    prompts = [
        "The sheep",
        "One, two",
        "Question: hot?",
        "x" * 30,
        "Rate it:",
        "wool and more wool",
        "1. Task",
    ]
    requests = [Instance("generate_until", {}, (p, dict(options)), 0) for p in prompts]
    texts = ours.generate_until(requests)
    assert texts == theirs.generate_until(requests)
    counts = [ours.counts(request) for request in requests]
    assert [count[0] for count in counts] == [len(ours.tokenizer(p)["input_ids"]) for p in prompts]
    assert {ended for _, _, ended in counts} == {True, False}
    assert all(written <= 12 and (ended or written == 12) for _, written, ended in counts)


def test_vllm_is_opened_with_arguments_it_has(tmp_path: Path) -> None:
    """Against the harness's source: vLLM itself needs a GPU and is not installed here."""
    spec = find_spec("lm_eval")
    assert spec is not None
    assert spec.submodule_search_locations
    source = Path(spec.submodule_search_locations[0]) / "models" / "vllm_causallms.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    (cls,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "VLLM")
    (init,) = (n for n in cls.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    known = {argument.arg for argument in init.args.args}
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 32}), encoding="utf-8")
    given = vllm_arguments(
        ModelSpec("base", revision="v1", adapter=str(tmp_path), trust_remote_code=True), Runtime()
    )
    assert given.keys() <= known
    assert (given["max_lora_rank"], given["trust_remote_code"]) == (32, True)
    methods = {n.name for n in cls.body if isinstance(n, ast.FunctionDef)}
    assert {"generate_until", "loglikelihood", "apply_chat_template", "tok_encode"} <= methods
    with pytest.raises(BackendError, match="no adapter"):
        vllm_arguments(ModelSpec("base", adapter="nowhere"), Runtime())


def test_vllm_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    monkeypatch.delitem(sys.modules, "lm_eval.models.vllm_causallms", raising=False)
    with pytest.raises(BackendError, match="'vllm"):
        lm_eval_model.open_vllm(ModelSpec("base"), Runtime(), "")


def test_the_adapter_itself_imports_nothing_heavy() -> None:
    code = (
        "import sys, isheep.backends as b; from isheep.backends.base import ModelSpec;"
        "b.open_examiner('lm_eval', ModelSpec('x'));"
        "print([m for m in ('torch', 'transformers', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
