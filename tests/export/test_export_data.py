"""`isheep export data`: what stands in each format, and that the tools' own loaders read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from datasets import load_dataset
from huggingface_hub import DatasetCard
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.errors import ExportError
from isheep.export import FORMATS, export_data
from isheep.export.formats import write_rows
from isheep.export.licences import Licence, common
from isheep.export.rows import Conversation, conversations, preferences
from isheep.records import Decision
from isheep.report.summary import pairs_of
from isheep.runs import Run
from toy import pair, toy


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def kept_of(run: Run, t: int) -> set[str]:
    return {d.id for d in run.artifacts("filter")[t].read(Decision) if d.kept}


def loaded(folder: Path, *config: str) -> list[dict[str, Any]]:
    return list(load_dataset(str(folder), *config, split="train"))


def test_a_conversation_is_one_row_and_its_last_turn_holds_the_others(talked: Run) -> None:
    rows = conversations(talked, [0], kept_only=True)
    kept = kept_of(talked, 0)
    told = {id for row in rows for id in (row.pair.id, row.pair.parent)} - {None}
    assert told == kept
    assert len(rows) < len(kept)
    assert sum(len(row.turns) // 2 for row in rows) == len(kept)


def test_all_pairs_are_a_row_each_and_say_whether_they_were_kept(talked: Run, tmp_path: Path) -> None:
    for format in FORMATS:
        out = export_data(talked, format, tmp_path / format, 1, kept_only=False)
        rows = loaded(out)
        assert len(rows) == len(pairs_of(talked, 1))
        assert sum(row["kept"] for row in rows) == len(kept_of(talked, 1))
        assert all(bool(row["reason"]) != row["kept"] for row in rows)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_says_the_same(talked: Run, tmp_path: Path, format: str) -> None:
    out = export_data(talked, format, tmp_path / "out")
    wanted = [row.turns for row in conversations(talked, [0, 1], kept_only=True)]
    assert [turns_of(row) for row in loaded(out)] == wanted
    assert max(map(len, wanted)) == 4
    liked = [(p.record.chosen, p.record.rejected) for p in preferences(talked, [0, 1])]
    assert liked
    assert [(text(r["chosen"]), text(r["rejected"])) for r in loaded(out, "preferences")] == liked


def turns_of(row: dict[str, Any]) -> tuple[str, ...]:
    """What was said, out of a row of any format."""
    if "messages" in row:
        assert [m["role"] for m in row["messages"]] == ["user", "assistant"] * (len(row["messages"]) // 2)
        return tuple(m["content"] for m in row["messages"])
    if "conversations" in row:
        names = [m["from"] for m in row["conversations"]]
        assert names == ["human", "gpt"] * (len(names) // 2)
        return tuple(m["value"] for m in row["conversations"])
    # As LLaMA-Factory joins them: request and input by one line break.
    asked = "\n".join(filter(None, (row["instruction"], row["input"])))
    return (*(said for turn in row["history"] for said in turn), asked, row["output"])


def text(said: Any) -> str:
    """An answer, out of a preference of any format."""
    if isinstance(said, list):
        (said,) = said
    return str(said if isinstance(said, str) else said.get("content", said.get("value")))


def test_the_hubs_form_has_a_configuration_for_each_iteration(talked: Run, tmp_path: Path) -> None:
    out = export_data(talked, "hub", tmp_path / "out")
    rows = loaded(out)
    assert {row["iteration"] for row in rows} == {0, 1}
    assert loaded(out, "iteration_1") == [row for row in rows if row["iteration"] == 1]
    assert all(row["kept"] and row["reason"] is None and 1 <= row["quality"] <= 10 for row in rows)


def test_the_card_is_the_hubs_and_says_what_is_known(talked: Run, tmp_path: Path) -> None:
    out = export_data(talked, "hub", tmp_path / "out")
    card = DatasetCard.load(out / "README.md", ignore_metadata_errors=False)
    told = card.data.to_dict()
    assert told["license"] == "unknown"  # nobody said anything of toy-base, or of the user's seeds
    assert told["size_categories"] == ["n<1K"]
    assert {config["config_name"] for config in told["configs"]} == {
        "default", "iteration_0", "iteration_1", "preferences",
    }  # fmt: skip
    entry = talked.artifacts("filter")[0]
    dropped = next(d.reason for d in entry.read(Decision) if d.reason)
    for needle in ("toy-base", entry.key, dropped.replace("_", "\\_"), "not known", "0.1.0"):
        assert needle in card.text, needle
    assert str(talked.store.root) not in card.text
    mark = json.loads((out / "isheep.json").read_text())
    assert mark["rows"]["data/iteration-000.parquet"] == len(conversations(talked, [0], True))


def test_no_text_of_a_model_is_in_the_card(talked: Run, tmp_path: Path) -> None:
    card = (export_data(talked, "messages", tmp_path / "out") / "README.md").read_text()
    for row in conversations(talked, [0, 1], kept_only=True):
        assert not any(said in card for said in row.turns)


def test_llama_factory_and_axolotl_find_the_columns(talked: Run, tmp_path: Path) -> None:
    for format in FORMATS:
        out = export_data(talked, format, tmp_path / format)
        info = json.loads((out / "dataset_info.json").read_text())
        assert talked.name in info
        for name, entry in info.items():
            there = out / entry["file_name"]
            assert there.exists()
            (config,) = {"preferences"} if name.endswith("-preferences") else {"default"}
            assert set(entry["columns"].values()) <= loaded(out, config)[0].keys()
            assert bool(entry.get("ranking")) == (config == "preferences")
        block = (out / "README.md").read_text().split("```yaml\n")[1].split("```")[0]
        (axolotl,) = yaml.safe_load(block)["datasets"]
        rows = load_dataset(str(out), data_files=axolotl["data_files"], split="train")
        assert axolotl.get("field_messages", "instruction") in rows.column_names


def test_plain_alpaca_where_nobody_asked_twice(tmp_path: Path) -> None:
    from isheep import run

    done = run(toy(tmp_path, "iterations=1"), tmp_path / "store")
    rows = json.loads((export_data(done, "alpaca", tmp_path / "out") / "train.json").read_text())
    assert {tuple(row) for row in rows} == {("instruction", "input", "output")}
    assert not (tmp_path / "out" / "preferences.json").exists()


def test_an_iteration_that_is_not_there_is_named_with_those_that_are(talked: Run, tmp_path: Path) -> None:
    with pytest.raises(ExportError) as error:
        export_data(talked, "hub", tmp_path / "out", 7)
    assert "7" in error.value.message
    assert "0, 1" in error.value.hint
    with pytest.raises(ExportError, match="no format 'csv'"):
        export_data(talked, "csv", tmp_path / "out")
    nothing = replace(talked, steps=talked.steps[:2])
    with pytest.raises(ExportError, match="not filtered"):
        export_data(nothing, "hub", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_stands_there_is_replaced_only_on_force_and_only_an_export(talked: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    export_data(talked, "hub", out)  # an empty folder is free
    with pytest.raises(ExportError, match="exists") as error:
        export_data(talked, "alpaca", out)
    assert "--force" in error.value.hint
    assert (out / "data").exists()
    export_data(talked, "alpaca", out, force=True)
    assert (out / "train.json").exists()
    assert not (out / "data").exists()
    (out / "isheep.json").unlink()
    with pytest.raises(ExportError, match="not written by"):
        export_data(talked, "alpaca", out, force=True)
    assert (out / "train.json").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_failure_leaves_nothing(talked: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, rows: object) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("isheep.export.data.write_rows", fail)
    with pytest.raises(OSError, match="No space"):
        export_data(talked, "hub", tmp_path / "out")
    assert list(tmp_path.iterdir()) == [] or {p.name for p in tmp_path.iterdir()} == {"cache"}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(deadline=None, max_examples=60)
@given(TEXTS, TEXTS, TEXTS, st.sampled_from(sorted(FORMATS)))
def test_any_text_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, asked: str, said: str, before: str, format: str
) -> None:
    chosen = FORMATS[format]
    one = pair("a", said, instruction=asked, history=(before, said))
    row = Conversation(one, 0, Decision("a", True, None, None, 3.5))
    path = tmp_path_factory.mktemp("rows") / f"train{chosen.suffix}"
    write_rows(path, [chosen.row(row)])
    if chosen.suffix == ".parquet":
        import pyarrow.parquet as pq

        (found,) = pq.read_table(path).to_pylist()
    else:
        raw = json.loads(path.read_text(encoding="utf-8"))
        found = raw[0] if isinstance(raw, list) else raw
    got = turns_of(found)
    assert (got[0], got[1], got[3]) == (before, said, said)
    assert got[2].strip() == asked.strip()


def test_a_licence_is_stated_only_when_all_are_known() -> None:
    ours, theirs = Licence("a", "apache-2.0", ""), Licence("b", "llama3.1", "")
    assert common([ours, ours]) == "apache-2.0"
    assert common([ours, theirs]) == ["apache-2.0", "llama3.1"]
    assert common([ours, Licence("b", None, "")]) == "unknown"
