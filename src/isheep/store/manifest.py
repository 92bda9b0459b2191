"""A finished step: its manifest, its records, and whether they still agree.

Knows: one artifact's folder. Does not know: where artifacts live, how they get there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from isheep.errors import StoreError
from isheep.records import RECORD_TYPES, R, Record, from_json, kind
from isheep.store.disk import in_words, tree_files
from isheep.store.key import digest

MANIFEST = "manifest.json"
#: Raised when the layout of an artifact changes.
FORMAT = 1
_UNREADABLE = f"{MANIFEST} is not a manifest this version can read"


class Artifact:
    """A finished step. Everything in its folder is as it was published."""

    def __init__(self, stage: str, key: str, folder: Path) -> None:
        self.stage = stage
        self.key = key
        self.folder = folder

    def __repr__(self) -> str:
        return f"Artifact({self.stage}, {self.key[:12]})"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """manifest.json: what was made, from what, when, where, and the digest of every file."""
        path = self.folder / MANIFEST
        try:
            manifest = json.loads(path.read_bytes())
            if not isinstance(manifest, dict) or not isinstance(manifest.get("records"), dict):
                raise ValueError("not a manifest")
        except (OSError, ValueError) as error:
            raise StoreError(
                f"cannot read {path}: {error}", f"remove {self.folder}; the next run makes it again"
            ) from error
        return manifest

    def has(self, cls: type[Record]) -> bool:
        """Whether this step writes records of a type (it may have written none of them)."""
        return kind(cls) in self.manifest["records"]

    def read(self, cls: type[R]) -> list[R]:
        """All records of a type, sorted by id. Asking for a type the step does not write is an error."""
        return list(self.stream(cls))

    def stream(self, cls: type[R]) -> Iterator[R]:
        """The same, one after the other, for those who need not hold all of them at once."""
        if not self.has(cls):
            there = ", ".join(self.manifest["records"]) or "no records"
            raise StoreError(f"{self.stage} writes no {kind(cls)} records", f"it writes: {there}")
        path = self._file(f"{kind(cls)}.jsonl")
        with in_words(f"cannot read {path}"), path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    record = from_json(cls, line)
                except StoreError as error:
                    raise StoreError(f"{path} line {number}: {error.message}", error.hint) from error
                yield record

    def path(self, name: str) -> Path:
        """A file or folder the stage left, by its name within the artifact."""
        if not is_inside(name):
            raise StoreError(
                f"{name!r} is no name within {self.folder}", "the record that says so is damaged"
            )
        path = self._file(name)
        if not path.exists():
            raise StoreError(f"{path} is missing", "run `isheep show RUN --verify` to see what else is")
        return path

    def _file(self, name: str) -> Path:
        """Where a file or folder of it is."""
        return self.folder / name

    def verify(self) -> list[str]:
        """What is wrong here, in words; an empty list when nothing is. Reads every byte."""
        try:
            with in_words(f"cannot read {self.folder}"):
                return check(self.folder, self.stage, self.key, self.manifest)
        except StoreError as error:
            return [error.message]


def describe(
    folder: Path, stage: str, key: str, counts: Mapping[str, int], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest of a folder that is about to be published: ours first, then what the caller gives.

    `content` is one digest for all files, the manifest left out: equal results have equal content, whenever
    and wherever they were made. `seal` is the digest of the manifest itself.
    """
    files = {name: _stamp(path) for name, path in tree_files(folder).items() if _counts(name)}
    ours: dict[str, Any] = {
        "format": FORMAT,
        "stage": stage,
        "key": key,
        "content": _content(files),
        "records": dict(counts),
        "files": files,
    }
    taken = sorted({*ours, "seal"} & set(given))
    if taken:
        raise StoreError(
            f"a manifest's {', '.join(taken)} cannot be given", "the store writes it; rename the entry"
        )
    whole: dict[str, Any] = json.loads(json.dumps({**ours, **given}, allow_nan=False))
    return {**whole, "seal": digest(whole)}


