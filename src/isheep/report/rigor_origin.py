"""The reviewer's questions on reproduction: versions, the command, the model, the data.

Reads manifests and the recipe. A part of the rigor page (rigor.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from isheep.files import is_folder, model_path
from isheep.report.rigor_row import AGAIN, Check, Subject, listed, plural
from isheep.runs import LATER_FILE

#: A commit's full name on the hub; anything shorter is a tag or a branch, which may move.
_COMMIT = re.compile(r"[0-9a-f]{40}")
#: As many letters of a digest as are shown.
_SHOWN = 12
#: Packages named in the answer; the rest is in the table of the report's last part.
_NAMED = ("torch", "transformers", "peft", "trl")


def versions(s: Subject) -> Check:
    question = "Are all versions and the machine on record?"
    again = f"Commit every change to the code, then make it anew: `{AGAIN} --store NEW`."
    made = [(step.stage, artifact.manifest) for step, artifact in s.done]
    origins = [manifest.get("provenance") or {} for _, manifest in made]
    if not any(origins):
        return Check("versions", question, "no", "No step of this run has recorded its versions.", again)
    git = _distinct(origin.get("git") for origin in origins)
    isheep, python = (_distinct(origin.get(name) for origin in origins) for name in ("isheep", "python"))
    packages = {
        name: _distinct((origin.get("packages") or {}).get(name) for origin in origins)
        for name in sorted({name for origin in origins for name in origin.get("packages") or {}})
    }
    devices = [
        d for d in _distinct(manifest.get("device") for _, manifest in made) if d not in ("none", "remote")
    ]
    named = [f"{name} {listed(packages[name])}" for name in _NAMED if name in packages]
    rest = len(packages) - len(named)
    answer = (
        f"isheep {listed(isheep)} at git {listed([_short(g) for g in git]) or 'unknown'}, Python {listed(python)}, "
        f"{listed([*named, plural(rest, 'more package')] if rest else named) or 'no packages'}; "
        f"device {listed(devices) or 'none'}."
    )
    amiss = [
        "the code was edited and not committed" if any(g.endswith("+changes") for g in git) else "",
        "" if git else "no git revision is known, as isheep was installed as a package",
        f"steps were made by {len(git)} revisions of isheep" if len(git) > 1 else "",
        *(f"steps were made with {len(v)} versions of {name}" for name, v in packages.items() if len(v) > 1),
    ]  # fmt: skip
    found = [reason for reason in amiss if reason]
    if not found:
        return Check("versions", question, "yes", answer)
    return Check("versions", question, "part", f"{answer} But {'; '.join(found)}.", again)


def _short(git: str) -> str:
    commit, plus, changes = git.partition("+")
    return f"{commit[:_SHOWN]}{' with changes' if plus and changes else ''}"


def _distinct(values: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if value not in (None, "")))


def command(s: Subject) -> Check:
    question = "Is there a command that does it again?"
    answer = (
        f"`{AGAIN}`, from the recipe beside this report, which holds every setting and the seed "
        f"({s.run.recipe.seed}) every random draw comes from. Other versions or devices may still write other texts."
    )
    match, later = s.run.recipe.filter.match, _added_later(s)
    if isinstance(match, str):
        return Check(
            "command", question, "part",
            f"Not by its recipe alone: it keeps as many pairs as another arm, {match}, so it is part of a sweep.",
            f"`isheep sweep {s.own_sweep}` does the whole sweep again.",
        )  # fmt: skip
    if not s.summary["complete"]:
        return Check(
            "command", question, "part", f"{answer} The run is unfinished: next is {s.summary['next']}.",
            f"`{AGAIN}` goes on from there.",
        )  # fmt: skip
    if later:
        return Check(
            "command", question, "part",
            f"{answer} {plural(later, 'step')} of evaluation came later, by `isheep eval`, and the recipe does not "
            "ask for them.",
            f"Give `isheep eval {s.name} --tasks NAME` again, or name the tests in the recipe: `benchmarks.tasks`, "
            "`ifeval.file`, `chat.pairwise`, `chat.graded`.",
        )  # fmt: skip
    return Check("command", question, "yes", answer)


def _added_later(s: Subject) -> int:
    """Steps of this run that `isheep eval` added and the recipe does not know of."""
    try:
        plain = json.loads((s.run.folder / LATER_FILE).read_text(encoding="utf-8"))
        keys = {entry["step"]["key"] for entry in plain}
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return sum(step.key in keys for step in s.run.due)


def model(s: Subject) -> Check:
    question = "Is the base model pinned?"
    settings = s.run.recipe.model
    if s.run.recipe.backend.engine == "fake":
        return Check(
            "model", question, "yes", "There is no model: a deterministic stand-in wrote everything."
        )
    if is_folder(model_path(settings.base)) or settings.base.startswith((".", "/", "~")):
        what = "ships with isheep" if settings.base == "lamb" else "is a folder"
        return Check(
            "model", question, "yes",
            f"{settings.base} {what}, and the digest of its files is part of every key: other weights would make "
            "another run.",
        )  # fmt: skip
    revision = settings.revision
    if revision and _COMMIT.fullmatch(revision):
        return Check(
            "model", question, "yes", f"{settings.base} from the hub, at commit {revision[:_SHOWN]}."
        )
    how = f"at {revision!r}, a name that can move" if revision else "without a revision"
    return Check(
        "model", question, "part",
        f"{settings.base} comes from the hub {how}: the same command may get other weights some day.",
        f"`{AGAIN} --set model.revision=COMMIT`, with the 40 digits of the commit.",
    )  # fmt: skip


def data(s: Subject) -> Check:
    question = "Is the data fixed?"
    shown = [f"{name} {content}" for name, content in _contents(s)]
    answer = "Seeds, prompts, tests and question files enter the keys by the digest of their content" + (
        f": {listed(shown)}." if shown else "."
    )
    loose = [
        task
        for step, artifact in s.done
        if step.stage == "benchmarks" and not (artifact.manifest.get("settings") or {}).get("data_dir")
        for task in (artifact.manifest.get("settings") or {}).get("tasks", ())
    ]
    if not loose:
        return Check("data", question, "yes", answer)
    names = list(dict.fromkeys(loose))
    return Check(
        "data", question, "part",
        f"{answer} But {listed(names)} came from the hub as it was that day.",
        f"Keep local copies: `isheep eval {s.name} --tasks {','.join(names)} --data-dir DATA`, or the setting "
        "`benchmarks.data_dir`.",
    )  # fmt: skip


def _contents(s: Subject) -> Iterator[tuple[str, str]]:
    """(what, digest) of the seeds, the tests and the question files of this run."""
    for step, artifact in s.done:
        head, _, name = step.name.partition(".")
        if step.stage in ("seeds", "questions") and (step.name == "seeds" or name != "tests"):
            what = (
                "seeds" if step.name == "seeds" else f"{'test' if head == 'tests' else 'questions of'} {name}"
            )
            yield what, str(artifact.manifest["content"])[:_SHOWN]


CHECKS = (versions, command, model, data)
