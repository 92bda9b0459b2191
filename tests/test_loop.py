"""The whole loop on real libraries: the embedded model, and small models made from a config.

Counts are small; asserted are the artifacts, the resume and that a tuned model stops by itself. No score is asserted.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tiny_models import make_model

from isheep import Run, load_recipe, open_run, run, summarize
from isheep.records import Answer, Decision, Instruction, ModelRef, Pair, Verdict

SMALL = [
    "iterations=2", "instructions.count=60", "instructions.lists_per_round=16", "filter.min_kept=5",
    "evaluate.base_layouts=[question]", "evaluate.decodings=[greedy]", "runtime.threads=1", "runtime.batch_size=32",
    "train.save_steps=4", "train.epochs=4",
]  # fmt: skip


def digests(done: Run) -> dict[str, str]:
    """Step name -> content digest of its artifact."""
    found = {step.name: done.artifact(step) for step in done.steps}
    return {name: artifact.manifest["content"] for name, artifact in found.items() if artifact}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An unbroken run, shared by the tests below."""
    return run(load_recipe("lamb", SMALL), tmp_path_factory.mktemp("store"))


def test_every_step_left_its_records(whole: Run) -> None:
    assert whole.complete
    for t in range(2):
        kept = [i for i in whole.artifacts("instructions")[t].read(Instruction) if i.reason is None]
        pairs = whole.artifacts("responses")[t].read(Pair)
        verdicts = whole.artifacts("assessment")[t].read(Verdict)
        decisions = whole.artifacts("filter")[t].read(Decision)
        assert len(kept) == 60
        assert [p.id for p in pairs] == [i.id for i in kept]
        assert {v.id for v in verdicts} == {f"{p.id}/{s}" for p in pairs for s in ("quality", "following")}
        assert all(v.score is None or 1 <= v.score <= 10 for v in verdicts)
        assert [d.id for d in decisions] == [p.id for p in pairs]
        assert all(d.kept == (d.reason is None) for d in decisions)
        (model,) = whole.artifacts("train")[t].read(ModelRef)
        assert model.pairs == sum(d.kept for d in decisions) > 0
        assert model.last_loss is not None
        adapter = whole.artifacts("train")[t].path(model.adapter)
        assert {p.name for p in adapter.iterdir()} >= {"adapter_model.safetensors", "adapter_config.json"}


def test_nothing_held_out_is_trained_on(whole: Run) -> None:
    tests = {(a.item) for a in whole.artifacts("evaluate")[0].read(Answer)}
    assert len(tests) > 100
    decisions = [d for t in range(2) for d in whole.artifacts("filter")[t].read(Decision)]
    from isheep.lamb.world import is_held_out

    kept = {d.id for d in decisions if d.kept}
    for t in range(2):
        for pair in whole.artifacts("responses")[t].read(Pair):
            assert pair.id not in kept or not is_held_out(pair.instruction, pair.input), pair


def test_the_tuned_model_stops_by_itself(whole: Run) -> None:
    last = whole.artifacts("evaluate")[2].read(Answer)
    assert sum(a.ended for a in last) / len(last) > 0.9


def test_summary_has_what_is_promised(whole: Run) -> None:
    summary = summarize(whole)
    assert {"run", "seed", "recipe", "model", "iterations"} <= set(summary)
    assert [i["iteration"] for i in summary["iterations"]] == [0, 1, 2]
    for entry in summary["iterations"]:
        assert entry["scores"]
        for score in entry["scores"]:
            assert set(score) >= {"task", "metric", "value", "n", "ci_low", "ci_high"}
            assert score["ci_low"] <= score["value"] <= score["ci_high"]
    first = summary["iterations"][0]
    assert first["instructions"] == first["responses"] == 60
    assert first["kept"] + sum(n for why, n in first["dropped"].items() if why.startswith("filter/")) == 60
    assert 0 <= first["assessment"]["auroc"] <= 1
    assert set(first["tokens"]) == set(first["seconds"])
    assert (whole.folder / "report.html").is_file()
    assert (whole.folder / "report.md").is_file()


def test_batches_do_not_change_the_result(whole: Run, tmp_path: Path) -> None:
    other = run(load_recipe("lamb", [*SMALL, "runtime.batch_size=7", "iterations=1"]), tmp_path)
    for stage, cls in (("instructions", Instruction), ("responses", Pair)):
        assert other.artifacts(stage)[0].read(cls) == whole.artifacts(stage)[0].read(cls)  # type: ignore[type-var]
    ours, theirs = (r.artifacts("assessment")[0].read(Verdict) for r in (other, whole))
    assert [v.score for v in ours] == pytest.approx([v.score for v in theirs], abs=1e-4)


def command(store: Path, *more: str) -> list[str]:
    settings = [word for setting in [*SMALL, *more] for word in ("--set", setting)]
    return [
        sys.executable,
        "-m",
        "isheep",
        "run",
        "lamb",
        *settings,
        "--store",
        str(store),
        "--name",
        "killed",
    ]


@pytest.mark.slow
def test_sigkill_anywhere_then_the_same_result(whole: Run, tmp_path: Path) -> None:
    rng = random.Random(8)
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    began = time.monotonic()
    kills = 0
    for _ in range(60):
        child = subprocess.Popen(
            command(tmp_path), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            # Imports alone take seconds: the window grows with what is done, so every stage is hit now and then.
            child.wait(timeout=rng.uniform(3.0, 9.0) if kills < 6 else 600)
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
            child.communicate()
            kills += 1
            continue
        assert child.stderr is not None
        assert child.returncode == 0, child.stderr.read().decode()
        break
    assert kills >= 2, f"only {kills} kills in {time.monotonic() - began:.0f} s"
    assert digests(open_run("killed", tmp_path)) == digests(whole)


def test_each_step_in_its_own_process_gives_the_same(whole: Run, tmp_path: Path) -> None:
    more = ["iterations=1", "evaluate.tasks=[]", "runtime.isolation=process"]
    other = run(load_recipe("lamb", [*SMALL, *more]), tmp_path)
    plain = digests(whole)
    assert all(plain[name] == digest for name, digest in digests(other).items() if name != "filter.0")


def test_foreign_seeds_are_coped_with(tmp_path: Path) -> None:
    """Seed tasks far longer than lamb's context, in words it never saw: what can be shown is, the rest is counted."""
    done = run(
        load_recipe("lamb", [*SMALL, "iterations=1", "seeds.file=general", "instructions.count=12"]), tmp_path
    )
    summary = summarize(done)
    assert done.complete
    assert any("too long" in note for note in summary["iterations"][0]["notes"])


@pytest.mark.parametrize("arch", ["llama", "qwen2"])
@pytest.mark.parametrize("layout", ["question", "auto", "chatml"])
def test_a_model_of_ones_own(arch: str, layout: str, tmp_path: Path) -> None:
    """A small random model with a ChatML template: it writes noise, but the whole machinery turns."""
    model = tmp_path / "model"
    make_model(model, arch, template=True)
    settings: list[Any] = [
        *SMALL, f"model.base={model}", f"model.layout={layout}", "iterations=1", "instructions.count=8",
        "filter.min_kept=2", "instructions.rules=[]", "filter.rules=[]",
    ]  # fmt: skip
    done = run(load_recipe("lamb", settings), tmp_path / "store")
    assert done.complete
    (trained,) = done.artifacts("train")[0].read(ModelRef)
    assert trained.pairs >= 2
    assert trained.layout == {"question": "question", "auto": trained.layout, "chatml": "chatml"}[layout]
