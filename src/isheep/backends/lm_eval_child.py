"""The process an examination runs in: no random state, no model and no switch of the caller's is touched.

Reads a pickled Request on standard input, writes events as lines of JSON. When the caller dies, it ends at its next
event; what was answered stays in the journal below the request's folder.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.outside import Examination
from isheep.benchmarks import Benchmark, LocalData
from isheep.errors import IsheepError
from isheep.records import Item, Question, Reply, kind

MARK = "isheep-event "


@dataclass(frozen=True, slots=True)
class Request:
    """What the child is to do."""

    mode: Literal["examine", "questions"]
    model: ModelSpec
    runtime: Runtime
    what: Examination
    #: Which model class of the harness: transformers or vLLM.
    engine: Literal["hf", "vllm"]
    local: Mapping[str, Mapping[str, LocalData]]
    #: Task files, caches and the journals of answers.
    folder: Path


def main() -> int:
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print goes to the log, never between the events
    request: Request = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - sent by our own parent

    def send(**data: object) -> None:
        events.write(MARK + json.dumps(data) + "\n")
        events.flush()

    try:
        random.seed(0)
        for event in _questions(request) if request.mode == "questions" else _examine(request, send):
            send(**event)
    except IsheepError as error:
        send(error=pickle.dumps(error).hex())
        return error.exit_code
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _load(request: Request) -> list[tuple[Benchmark, str, Any]]:
    from isheep.backends import lm_eval_pins

    lm_eval_pins.apply()
    from isheep.backends.lm_eval_tasks import load_tasks

    return load_tasks(request.what, request.local, request.folder)


def _questions(request: Request) -> Iterator[dict[str, object]]:
    from isheep.backends.lm_eval_items import question

    for benchmark, subject, task in _load(request):
        for number, doc in task.doc_iterator(limit=request.what.limit):
            yield _event(question(benchmark, subject, number, task, doc))


def _examine(request: Request, send: Any) -> Iterator[dict[str, object]]:
    tasks = _load(request)  # all of them, before any model: what is wrong with the data is known at once
    from lm_eval.evaluator import evaluate

    from isheep.backends.lm_eval_batches import Journal
    from isheep.backends.lm_eval_items import Pending, records
    from isheep.backends.lm_eval_model import HFModel, open_vllm
    from isheep.backends.lm_eval_tasks import task_name

    what = request.what
    opener = HFModel if request.engine == "hf" else open_vllm
    model: Any = opener(request.model, request.runtime, what.layout)
    model.max_tokens = what.max_tokens
    yield {"device": model.device_name, "parameters": model.parameters}
    sizes = [min(len(task.eval_docs), what.limit or len(task.eval_docs)) for _, _, task in tasks]
    total, before = sum(sizes), 0
    for (benchmark, subject, task), size in zip(tasks, sizes, strict=True):
        name = task_name(benchmark, subject)
        journal = Journal(request.folder / "answers" / f"{name}.jsonl")

        def told(done: int, of: int, before: int = before, size: int = size) -> None:
            send(progress=[before + done * size // of, total])

        model.prepare(journal, told, (task.config.target_delimiter, task.config.fewshot_delimiter))
        results = evaluate(
            model,
            {"tasks": {name: task}},
            limit=what.limit,
            bootstrap_iters=0,
            apply_chat_template=model.layout is not None,
            fewshot_as_multiturn=model.layout is not None,
        )
        asked = {instance.doc_id: instance for instance in task.instances}
        counts = partial(_counts, model, asked)
        layout = model.layout.name if model.layout is not None else ""
        for record in records(
            benchmark,
            subject,
            results["samples"][name],
            layout,
            model.hashes,
            counts,
        ):
            if isinstance(record, Pending):
                yield {**_event(record.item), "code": record.code}
            else:
                yield _event(record)
        journal.close()
        before += size
        yield {"ended": benchmark.name}


def _counts(model: Any, asked: Mapping[int, Any], sample: Mapping[str, Any]) -> tuple[int, int, bool]:
    found: tuple[int, int, bool] = model.counts(asked[sample["doc_id"]])
    return found


def _event(record: Item | Reply | Question) -> dict[str, object]:
    return {"record": kind(record), "data": asdict(record)}


if __name__ == "__main__":
    sys.exit(main())
