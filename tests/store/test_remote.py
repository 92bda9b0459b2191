"""A remote store by itself: addresses, refusals, tries; and finished steps that go there and come back."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.errors import IsheepError, MissingExtraError, StoreError
from isheep.records import Completion, Verdict
from isheep.store import Artifact, Claim, Store, mirror, remote
from isheep.store.manifest import check_manifest, is_inside
from isheep.store.mirror import cache_folder
from isheep.store.remote import Remote, checked, is_address

sys.path.insert(0, str(Path(__file__).parent))
from broken import Broken
from worker import COUNT, publish, whole, work

Picture = Callable[[Path], dict[str, bytes]]
Machine = Callable[..., Store]
pytestmark = pytest.mark.usefixtures("quick")


# ---------------------------------------------------------------- addresses


def test_what_is_an_address(tmp_path: Path, cache: Path) -> None:
    assert is_address("s3://bucket/x")
    for text in ("isheep-store", "./s3", "/s3://", "c:/x", "", "s3:/bucket", 5, Path("x")):
        assert not is_address(text)
    store = Store("S3://Bucket/a b/")
    assert store.address == "s3://Bucket/a b"
    assert store.root == cache_folder("s3://Bucket/a b")
    assert store.root.parent == cache / "stores"
    assert store.root.name.startswith("s3-Bucket-a-b-")
    assert store.root != Store("s3://Bucket/a/b").root
    assert Store(tmp_path).address == str(tmp_path)
    assert not cache.exists(), "making it touches nothing"
    with pytest.raises(StoreError, match="was an address before it became a Path"):
        Store(Path("s3://bucket/x"))


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISHEEP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/xdg")
    assert cache_folder("s3://b").is_relative_to("/var/xdg/isheep/stores")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/her")
    assert cache_folder("s3://b").is_relative_to("/home/her/.cache/isheep/stores")


@pytest.mark.parametrize(
    "address",
    ["sftp://me:HIDDEN@host/x", "az://c/x?sig=HIDDEN", "s3://HIDDEN:HIDDEN@bucket", "s3://b/x#HIDDEN"],
)
def test_an_address_holds_no_password(address: str) -> None:
    with pytest.raises(StoreError, match="more than a place") as caught:
        Store(address)
    assert "HIDDEN" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["s3://", "s3:///", "s3://b/../c", "zip::s3://b/x.zip", "https://host/x", "s3://b/\n", "s3://b/x::y"],
)
def test_what_is_no_place(address: str) -> None:
    with pytest.raises(IsheepError) as caught:
        Store(address).check()
    assert caught.value.hint


@given(st.text(max_size=30))
def test_any_text_is_an_address_a_folder_or_refused(text: str) -> None:
    with contextlib.suppress(StoreError):
        assert not is_address(text) or checked(checked(text)) == checked(text)


@pytest.mark.parametrize(
    ("address", "package", "extra"),
    [("s3://b/x", "s3fs", "s3"), ("gs://b/x", "gcsfs", "gcs"), ("az://b/x", "adlfs", "azure")],
)
def test_a_missing_package_is_named(
    address: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys.modules["fsspec.registry"], "_registry", {})
    with pytest.raises(MissingExtraError, match=f"needs {package}") as caught:
        Store(address).check()
    assert caught.value.hint == f"pip install 'isheep[{extra}]'"


def test_an_unknown_protocol_is_said() -> None:
    with pytest.raises(StoreError, match="Protocol not known: sheep") as caught:
        Store("sheep://meadow").check()
    assert "s3://bucket/path" in caught.value.hint


# ---------------------------------------------------------------- one act


def test_what_passes_is_tried_again_and_what_does_not_is_said(address: str) -> None:
    there = Remote(address)
    there.write("a", b"x")
    for fault in (OSError(errno.EIO, "bad line"), TimeoutError(), ConnectionResetError()):
        Broken.reset()
        Broken.plan = staticmethod(
            lambda n, moment, fault=fault: fault if n <= 2 and moment == "before" else None
        )
        assert there.read("a") == b"x"
        assert len(Broken.acts) == 3
    for fault, tries, hint in (
        (OSError(errno.EIO, "bad line"), 3, "check the address and the network"),
        (PermissionError(errno.EACCES, "no"), 1, "read and write there"),
        (OSError(errno.ENOSPC, "No space left"), 1, "disk is full"),
        (type("NoCredentialsError", (Exception,), {})("none found"), 1, "read and write there"),
        (
            Exception(
                "https://me:HIDDEN@host?sig=HIDDEN&Token=HIDDEN Bearer HIDDEN secret_key=HIDDEN at host:80"
            ),
            3,
            "network",
        ),
    ):
        Broken.reset()
        Broken.plan = staticmethod(lambda n, moment, fault=fault: fault if moment == "before" else None)
        with pytest.raises(StoreError, match=r"cannot read broken://.*/a: ") as caught:
            there.read("a")
        assert len(Broken.acts) == tries
        assert hint in caught.value.hint
        assert type(fault).__name__ in caught.value.message
        assert "HIDDEN" not in str(caught.value)
    assert "at host:80" in caught.value.message, "a port is no secret"


def test_the_check_writes_a_mark_and_asks_once(machine: Machine, tmp_path: Path) -> None:
    store = machine("one")
    store.check()
    acts = len(Broken.acts)
    store.check()
    assert len(Broken.acts) == acts
    assert json.loads((tmp_path / "remote0" / "isheep-store.json").read_text())["format"] == 1
    (tmp_path / "remote0" / "isheep-store.json").write_text('{"format": 1')
    machine("one").check()
    assert json.loads((tmp_path / "remote0" / "isheep-store.json").read_text())["format"] == 1
    (tmp_path / "remote0" / "isheep-store.json").write_text('{"format": 2}')
    with pytest.raises(StoreError, match="newer isheep") as caught:
        machine("one").check()
    assert "upgrade" in caught.value.hint


def test_large_transfers_are_told(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "LARGE", 1 << 20)
    monkeypatch.setattr(remote, "NOTE_SECONDS", 0.0)
    said: list[str] = []
    for name, size in (("small", 1000), ("large", 3 << 20)):
        (tmp_path / name).write_bytes(bytes(size))
        Remote(address).put(tmp_path / name, name, said.append)
    Remote("memory://notes").put(tmp_path / "large", "large", said.append)
    assert said[0] == f"bringing large to {address}: 3 MiB"
    assert said[-1] == "bringing large to memory://notes: 3 of 3 MiB"
    assert not any("small" in line for line in said)


# ---------------------------------------------------------------- steps


def test_made_here_it_is_found_there(machine: Machine, key: str, picture: Picture, tmp_path: Path) -> None:
    one = machine("one")
    made = publish(one, key)
    assert made.folder == one.artifact_folder("score", key)
    two = machine("two")
    found = two.find("score", key)
    assert found is not None
    assert found.manifest == made.manifest
    assert [p.name for p in found.folder.iterdir()] == ["manifest.json"], (
        "nothing is brought that nobody asked for"
    )
    assert found.read(Completion) == made.read(Completion)
    assert sorted(p.name for p in found.folder.iterdir()) == ["completion.jsonl", "manifest.json"]
    assert (found.path("adapter") / "weights.bin").read_bytes() == bytes(range(256))
    assert two.verify(found) == []
    assert picture(found.folder) == whole(tmp_path, key, picture)
    with pytest.raises(StoreError, match="writes no verdict"):
        found.read(Verdict)
    with pytest.raises(StoreError, match="is missing"):
        found.path("nothing")
    for name in ("../../../etc/passwd", "/etc/passwd", "adapter/../../x"):
        with pytest.raises(StoreError, match="no name within"):
            found.path(name)
    assert [artifact.key for artifact in two.artifacts()] == [key]
    with two.claim("score", key) as held:
        assert isinstance(held, Artifact)
    assert two.keep(found) is found
    assert list(two.trash.iterdir()) == []


def test_brought_once(machine: Machine, key: str) -> None:
    publish(machine("one"), key)
    two = machine("two")
    two.find("score", key).verify()  # type: ignore[union-attr]
    Broken.reset()
    again = machine("two").find("score", key)
    assert again is not None
    assert again.verify() == []
    assert len(again.read(Completion)) == COUNT
    assert Broken.acts == []


def test_an_interrupted_upload_is_finished_by_the_next_run_without_repeating_it(
    machine: Machine, key: str
) -> None:
    store = machine("one")
    with store.claim("score", key) as claim:
        assert isinstance(claim, Claim)
        made = work(claim, COUNT, 0)
    Broken.plan = staticmethod(
        lambda n, moment: (
            PermissionError() if moment == "before" and Broken.acts[-1][0] == "put" and n > 5 else None
        )
    )
    with pytest.raises(StoreError, match="cannot write"):
        store.keep(made)
    sent = [name for act, name in Broken.acts if act == "put"][:-1]
    assert sent
    assert machine("two").find("score", key) is None
    Broken.reset()
    store = machine("one")
    found = store.find("score", key)
    assert found is not None
    assert store.keep(found) is found
    puts = {
        name.split(".part")[0].rpartition(".")[0] if ".part" in name else name
        for act, name in Broken.acts
        if act == "put"
    }
    assert not puts & {
        name.rpartition(".")[0].rpartition(".")[0] if ".part" in name else name for name in sent
    }
    assert machine("two").find("score", key).verify() == []  # type: ignore[union-attr]
    Broken.reset()
    store.keep(found)
    assert Broken.acts == [], "asked once"


def test_of_two_who_made_it_the_first_wins(machine: Machine, key: str) -> None:
    """With equal content both keep their own; with other content, which the same key may give on another GPU, the
    second goes on with the first one's."""
    stores = [machine("one"), machine("two"), machine("three")]
    made = []
    for store, text in zip(stores, ("same", "same", "other"), strict=True):
        with store.claim("score", key) as claim:
            assert isinstance(claim, Claim)
            claim.journal.append(Completion("a", text, "stop", 1, 1))
            made.append(claim.publish({"machine": str(store.root)}, [Completion]))
    kept = [store.keep(artifact) for store, artifact in zip(stores, made, strict=True)]
    assert kept[:2] == made[:2]
    assert kept[2].manifest == made[0].manifest
    assert kept[2].read(Completion)[0].text == "same"
    assert not made[2].folder.exists()
    found = stores[2].find("score", key)
    assert found is not None
    assert found.manifest == made[0].manifest
    assert machine("four").find("score", key).verify() == []  # type: ignore[union-attr]


