"""A listener that remembers."""

from __future__ import annotations

from isheep.step import Event


class Ear:
    """Hand it to `run` as `tell`."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def steps(self, kind: str) -> list[str]:
        """The steps that had such an event, in order."""
        return [event.step for event in self.events if event.kind == kind]
