"""Our benchmarks as tasks of lm-evaluation-harness: task files that include the packaged ones, and their loading.

Knows: the harness's task files. Does not know: models, scores. Imported only in the examiner's own process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from isheep.backends.outside import Examination
from isheep.benchmarks import BENCHMARKS, Benchmark, LocalData
from isheep.benchmarks.local import read_lines
from isheep.errors import RecipeError

#: Draws examples to be shown, the same ones for every model.
SHOTS_SEED = 1234

_PINS = "isheep.backends.lm_eval_pins"
#: Functions that take the place of the packaged ones: benchmark -> setting -> function.
_OURS: Mapping[str, Mapping[str, str]] = {
    "ifeval_harness": {"process_results": "ifeval_results"},
    "gpqa_diamond": {"process_docs": "gpqa_docs"},
    "mbpp": {"process_docs": "mbpp_docs"},
}


def load_tasks(
    what: Examination, local: Mapping[str, Mapping[str, LocalData]], folder: Path
) -> list[tuple[Benchmark, str, Any]]:
    """(benchmark, subject, loaded task) in the order asked for. Task files are written to `folder`.

    `local` names the files of each benchmark; one that is not in it comes from the hub. Raises RecipeError with every
    task that cannot be loaded.
    """
    from lm_eval.tasks import TaskManager

    parts = [(BENCHMARKS[name], subject) for name in what.tasks for subject in _subjects(name, local)]
    files = folder / "tasks"
    files.mkdir(parents=True, exist_ok=True)
    for benchmark, subject in parts:
        data = local.get(benchmark.name, {}).get(subject)
        text = _task_file(benchmark, subject, data, what.shots, folder)
        (files / f"{task_name(benchmark, subject)}.yaml").write_text(text, encoding="utf-8")
    manager = TaskManager(include_path=str(files), include_defaults=False)
    tasks, problems = [], []
    for benchmark, subject in parts:
        name = task_name(benchmark, subject)
        try:
            task = manager.load([name])["tasks"][name]
        except Exception as error:  # whatever a data library or a template has to say of the rows
            problems.append(f"{name}: {type(error).__name__}: {_first_lines(error)}")
            continue
        task.set_fewshot_seed(SHOTS_SEED)
        tasks.append((benchmark, subject, task))
    if problems:
        raise RecipeError(
            "benchmarks cannot be loaded:\n  " + "\n  ".join(problems),
            "docs/benchmarks.md shows the files and one row of each benchmark"
            if local
            else "without network, give --data-dir a folder with local copies (docs/benchmarks.md)",
        )
    return tasks


def task_name(benchmark: Benchmark, subject: str) -> str:
    return f"{benchmark.name}_{subject}" if subject else benchmark.name


def _subjects(name: str, local: Mapping[str, Mapping[str, LocalData]]) -> tuple[str, ...]:
    return tuple(local[name]) if name in local else BENCHMARKS[name].subjects or ("",)


def _task_file(
    benchmark: Benchmark, subject: str, data: LocalData | None, shots: int | None, folder: Path
) -> str:
    """YAML that includes the packaged task and says what is different here."""
    settings: dict[str, Any] = {
        "include": str(_packaged(benchmark, subject)),
        "task": task_name(benchmark, subject),
        "tag": None,
    }
    if data is not None:
        settings |= _from_files(data, task_name(benchmark, subject), folder)
    if shots is not None and not benchmark.fixed_shots:
        settings["num_fewshot"] = shots
    functions = dict(_OURS.get(benchmark.name, {}))
    if benchmark.runs_code:  # the packaged metric runs the code then and there
        metric = {"metric": "pass@1", "aggregation": "mean", "higher_is_better": True}
        settings |= {"metric_list": [metric], "filter_list": None, "unsafe_code": False}
        functions["process_results"] = "unscored"
    lines = [f"{setting}: !function {_PINS}.{function}\n" for setting, function in functions.items()]
    return yaml.safe_dump(settings, sort_keys=False) + "".join(lines)


def _packaged(benchmark: Benchmark, subject: str) -> Path:
    if not benchmark.include:
        import isheep.benchmarks

        return Path(isheep.benchmarks.__file__).parent / "tasks" / f"{benchmark.name}.yaml"
    import lm_eval

    return Path(lm_eval.__file__).parent / "tasks" / benchmark.include.format(subject=subject)


def _from_files(data: LocalData, name: str, folder: Path) -> dict[str, Any]:
    """Settings that read the rows from files: asked from "test", shown as examples from "train"."""
    rows = data.rows if not data.subject else (_of_subject(data, name, folder),)
    files = {"test": [str(path) for path in rows]}
    if data.shots:
        files["train"] = [str(path) for path in data.shots]
    train = "train" if data.shots else None
    return {
        "dataset_path": data.reader,
        "dataset_name": None,
        "dataset_kwargs": {"data_files": files, "cache_dir": str(folder / "datasets")},
        "training_split": train,
        "fewshot_split": train,
        "validation_split": None,
        "test_split": "test",
    }


def _of_subject(data: LocalData, name: str, folder: Path) -> Path:
    """The rows of one subject, taken out of a file of all of them."""
    path = folder / "tasks" / f"{name}.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for file in data.rows:
            for row in read_lines(file):
                if isinstance(row, dict) and row.get("subject") == data.subject:
                    out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or "no more is said"
