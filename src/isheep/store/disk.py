"""Small, careful acts on files: write so that it lasts, remove so that nothing half-removed looks whole.

Knows: fsync, rename, and how to turn an operating system's refusal into words. Does not know: what the files
mean.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

from isheep.errors import StoreError


@contextlib.contextmanager
def in_words(doing: str) -> Iterator[None]:
    """Turn an OSError into a StoreError that says what was being done and what to do next."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{doing}: {error.strerror or error}", _hint(error.errno)) from error


def _hint(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: free some space and run again; what was written so far is not repeated"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "the store does not let you: choose another with --store DIR, or change its permissions"
    return "check the disk under the store, then run again; what was written so far is kept"


def sync_file(path: Path) -> None:
    """Return when a file's content, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems cannot sync a folder, and say so; then there is nothing more that we could do.
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """The same for a folder and everything below it."""
    for where, _, names in os.walk(folder):
        for name in names:
            if not Path(where, name).is_symlink():
                sync_file(Path(where, name))
        sync_file(Path(where))


def replace_text(path: Path, text: str) -> None:
    """Replace a file at once: a reader sees the old text or the new, never half."""
    aside = path.with_name(
        f".{path.name}.{socket.gethostname()}.{os.getpid()}"
    )  # other machines may write here too
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def look_anew(folder: Path) -> None:
    """Have NFS ask its server which names are in a folder: for up to a minute it may answer from memory that one is not
    there, but not after a change made from here."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".{uuid.uuid4().hex}"
    probe.touch()
    probe.unlink()


def tree_files(folder: Path) -> dict[str, Path]:
    """Every file below a folder by its relative name, sorted. A link counts as a file."""
    found = {}
    for where, folders, names in os.walk(folder):
        links = [name for name in folders if Path(where, name).is_symlink()]
        for name in [*names, *links]:
            path = Path(where, name)
            found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))


def remove(folder: Path, trash: Path) -> None:
    """Remove a folder: first out of sight by one rename, then file by file. Absent is fine."""
    if not folder.exists():
        return
    with in_words(f"cannot remove {folder}"):
        trash.mkdir(parents=True, exist_ok=True)
        aside = trash / uuid.uuid4().hex
        try:
            folder.rename(aside)
        except FileNotFoundError:  # somebody else was quicker
            return
    shutil.rmtree(aside, ignore_errors=True)
