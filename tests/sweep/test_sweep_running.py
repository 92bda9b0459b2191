"""A sweep is run: shared steps once, failures written down, interruptions gone on from."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from isheep.errors import StoreError
from isheep.records import Decision
from isheep.runs import Run
from isheep.store import Store
from isheep.sweep import JobEvent, open_sweep, run_sweep
from isheep.sweep.record import Entry, SweepRecord
from toy import contents
from toy_sweep import toy_sweep

#: An arm that cannot succeed, whatever the fake writes.
IMPOSSIBLE: dict[str, Any] = {"filter": {"threshold": 10, "keep_fraction": None}}


class Log:
    """Remembers what was told of a sweep."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.events: list[JobEvent] = []
        self.stop_after = stop_after

    def __call__(self, event: JobEvent) -> None:
        self.events.append(event)
        if self.stop_after is not None and len(self.events) > self.stop_after:
            raise KeyboardInterrupt

    def jobs(self, kind: str) -> list[tuple[str, int]]:
        return [(e.arm, e.seed) for e in self.events if e.kind == kind]

    def steps(self, kind: str) -> list[tuple[str, int, str]]:
        return [
            (e.arm, e.seed, e.step.step) for e in self.events if e.step is not None and e.step.kind == kind
        ]


def kept(run: Run) -> dict[int, int]:
    return {t: sum(d.kept for d in a.read(Decision)) for t, a in run.artifacts("filter").items()}


def everything(record: SweepRecord) -> dict[str, dict[str, str]]:
    """Run -> step -> the digest of what it made."""
    return {run.name: contents(run) for runs in record.arms.values() for run in runs}


def test_every_run_is_done_and_what_arms_share_is_done_once(tmp_path: Path) -> None:
    loaded, log = toy_sweep(tmp_path), Log()
    record = run_sweep(loaded, tmp_path / "store", tell=log)
    order = [("best", 0), ("random", 0), ("best", 1), ("random", 1)]
    assert log.jobs("start") == log.jobs("done") == order
    assert {arm: [run.recipe.seed for run in runs] for arm, runs in record.arms.items()} == {
        "best": [0, 1],
        "random": [0, 1],
    }
    assert all(run.complete for runs in record.arms.values() for run in runs)
    made = Counter(artifact.stage for artifact in Store(tmp_path / "store").artifacts())
    shared = ("probes", "instructions", "responses")
    assert {stage: made[stage] for stage in shared} == dict.fromkeys(shared, 2)
    assert made["seeds"] == made["assessment"] == made["filter"] == made["train"] == made["review"] == 4
    assert made["evaluate"] == 2 + 4, "M0 once per seed"
    assert len(log.steps("done")) == made.total() == len({s.key for j in loaded.jobs for s in j.plan.steps})
    assert len(log.steps("cached")) == sum(len(job.plan.steps) for job in loaded.jobs) - made.total()


def test_a_matched_arm_keeps_exactly_as_many(tmp_path: Path) -> None:
    arms = {
        "best": {"filter": {"keep_fraction": 0.3}},
        "random": {"filter": {"by": "random", "match": "best"}},
        "any": {"assessment": {"level": "none"}, "filter": {"by": "random", "keep_fraction": None, "match": "best"}},
    }  # fmt: skip
    record = run_sweep(toy_sweep(tmp_path, arms=arms, common={"iterations": 2}), tmp_path / "store")
    for seed in range(2):
        counts = {arm: kept(runs[seed]) for arm, runs in record.arms.items()}
        assert counts["random"] == counts["any"] == counts["best"]
        assert set(counts["best"]) == {0, 1}
        assert min(counts["best"].values()) > 0
    reasons = {d.reason for d in record.arms["any"][0].artifacts("filter")[0].read(Decision)}
    assert "over_match" in reasons


def test_it_is_written_down_and_opened(tmp_path: Path) -> None:
    loaded = toy_sweep(tmp_path, only=[1])
    record = run_sweep(loaded, tmp_path / "store")
    assert record.folder == tmp_path / "store" / "sweeps" / "halves"
    assert record.definition == loaded.sweep.model_dump(mode="json")
    assert record.entries == (
        Entry("best", 1, "halves.best.seed1"),
        Entry("random", 1, "halves.random.seed1"),
    )
    opened = open_sweep("halves", str(tmp_path / "store"))
    assert (opened.definition, opened.entries) == (record.definition, record.entries)
    assert everything(opened) == everything(record)


