"""The index: it says what the records say, whatever is typed into the form; marks beside it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.errors import StoreError
from isheep.look import query
from isheep.look.index import open_index, rows, signature
from isheep.look.marks import FILE, export_marks, marks, set_mark
from isheep.look.query import Asked, connect, matching, page_of
from isheep.runs import Run


def _ids(run: Run, marked: dict[str, str] | None = None, **asked: str) -> list[str]:
    with connect(open_index(run)) as db:
        found = page_of(db, Asked.of(asked), marked or {})
        every = list(found.rows)
        for page in range(2, -(-found.total // query.PAGE) + 1):
            every += page_of(db, Asked.of({**asked, "page": str(page)}), marked or {}).rows
    assert len(every) == found.total
    return [row["id"] for row in every]


def test_the_index_lists_every_record_once_with_its_fate(plain_run: Run) -> None:
    expected = list(rows(plain_run))
    assert _ids(plain_run) == [row.id for row in expected]
    for status in ("kept", "dropped"):
        assert _ids(plain_run, status=status) == [row.id for row in expected if row.fate[1] == status]
    assert _ids(plain_run, stage="instructions") == [
        row.id for row in expected if row.fate[0] == "instructions"
    ]
    assert _ids(plain_run, iteration="1") == [row.id for row in expected if row.iteration == 1]
    reason = next(row.fate[2] for row in expected if row.fate[2])
    assert _ids(plain_run, reason=reason) == [row.id for row in expected if row.fate[2] == reason]


def test_scores_are_filtered_and_sorted_with_the_unscored_last(plain_run: Run) -> None:
    with connect(open_index(plain_run)) as db:
        means = {row["id"]: row["mean"] for row in map(dict, db.execute("SELECT id, mean FROM record"))}
    scored = [id for id, mean in means.items() if mean is not None]
    middle = sorted(means[id] for id in scored)[len(scored) // 2]
    above = _ids(plain_run, low=str(middle), sort="mean", down="1")
    assert set(above) == {id for id in scored if means[id] >= middle}
    assert [means[id] for id in above] == sorted((means[id] for id in above), reverse=True)
    for down in ("", "1"):
        order = _ids(plain_run, sort="mean", down=down)
        assert all(means[id] is not None for id in order[: len(scored)])


def test_a_word_is_found_where_it_stands_and_nowhere_else(plain_run: Run) -> None:
    texts = {
        row.id: f"{row.id} {row.task.instruction} {row.task.input} {row.pair.response if row.pair else ''}".lower()
        for row in rows(plain_run)
    }
    word = next(w for w in texts[next(iter(texts))].split() if w.isalpha() and len(w) > 3)
    found = _ids(plain_run, q=word)
    assert found
    assert all(word in texts[id] for id in found)
    assert set(found) >= {id for id, text in texts.items() if word in text.replace(".", " ").split()}
    assert not set(_ids(plain_run, q=f"{next(iter(texts))[0]} -{word}")) & set(found)
    assert _ids(plain_run, q=f'"{next(iter(texts))}"') == [next(iter(texts))]


@settings(max_examples=200, deadline=None)
@given(typed=st.text(max_size=30) | st.text(alphabet='"*()-^:ab{} NEAROT', max_size=20))
def test_whatever_is_typed_is_a_search_and_no_error(plain_run: Run, typed: str) -> None:
    with connect(open_index(plain_run)) as db:
        page_of(db, Asked.of({"q": typed, "reason": typed, "low": typed, "page": typed, "sort": typed}), {})


@pytest.mark.parametrize("typed", ["a\0b", '"a\0"', "0\0", "\ud800a"])
def test_what_sqlite_cannot_take_is_no_error_either(plain_run: Run, typed: str) -> None:
    with connect(open_index(plain_run)) as db:
        for name in ("q", "reason", "seed"):
            page_of(db, Asked.of({name: typed}), {})


@given(st.text(max_size=40))
def test_a_search_is_made_of_quoted_words_alone(typed: str) -> None:
    made = matching(typed)
    outside = "".join(made.split('"')[::2]).replace("*", "")
    assert set(outside.split()) <= {"AND", "NOT"}


def test_scripts_without_spaces_are_searched_by_any_part(plain_run: Run, tmp_path: Path) -> None:
    import sqlite3

    from isheep.look import index

    row = next(row for row in rows(plain_run) if row.pair)
    told = dataclasses.replace(row, task=dataclasses.replace(row.task, instruction="请解释量子力学 Größe"))
    path = tmp_path / "i.sqlite"
    with sqlite3.connect(path) as db:
        db.executescript(index._TABLES)
        index.fill(db, iter([told]))
    with connect(path) as db:
        for typed, there in (("量子", 1), ("力学", 1), ("子量", 0), ("grosse", 0), ("große", 1), ("GRÖ", 1)):
            assert page_of(db, Asked.of({"q": typed}), {}).total == there, typed


def test_the_index_is_kept_and_made_anew_when_a_step_was_finished(plain_run: Run) -> None:
    begun = dataclasses.replace(plain_run, steps=plain_run.steps[:3], name="begun")
    path = open_index(begun)
    stamp = path.stat().st_ino
    assert open_index(begun).stat().st_ino == stamp
    whole = dataclasses.replace(plain_run, name="begun")
    assert signature(begun) != signature(whole)
    assert open_index(whole) == path
    assert path.stat().st_ino != stamp
    path.write_bytes(b"not a database")
    assert len(_ids(whole)) > 60
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []


def test_marks_are_kept_beside_the_run_and_exported(plain_run: Run, tmp_path: Path) -> None:
    one, two, three = (row.id for row in list(rows(plain_run))[:3])
    assert export_marks(plain_run, tmp_path / "none.jsonl") == 0
    for id, mark in (
        (one, "good"),
        (two, "bad"),
        (three, "good"),
        (three, None),
        (two, "good"),
        (two, "bad"),
    ):
        set_mark(plain_run, id, mark)
    assert marks(plain_run) == {one: "good", two: "bad"}
    with (plain_run.folder / FILE).open("a") as file:
        file.write('{"id": "torn')
    set_mark(plain_run, three, "bad")
    assert marks(plain_run) == {one: "good", two: "bad", three: "bad"}
    with pytest.raises(StoreError):
        set_mark(plain_run, one, "ugly")
    assert export_marks(plain_run, tmp_path / "marks.jsonl") == 3
    told = [json.loads(line) for line in (tmp_path / "marks.jsonl").read_text().splitlines()]
    assert {entry["id"]: entry["mark"] for entry in told} == marks(plain_run)
    assert all(entry["instruction"] and entry["status"] in query.STATUSES for entry in told)
    assert _ids(plain_run, marks(plain_run), mark="bad") == [two, three]
    assert one not in _ids(plain_run, marks(plain_run), mark="none")
    (plain_run.folder / FILE).unlink()


def test_neighbours_are_those_of_the_list(plain_run: Run) -> None:
    asked = Asked.of({"status": "kept", "sort": "mean", "down": "1"})
    order = _ids(plain_run, status="kept", sort="mean", down="1")
    with connect(open_index(plain_run)) as db:
        for at in range(len(order)):
            before, behind = query.neighbours(db, asked, {}, at)
            assert before == (order[at - 1] if at else None)
            assert behind == (order[at + 1] if at + 1 < len(order) else None)
        assert query.neighbours(db, asked, {}, 9999)[1] is None


def test_what_stands_beside_a_record_is_of_other_iterations(plain_run: Run) -> None:
    some = {row.id: row for row in rows(plain_run)}
    first = next(iter(some.values()))
    with connect(open_index(plain_run)) as db:
        near = query.same_seeds(db, first.id, 3)
        words = query.same_words(db, first.id, first.task.instruction, 3)
        task, columns = query.of_seed(db, first.task.shots[0], 5)
        assert query.of_seed(db, "no such", 5) == (None, {})
    assert set(near) | set(words) <= {1}
    for row in near[1]:
        assert row["shared"] == len(set(some[row["id"]].task.shots) & set(first.task.shots)) > 0
    assert task is not None
    for iteration, column in columns.items():
        showed = [r for r in some.values() if r.iteration == iteration and task["id"] in r.task.shots]
        assert column["total"] == len(showed)
        assert column["kept"] == sum(r.fate[1] == "kept" for r in showed)


def test_an_address_says_what_is_asked_and_comes_back_the_same() -> None:
    asked = Asked.of(
        {"q": "a&b=c", "iteration": "2", "low": "nan", "page": "-1", "sort": "n; DROP", "evil": "x"}
    )
    assert asked == Asked(q="a&b=c", iteration="2")
    assert asked.address(page=3, sort="mean") == "q=a%26b%3Dc&iteration=2&sort=mean&page=3"
