"""A run's trackers at work: each step is logged once, and a tracker that fails never stops the run.

What was logged is written down beside the run (trackers.json), by tracker, project and id, so a resumed run goes on
where it was; a tracker named later gets everything from the beginning. Nothing new, nothing started.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from isheep.events import Event, Listener
from isheep.recipe_sections import TrackersSettings
from isheep.runs import Run, RunStep
from isheep.store import Artifact
from isheep.store.disk import replace_text
from isheep.trackers.base import About, Tracker
from isheep.trackers.figures import points

#: Beside run.json.
FILE = "trackers.json"
#: The entry that says that the report was logged after the last step.
REPORT = "report"
#: The files of a report that trackers are given.
REPORT_FILES = ("report.html", "report.md", "summary.json", "recipe.yaml")
#: What of a recipe no tracker is told: where servers are, and how it was run.
_PRIVATE: dict[str, Any] = {"server": {"url"}, "judge": {"url"}, "runtime": True, "trackers": True}
#: Names of environment variables whose values are never shown.
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS", re.IGNORECASE)


class Tracking:
    """Use it as a context; `log` each step as it is done, and `report` once the report is written."""

    def __init__(
        self,
        run: Run,
        settings: TrackersSettings,
        digest: str,
        opened: Callable[[str], Tracker],
        tell: Listener,
    ) -> None:
        """`digest`: of the run's plan. The same name with other settings is another run to a tracker."""
        self._run, self._tell, self._open = run, tell, opened
        id = run.name if run.name.endswith(digest[:6]) else f"{run.name}-{digest[:6]}"
        config = run.recipe.model_dump(mode="json", exclude=_PRIVATE)
        self._about = About(
            settings.run or run.name, id, settings.project, run.folder, run.store.root, config
        )
        self._names = {name: f"{name} {settings.project}/{id}" for name in settings.use}
        self._logged = _read(run.folder / FILE)
        self._started: dict[str, Tracker] = {}

    def __enter__(self) -> Tracking:
        return self

    def __exit__(self, *exc: object) -> None:
        for name in list(self._started):
            self._try(name, lambda tracker: tracker.finish())
        if self._logged:
            with contextlib.suppress(Exception):
                self._run.store.send_papers(self._run.folder / FILE)

    def log(self, step: RunStep, artifact: Artifact) -> None:
        """Log a finished step where it is not logged yet."""
        for name in list(self._names):
            mark = f"{step.name} {step.key}"
            if mark in self._marks(name):
                continue
            if self._try(name, lambda tracker: tracker.metrics(points(self._run, step, artifact))):
                self._note(name, [*(m for m in self._marks(name) if m != REPORT), mark])

    def report(self) -> None:
        """Log what was added to the run besides its plan, and the files of the report."""
        for step in self._run.due:
            artifact = self._run.artifact(step) if self._names else None
            if artifact is not None:
                self.log(step, artifact)
        files = [self._run.folder / file for file in REPORT_FILES]
        for name in list(self._names):
            if REPORT not in self._marks(name) and self._try(name, lambda tracker: _give(tracker, files)):
                self._note(name, [*self._marks(name), REPORT])

    def _marks(self, name: str) -> list[str]:
        return self._logged.get(self._names[name], []) if name in self._names else []

    def _note(self, name: str, marks: Iterable[str]) -> None:
        self._logged[self._names[name]] = list(marks)
        replace_text(self._run.folder / FILE, json.dumps(self._logged, indent=1) + "\n")

    def _try(self, name: str, act: Callable[[Any], None]) -> bool:
        """Whether it worked; a tracker that failed is told of once and left alone from then on."""
        if name not in self._names:
            return False
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # standard output may be somebody's JSON
                if name not in self._started:
                    tracker = self._open(name)
                    tracker.start(self._about)
                    self._started[name] = tracker
                act(self._started[name])
        except Exception as error:
            self._names.pop(name)
            self._started.pop(name, None)
            text = (
                f"{name} failed, the run goes on without it: {type(error).__name__}: {harmless(str(error))}"
            )
            self._tell(Event("note", "trackers", text=text))
            return False
        return True


def _give(tracker: Tracker, files: Iterable[Path]) -> None:
    for path in files:
        if path.is_file():
            tracker.artifact(path)


def harmless(text: str) -> str:
    """The first line of an error, without secrets: values of the environment, and what stands in addresses."""
    line = next(iter(text.strip().splitlines()), "")[:300]
    for name, value in os.environ.items():
        if len(value) >= 6 and _SECRET.search(name):
            line = line.replace(value, "***")
    return re.sub(r"(\w+://)[^\s/@]*@", r"\1***@", re.sub(r"(\w+://[^\s?]*)\?\S*", r"\1?***", line))


def _read(path: Path) -> dict[str, list[str]]:
    """What was logged; a damaged file counts as none: logging twice is better than never."""
    try:
        plain = json.loads(path.read_bytes())
        return {str(name): [str(mark) for mark in marks] for name, marks in plain.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
