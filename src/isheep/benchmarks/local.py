"""Where local copies of the benchmarks lie: our own JSONL layout, the published files, or a hub snapshot.

Knows: names of files and folders, and the fields of a first row. Does not know: how the rows are turned into prompts.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isheep.benchmarks.catalogue import BENCHMARKS, Benchmark
from isheep.errors import RecipeError

#: ending -> what reads it.
READERS = {".parquet": "parquet", ".jsonl": "json", ".jsonl.gz": "json", ".json.gz": "json", ".csv": "csv"}
_LINES = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True, slots=True)
class LocalData:
    """The files of one benchmark, or of one subject of it. `shots` are empty when no examples can be shown."""

    reader: str
    rows: tuple[Path, ...]
    shots: tuple[Path, ...] = ()
    #: Rows of all subjects lie together: only those whose `subject` field is this count.
    subject: str = ""


def find_data(
    names: Sequence[str], folder: Path, shots: int | None = None
) -> dict[str, dict[str, LocalData]]:
    """name -> subject ("" where there are none) -> its files.

    Raises RecipeError with everything that is missing and every path that was tried, when `folder` is none, when
    `shots` examples are asked for and there is no file to take them from, or when a first row lacks a field.
    """
    if not folder.is_dir():
        raise RecipeError(
            f"the data folder {folder} is no folder", "give the folder with the benchmarks' files"
        )
    found: dict[str, dict[str, LocalData]] = {}
    problems: list[str] = []
    for name in names:
        data, tried = _find(BENCHMARKS[name], folder)
        found[name] = data
        if not data:
            problems.append(f"{name}: no file; tried {', '.join(tried)}")
        problems += _unusable(BENCHMARKS[name], data, bool(shots))
    if problems:
        raise RecipeError(
            "benchmark data cannot be used:\n  " + "\n  ".join(problems),
            "docs/benchmarks.md shows the files and one row of each benchmark",
        )
    return found


def _find(benchmark: Benchmark, folder: Path) -> tuple[dict[str, LocalData], list[str]]:
    """The files by subject, and the paths that were looked at."""
    tried: list[str] = []
    if not benchmark.subjects:
        data = _one(benchmark, folder, benchmark.name, benchmark.config, tried)
        return ({"": data} if data else {}), tried
    found = {}
    for subject in benchmark.subjects:
        looked: list[str] = []
        data = _one(benchmark, folder, f"{benchmark.name}/{subject}", subject, looked)
        if data:
            found[subject] = data
        tried = tried or looked
    if not found:
        joined = _one(benchmark, folder, benchmark.name, "", tried)
        here = _subjects(joined.rows) if joined else set()
        if joined and not here & set(benchmark.subjects):
            tried.append(f"({joined.rows[0]} names no known subject in a field `subject`)")
        for subject in benchmark.subjects:
            if joined and subject in here:
                found[subject] = LocalData(joined.reader, joined.rows, joined.shots, subject)
    return found, tried


def _one(benchmark: Benchmark, folder: Path, name: str, config: str, tried: list[str]) -> LocalData | None:
    """NAME.jsonl, NAME/SPLIT.jsonl (gzip or not), a published file, or a hub snapshot; in this order."""
    own = name == benchmark.name
    places = [folder / name, folder / name / benchmark.split, *(folder / f for f in benchmark.files if own)]
    for place in places:
        tried.append(f"{place}.jsonl[.gz]")
        for ending in _LINES:
            file = place.with_name(place.name + ending)
            if file.is_file():
                return LocalData("json", (file,), _shots_beside(benchmark, folder / name))
    for root in _snapshots(benchmark.hub, folder):
        tried.append(f"{root}/")
        data = _snapshot(benchmark, root, config)
        if data:
            return data
    return None


def _shots_beside(benchmark: Benchmark, place: Path) -> tuple[Path, ...]:
    files = (place / f"{benchmark.shots_split}{ending}" for ending in _LINES)
    return tuple(file for file in files if benchmark.shots_split and file.is_file())[:1]


def _snapshots(hub: str, folder: Path) -> Iterator[Path]:
    """Folders a snapshot of a hub data set may be in: ORG/NAME, ORG__NAME, or the hub cache's own layout."""
    yield folder / hub
    yield folder / hub.replace("/", "__")
    cache = folder / f"datasets--{hub.replace('/', '--')}"
    try:
        yield cache / "snapshots" / (cache / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        yield from sorted((cache / "snapshots").glob("*"))[-1:]


def _snapshot(benchmark: Benchmark, root: Path, config: str) -> LocalData | None:
    """The files of a configuration's splits: CONFIG/SPLIT-00000-of-00001.parquet and its relatives."""
    files = [(p, reader) for p in sorted(root.rglob("*")) if p.is_file() and (reader := _reader(p))]
    for wanted in dict.fromkeys(READERS.values()):
        pool = [p for p, reader in files if reader == wanted]
        named = [p for p in pool if config and _is_of(p.relative_to(root), config)]
        # Without folders named after configurations there is one; another's files must not stand in for it.
        pool = named or [p for p in pool if p.relative_to(root).parent.as_posix() in (".", "data")]
        rows = [p for p in pool if _is_of(p.relative_to(root), benchmark.split)]
        if not rows and len(pool) == 1:
            rows = pool  # published as one file, named after itself
        if rows:
            split = benchmark.shots_split
            shots = [p for p in pool if split and _is_of(p.relative_to(root), split)]
            return LocalData(wanted, tuple(rows), tuple(shots))
    return None


def _reader(path: Path) -> str:
    return next((reader for ending, reader in READERS.items() if path.name.endswith(ending)), "")


def _is_of(path: Path, name: str) -> bool:
    """Whether a file belongs to a split or configuration: a folder of that name, or a file name that begins so."""
    if name in path.parent.parts:
        return True
    rest = path.name.removeprefix(name)
    return rest != path.name and (rest[:1] in "-._" or not rest)


def _unusable(benchmark: Benchmark, data: Mapping[str, LocalData], shots: bool) -> Iterator[str]:
    """What is wrong with files that were found, in words."""
    for subject, found in data.items():
        name = f"{benchmark.name}/{subject}" if subject else benchmark.name
        if shots and not found.shots and benchmark.shots_split:
            yield (
                f"{name}: examples are to be shown, but there is no {benchmark.shots_split} split beside "
                f"{found.rows[0]} (without `shots` none is needed)"
            )
        for file in (*found.rows, *found.shots):
            if _reader(file) == "json" and (problem := _row_problem(file, benchmark.fields)):
                yield f"{name}: {file} {problem}"


def _row_problem(file: Path, fields: Sequence[str]) -> str:
    try:
        row = next(read_lines(file), None)
    except (OSError, EOFError, ValueError, RecursionError) as error:
        return f"cannot be read: {error}"
    if row is None:
        return "is empty"
    if not isinstance(row, dict):
        return f"does not hold one JSON object a line, but a {type(row).__name__}"
    absent = [field for field in fields if field not in row]
    return f"lacks the fields {', '.join(absent)}; it has {', '.join(map(str, row))}" if absent else ""


def _subjects(files: Sequence[Path]) -> set[str]:
    return {str(row.get("subject")) for file in files for row in read_lines(file) if isinstance(row, dict)}


def read_lines(file: Path) -> Iterator[object]:
    """The JSON values of a .jsonl or .jsonl.gz file. Raises ValueError for a line that is none."""
    with (
        gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as f
    ):
        for line in f:
            if line.strip():
                yield json.loads(line)
