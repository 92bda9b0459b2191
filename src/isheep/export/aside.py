"""A folder that appears whole or not at all: written aside, then renamed into place.

Knows: what may stand where an export is to go. Does not know: what an export holds.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from isheep.errors import ExportError
from isheep.store.disk import sync_tree

#: The file by which an export is known, and which says what it was made from.
MARK = "isheep.json"


def check_free(out: Path, force: bool) -> None:
    """Raise ExportError unless an export may be written to `out`: what stands there is replaced only on `force`, and
    only when it is an export too, so that a slip of the pen removes nobody's folder."""
    if not out.exists() and not out.is_symlink():
        return
    if out.is_dir() and not out.is_symlink() and not any(out.iterdir()):
        return
    if mark_of(out) is None:
        raise ExportError(
            f"{out} exists, and was not written by `isheep export`", "name another folder with --out"
        )
    if not force:
        raise ExportError(f"{out} exists", "name another folder with --out, or replace it with --force")


@contextlib.contextmanager
def written(out: Path, force: bool) -> Iterator[Path]:
    """A folder to write into. It takes the place of `out` when all went well, and is removed when not."""
    check_free(out, force)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.parent / f".{out.name}.{uuid.uuid4().hex[:8]}"
    aside.mkdir()
    try:
        yield aside
        sync_tree(aside)
        check_free(out, force)  # a long merge leaves time for somebody else
        _replace(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _replace(aside: Path, out: Path) -> None:
    if not out.exists():
        aside.rename(out)
        return
    old = aside.with_name(f"{aside.name}.old")
    out.rename(old)
    aside.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def write_mark(folder: Path, told: Mapping[str, Any]) -> None:
    """Make a folder known as an export."""
    (folder / MARK).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def mark_of(folder: Path) -> dict[str, Any] | None:
    """What an export says of itself; None for any other folder."""
    try:
        found = json.loads((folder / MARK).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("isheep_export") in ("dataset", "model") else None
