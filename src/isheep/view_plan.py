"""The table of `isheep plan`: steps, what is done, what is still to come, and what that takes on given GPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from isheep.view import count, plain_table, size


def plan_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line a step. Rows that were held against devices have three more columns."""
    table = plain_table("plan")
    columns = ["step", "key", "state", "tokens read", "written", "disk"]
    devices = bool(rows) and "seconds" in rows[0]
    if devices:
        columns += ["time", "memory/GPU", "most of it"]
    for name in columns:
        table.add_column(name, justify="left" if name in ("step", "key", "state", "most of it") else "right")
    for row in rows:
        cells = [row["step"], row["key"][:12], row["state"], count(row["read"]), count(row["written"]),
                 size(row["bytes"])]  # fmt: skip
        if devices:
            cells += [_time(row), memory(row["memory"]), _limit(row)]
        table.add_row(*cells, style="dim" if row["state"] == "done" else "")
    return table


def memory(count: float) -> str:
    """Bytes in the unit cards are sold in."""
    return f"{count / 2**30:.1f} GiB" if count else "-"


def _time(row: Mapping[str, Any]) -> str:
    # Imported late: it takes a third of a second, and a plain plan shows no times.
    from isheep.report.numbers import duration

    if not row["fits"]:
        return "no room"
    return duration(row["seconds"]) if row["seconds"] else "-" if row["seconds"] == 0 else "?"


def _limit(row: Mapping[str, Any]) -> str:
    return str(row["limit"]) if row["fits"] else f"memory: {row['limit']}"