def check(folder: Path, stage: str, key: str, manifest: Mapping[str, Any]) -> list[str]:
    """What does not agree between a folder and its manifest, one sentence each."""
    problems = check_manifest(manifest, stage, key)
    if problems and problems[0].startswith(_UNREADABLE):
        return problems
    listed: dict[str, dict[str, Any]] = manifest["files"]
    counts: dict[str, int] = manifest["records"]
    there = tree_files(folder)
    problems += [f"{name} is not part of the artifact" for name in there if name not in {*listed, MANIFEST}]
    for name, stamp in listed.items():
        problems += _check_file(name, there.get(name), stamp)
    for name, count in counts.items():
        if f"{name}.jsonl" in there:
            problems += _check_records(there[f"{name}.jsonl"], name, count)
    return problems


def check_manifest(manifest: object, stage: str, key: str) -> list[str]:
    """What is wrong with a manifest by itself, one sentence each. After [] it is safe to go by its names."""
    try:
        assert isinstance(manifest, dict)
        listed: dict[str, dict[str, Any]] = dict(manifest["files"])
        assert isinstance(manifest["records"], dict)
        problems = []
        if manifest["seal"] != digest({name: value for name, value in manifest.items() if name != "seal"}):
            problems.append(f"{MANIFEST} was changed after it was published")
        if (manifest["stage"], manifest["key"]) != (stage, key):
            problems.append(
                f"{MANIFEST} belongs to {manifest['stage']} {manifest['key']}, not to this folder"
            )
        if manifest["content"] != _content(listed):
            problems.append(f"{MANIFEST} lists files that are not those of its content digest")
        problems += [f"{MANIFEST} lists {name!r}, which is no name" for name in listed if not is_inside(name)]
        if not all(
            isinstance(stamp["bytes"], int) and isinstance(stamp["sha256"], str) for stamp in listed.values()
        ):
            problems.append(f"{MANIFEST} lists a file without its size")
    except (AssertionError, LookupError, TypeError, ValueError, RecursionError, StoreError) as error:
        return [f"{_UNREADABLE} ({error!r})"]
    return problems


def is_inside(name: str) -> bool:
    """Whether this can be the name of a file within an artifact, and nothing but that."""
    parts = name.split("/")
    return name.isprintable() and not ({"", ".", ".."} & set(parts)) and name != MANIFEST and len(name) < 1000


def _check_file(name: str, path: Path | None, stamp: Mapping[str, Any]) -> list[str]:
    if path is None:
        return [f"{name} is missing"]
    try:
        found = _stamp(path)
    except (OSError, StoreError) as error:
        return [f"{name} cannot be read: {error}"]
    if found["bytes"] != stamp.get("bytes"):
        return [f"{name} has {found['bytes']} bytes, not {stamp.get('bytes')}"]
    if found["sha256"] != stamp.get("sha256"):
        return [f"{name} has other content than was published (its digest differs)"]
    return []


def _check_records(path: Path, name: str, count: int) -> list[str]:
    if name not in RECORD_TYPES:
        return [f"{path.name} holds {name} records, which this version does not know"]
    problems = []
    lines = path.read_bytes().split(b"\n")[:-1]
    for number, line in enumerate(lines, 1):
        try:
            from_json(RECORD_TYPES[name], line)
        except StoreError as error:
            problems.append(f"{path.name} line {number}: {error.message}")
    if len(lines) != count:
        problems.append(f"{path.name} has {len(lines)} records, not {count}")
    return problems


def _counts(name: str) -> bool:
    """Not the manifest itself, nor scratch, which is dropped before the folder is moved."""
    return name != MANIFEST and not name.startswith(".")


def _stamp(path: Path) -> dict[str, Any]:
    if path.is_symlink():
        raise StoreError(f"{path} is a link; an artifact must stand alone", "copy the file in its place")
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"sha256": sha256, "bytes": path.stat().st_size}


def _content(files: Mapping[str, Mapping[str, Any]]) -> str:
    return digest(sorted([name, stamp["sha256"]] for name, stamp in files.items()))
