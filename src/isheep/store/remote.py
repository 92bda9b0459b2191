"""An object store, or any file system that fsspec knows: small acts by name, each whole or not at all, tried again when
the network hiccups, and every refusal in words.

Knows: fsspec, addresses, which errors pass by themselves. Does not know: what the names mean.
Credentials are never seen here: each file system looks for them in its usual places.
"""

from __future__ import annotations

import errno
import json
import random
import re
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from isheep.errors import IsheepError, MissingExtraError, StoreError

T = TypeVar("T")
Note = Callable[[str], None]

#: Seconds before each new try of what failed in passing; each is stretched by up to a half, so that many machines do
#: not come back in step.
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
#: A transfer of this many bytes is told when it begins and ends, and every NOTE_SECONDS between.
LARGE = 64 << 20
NOTE_SECONDS = 20.0
#: What says "this is a store", and that we may write to it.
MARK = "isheep-store.json"
#: Raised when the layout on the remote side changes.
FORMAT = 1

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.:-]*)://(.*)", re.DOTALL)
#: Where a write appears all at once or not at all. Elsewhere we write under another name and rename.
_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf", "oss", "oci", "memory"}
#: Protocol -> the package that brings it, and the extra of ours that brings the package.
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), ("s3fs", "s3")),
    **dict.fromkeys(("gs", "gcs"), ("gcsfs", "gcs")),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), ("adlfs", "azure")),
}
_CREDENTIALS = {
    "s3fs": "give credentials as for the AWS command line (AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY; AWS_ENDPOINT_URL for other services), and check that they may read and write there",
    "gcsfs": "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
    "adlfs": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING",
}
#: Trying these again would end the same.
_FOR_GOOD = (
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    ImportError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_SECRET = re.compile(
    r"(?i)([\w.-]*(?:sig|token|secret|key|password|credential)[\w.-]*=|\bbearer\s+)[^&\s'\",]+"
    r"|(?<=://)[^/\s@]+:[^/\s@]+(?=@)"
)


def is_address(text: object) -> bool:
    """Whether this names a remote store (s3://bucket/path) and not a folder."""
    return isinstance(text, str) and _ADDRESS.fullmatch(text) is not None


class Remote:
    """The files below one address. Making this object touches no network and imports nothing."""

    def __init__(self, address: str) -> None:
        self.address = checked(address)
        self.protocol = self.address.partition("://")[0]
        self._base = ""

    @cached_property
    def _fs(self) -> Any:
        from fsspec.core import url_to_fs  # a tenth of a second, and only who names an address needs it

        package, extra = _PACKAGES.get(self.protocol, ("", ""))
        try:
            found, self._base = url_to_fs(self.address)
        except ImportError as error:
            needs = package or f"another package ({_said(error)})"
            hint = f"pip install 'isheep[{extra}]'" if extra else "install it, then run again"
            raise MissingExtraError(f"{self.protocol}:// needs {needs}", hint) from error
        except ValueError as error:
            raise StoreError(
                f"{self.address}: {_said(error)}",
                "--store takes a folder, or an address like s3://bucket/path, gs://bucket/path, az://container/path",
            ) from error
        except Exception as error:
            raise self._refused(f"cannot open {self.address}", error) from error
        return found

    def check(self) -> None:
        """Return when we may read and write here. Raises IsheepError with what to do."""
        found = self.read(MARK)
        if found is not None:
            self._check_format(found)
        self.write(MARK, json.dumps({"format": FORMAT, "what": "a store of isheep"}).encode() + b"\n")

    def _check_format(self, found: bytes) -> None:
        try:
            format_ = json.loads(found)["format"]
        except (ValueError, LookupError, TypeError):
            return  # cut off while it was written; it is written again
        if isinstance(format_, int) and format_ > FORMAT:
            raise StoreError(
                f"{self.address} was written by a newer isheep (format {format_}, this one knows {FORMAT})",
                "pip install --upgrade isheep",
            )

    def read(self, name: str) -> bytes | None:
        """A small file; None when there is none."""
        try:
            data: bytes = self._again(
                f"cannot read {self.address}/{name}", lambda fs, at: fs.cat_file(at(name))
            )
        except FileNotFoundError:
            return None
        return data

    def get(self, name: str, to: Path, size: int, note: Note) -> None:
        """Bring a file here. Raises FileNotFoundError. `size`: bytes to expect, for the notes."""
        what = f"bringing {name} from {self.address}"
        self._again(
            f"cannot bring {self.address}/{name}",
            lambda fs, at: fs.get_file(at(name), str(to), callback=_meter(what, size, note)),
        )

    def put(self, path: Path, name: str, note: Note) -> None:
        """Bring a file there, in the place of one that has its name."""
        what = f"bringing {name} to {self.address}"
        size = path.stat().st_size

        def put(fs: Any, at: str) -> None:
            fs.put_file(str(path), at, callback=_meter(what, size, note))

        self._write(name, put)

    def write(self, name: str, data: bytes) -> None:
        """A small file, in the place of one that has its name."""
        self._write(name, lambda fs, at: fs.pipe_file(at, data))

    def create(self, name: str, data: bytes) -> None:
        """A small file, unless there is one already; who wants to know which it became reads it afterwards. Where the
        other side cannot refuse, the last of two who write at the same moment stays."""
        if self.protocol in _WHOLE:
            try:
                self._fs.pipe_file(self._at(name), data, mode="create")
                return
            except FileExistsError:
                return
            except Exception:  # noqa: S110 - refused in passing, or for good since it knows no such write
                pass
        if self.read(name) is None:
            self.write(name, data)

    def list(self, under: str) -> dict[str, tuple[int, float | None]]:
        """Name -> (bytes, when it was changed in seconds since 1970, if told) of every file below a name."""

        def find(fs: Any, at: Callable[[str], str]) -> Any:
            fs.invalidate_cache()
            return fs.find(at(under), detail=True)

        try:
            found = self._again(f"cannot list {self.address}/{under}", find)
        except FileNotFoundError:
            return {}
        start = f"{self._base}/"
        return {
            full.removeprefix(start): (int(info.get("size") or 0), _when(info))
            for full, info in found.items()
            if full.startswith(start)
        }

    def _at(self, name: str) -> str:
        self._fs  # noqa: B018 - sets the base
        return f"{self._base}/{name}"

    def _write(self, name: str, write: Callable[[Any, str], None]) -> None:
        """Run `write` so that the name holds all of it or what it held before."""

        def whole(fs: Any, at: Callable[[str], str]) -> None:
            if self.protocol in _WHOLE:
                write(fs, at(name))
                return
            aside = at(f"{name}.{uuid.uuid4().hex[:12]}.part")
            fs.makedirs(at(name).rpartition("/")[0], exist_ok=True)
            write(fs, aside)
            fs.mv(aside, at(name))

        doing = f"cannot write {self.address}/{name}"
        try:
            self._again(doing, whole)
        except FileNotFoundError as error:
            raise StoreError(
                f"{doing}: there is no such bucket or folder ({_said(error)})",
                "make it first, or check the address",
            ) from error

    def _again(self, doing: str, act: Callable[[Any, Callable[[str], str]], T]) -> T:
        """Do it, and again if it fails in passing. FileNotFoundError is left to the caller."""
        fs = self._fs
        for pause in (*PAUSES, None):
            try:
                return act(fs, self._at)
            except (FileNotFoundError, IsheepError):
                raise
            except Exception as error:
                if pause is None or _is_for_good(error):
                    raise self._refused(doing, error) from error
                time.sleep(pause * random.uniform(1, 1.5))
        raise AssertionError

    def _refused(self, doing: str, error: Exception) -> StoreError:
        package, _ = _PACKAGES.get(self.protocol, ("", ""))
        if isinstance(error, OSError) and error.errno in _FULL:
            hint = "the disk is full or read-only: make room and run again; what was done is kept"
        elif isinstance(error, PermissionError) or "Credential" in type(error).__name__:
            hint = _CREDENTIALS.get(package, "check that you may read and write there")
        else:
            hint = "check the address and the network, then run again; what was done is kept on this machine"
        return StoreError(f"{doing}: {_said(error)}", hint)


def checked(address: str) -> str:
    """An address in its one form. Raises StoreError; a password in it is refused, and not repeated in the message."""
    found = _ADDRESS.fullmatch(address)
    assert found is not None
    protocol, rest = found[1].lower(), found[2]
    owner, at, _ = rest.partition("/")[0].rpartition("@")
    if (at and ":" in owner) or "?" in rest or "#" in rest:
        raise StoreError(
            f"the address of a {protocol}:// store holds more than a place (a password, a token, a query)",
            "give only the place; credentials belong into the environment or the configuration of its tool",
        )
    parts = rest.rstrip("/").split("/")
    if (
        not rest.strip("/")
        or ".." in parts
        or "::" in rest
        or ":" in protocol
        or not rest.isprintable()
        or protocol in ("http", "https")
    ):
        raise StoreError(
            f"{address!r} is no place for a store",
            "--store takes a folder, or an address like s3://bucket/path, gs://bucket/path, az://container/path",
        )
    return f"{protocol}://{rest.rstrip('/')}"


def _is_for_good(error: Exception) -> bool:
    full = isinstance(error, OSError) and error.errno in _FULL
    return full or isinstance(error, _FOR_GOOD) or "Credential" in type(error).__name__


def _said(error: Exception) -> str:
    """An error of somebody else's library in one line, without what might be a secret in it."""
    text = _SECRET.sub(lambda found: f"{found[1] or ''}***", " ".join(str(error).split()))[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _when(info: dict[str, Any]) -> float | None:
    """When a file was changed. Each file system has its own word for it."""
    for name in ("LastModified", "last_modified", "mtime", "updated", "last_commit", "created"):
        found = info.get(name)
        if isinstance(found, str):
            try:
                found = datetime.fromisoformat(found)
            except ValueError:
                continue
        if isinstance(found, datetime):
            return found.timestamp()
        if isinstance(found, int | float):
            return float(found)
    return None


def _meter(what: str, size: int, note: Note) -> Any:
    """What fsspec tells of a transfer, as notes, if it is a large one."""
    from fsspec.callbacks import Callback

    class Meter(Callback):  # type: ignore[misc]
        told = time.monotonic()

        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            if size >= LARGE and time.monotonic() - self.told >= NOTE_SECONDS:
                self.told = time.monotonic()
                note(f"{what}: {self.value >> 20} of {size >> 20} MiB")

    if size >= LARGE:
        note(f"{what}: {size >> 20} MiB")
    return Meter()
