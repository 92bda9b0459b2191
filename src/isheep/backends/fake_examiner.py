"""An examiner that asks nobody: scores from hashes of (model, task, document), in the shape of the real ones.

Without torch and without the harness; for tests, and for trying a recipe's shape in a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator

from isheep.backends.base import ModelSpec, Progress, Runtime
from isheep.backends.fake import PARAMETERS, adapter_digest
from isheep.backends.outside import Examination
from isheep.benchmarks import BENCHMARKS, Benchmark, find_data, refuse_code
from isheep.records import Item, Question, Reply

#: Documents a task, or a subject, is said to have.
DOCUMENTS = 8
#: Of all subjects, so many are said to be at hand.
SUBJECTS = 3


class FakeExaminer:
    """Right with a probability of its own for each model and task; which documents, the hash tells."""

    device_name = "none"
    parameters: int | None = PARAMETERS

    def __init__(self, model: ModelSpec, runtime: Runtime) -> None:
        self._name = f"{model.name or model.base}\x1f{adapter_digest(model.adapter)}"
        self._allowed = runtime.allow_code_execution

    def examine(
        self, what: Examination, folder: object, progress: Progress, skip: Collection[str] = ()
    ) -> Iterator[Item | Reply]:
        refuse_code(what.tasks, self._allowed)
        asked = list(self.questions(what))
        for done, question in enumerate(asked, 1):
            for record in self._records(what, BENCHMARKS[question.task], question):
                if record.id not in skip:
                    yield record
            progress(done, len(asked))

    def questions(self, what: Examination) -> Iterator[Question]:
        if what.data_dir is not None:
            find_data(what.tasks, what.data_dir, what.shots)
        for name in what.tasks:
            for subject in BENCHMARKS[name].subjects[:SUBJECTS] or ("",):
                for number in range(min(DOCUMENTS, what.limit or DOCUMENTS)):
                    prompt = f"{subject}/{number}" if subject else str(number)
                    text = f"Question {number} of {name}{' on ' + subject if subject else ''}?"
                    yield Question(f"{name}/{prompt}", name, prompt, text, f"answer {number}")

    def close(self) -> None:
        pass

    def _records(self, what: Examination, benchmark: Benchmark, question: Question) -> Iterator[Item | Reply]:
        draw = _share(self._name, what.layout, question.id)
        right = draw < 0.3 + 0.4 * _share(self._name, benchmark.name)
        words = f"{question.answer if right else 'something else'}, {int(draw * 999)}"
        if benchmark.writes:
            yield Reply(
                question.id, question.task, question.prompt, words, "stop", True, tokens=len(words.split())
            )
        subject, _, number = question.prompt.rpartition("/")
        for metric in benchmark.metrics:
            yield Item(
                id=f"{question.id}/{metric}",
                task=question.task,
                prompt=question.prompt,
                item="",
                cluster=f"passage {int(number) // 2}" if benchmark.passage else question.prompt,
                metric=metric,
                value=float(right),
                prompt_hash=hashlib.sha256(question.text.encode()).hexdigest(),
                length=len(words) if benchmark.writes else None,
                scorer="fake 1",
                group=subject,
                layout=what.layout,
                decoding="greedy" if benchmark.writes else "",
            )


def _share(*parts: str) -> float:
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