def test_two_at_the_same_moment_do_not_mix(
    machine: Machine, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second comes in between when the first has sent its files and not yet its manifest."""
    stores = [machine("one"), machine("two")]
    made = []
    for store, text in zip(stores, ("one", "two"), strict=True):
        with store.claim("score", key) as claim:
            assert isinstance(claim, Claim)
            claim.journal.append(Completion("a", text, "stop", 1, 1))
            made.append(claim.publish({}, [Completion]))
    real = Remote.create

    def late(self: Remote, name: str, data: bytes) -> None:
        monkeypatch.setattr(Remote, "create", real)
        stores[1].keep(made[1])
        real(self, name, data)

    monkeypatch.setattr(Remote, "create", late)
    kept = stores[0].keep(made[0])
    assert kept.read(Completion)[0].text == "two"
    third = machine("three").find("score", key)
    assert third is not None
    assert third.verify() == []
    assert third.read(Completion)[0].text == "two"


def test_a_damaged_artifact_is_not_sent(machine: Machine, key: str) -> None:
    store = machine("one")
    with store.claim("score", key) as claim:
        assert isinstance(claim, Claim)
        made = work(claim, COUNT, 0)
    (made.folder / "adapter" / "weights.bin").write_bytes(b"changed")
    with pytest.raises(StoreError, match=r"is not sent, for it is damaged: adapter/weights\.bin"):
        store.keep(made)
    assert machine("two").find("score", key) is None


def test_two_tasks_in_one_cache_send_once(machine: Machine, key: str) -> None:
    store = machine("one")
    made = publish(store, key)
    acts = len([act for act in Broken.acts if act[0] == "put"])
    other = pickle.loads(pickle.dumps(store))
    assert other.keep(made) is made
    assert len([act for act in Broken.acts if act[0] == "put"]) == acts


def test_what_is_absent_is_not_asked_for_all_the_time(
    machine: Machine, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "ABSENT_SECONDS", 100.0)
    store = machine("one")
    for _ in range(20):
        assert store.find("score", key) is None
    assert len(Broken.acts) == 1
    publish(machine("two"), key)
    assert store.find("score", key) is None
    with store.claim("score", key) as held:
        assert isinstance(held, Artifact), "who is about to do it asks again"


def test_garbage_of_a_remote_store_is_what_is_here(machine: Machine, key: str) -> None:
    publish(machine("one"), key)
    two = machine("two")
    two.find("score", key)
    assert two.collect_garbage([key]) == []
    assert two.collect_garbage([]) == [f"copies/score/{key}"]
    assert two.find("score", key) is not None


# ---------------------------------------------------------------- what lies there is data


def there(tmp_path: Path, key: str) -> Path:
    return tmp_path / "remote0" / "artifacts" / "score" / key


def test_a_changed_file_is_refused_and_never_lies_here(machine: Machine, key: str, tmp_path: Path) -> None:
    publish(machine("one"), key)
    (weights,) = there(tmp_path, key).glob("*/adapter/weights.bin")
    weights.write_bytes(bytes(256))
    two = machine("two")
    found = two.find("score", key)
    assert found is not None
    with pytest.raises(StoreError, match="is not what its manifest says") as caught:
        found.path("adapter")
    assert str(found.folder) in caught.value.hint
    assert not (found.folder / "adapter").exists()
    assert list(two.trash.iterdir()) == []
    assert "is not what its manifest says" in two.verify(found)[0]
    weights.unlink()
    with pytest.raises(StoreError, match="is missing, though its manifest is here"):
        found.path("adapter")


@pytest.mark.parametrize(
    "name",
    ["../x", "/x", "a/../../x", "a//b", "", ".", "..", "a/.", "manifest.json", "a\0b", "a\nb", "x" * 1000],
)
def test_a_manifest_with_a_name_that_leaves_its_folder(
    machine: Machine, key: str, tmp_path: Path, name: str
) -> None:
    """Well sealed, as somebody would who means harm."""
    publish(machine("one"), key)
    path = there(tmp_path, key) / "manifest.json"
    evil = json.loads(path.read_text())
    del evil["seal"]
    evil["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    evil["content"] = mirror.digest(sorted([n, stamp["sha256"]] for n, stamp in evil["files"].items()))
    path.write_text(json.dumps({**evil, "seal": mirror.digest(evil)}))
    assert not is_inside(name)
    with pytest.raises(StoreError, match="which is no name"):
        machine("two").find("score", key)


@pytest.mark.parametrize(
    "text", [b"[]", b"5", b'{"records": {}}', b'{"files": {"a": 5}, "records": {}}', b'"x"']
)
def test_a_manifest_that_is_none(machine: Machine, key: str, tmp_path: Path, text: bytes) -> None:
    publish(machine("one"), key)
    (there(tmp_path, key) / "manifest.json").write_bytes(text)
    with pytest.raises(StoreError, match="not a manifest this version can read") as caught:
        machine("two").find("score", key)
    assert "remove that folder" in caught.value.hint


def test_the_manifest_of_another_step_is_refused(machine: Machine, key: str, tmp_path: Path) -> None:
    publish(machine("one"), key)
    there(tmp_path, key).rename(there(tmp_path, "e" * 64))
    with pytest.raises(StoreError, match="belongs to score"):
        machine("two").find("score", "e" * 64)


def test_half_a_manifest_is_none_and_is_replaced(machine: Machine, key: str, tmp_path: Path) -> None:
    """Only where neither renaming nor writing is whole."""
    made = publish(machine("one"), key)
    path = there(tmp_path, key) / "manifest.json"
    path.write_bytes(path.read_bytes()[:200])
    assert machine("two").find("score", key) is None
    one = machine("one")
    assert one.keep(made) is made
    assert machine("two").find("score", key).verify() == []  # type: ignore[union-attr]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["files", "records", "seal", "stage", "key", "content", "a"]),
                inner,
                max_size=7,
            )
        ),
        max_leaves=10,
    )
)
def test_no_manifest_crashes_the_check(value: Any) -> None:
    assert check_manifest(value, "score", "k")


# ---------------------------------------------------------------- papers


def test_papers_go_there_and_come_here(machine: Machine, tmp_path: Path) -> None:
    one = machine("one")
    run = one.runs_folder / "mine"
    run.mkdir(parents=True)
    for name in ("run.json", "report.html", "evaluations.json", ".run.json.host.5"):
        (run / name).write_text(f"{name} 1")
    one.send_papers(run)
    assert sorted(p.name for p in (tmp_path / "remote0" / "runs" / "mine").iterdir()) == [
        "evaluations.json",
        "report.html",
        "run.json",
    ]
    two = machine("two")
    two.bring_papers()
    mine = two.runs_folder / "mine"
    assert {p.name: p.read_text() for p in mine.iterdir()} == {
        "run.json": "run.json 1",
        "evaluations.json": "evaluations.json 1",
    }
    there = tmp_path / "remote0" / "runs" / "mine" / "run.json"
    assert mine.joinpath("run.json").stat().st_mtime == pytest.approx(there.stat().st_mtime, abs=0.001)
    Broken.reset()
    two.bring_papers()
    assert [act for act, _ in Broken.acts] == ["list", "list"], "what is here is not brought again"
    (run / "run.json").write_text("run.json 2")
    one.send_papers(run / "run.json")
    os.utime(there, (time.time() + 5, time.time() + 5))
    two.bring_papers()
    assert mine.joinpath("run.json").read_text() == "run.json 2"


def test_papers_with_other_names_stay_there(machine: Machine, tmp_path: Path) -> None:
    far = tmp_path / "remote0"
    for name in ("runs/a b/run.json", "runs/.x/run.json", "runs/run.json", "runs/a/b/run.json", "runs/a/run.json.part",
                 "runs/a/recipe.yaml", "sweeps/s/compare.html", "sweeps/s/sweep.json", "runs/ok/run.json"):  # fmt: skip
        (far / name).parent.mkdir(parents=True, exist_ok=True)
        (far / name).write_text("{}")
    two = machine("two")
    two.bring_papers()
    here = {p.relative_to(two.root).as_posix() for p in two.root.rglob("*") if p.is_file()}
    assert here == {"sweeps/s/sweep.json", "runs/ok/run.json"}


def test_a_folder_is_its_own_store(store: Store, key: str) -> None:
    """Nothing of all this happens."""
    made = publish(store, key)
    assert store.keep(made) is made
    store.check()
    store.listen(print)
    store.bring_papers()
    store.send_papers(store.root / "absent")
    assert Broken.acts == []
    assert pickle.loads(pickle.dumps(store)).root == store.root
