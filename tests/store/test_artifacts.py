"""Publishing, finding, verifying and cleaning up, in one process."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from isheep.errors import StoreError
from isheep.records import Completion, Score, Verdict
from isheep.store import Artifact, Claim, Store, lock

Picture = Callable[[Path], dict[str, bytes]]
SCORES = [Score(name, "task", "accuracy", 0.5, 3, 0.25, 0.75) for name in ("b", "c", "a", "B", "é")]


def publish(store: Store, key: str, stage: str = "score", order: list[int] | None = None) -> Artifact:
    with store.claim(stage, key) as claim:
        assert isinstance(claim, Claim)
        for i in order or range(len(SCORES)):
            claim.journal.append(SCORES[i])
        (claim.folder / "adapter").mkdir()
        (claim.folder / "adapter" / "weights").write_bytes(b"w" * 100)
        return claim.publish({"times": {"seconds": 1.5}, "host": os.getpid()}, [Score, Verdict])


def test_a_published_step_is_found_and_read_back_sorted(store: Store, key: str) -> None:
    assert store.find("score", key) is None
    made = publish(store, key)
    found = store.find("score", key)
    assert found is not None
    assert found.folder == made.folder == store.root / "artifacts" / "score" / key
    assert [score.id for score in found.read(Score)] == ["B", "a", "b", "c", "é"]
    assert found.has(Score)
    assert found.has(Verdict)
    assert found.read(Verdict) == []
    assert not found.has(Completion)
    assert found.path("adapter").is_dir()
    assert found.manifest["records"] == {"score": 5, "verdict": 0}
    assert found.manifest["times"] == {"seconds": 1.5}
    assert store.verify(found) == []
    assert [artifact.key for artifact in store.artifacts()] == [key]
    assert not store.work_folder("score", key).exists()
    assert list((store.root / "locks").iterdir()) == []
    with pytest.raises(StoreError, match="writes no completion records"):
        found.read(Completion)
    with pytest.raises(StoreError, match="is missing"):
        found.path("nothing")


def test_equal_steps_are_equal_byte_for_byte(tmp_path: Path, key: str, picture: Picture) -> None:
    one = publish(Store(tmp_path / "one"), key)
    two = publish(Store(tmp_path / "two"), key, order=[4, 2, 0, 1, 3])
    assert picture(one.folder) == picture(two.folder)
    assert one.manifest["content"] == two.manifest["content"]


def test_content_is_of_names_and_bytes_only(store: Store, key: str) -> None:
    one = publish(store, key)
    other = publish(store, "f" * 64)
    assert one.manifest["content"] == other.manifest["content"]
    with store.claim("score", "e" * 64) as claim:
        assert isinstance(claim, Claim)
        different = claim.publish({}, [Score])
    assert different.manifest["content"] != one.manifest["content"]


def test_a_finished_step_is_given_not_claimed(store: Store, key: str) -> None:
    made = publish(store, key)
    store.work_folder("score", key).mkdir(
        parents=True
    )  # left by a kill between the rename and the clearing up
    with store.claim("score", key) as held:
        assert isinstance(held, Artifact)
        assert held.manifest == made.manifest
    assert not store.work_folder("score", key).exists()


def test_an_interrupted_step_goes_on_where_it_was(store: Store, key: str, picture: Picture) -> None:
    whole = picture(publish(Store(store.root.parent / "unbroken"), key).folder)
    assert store.journalled("score", key) == 0
    with contextlib.suppress(KeyboardInterrupt), store.claim("score", key) as claim:
        assert isinstance(claim, Claim)
        claim.journal.append(SCORES[0])
        claim.journal.append(SCORES[1])
        (claim.folder / ".checkpoint").write_text("step 3")
        claim.sync()
        raise KeyboardInterrupt
    assert store.journalled("score", key) == 2
    assert store.find("score", key) is None
    with store.claim("score", key) as claim:
        assert isinstance(claim, Claim)
        assert claim.journal.read(Score) == SCORES[:2]
        assert (claim.folder / ".checkpoint").read_text() == "step 3"
        for score in SCORES:
            claim.journal.append(score)
        (claim.folder / "adapter").mkdir()
        (claim.folder / "adapter" / "weights").write_bytes(b"w" * 100)
        made = claim.publish({}, [Score, Verdict])
    assert picture(made.folder) == whole
    assert store.verify(made) == []


def test_scratch_is_not_published(store: Store, key: str) -> None:
    with store.claim("train", key) as claim:
        assert isinstance(claim, Claim)
        (claim.folder / ".checkpoints" / "step-3").mkdir(parents=True)
        (claim.folder / ".checkpoints" / "latest").symlink_to("nowhere")
        (claim.folder / ".note").write_text("x")
        made = claim.publish({}, [])
    assert [path.name for path in made.folder.iterdir()] == ["manifest.json"]
    assert store.verify(made) == []


def test_a_folder_without_manifest_is_nothing(store: Store, key: str) -> None:
    half = store.artifact_folder("score", key)
    half.mkdir(parents=True)
    (half / "rubbish").write_text("x")
    assert store.find("score", key) is None
    assert list(store.artifacts()) == []
    made = publish(store, key)
    assert store.verify(made) == []


def test_who_comes_second_keeps_theirs(store: Store, key: str) -> None:
    """Only where locks do not work: the rename still lets exactly one in."""
    with store.claim("score", key) as claim:
        assert isinstance(claim, Claim)
        claim.journal.append(SCORES[0])
        other = Store(store.root.parent / "other")
        theirs = publish(other, key)
        store.artifact_folder("score", key).parent.mkdir(parents=True)
        theirs.folder.rename(store.artifact_folder("score", key))
        kept = claim.publish({}, [Score])
    assert len(kept.read(Score)) == len(SCORES)
    assert store.verify(kept) == []
    assert not store.work_folder("score", key).exists()


def test_what_a_stage_must_declare(store: Store, key: str) -> None:
    with store.claim("score", key) as claim:
        assert isinstance(claim, Claim)
        claim.journal.append(SCORES[0])
        with pytest.raises(StoreError, match="wrote score records"):
            claim.publish({}, [Verdict])
        with pytest.raises(StoreError, match="content, key cannot be given"):
            claim.publish({"key": "x", "content": "y", "note": "z"}, [Score])
        (claim.folder / "model").symlink_to(store.root)
        with pytest.raises(StoreError, match="is a link"):
            claim.publish({}, [Score])
        (claim.folder / "model").unlink()
        assert claim.publish({}, [Score]).read(Score) == SCORES[:1]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", ".hidden", "a b"])
def test_names_stay_inside_the_store(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be the name"):
        store.find(name, "k")
    with pytest.raises(StoreError, match="cannot be the name"), store.claim("score", name):
        pass


def test_a_flipped_bit_in_any_file_is_found(store: Store, key: str) -> None:
    made = publish(store, key)
    for path in [path for path in made.folder.rglob("*") if path.is_file() and path.stat().st_size]:
        whole = path.read_bytes()
        for place in range(0, len(whole), 7):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            problems = store.verify(Artifact("score", key, made.folder))
            if path.name != "manifest.json" or whole[place : place + 1] not in b" \n":
                assert problems, (path.name, place)
        path.write_bytes(whole)
    assert store.verify(Artifact("score", key, made.folder)) == []


def test_what_verify_says(store: Store, key: str) -> None:
    made = publish(store, key)
    (made.folder / "extra").write_text("x")
    (made.folder / "adapter" / "weights").unlink()
    lines = (made.folder / "score.jsonl").read_bytes().splitlines(keepends=True)
    (made.folder / "score.jsonl").write_bytes(b"".join([lines[0], b'{"id":"a"}\n', *lines[3:]]))
    said = "\n".join(store.verify(made))
    assert "extra is not part of the artifact" in said
    assert "adapter/weights is missing" in said
    assert "score.jsonl has" in said
    assert "score.jsonl line 2: not a score record" in said
    assert "has 4 records, not 5" in said
    with pytest.raises(StoreError, match=r"score\.jsonl line 2: not a score record"):
        made.read(Score)


def test_what_verify_says_of_the_manifest(store: Store, key: str) -> None:
    made = publish(store, key)
    path = made.folder / "manifest.json"
    manifest = json.loads(path.read_text())

    def says(text: str) -> str:
        path.write_text(text)
        return "\n".join(store.verify(Artifact("score", key, made.folder)))

    assert "changed after it was published" in says(json.dumps({**manifest, "times": 2}))
    assert "belongs to other" in says(json.dumps({**manifest, "stage": "other"}))
    assert "content digest" in says(json.dumps({**manifest, "content": "0"}))
    assert "cannot read" in says("{")
    assert "not a manifest" in says("[]")
    assert "this version can read" in says(json.dumps({"records": {}}))
    assert "this version can read" in says(json.dumps({**manifest, "files": {"a": 5}}))
    moved = made.folder.parent / ("f" * 64)
    path.write_text(json.dumps(manifest))
    made.folder.rename(moved)
    assert "belongs to score" in "\n".join(store.verify(Artifact("score", "f" * 64, moved)))


def test_garbage(store: Store) -> None:
    for key in ("kept", "old", "locked"):
        publish(store, key)
    for key in ("resumable", "stale", "busy"):
        with store.claim("score", key) as claim:
            assert isinstance(claim, Claim)
            claim.journal.append(SCORES[0])
    (store.root / "work" / "score" / "kept").mkdir()  # a leftover of a finished step
    (store.root / "artifacts" / "score" / "half").mkdir()
    (store.root / "trash" / "left").mkdir(parents=True, exist_ok=True)
    store.runs_folder.mkdir()
    (store.runs_folder / "demo.json").write_text("{}")
    held = [lock.take(store.lock_path("score", key)) for key in ("busy", "locked")]
    with store.claim("score", "mine") as claim:
        assert isinstance(claim, Claim)
        removed = store.collect_garbage({"kept", "resumable", "half"})
        claim.journal.append(SCORES[0])
        claim.publish({}, [Score])
    assert sorted(removed) == [
        "artifacts/score/half",
        "artifacts/score/old",
        "work/score/kept",
        "work/score/stale",
    ]
    assert sorted(artifact.key for artifact in store.artifacts()) == ["kept", "locked", "mine"]
    assert sorted(path.name for path in (store.root / "work" / "score").iterdir()) == ["busy", "resumable"]
    assert list(store.trash.iterdir()) == []
    assert (store.runs_folder / "demo.json").exists()
    for one in held:
        assert one is not None
        one.release()
    assert sorted(store.collect_garbage({"kept", "resumable", "mine"})) == [
        "artifacts/score/locked",
        "work/score/busy",
    ]
    assert Store(store.root / "absent").collect_garbage([]) == []


def test_looking_at_a_store_writes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "absent")
    assert store.find("score", "k") is None
    assert list(store.artifacts()) == []
    assert store.journalled("score", "k") == 0
    assert not (tmp_path / "absent").exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot lock") as caught, Store(tmp_path / "file").claim("s", "k"):
        pass
    assert caught.value.hint


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_read_only_store_is_said(store: Store, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*args: object, **more: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreError) as caught, store.claim("score", "k"):
        pass
    assert "--store DIR" in caught.value.hint


def test_a_disk_without_locks_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("isheep.store.flock.fcntl.flock", refuse)
    with pytest.raises(StoreError, match="does not know file locks") as caught, store.claim("score", "k"):
        pass
    assert "ISHEEP_LOCKS=lease" in caught.value.hint


def test_a_disk_full_while_publishing_loses_nothing(
    store: Store, key: str, monkeypatch: pytest.MonkeyPatch, picture: Picture
) -> None:
    whole = picture(publish(Store(store.root.parent / "unbroken"), key).folder)

    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("isheep.store.claim.sync_tree", full)
    with pytest.raises(StoreError, match="No space left"):
        publish(store, key)
    monkeypatch.undo()
    assert store.find("score", key) is None
    with store.claim("score", key) as claim:
        assert isinstance(claim, Claim)
        assert claim.journal.read(Score) == SCORES
        made = claim.publish({}, [Score, Verdict])
    assert picture(made.folder) == whole
