"""What judges have said, kept on disk so that the same question is never paid for twice; and what was paid.

Knows: one file of lines, which may be cut anywhere and written by several processes at once. Does not know: who judges.

A line is {"key": sha256, "judge": who was asked, "when": UTC, "said": {...}}. The key stands for the question alone:
kind of judge, model, messages, parameters; not for the server it was asked at, nor the key it was asked with.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from isheep.backends.outside import JudgeReply, JudgeRequest
from isheep.errors import BackendError

#: Raised by hand when a question of the same key may be answered differently (another layout, another reading).
VERSION = 1
#: How each line begins; 64 hexadecimal digits follow.
_HEAD = b'{"key":"'
_CHUNK = 1 << 24


@dataclass(frozen=True, slots=True)
class Said:
    """An answer apart from the request it answers. `model` is the judge's name as it tells it, "" when it does not."""

    text: str
    model: str = ""
    logprobs: tuple[tuple[str, float], ...] = ()
    prompt_tokens: int = 0
    tokens: int = 0

    def reply(self, id: str, cached: bool) -> JudgeReply:
        return JudgeReply(
            id,
            self.text,
            "",
            self.logprobs,
            prompt_tokens=self.prompt_tokens,
            tokens=self.tokens,
            cached=cached,
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """What a judge has done since it was opened: questions it answered, those answered from the cache instead, times a
    question had to be asked again, and tokens read and written as the judge counts them (the cached ones not)."""

    requests: int = 0
    cached: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    tokens: int = 0


class Tally:
    """Adds up what is spent, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent = Spent()

    def add(self, said: Said, cached: bool) -> None:
        with self._lock:
            s = self._spent
            if cached:
                self._spent = replace(s, cached=s.cached + 1)
            else:
                prompt_tokens, tokens = s.prompt_tokens + said.prompt_tokens, s.tokens + said.tokens
                self._spent = Spent(s.requests + 1, s.cached, s.retries, prompt_tokens, tokens)

    @property
    def spent(self) -> Spent:
        return self._spent


def question_key(kind: str, model: str, request: JudgeRequest) -> str:
    """sha256 of what is asked of whom, whatever its id. JSON escapes all but ASCII: half a surrogate pair is fine."""
    question = [VERSION, kind, model, request.messages, request.max_tokens, float(request.temperature)]
    question += [request.seed, request.top_logprobs]
    return hashlib.sha256(json.dumps(question, separators=(",", ":")).encode()).hexdigest()


class Cache:
    """The answers in `folder`/judge.jsonl; without a folder nothing is kept. Usable from any thread.

    An answer is on its way to the disk when `put` returns: a kill at any moment loses none, a power cut the last few.
    Only where each line lies is held in memory (about 200 bytes each). Raises BackendError when the disk refuses.
    """

    def __init__(self, folder: Path | None) -> None:
        self._handle = -1
        self._path = Path("judge.jsonl") if folder is None else folder / "judge.jsonl"
        self._lines: dict[bytes, tuple[int, int]] = {}
        #: Bytes of the file that were looked through: always whole lines.
        self._seen = 0
        self._lock = threading.Lock()
        if folder is not None:
            with self._disk():
                folder.mkdir(parents=True, exist_ok=True)
                self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)

    def get(self, key: str) -> Said | None:
        """The answer to a question, as soon as any process has it."""
        with self._disk():
            if self._handle < 0:
                return None
            if key.encode() not in self._lines:
                self._look()
            start, length = self._lines.get(key.encode(), (0, 0))
            said = _said(os.pread(self._handle, length, start)) if length else None
            if said is None:
                self._lines.pop(key.encode(), None)  # a damaged line; a whole one may follow
            return said

    def put(self, key: str, judge: str, said: Said) -> None:
        """Keep an answer."""
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        entry = {"key": key, "judge": judge, "when": when, "said": asdict(said)}
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        with self._disk():
            if self._handle < 0:
                return
            # The lock keeps two processes' lines apart, and says that a torn end is nobody's line in the making.
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                self._append(line)
            finally:
                fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; what is asked and kept after that is nothing."""
        with self._lock:
            if self._handle >= 0:
                os.close(self._handle)
            self._handle = -1

    def _append(self, line: bytes) -> None:
        size = os.fstat(self._handle).st_size
        if size and os.pread(self._handle, 1, size - 1) != b"\n":
            line = b"\n" + line  # a torn line becomes a line of its own, which says nothing
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except BaseException:
            os.ftruncate(self._handle, size)
            raise

    def _look(self) -> None:
        """Note where the lines lie that were written since the last look."""
        while os.fstat(self._handle).st_size > self._seen:
            chunk = self._chunk()
            start = 0
            while (end := chunk.find(b"\n", start)) >= 0:
                if chunk.startswith(_HEAD, start) and chunk.endswith(b"}}", start, end):
                    key = chunk[start + len(_HEAD) : start + len(_HEAD) + 64]
                    self._lines[key] = (self._seen + start, end - start)
                start = end + 1
            if not start:
                return  # an unfinished line: somebody is writing it, or died over it
            self._seen += start

    def _chunk(self) -> bytes:
        """The next bytes, at least a line of them where there is one."""
        size = _CHUNK
        while b"\n" not in (chunk := os.pread(self._handle, size, self._seen)) and len(chunk) == size:
            size *= 2
        return chunk

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """One thread at a time, and the disk's refusals in words."""
        with self._lock:
            try:
                yield
            except OSError as error:
                raise BackendError(
                    f"the judge's cache {self._path} cannot be used: {error.strerror or error}",
                    "it has to be on a local disk, with space left, where you may write",
                ) from error


def _said(line: bytes) -> Said | None:
    """What a line holds; None when it is torn."""
    try:
        said = json.loads(line)["said"]
        said["logprobs"] = tuple((str(token), float(value)) for token, value in said["logprobs"])
        return Said(**said)
    except (ValueError, TypeError, KeyError):
        return None
