"""`isheep eval`: evaluations of a model, or of every model of a run that is there already, by the names of tasks.

Turns task names into the sections of a recipe, plans the evaluations those ask for, and does what the store does not
have. A run's own steps are looked up by their keys and never done again.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from isheep.benchmarks import BENCHMARKS, GROUPS, find_data
from isheep.errors import RecipeError, StoreError
from isheep.events import Listener
from isheep.files import is_folder, locate, shipped
from isheep.making import Made, Maker
from isheep.plan_evaluation import Evaluations
from isheep.preflight import preflight
from isheep.recipe import TEST_FILE, Loaded, load_recipe
from isheep.report import write_report
from isheep.runs import Later, Run, RunStep, add_later, open_run
from isheep.steps import Step
from isheep.store import Store
from isheep.walk import Hands, runtime_of
from isheep.walk import run as run_recipe

#: Benchmarks that are not the examiner's: task -> the file names their data go by, the published one first.
OWN_FILES: Mapping[str, tuple[str, ...]] = {
    "ifeval": ("ifeval_input_data.jsonl", "ifeval.jsonl", "google/IFEval/ifeval_input_data.jsonl"),
    "alpaca_eval": ("alpaca_eval.json", "alpaca_eval.jsonl"),
    "mt_bench": ("mt_bench_question.jsonl", "question.jsonl", "mt_bench.jsonl", "mt_bench/question.jsonl"),
}
#: Sections of a run's recipe that say how its models are evaluated.
_KEPT = ("name", "seed", "iterations", "model", "backend", "evaluate", "benchmarks", "ifeval", "chat", "judge",
         "contamination", "report", "runtime")  # fmt: skip
#: Where their settings are.
_SECTION = {"ifeval": "ifeval.file", "alpaca_eval": "chat.pairwise", "mt_bench": "chat.graded"}


def settings_of(
    tasks: Sequence[str], data_dir: Path | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Recipe settings ("benchmarks.tasks" -> list) for names of tasks, groups, shipped tests, and files of one's own.

    A file with `answers` is graded by exact match, one with an `output` is judged against it, any other is graded turn
    by turn. Raises RecipeError with everything that is not known or not there.
    """
    if not tasks:
        raise RecipeError(
            "--tasks names no task", f"name some, such as ifeval, or groups: {', '.join(GROUPS)}"
        )
    found: dict[str, Any] = {}
    problems: list[RecipeError] = []
    for name in dict.fromkeys(one for task in tasks for one in GROUPS.get(task, (task,))):
        try:
            path, value = _place(name, data_dir)
        except RecipeError as error:
            problems.append(error)
            continue
        found.setdefault(path, []).append(value)
    if "benchmarks.tasks" in found and data_dir is not None:
        try:
            find_data(found["benchmarks.tasks"], data_dir, None)
        except RecipeError as error:
            problems.append(error)
    if problems:
        raise RecipeError(
            "\n  ".join(["these tasks cannot be done:", *(e.message for e in problems)]),
            "; ".join(dict.fromkeys(e.hint for e in problems if e.hint)),
        )
    if "ifeval.file" in found:
        (found["ifeval.file"],) = found["ifeval.file"]
    if "benchmarks.tasks" in found and data_dir is not None:
        found["benchmarks.data_dir"] = str(data_dir.resolve())
    if limit is not None:
        for section in {path.partition(".")[0] for path in found} - {"evaluate"}:
            found[f"{section}.limit"] = limit
    return found


def _place(name: str, data_dir: Path | None) -> tuple[str, str]:
    """Where in a recipe a task belongs, and what to write there."""
    if name in BENCHMARKS:
        return "benchmarks.tasks", name
    if name in OWN_FILES:
        return _SECTION[name], str(_data_file(name, data_dir))
    found = locate(name, TEST_FILE.folder, TEST_FILE.suffix)
    if isinstance(found, str):
        known = [*BENCHMARKS, *OWN_FILES, *GROUPS, *shipped(TEST_FILE.folder, TEST_FILE.suffix)]
        near = difflib.get_close_matches(name, known, 1)
        offer = f"no such task; did you mean {near[0]!r}?" if near else found
        raise RecipeError(
            f"{name}: {offer}", f"known tasks and groups: {', '.join(known)}; or a path to a file"
        )
    if name in shipped(TEST_FILE.folder, TEST_FILE.suffix) or found.is_dir():
        return "evaluate.tasks", name
    return _section_of(found), str(found)


