"""What goes into the sandbox and comes out: programs, limits, outcomes, and which fences this machine has."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

Status = Literal["passed", "failed", "timeout", "memory", "error"]

#: What can stand around a program, in the order put up. Tests try each alone.
FENCES = ("namespaces", "disk", "landlock", "seccomp", "hook")


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run. It passes when it runs to its end: its tests stand at its end, and raise when they fail."""

    id: str
    code: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use up. The defaults let every HumanEval reference solution pass with room to spare."""

    #: Wall clock, from the start of the process.
    seconds: float = 10.0
    #: Processor time.
    cpu_seconds: int = 5
    #: Address space.
    memory_mb: int = 1024
    #: Largest file; where the kernel lends a small disk also all files together.
    file_mb: int = 4
    #: Threads, where the kernel can count them for this program alone.
    threads: int = 32
    open_files: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"{field.name} must be above 0")


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one program ended. `error`: it could not be run, which says nothing about it."""

    id: str
    passed: bool
    status: Status
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Isolation:
    """Which fences this machine's kernel puts up around a program; the audit hook of Python stands everywhere."""

    #: Names among FENCES.
    held: frozenset[str]

    @property
    def network(self) -> bool:
        """Whether the kernel keeps the program off the network."""
        return bool(self.held & {"namespaces", "seccomp"})

    @property
    def files(self) -> bool:
        """Whether the kernel keeps it from changing files outside its folder, and from reading yours."""
        return "landlock" in self.held

    @property
    def processes(self) -> bool:
        """Whether the kernel keeps it from starting, reading or killing other processes."""
        return "seccomp" in self.held

    def __str__(self) -> str:
        return "; ".join(
            f"{what}: {'the kernel' if holds else 'only Python (an audit hook)'}"
            for what, holds in (
                ("network", self.network),
                ("files", self.files),
                ("processes", self.processes),
            )
        )
