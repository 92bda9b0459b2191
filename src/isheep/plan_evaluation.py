"""The evaluations of a model as steps: benchmarks, IFEval, judged chat, the exam of its judge; and contamination.

Used twice: by the plan, for every model of a run, and by `isheep eval`, for models that are there already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from isheep.chat.questions import task_name
from isheep.making import Made, Maker
from isheep.stages.chat import ChatSettings
from isheep.stages.judged import JudgedSettings
from isheep.stages.questions import QuestionsSettings
from isheep.stages.seeds import SeedsSettings
from isheep.steps import Step

Protocol = Literal["pairwise", "graded"]
PROTOCOLS: tuple[Protocol, ...] = ("pairwise", "graded")


class Evaluations:
    """Plans the evaluations a recipe asks for; `maker` makes and keeps the steps."""

    def __init__(self, maker: Maker) -> None:
        self.maker = maker
        self.recipe = maker.recipe
        #: Question file -> the base model's replies to it, where they are the baseline.
        self._baselines: dict[str, Step] = {}
        #: The base model's answers to the exam.
        self._first: Step | None = None

    def tests(self, names: str = "tasks") -> tuple[Step, ...]:
        """The exact-match tests of `evaluate.tasks` or `evaluate.also`."""
        return tuple(self._tests(names))

    def _tests(self, names: str) -> Iterator[Step]:
        for i, task in enumerate(getattr(self.recipe.evaluate, names)):
            prefix = f"{Path(task).stem}:"
            settings = SeedsSettings(file=task, prefix=prefix)
            file = self.maker.files[f"evaluate.{names}.{i}"]
            yield self.maker.step(f"tests.{prefix[:-1]}", "seeds", 0, settings, {}, files={"file": file})

    def model(self, t: int, model: Made | None) -> None:
        """Every evaluation of M_t by others than the loop itself, but for the exact-match tests of the loop."""
        recipe = self.recipe
        if also := self.tests("also"):
            self.maker.step("also", "evaluate", t, recipe.evaluate, {"tests": also}, model)
        if recipe.benchmarks.tasks:
            self.maker.step("benchmarks", "benchmarks", t, recipe.benchmarks, {}, model)
        if recipe.ifeval.file:
            self.maker.step("ifeval", "ifeval", t, recipe.ifeval, {}, model)
        for protocol in PROTOCOLS:
            for i, file in enumerate(getattr(recipe.chat, protocol)):
                self._chat(t, model, protocol, file, self.maker.files[f"chat.{protocol}.{i}"])

    def _chat(self, t: int, model: Made | None, protocol: Protocol, file: str, path: Path) -> None:
        chat, name = self.recipe.chat, task_name(path)
        asking = ChatSettings(
            file=file, max_tokens=chat.max_tokens, temperature=chat.temperature, limit=chat.limit
        )
        replies = self.maker.step(f"{name}.chat", "chat", t, asking, {}, model, {"file": path})
        inputs: dict[str, Iterable[Made]] = {"replies": [replies]}
        if protocol == "pairwise" and chat.baseline == "base":
            if model is None:  # nothing to hold it against but itself
                self._baselines[file] = replies
                return
            inputs["baseline"] = [self._baselines[file]]
        if self.recipe.judge.kind is not None:
            self._judged(t, name, protocol, file, path, inputs)

    def _judged(
        self,
        t: int,
        name: str,
        protocol: Protocol,
        file: str,
        path: Path,
        inputs: Mapping[str, Iterable[Made]],
    ) -> None:
        judge = self.recipe.judge
        settings = JudgedSettings(
            file=file,
            protocol=protocol,
            kind=judge.kind or "scripted",
            model=judge.model,
            prompts=judge.prompts,
            reading=judge.reading if protocol == "pairwise" else "choice",
            temperature=judge.temperature,
            max_tokens=judge.max_tokens,
            script=judge.script or "",
            references=self.recipe.chat.references if protocol == "graded" else None,
        )
        files = {"file": path, "prompts": self.maker.files["judge.prompts"]}
        if settings.references is not None:
            files["references"] = self.maker.files["chat.references"]
        self.maker.step(f"{name}.judged", "judged", t, settings, inputs, None, files)

    def trial(self, t: int, model: Made | None, tests: Sequence[Step]) -> None:
        """The exam: every model answers the same questions with a known truth and judges the answers."""
        recipe, step = self.recipe, self.maker.step
        asked = recipe.exam.constraints or (recipe.exam.questions and tests)
        if not asked or recipe.assessment.level == "none":
            return
        exam = step("exam", "exam", 0, recipe.exam, {"tests": tests})
        answering = recipe.responses.model_copy(update={"samples": 1})
        answers = step("exam_responses", "responses", t, answering, {"instructions": [exam]}, model)
        self._first = self._first or answers
        judging = recipe.assessment
        step("exam_own", "assessment", t, judging, {"responses": [answers]}, model)
        if model is not None:
            step("exam_first", "assessment", t, judging, {"responses": [self._first]}, model)
            step("exam_base", "assessment", t, judging, {"responses": [answers]}, None)

    def questions(self, tests: Iterable[Made] = ()) -> tuple[Step, ...]:
        """The prompts of every benchmark in use, one step per kind of source."""
        return tuple(self._questions(tuple(tests)))

    def _questions(self, tests: tuple[Made, ...]) -> Iterator[Step]:
        recipe, files = self.recipe, self.maker.files

        def made(name: str, settings: QuestionsSettings, **used: Path) -> Step:
            inputs = {"tests": tests} if name == "tests" else {}
            return self.maker.step(f"questions.{name}", "questions", 0, settings, inputs, None, used)

        if tests:
            yield made("tests", QuestionsSettings())
        if recipe.ifeval.file:
            settings = QuestionsSettings(ifeval=recipe.ifeval.file, limit=recipe.ifeval.limit)
            yield made("ifeval", settings, ifeval=files["ifeval.file"])
        for protocol in PROTOCOLS:
            for i, file in enumerate(getattr(recipe.chat, protocol)):
                path = files[f"chat.{protocol}.{i}"]
                known = recipe.chat.references if protocol == "graded" else None
                settings = QuestionsSettings(chat=file, references=known, limit=recipe.chat.limit)
                used = {"references": files["chat.references"]} if known else {}
                yield made(task_name(path), settings, chat=path, **used)
        asked = recipe.benchmarks
        if asked.tasks:
            settings = QuestionsSettings(benchmarks=asked.tasks, data_dir=asked.data_dir, limit=asked.limit)
            used = {"data_dir": files["benchmarks.data_dir"]} if "benchmarks.data_dir" in files else {}
            yield made("benchmarks", settings, **used)

    def contamination(
        self, t: int, questions: Sequence[Made], ours: Mapping[str, Iterable[Made]]
    ) -> list[Step]:
        """The texts of an iteration (roles "seeds", "instructions", "responses") held against these questions."""
        if not questions:
            return []
        inputs = {"questions": questions, **ours}
        return [self.maker.step("contamination", "contamination", t, self.recipe.contamination, inputs)]
