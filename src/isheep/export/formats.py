"""Conversations and preferences as the rows other tools read, and the files they lie in.

Knows: Alpaca, ShareGPT, chat messages, Parquet, and what LLaMA-Factory's dataset_info.json calls their columns. Does
not know: runs.

The field names are those of the tools' own documents: LLaMA-Factory's data/README.md, axolotl's dataset formats, and
the conversational and preference types of TRL's dataset formats.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isheep.export.rows import Conversation, Preferred
from isheep.text.prompts import request

Row = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """One way to write rows down."""

    suffix: str
    row: Callable[[Conversation], Row]
    preferred: Callable[[Preferred], Row]
    #: LLaMA-Factory's entry for the rows, without its file's name.
    factory: Row
    factory_preferred: Row
    #: axolotl's entry under `datasets:`, without its path.
    axolotl: Row


def _alpaca(row: Conversation) -> Row:
    said = row.pair.history
    turns = [list(turn) for turn in zip(said[::2], said[1::2], strict=True)]
    made: Row = {"instruction": row.pair.instruction, "input": row.pair.input, "output": row.pair.response}
    return {**made, "history": turns}


def _alpaca_preferred(row: Preferred) -> Row:
    found = row.record
    return {
        "instruction": found.instruction,
        "input": found.input,
        "chosen": found.chosen,
        "rejected": found.rejected,
    }


def _sharegpt(row: Conversation) -> Row:
    return {"conversations": [{"from": who, "value": text} for who, text in _spoken(row, "human", "gpt")]}


def _sharegpt_preferred(row: Preferred) -> Row:
    found = row.record
    return {
        "conversations": [{"from": "human", "value": request(found.instruction, found.input)}],
        "chosen": {"from": "gpt", "value": found.chosen},
        "rejected": {"from": "gpt", "value": found.rejected},
    }


def _messages(row: Conversation) -> Row:
    said = [{"role": who, "content": text} for who, text in _spoken(row, "user", "assistant")]
    return {"id": row.pair.id, "iteration": row.iteration, "messages": said}


def _messages_preferred(row: Preferred) -> Row:
    found = row.record
    return {
        "id": found.id,
        "iteration": row.iteration,
        "prompt": [{"role": "user", "content": request(found.instruction, found.input)}],
        "chosen": [{"role": "assistant", "content": found.chosen}],
        "rejected": [{"role": "assistant", "content": found.rejected}],
    }


def _spoken(row: Conversation, asks: str, answers: str) -> Iterable[tuple[str, str]]:
    return ((asks if n % 2 == 0 else answers, text) for n, text in enumerate(row.turns))


def _whole(row: Conversation) -> Row:
    """Everything a column can hold: for Parquet, where no reader minds a column more."""
    pair, decided = row.pair, row.decision
    return {
        **_messages(row),
        "instruction": pair.instruction,
        "input": pair.input,
        "output": pair.response,
        "quality": decided.quality,
        "following": decided.following,
        "kept": decided.kept,
        "reason": decided.reason,
    }


def _whole_preferred(row: Preferred) -> Row:
    scores = {"chosen_score": row.record.chosen_score, "rejected_score": row.record.rejected_score}
    return {**_messages_preferred(row), **scores}


_ROLES = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
_CHAT: Row = {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": _ROLES}
_CHAT_AXOLOTL: Row = {"type": "chat_template", "field_messages": "messages"}
_RANKED = {"chosen": "chosen", "rejected": "rejected"}
_CHAT_RANKED: Row = {
    "ranking": True,
    "formatting": "sharegpt",
    "columns": {"messages": "conversations", **_RANKED},
}

FORMATS: dict[str, Format] = {
    "alpaca": Format(
        ".json",
        _alpaca,
        _alpaca_preferred,
        {
            "columns": {
                "prompt": "instruction",
                "query": "input",
                "response": "output",
                "history": "history",
            }
        },
        {"ranking": True, "columns": {"prompt": "instruction", "query": "input", **_RANKED}},
        {"type": "alpaca"},
    ),
    "sharegpt": Format(
        ".json",
        _sharegpt,
        _sharegpt_preferred,
        {"formatting": "sharegpt", "columns": {"messages": "conversations"}},
        _CHAT_RANKED,
        {
            "type": "chat_template",
            "field_messages": "conversations",
            "message_property_mappings": {"role": "from", "content": "value"},
        },
    ),
    "messages": Format(".jsonl", _messages, _messages_preferred, _CHAT, {}, _CHAT_AXOLOTL),
    "parquet": Format(".parquet", _whole, _whole_preferred, _CHAT, {}, _CHAT_AXOLOTL),
}
#: The hub's form is Parquet in a layout of its own.
FORMATS["hub"] = FORMATS["parquet"]


def with_decision(made: Row, row: Conversation) -> Row:
    """A row among others that were not kept: it says which it is."""
    return {**made, "kept": row.decision.kept, "reason": row.decision.reason or ""}


def without_history(rows: Sequence[Row]) -> list[Row]:
    """Alpaca rows as everybody knows them, where no conversation has a second turn."""
    if any(row.get("history") for row in rows):
        return list(rows)
    return [{name: value for name, value in row.items() if name != "history"} for row in rows]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """A file in the form its suffix names."""
    if path.suffix == ".parquet":
        _write_parquet(path, rows)
        return
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    with path.open("w", encoding="utf-8") as stream:
        if path.suffix == ".jsonl":
            stream.writelines(f"{line}\n" for line in lines)
        else:
            stream.write("[\n" + ",\n".join(lines) + "\n]\n")


def _write_parquet(path: Path, rows: Sequence[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    said = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    types = {
        "iteration": pa.int32(),
        "messages": said,
        "prompt": said,
        "chosen": said,
        "rejected": said,
        "quality": pa.float64(),
        "following": pa.float64(),
        "chosen_score": pa.float64(),
        "rejected_score": pa.float64(),
        "kept": pa.bool_(),
    }
    # Named types: a column of nothing but None would else have no type, and not fit the next file's.
    schema = pa.schema([(name, types.get(name, pa.string())) for name in rows[0]])
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
