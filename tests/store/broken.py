"""A file system for fsspec that fails on command: a local folder under broken:///path, of which any act can be made to
raise, to end the process, or to do half of what it should.

`plan` is asked before each act and after it. Acts are counted from 1; reading, writing, listing and renaming count.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

#: What an act may be told: go on, or this happens instead.
Fault = BaseException | str | None


class Broken(LocalFileSystem):  # type: ignore[misc]
    """`acts` is what was done, in order. `plan(number, moment)`: moment is "before" or "after"; "half" makes a write
    stop in the middle and end the process."""

    protocol = "broken"
    acts: ClassVar[list[tuple[str, str]]] = []
    plan: Callable[[int, str], Fault] = staticmethod(lambda number, moment: None)

    @classmethod
    def reset(cls) -> None:
        cls.acts = []
        cls.plan = staticmethod(lambda number, moment: None)

    @classmethod
    def _strip_protocol(cls, path: Any) -> str:
        return str(LocalFileSystem._strip_protocol(str(path).replace("broken://", "file://", 1)))

    def _act(
        self, name: str, path: str, do: Callable[[], Any], half: Callable[[], Any] = lambda: None
    ) -> Any:
        self.acts.append((name, path.rsplit("/", 1)[-1]))
        number = len(self.acts)
        fault = self.plan(number, "before")
        if fault == "half":
            half()
            os._exit(9)
        self._fail(fault)
        try:
            return do()
        finally:
            self._fail(self.plan(number, "after"))

    @staticmethod
    def _fail(fault: Fault) -> None:
        if isinstance(fault, BaseException):
            raise fault
        if fault == "die":
            os._exit(9)

    def cat_file(self, path: str, **more: Any) -> Any:
        return self._act("read", path, lambda: LocalFileSystem.cat_file(self, path, **more))

    def get_file(self, rpath: str, lpath: str, **more: Any) -> Any:
        data = Path(self._strip_protocol(rpath)).read_bytes() if self.exists(rpath) else b""

        def half() -> None:
            Path(lpath).write_bytes(data[: len(data) // 2])

        return self._act("get", rpath, lambda: LocalFileSystem.get_file(self, rpath, lpath, **more), half)

    def put_file(self, lpath: str, rpath: str, **more: Any) -> Any:
        def half() -> None:
            data = Path(lpath).read_bytes()
            Path(self._strip_protocol(rpath)).write_bytes(data[: len(data) // 2])

        def do() -> None:
            self.makedirs(self._parent(rpath), exist_ok=True)  # an object store has no folders to make
            LocalFileSystem.put_file(self, lpath, rpath, **more)

        return self._act("put", rpath, do, half)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **more: Any) -> Any:
        def do() -> None:
            target = Path(self._strip_protocol(path))
            if mode == "create" and target.exists():
                raise FileExistsError(path)
            target.parent.mkdir(parents=True, exist_ok=True)  # as in an object store
            target.write_bytes(value)

        def half() -> None:
            Path(self._strip_protocol(path)).write_bytes(value[: len(value) // 2])

        return self._act("write", path, do, half)

    def find(self, path: str, **more: Any) -> Any:
        return self._act("list", path, lambda: LocalFileSystem.find(self, path, **more))

    def mv(self, path1: str, path2: str, **more: Any) -> Any:
        return self._act("rename", path2, lambda: LocalFileSystem.mv(self, path1, path2, **more))


fsspec.register_implementation("broken", Broken, clobber=True)
