"""Watches what is asked of the fake backends, request by request."""

from __future__ import annotations

from typing import Any

import pytest

from isheep.backends.fake import FakeEngine
from isheep.backends.fake_examiner import FakeExaminer
from isheep.backends.fake_trainer import FakeTrainer
from isheep.backends.judge_scripted import ScriptedJudge


class Watch:
    """`asked`: method -> ids. An examiner is asked for tasks."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asked: dict[str, list[str]] = {}
        for name in ("generate", "score", "likelihood", "embed"):
            patch.setattr(FakeEngine, name, self._watched(name, getattr(FakeEngine, name)))
        for name in ("train", "prefer"):
            patch.setattr(FakeTrainer, name, self._watched(name, getattr(FakeTrainer, name)))
        patch.setattr(ScriptedJudge, "judge", self._watched("judge", ScriptedJudge.judge))
        examine = FakeExaminer.examine

        def examined(examiner: Any, what: Any, *rest: Any, **more: Any) -> Any:
            self.asked.setdefault("examine", []).extend(what.tasks)
            return examine(examiner, what, *rest, **more)

        patch.setattr(FakeExaminer, "examine", examined)

    def _watched(self, name: str, method: Any) -> Any:
        def asked(backend: Any, given: Any, *rest: Any, **more: Any) -> Any:
            skip = more.get("skip", ())
            self.asked.setdefault(name, []).extend(one.id for one in given if one.id not in skip)
            return method(backend, given, *rest, **more)

        return asked

    def of(self, *names: str) -> list[str]:
        return [id for name in names for id in self.asked.get(name, ())]
