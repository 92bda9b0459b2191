"""The examiner: all fixed benchmarks through the real harness, offline, on rows written for the tests.

A child costs some seconds of imports, so one examination of everything is shared by the tests that only look.
"""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import isheep.sandbox as sandbox
from benchmark_rows import ASKED, ROWS, write_all, write_rows, write_snapshots
from isheep.backends import lm_eval as adapter
from isheep.backends import open_engine, open_examiner
from isheep.backends.base import ModelSpec, Request, Runtime, Sampling
from isheep.backends.outside import Examination, Examiner
from isheep.benchmarks import BENCHMARKS
from isheep.errors import BackendError, RecipeError
from isheep.files import LAMB_MODEL
from isheep.records import Item, Question, Reply
from isheep.text.prompts import LAYOUTS
from tiny_models import make_model

pytestmark = pytest.mark.slow

RUNTIME = Runtime(batch_size=4, device="cpu", threads=1, allow_code_execution=True)
ALL = tuple(BENCHMARKS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examiner")
    write_snapshots(write_all(folder / "data"))
    make_model(folder / "model", context=512)
    return folder


def ask(
    place: Path, folder: Path, *tasks: str, skip: Any = (), model: Path | None = None, **changes: Any
) -> list[Any]:
    examiner = open_examiner("lm_eval", ModelSpec(str(model or place / "model")), RUNTIME)
    what = Examination(tasks or ALL, **{"data_dir": place / "data", "max_tokens": 8, **changes})
    return list(examiner.examine(what, folder, lambda done, total: None, skip=skip))


@pytest.fixture(scope="module")
def exam(place: Path) -> dict[str, Any]:
    """Everything, once: records, what was told meanwhile, and the random state before and after."""
    random.seed(7)
    before, told = random.getstate(), []
    examiner = open_examiner("lm_eval", ModelSpec(str(place / "model")), RUNTIME)
    what = Examination(ALL, place / "data", max_tokens=8)
    records = list(examiner.examine(what, place / "work", lambda done, total: told.append((done, total))))
    return {
        "records": records,
        "told": told,
        "state kept": random.getstate() == before,
        "examiner": examiner,
        "left": list((place / "work").iterdir()),
    }


def items(records: list[Any], task: str = "", metric: str = "") -> list[Item]:
    return [
        r
        for r in records
        if isinstance(r, Item) and (not task or r.task == task) and (not metric or r.metric == metric)
    ]


def by_id(records: list[Any]) -> dict[str, Any]:
    return {(type(r).__name__, r.id): r for r in records}


def test_every_document_of_every_benchmark_is_an_item(exam: dict[str, Any]) -> None:
    for name, benchmark in BENCHMARKS.items():
        found = items(exam["records"], name)
        assert {i.metric for i in found} == set(benchmark.metrics), name
        assert len({i.prompt for i in found}) == ASKED[name], name
        assert len(items(found, name, benchmark.headline)) == ASKED[name], name
        assert all(i.value is not None and 0 <= i.value <= 1 for i in found), name
        assert all(len(i.prompt_hash) == 64 and i.layout == "" for i in found), name
    ids = [r.id for r in exam["records"]]
    assert len(set(ids)) == len(ids)


def test_what_the_model_wrote_is_kept_and_measured(exam: dict[str, Any]) -> None:
    replies = {r.id: r for r in exam["records"] if isinstance(r, Reply)}
    assert Counter(r.task for r in replies.values()) == {
        name: ASKED[name] for name, benchmark in BENCHMARKS.items() if benchmark.writes
    }
    for item in items(exam["records"]):
        if BENCHMARKS[item.task].writes:
            reply = replies[f"{item.task}/{item.prompt}"]
            assert (item.length, item.decoding) == (len(reply.text), "greedy")
            assert 0 < reply.tokens <= 8
            assert reply.prompt_tokens > 5
            assert reply.finish == ("stop" if reply.ended else "length")
            assert reply.ended or reply.tokens == 8
        else:
            assert (item.length, item.decoding) == (None, "")


def test_items_say_who_scored_and_what_belongs_together(exam: dict[str, Any]) -> None:
    records = exam["records"]
    assert {i.scorer for i in items(records, "piqa")} == {"lm_eval 0.4.13"}
    assert {i.scorer for i in items(records, "squadv2") + items(records, "mbpp")} == {"isheep 1"}
    passages = [i.cluster for i in items(records, "boolq")]
    assert passages[0] == passages[1] != passages[2]
    assert {i.group for i in items(records, "squadv2")} == {"answerable", "unanswerable"}
    mmlu = items(records, "mmlu")
    assert {(i.group, i.prompt) for i in mmlu} == {
        (subject, f"{subject}/{n}") for subject in ROWS["mmlu"] for n in (0, 1)
    }
    assert all(i.cluster == i.prompt for i in mmlu)
    parts = items(records, "ifeval_harness", "inst_level_loose_acc")
    assert [i.item for i in parts] == [
        "0:punctuation:no_comma",
        "1:length_constraints:number_sentences",
        "0:language:response_language",
    ]
    assert parts[0].cluster == parts[1].cluster != parts[2].cluster


def test_the_examination_leaves_no_trace_but_its_records(exam: dict[str, Any]) -> None:
    assert exam["state kept"]
    assert exam["left"] == []
    assert exam["examiner"].device_name == "cpu: 1 threads"
    assert exam["examiner"].parameters > 10_000
    done = [n for n, _ in exam["told"]]
    assert done == sorted(done)
    assert exam["told"][-1] == (sum(ASKED.values()),) * 2


@pytest.mark.parametrize("task", ["boolq", "piqa"])
def test_a_choice_is_what_the_model_finds_most_probable(exam: dict[str, Any], place: Path, task: str) -> None:
    """The harness's accuracy, computed again from the model by hand."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(place / "model")
    model = AutoModelForCausalLM.from_pretrained(place / "model").eval()

    def score(prompt: str, choice: str) -> float:
        start = len(tokenizer(prompt)["input_ids"])
        ids = torch.tensor([tokenizer(f"{prompt} {choice}")["input_ids"]])
        with torch.inference_mode():
            logs = model(ids).logits.log_softmax(-1)[0]
        return sum(float(logs[n - 1, ids[0, n]]) for n in range(start, ids.shape[1]))

    expected = []
    for row in ROWS[task]:
        if task == "boolq":
            prompt, choices = f"{row['passage']}\nQuestion: {row['question']}?\nAnswer:", ["no", "yes"]
        else:
            prompt, choices = f"Question: {row['goal']}\nAnswer:", [row["sol1"], row["sol2"]]
        scores = [score(prompt, choice) for choice in choices]
        expected.append((float(scores.index(max(scores)) == row["label"]), prompt))
    found = items(exam["records"], task, "acc")
    assert [i.value for i in found] == [value for value, _ in expected]
    assert [i.prompt_hash for i in found] == [hashlib.sha256(p.encode()).hexdigest() for _, p in expected]


def test_an_examination_killed_half_way_ends_like_an_unbroken_one(
    exam: dict[str, Any], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def watched(*args: Any, **kwargs: Any) -> Any:
        children.append(start(*args, **kwargs))
        return children[-1]

    monkeypatch.setattr(adapter.subprocess, "Popen", watched)
    had: list[Any] = []

    def killing(done: int, total: int) -> None:
        if done > total / 2:
            children[0].send_signal(signal.SIGKILL)

    examiner = open_examiner("lm_eval", ModelSpec(str(place / "model")), RUNTIME)
    what = Examination(ALL, place / "data", max_tokens=8)
    with pytest.raises(BackendError, match="was killed") as caught:
        had.extend(examiner.examine(what, tmp_path, killing))
    assert str(tmp_path) in caught.value.hint
    answered = [p for p in (tmp_path / "examiner" / "answers").iterdir() if p.stat().st_size]
    assert answered
    # The parent may still have read events that were under way; a stage would have journalled these.
    torn = answered[0].read_bytes()
    answered[0].write_bytes(torn + b'{"half a li')
    again = ask(place, tmp_path, skip={"boolq/0/acc", "nq_open/1"})
    unbroken = by_id(exam["records"])
    for key in (("Item", "boolq/0/acc"), ("Reply", "nq_open/1")):
        unbroken.pop(key)
    assert by_id(again) == unbroken
    assert not (tmp_path / "examiner").exists()


def test_a_layout_changes_what_is_read_but_not_what_was_asked(
    exam: dict[str, Any], place: Path, tmp_path: Path
) -> None:
    tasks = ("boolq", "arc_easy", "mmlu", "winogrande", "nq_open", "gpqa_diamond")
    laid_out = ask(place, tmp_path, *tasks, layout="question")
    plain = {r.id: r for r in items(exam["records"])}
    found = items(laid_out)
    assert len(found) == len([i for i in plain.values() if i.task in tasks])
    assert {i.layout for i in found} == {"question"}
    assert {i.id: i.prompt_hash for i in found} == {i.id: plain[i.id].prompt_hash for i in found}
    said = {r.id: r.text for r in exam["records"] if isinstance(r, Reply)}
    assert any(r.text != said[r.id] for r in laid_out if isinstance(r, Reply))


def test_examples_are_shown_from_the_training_rows_and_asked_the_same_in_a_layout(
    exam: dict[str, Any], place: Path, tmp_path: Path
) -> None:
    plain = items(ask(place, tmp_path / "a", "boolq", "mmlu", shots=1))
    laid_out = items(ask(place, tmp_path / "b", "boolq", "mmlu", shots=1, layout="user"))
    none = {i.id: i.prompt_hash for i in items(exam["records"])}
    assert all(i.prompt_hash != none[i.id] for i in plain)
    assert {i.id: i.prompt_hash for i in plain} == {i.id: i.prompt_hash for i in laid_out}
    # mmlu shows the first of its dev rows, which is the second of the rows asked
    first = ROWS["mmlu"]["anatomy"][1]
    shown = _mmlu_prompt(first) + " B\n\n" + _mmlu_prompt(ROWS["mmlu"]["anatomy"][0])
    text = "The following are multiple choice questions (with answers) about anatomy.\n\n" + shown
    assert hashlib.sha256(text.encode()).hexdigest() in {i.prompt_hash for i in plain}


def _mmlu_prompt(row: dict[str, Any]) -> str:
    options = "".join(f"{letter}. {text}\n" for letter, text in zip("ABCD", row["choices"], strict=True))
    return f"{row['question']}\n{options}Answer:"


def test_lamb_with_an_adapter_and_a_limit(place: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(LAMB_MODEL), LoraConfig(target_modules="all-linear")
    )
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.normal_()
    model.save_pretrained(tmp_path / "adapter")
    what = Examination(("triviaqa", "humaneval", "arc_easy"), place / "data", limit=1, layout="question")
    tuned = ModelSpec(str(LAMB_MODEL), adapter=str(tmp_path / "adapter"))
    records = list(
        open_examiner("lm_eval", tuned, RUNTIME).examine(what, tmp_path / "work", lambda done, total: None)
    )
    assert {i.prompt for i in items(records)} == {"0"}
    replies = {r.id: r for r in records if isinstance(r, Reply)}
    assert replies.keys() == {"triviaqa/0", "humaneval/0"}
    # the same question to our own engine, with and without the adapter
    layout = LAYOUTS["question"]
    asked = f"Question: {ROWS['triviaqa'][0]['question']}?\nAnswer:"
    sampling = Sampling(128, 0.0, stops=("\n", ".", ",", *layout.stop_texts))
    said = []
    for spec in (tuned, ModelSpec(str(LAMB_MODEL))):
        engine = open_engine("hf", spec, RUNTIME)
        said.extend(engine.generate([Request("q", layout.prompt(asked), sampling)]))
    assert replies["triviaqa/0"].text == said[0].text != said[1].text
    assert replies["triviaqa/0"].prompt_tokens == said[0].prompt_tokens


def test_questions_come_without_a_model(place: Path) -> None:
    examiner = open_examiner("lm_eval", ModelSpec("no/such-model"), RUNTIME)
    asked = list(examiner.questions(Examination(ALL, place / "data")))
    assert all(isinstance(q, Question) for q in asked)
    assert Counter(q.task for q in asked) == ASKED
    found = {q.id: q for q in asked}
    assert found["winogrande/1"].text == ROWS["winogrande"][1]["sentence"]
    right = {
        "winogrande/1": "the sack",
        "gpqa_diamond/1": "four",
        "mmlu/virology/1": "rain",
        "commonsense_qa/1": "latch",
        "boolq/0": "yes",
        "nq_open/0": "wool",
        "triviaqa/1": "mutton",
        "squadv2/1": "",
        "ifeval_harness/0": "",
        "humaneval/0": "    return x\n",
        "openbookqa_fact/1": "sheep",
    }
    assert {id: found[id].answer for id in right} == right
    assert "young mammals drink milk" in found["openbookqa_fact/0"].text


# what is refused, and when


@pytest.fixture
def no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a process was started")

    monkeypatch.setattr(adapter.subprocess, "Popen", refuse)


@pytest.mark.usefixtures("no_child")
def test_code_is_not_run_without_a_word(place: Path, tmp_path: Path) -> None:
    examiner = open_examiner("lm_eval", ModelSpec("x"), Runtime())
    with pytest.raises(RecipeError, match="mbpp would run code") as caught:
        list(examiner.examine(Examination(("piqa", "mbpp"), place / "data"), tmp_path, lambda a, b: None))
    assert "--allow-code-execution" in caught.value.hint


@pytest.mark.usefixtures("no_child")
def test_missing_data_are_named_before_anything_is_loaded(tmp_path: Path) -> None:
    write_rows(tmp_path / "piqa.jsonl", ROWS["piqa"])
    examiner = open_examiner("lm_eval", ModelSpec("x"), RUNTIME)
    with pytest.raises(RecipeError) as caught:
        list(examiner.examine(Examination(ALL, tmp_path), tmp_path, lambda a, b: None))
    for name in ALL:
        assert (f"{name}: no file" in caught.value.message) == (name != "piqa")
    assert str(tmp_path / "HumanEval") in caught.value.message
    assert str(tmp_path / "cais/mmlu") in caught.value.message


def test_rows_no_task_can_read_and_models_that_are_none(place: Path, tmp_path: Path) -> None:
    """Found out by the child: rows first, before any model."""
    broken = [{**ROWS["arc_easy"][0], "choices": "grass or stones"}]
    write_rows(tmp_path / "arc_easy.jsonl", broken)
    examiner = open_examiner("lm_eval", ModelSpec(str(tmp_path / "no-model")), RUNTIME)
    with pytest.raises(RecipeError, match="arc_easy: ") as caught:
        list(examiner.examine(Examination(("arc_easy",), tmp_path), tmp_path / "w", lambda a, b: None))
    assert "docs/benchmarks.md" in caught.value.hint
    with pytest.raises(BackendError, match="no model folder"):
        list(examiner.examine(Examination(("piqa",), place / "data"), tmp_path / "w", lambda a, b: None))


def test_programs_are_judged_by_the_sandbox_and_only_those_not_yet_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examiner: Any = open_examiner("lm_eval", ModelSpec("x"), RUNTIME)
    item = Item("humaneval/0/pass@1", "humaneval", "0", "", "0", "pass@1", None, "h", 4, "isheep 1")
    wrong = Item("humaneval/1/pass@1", "humaneval", "1", "", "1", "pass@1", None, "h", 4, "isheep 1")
    passing, failing = "assert 1 + 1 == 2\n", "raise SystemExit(3)\n"
    values = {i.id: i.value for i in examiner._run([(item, passing), (wrong, failing)])}
    assert values == {item.id: 1.0, wrong.id: 0.0}
    monkeypatch.setattr(sandbox, "run_checks", lambda *args, **kwargs: pytest.fail("nothing to run"))
    assert list(examiner._run([])) == []


def test_examiners_fit_the_protocol() -> None:
    for kind in ("lm_eval", "lm_eval_vllm", "fake"):
        assert isinstance(open_examiner(kind, ModelSpec("x")), Examiner)