def _data_file(name: str, data_dir: Path | None) -> Path:
    tried = OWN_FILES[name]
    if data_dir is None:
        raise RecipeError(f"{name}: its data are needed", f"give --data-dir, a folder that holds {tried[0]}")
    for file in tried:
        if (data_dir / file).is_file():
            return (data_dir / file).resolve()
    raise RecipeError(f"{name}: {data_dir} holds none of {', '.join(tried)}", "put the published file there")


def _section_of(path: Path) -> str:
    """What a file of one's own asks for, told by its first row."""
    text = path.read_text(
        encoding="utf-8-sig", errors="replace"
    ).lstrip()  # some editors put a byte order mark
    try:
        row = json.loads(text)[0] if text.startswith("[") else json.loads(text.partition("\n")[0])
    except (ValueError, IndexError, KeyError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise RecipeError(f"{path}: its first row is no JSON object", "give JSONL, one question a line")
    if "answers" in row:
        return "evaluate.tasks"
    return "chat.pairwise" if row.get("output") else "chat.graded"


# ---------------------------------------------------------------- a model


def evaluate(
    target: str,
    tasks: Sequence[str],
    *,
    data_dir: Path | None = None,
    limit: int | None = None,
    overrides: Sequence[str] = (),
    store: Store | Path | str,
    tell: Listener = lambda event: None,
) -> Run:
    """Evaluate a model, or every model of a run: a run's name first, then a model's.

    `target`: a run in the store, "lamb", a folder, or a hub id. `overrides`: "key.path=value", as for a recipe. The
    results are in the returned run: its report is written, and `summarize` gives its figures.
    """
    store = store if isinstance(store, Store) else Store(store)
    store.check()
    settings = settings_of(tasks, data_dir, limit)
    run = _run_called(target, store)
    if run is None:
        _refuse_no_model(target)
        return run_recipe(_recipe_for(target, settings, overrides), store, None, tell)
    return _evaluate_run(run, settings, overrides, tell)


def _run_called(target: str, store: Store) -> Run | None:
    """The run of this name; a shipped model's name or a folder is no run."""
    if target == "lamb" or is_folder(target) or "/" in target:
        return None
    try:
        return open_run(target, store)
    except StoreError as error:
        known = [path.parent.name for path in store.runs_folder.glob("*/run.json")]
        evaluated = any(open_run(name, store).recipe.model.base == target for name in known)
        if Path(target).suffix or not known or evaluated:
            return None
        raise StoreError(
            error.message, f"{error.hint}; a model is a folder or a hub id with its owner (owner/name)"
        ) from None


def _refuse_no_model(target: str) -> None:
    """Said before every file of a wrong folder is read for its digest."""
    if not target.strip():
        raise RecipeError("MODEL_OR_RUN is empty", "give `lamb`, a model's folder or hub id, or a run's name")
    if is_folder(target) and not (Path(target).expanduser() / "config.json").is_file():
        raise RecipeError(
            f"MODEL_OR_RUN: {target} is a folder, but holds no config.json",
            "give the folder that save_pretrained wrote; a run goes by its name, and --store is its store",
        )


def _recipe_for(target: str, settings: Mapping[str, Any], overrides: Sequence[str]) -> Loaded:
    """A recipe without iterations: it only tests the base model."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(target).name).strip("-.") or "model"
    extends: dict[str, Any] = {"extends": "lamb"} if target == "lamb" else {}
    data = {**extends, "name": f"eval-{name}"[:64], "iterations": 0, "model": {"base": target}}
    if target == "lamb":
        data["model"] = {"base": "lamb", "layout": "question"}
        data["evaluate"] = {"tasks": []}
    return load_recipe({**data}, [*_overrides(settings), *overrides])


def _overrides(settings: Mapping[str, Any]) -> list[str]:
    return [f"{path}={json.dumps(value)}" for path, value in settings.items()]


# ---------------------------------------------------------------- a run


def _evaluate_run(run: Run, settings: Mapping[str, Any], overrides: Sequence[str], tell: Listener) -> Run:
    """Every model of a run that is in the store; what is new is written down beside the run's plan."""
    settings = dict(settings)
    if tests := settings.pop("evaluate.tasks", None):  # they were not held out of its training
        settings["evaluate.also"] = tests
    loaded = load_recipe(_plain(run), [*_overrides(settings), *overrides], beside=run.folder)
    _refuse_other_tests(run, loaded)
    runtime = runtime_of(loaded.recipe.runtime, run.store)
    planned = list(_planned(run, loaded))
    preflight([step for step, _ in planned], run.store, runtime)
    with Hands(loaded.recipe.runtime, run.store, runtime, tell) as hands:
        for step, after in planned:
            hands.do(step)
            added = RunStep(step.name, step.stage, step.iteration, step.key)
            run = add_later(run, [Later(added, after)])
    write_report(run)
    return run


def _refuse_other_tests(run: Run, loaded: Loaded) -> None:
    """Scores go by the names of test files: another one must not be called like a test of the run."""
    of_run, keys = {step.name for step in run.steps}, {step.key for step in run.steps}
    held_out = {f"tests.{Path(task).stem}" for task in run.recipe.evaluate.tasks} & of_run
    for step in Evaluations(Maker(loaded)).tests("also"):
        if step.name in held_out and step.key not in keys:
            name = step.name.removeprefix("tests.")
            raise RecipeError(f"{run.name} has another test called {name!r} already", "rename your file")


def _plain(run: Run) -> dict[str, Any]:
    """What of a run's recipe its evaluation goes by: the model and how it is asked. Its loop is done, and the files it
    named may be gone."""
    recipe = run.recipe.model_copy(update={"iterations": 0}).model_dump(mode="json")
    for path in ("evaluate.tasks", "evaluate.also", "benchmarks.tasks", "benchmarks.data_dir", "ifeval.file",
                 "chat.pairwise", "chat.graded", "chat.references"):  # fmt: skip
        section, _, name = path.partition(".")
        del recipe[section][name]
    return {name: recipe[name] for name in _KEPT}


def _planned(run: Run, loaded: Loaded) -> Iterator[tuple[Step, str]]:
    """The evaluations of every model that is there, and what of the run's own texts is copied from them; each with the
    key of the run's step it stands behind."""
    maker = Maker(loaded)
    evaluations = Evaluations(maker)
    begun = 0
    for t, model in models_of(run):
        evaluations.model(t, model)
        after = model.key if model else run.steps[0].key
        for step in maker.steps[begun:]:
            yield step, after
        begun = len(maker.steps)
    asked = evaluations.questions(evaluations.tests("also"))
    for step in maker.steps[begun:]:
        yield step, run.steps[0].key
    for t, ours in texts_of(run).items():
        for step in evaluations.contamination(t, asked, ours):
            yield step, list(ours.values())[-1][-1].key  # the texts that were made last


def texts_of(run: Run) -> dict[int, dict[str, list[Made]]]:
    """Iteration -> the finished steps that hold its texts: seeds, instructions, the answers of all turns."""
    done = [step for step in run.due if run.artifact(step) is not None]
    seeds: list[Made] = [step for step in done if step.name == "seeds"]
    found: dict[int, dict[str, list[Made]]] = {}
    for step in done:
        of_loop = step.name == f"{step.stage}.{step.iteration}" or step.name.startswith("turn")
        if of_loop and step.stage in ("instructions", "responses"):
            here = found.setdefault(step.iteration, {"seeds": seeds})
            here.setdefault(step.stage, []).append(step)
    return found


def models_of(run: Run) -> Iterator[tuple[int, Made | None]]:
    """(t, the step that made M_t) of every model in the store; the base model has none."""
    yield 0, None
    made: dict[int, RunStep] = {}
    for step in run.due:
        if step.stage in ("train", "prefer") and run.artifact(step) is not None:
            made[step.iteration + 1] = step  # a preference step comes after the training it goes on from
    yield from sorted(made.items())
