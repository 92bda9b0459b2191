"""What makes two things the same: canonical JSON and its sha256.

Knows: which differences count. Does not know: what goes into a step's key (plan.py decides that).

Changing a rule here gives every step a new key, so the rules are few and the tests hold golden values.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from isheep.errors import StoreError

MIB = 1024 * 1024
#: Files up to this size are hashed whole; of larger ones the size and this much of the content.
WHOLE = 64 * MIB
#: Of a larger file: so many slices of one MiB, spread evenly, the first and the last MiB among them.
SLICES = WHOLE // MIB


def canonical(value: object) -> str:
    """The one JSON text of a value: keys sorted, no spaces, equal numbers written alike.

    - 1, 1.0 and 1e0 are one number and give "1"; -0.0 gives "0"; other floats are written as `repr` does.
      Two numbers give the same text exactly when Python calls them equal. True is not 1.
    - Lists and tuples are alike. Text is taken as it is, code point by code point: a model reads "é" written
      as one or as two code points differently, so nothing is normalised.
    - NaN, infinities, lone surrogates, keys that are not text, and anything that is not JSON (paths, sets,
      enums, models) are refused: a key must not depend on how something happens to print.
    """
    return json.dumps(_plain(value, "value"), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def digest(value: object) -> str:
    """sha256, in hex, of the canonical JSON of a value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _plain(value: object, where: str) -> object:
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return value
    if isinstance(value, str) and kind is str:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{where} holds half a surrogate pair, which is not text") from error
        return value
    if isinstance(value, float) and kind is float:
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}, which has no place in a key")
        return int(value) if value.is_integer() else value
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for name in value:
            if type(name) is not str:
                raise TypeError(f"{where} has the key {name!r}, which is not text")
        return {_plain(name, where): _plain(item, f"{where}.{name}") for name, item in value.items()}
    raise TypeError(f"{where} is a {kind.__name__}, which is not JSON")


def file_digest(path: Path | str) -> str:
    """The digest of a file's content, or of a folder: the relative names and contents of its files.

    Neither the path, nor times, nor permissions count; links are followed. In a folder, names that start with
    a dot, `__pycache__` and markdown files (model cards) do not count. Of files above 64 MiB (model weights)
    only the size and 64 slices of one MiB are read: an edit that keeps the size and misses every slice goes
    unseen.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            return _content(path)
        files = sorted((file.relative_to(path).as_posix(), file) for file in _files(path, ()))
        if not files:
            raise StoreError(f"{path} holds no files", "name a folder with a model or data in it")
        return digest([[name, _content(file)] for name, file in files])
    except OSError as error:
        raise StoreError(
            f"cannot read {error.filename or path}: {error.strerror}", "check the path and its permissions"
        ) from error


def _files(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """Files that count, below a folder; `above` are the folders we came through, to stop at circular
    links."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for entry in folder.iterdir():
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from _files(entry, (*above, here))
        elif entry.suffix.lower() not in (".md", ".markdown"):
            yield entry


def _content(file: Path) -> str:
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size <= WHOLE:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        total = hashlib.sha256(b"isheep: slices of a large file\0%d\0" % size)
        for i in range(SLICES):
            stream.seek((size - MIB) * i // (SLICES - 1))
            total.update(stream.read(MIB))
        return total.hexdigest()
