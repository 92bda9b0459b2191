"""Runs a function over many items, so many at once, for work that waits on somebody else.

Knows: threads. Does not know: what they do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


def concurrently(work: Callable[[T, threading.Event], R], items: Sequence[T], limit: int) -> Iterator[R]:
    """Yield `work(item, stop)` of every item as it comes, at most `limit` at once.

    What `work` raises is raised here at once. When the caller ends early (an error, Ctrl-C, no further interest),
    `stop` is set, nothing new begins, and what is under way is not waited for.
    """
    stop = threading.Event()
    results: SimpleQueue[R | _Failed] = SimpleQueue()
    todo = iter(items)
    lock = threading.Lock()

    def run() -> None:
        while not stop.is_set():
            try:
                with lock:
                    item = next(todo)
            except StopIteration:
                return
            try:
                results.put(work(item, stop))
            except BaseException as error:
                results.put(_Failed(error))

    try:
        for _ in range(min(limit, len(items))):
            # Daemons, so that the interpreter does not wait either for an answer nobody wants any more.
            threading.Thread(target=run, daemon=True).start()
        for _ in items:
            result = results.get()
            if isinstance(result, _Failed):
                raise result.error
            yield result
    finally:
        stop.set()
