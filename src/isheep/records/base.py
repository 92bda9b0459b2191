"""What all records have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """Base of all records: one JSON object, one line, one id."""

    id: str
