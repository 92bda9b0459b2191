"""The errors a user can meet. Each says what happened and what to do next.

Knows: messages, hints, exit codes. Does not know: how they are printed (cli.py does that).
"""

from __future__ import annotations


class IsheepError(Exception):
    """Something the user can act on: a message that names the trouble and a hint that names the next step."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (a step may run in its own process); the default loses the hint.
        return (type(self), (self.message, self.hint))


class RecipeError(IsheepError):
    """The recipe, an override or a data file it names is wrong. Holds every mistake found, not only the first."""

    exit_code = 2


class MissingExtraError(IsheepError):
    """A backend needs a package that is not installed; the hint names the extra."""

    exit_code = 3


class YieldError(IsheepError):
    """A stage ran but gave too little to go on with (no parsable instruction, nothing kept by the filter)."""

    exit_code = 4


class StoreError(IsheepError):
    """The store is damaged, locked for too long, or does not hold what was asked for."""

    exit_code = 5


class BackendError(IsheepError):
    """A model could not be loaded or run."""

    exit_code = 6


class PairingError(IsheepError):
    """Two models were not asked the same, so their scores cannot be set against one another item by item."""

    exit_code = 7


class ExportError(IsheepError):
    """What was asked for cannot be written elsewhere, or not uploaded."""

    exit_code = 8


#: What a shell reports for a program ended by Ctrl-C (128 + SIGINT).
EXIT_INTERRUPTED = 130