def test_a_second_time_nothing_is_done(tmp_path: Path) -> None:
    first = run_sweep(toy_sweep(tmp_path), tmp_path / "store")
    log = Log()
    second = run_sweep(toy_sweep(tmp_path), tmp_path / "store", tell=log)
    assert {e.step.kind for e in log.events if e.step} == {"cached"}
    assert everything(second) == everything(first)


def test_another_seed_adds_its_own_runs_only(tmp_path: Path) -> None:
    run_sweep(toy_sweep(tmp_path, only=[0]), tmp_path / "store")
    log = Log()
    record = run_sweep(toy_sweep(tmp_path), tmp_path / "store", tell=log)
    assert {seed for _, seed, _ in log.steps("done")} == {1}
    assert len(record.entries) == 4


def test_a_failing_arm_is_written_down_and_the_others_go_on(tmp_path: Path) -> None:
    arms = {"strict": IMPOSSIBLE, "best": None, "random": {"filter": {"by": "random"}}}
    log = Log()
    record = run_sweep(toy_sweep(tmp_path, arms=arms), tmp_path / "store", tell=log)
    assert log.jobs("failed") == [("strict", 0), ("strict", 1)]
    assert log.jobs("done") == [("best", 0), ("random", 0), ("best", 1), ("random", 1)]
    for entry in record.entries:
        assert entry.error.startswith("the filter kept 0 of 12 pairs" if entry.arm == "strict" else "")
        assert bool(entry.error) == (entry.arm == "strict")
    assert [e.text for e in log.events if e.kind == "failed"] == [e.error for e in record.entries if e.error]
    assert [run.complete for run in record.arms["strict"]] == [False, False]
    assert (record.arms["strict"][0].folder / "report.html").is_file()
    assert open_sweep("halves", tmp_path / "store").entries == record.entries


def test_an_arm_whose_reference_failed_says_so(tmp_path: Path) -> None:
    arms = {"best": IMPOSSIBLE, "random": {"filter": {"by": "random", "match": "best"}}}
    record = run_sweep(toy_sweep(tmp_path, arms=arms, seeds=[0]), tmp_path / "store")
    errors = {entry.arm: entry.error for entry in record.entries}
    assert errors["best"].startswith("the filter kept 0 of 12 pairs")
    assert errors["random"] == "best, whose counts are to be matched, did not get to filter.0"


def test_an_arm_may_go_on_for_longer_than_the_one_it_is_matched_to(tmp_path: Path) -> None:
    arms = {"best": None, "random": {"iterations": 2, "filter": {"by": "random", "match": "best"}}}
    record = run_sweep(toy_sweep(tmp_path, arms=arms, seeds=[0]), tmp_path / "store")
    (best,), (random,) = record.arms.values()
    assert kept(random)[0] == kept(best)[0]
    (_, free) = random.artifacts("filter").values()
    assert free.manifest["notes"] == ["best has no such iteration, so its count cannot be matched"]


def test_what_is_no_arms_own_failure_ends_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise StoreError("the disk is full", "make room")

    monkeypatch.setattr("isheep.sweep.running.run", full)
    log = Log()
    with pytest.raises(StoreError, match="the disk is full"):
        run_sweep(toy_sweep(tmp_path), tmp_path / "store", tell=log)
    assert log.jobs("start") == [("best", 0)]


def test_interrupted_anywhere_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = run_sweep(toy_sweep(tmp_path / "whole"), tmp_path / "whole" / "store")
    finished = 0
    for times in range(100):
        try:
            record = run_sweep(toy_sweep(tmp_path), tmp_path / "store", tell=Log(stop_after=15 * times))
            break
        except KeyboardInterrupt:
            path = tmp_path / "store" / "sweeps" / "halves" / "sweep.json"
            rows = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.is_file() else []
            finished = max(finished, len(rows))
            assert all(row["error"] == "" for row in rows)
    assert times > 4
    assert 0 < finished < 4
    assert everything(record) == everything(whole)


def test_a_name_that_is_no_sweep(tmp_path: Path) -> None:
    run_sweep(toy_sweep(tmp_path, only=[0]), tmp_path / "store")
    with pytest.raises(StoreError) as caught:
        open_sweep("halfs", tmp_path / "store")
    assert caught.value.hint == "sweeps here: halves"
    path = tmp_path / "store" / "sweeps" / "halves" / "sweep.json"
    for text in ("", "{", "[]", '{"name": 1}', '{"name": "a", "definition": {}, "runs": [{"arm": 3}]}'):
        path.write_text(text)
        with pytest.raises(StoreError, match="cannot be read"):
            open_sweep("halves", tmp_path / "store")
    assert len(run_sweep(toy_sweep(tmp_path, only=[0]), tmp_path / "store").entries) == 2
