"""The whole loop on real libraries: the embedded model, and small models made from a config.

Counts are small; asserted are the artifacts, the resume and that a tuned model stops by itself. No score is asserted.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from isheep import Run, load_recipe, open_run, run, summarize
from isheep.files import PACKAGE
from isheep.records import (
    Answer,
    Decision,
    Instruction,
    Likelihood,
    ModelRef,
    Pair,
    Preference,
    Vector,
    Verdict,
)
from tiny_models import make_model

SMALL = [
    "iterations=2", "instructions.count=60", "instructions.lists_per_round=16", "filter.min_kept=5",
    "evaluate.base_layouts=[question]", "evaluate.decodings=[greedy]", "runtime.threads=1", "runtime.batch_size=32",
    "train.save_steps=4", "train.epochs=6", "train.learning_rate=5e-3",
]  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The settings above, with a test of 40 questions instead of 500."""
    exam = tmp_path_factory.mktemp("exam") / "exam.jsonl"
    rows = (PACKAGE / "lamb" / "held_out.jsonl").read_text(encoding="utf-8").splitlines(True)
    exam.write_text("".join(rows[:: len(rows) // 40][:40]), encoding="utf-8")
    return [*SMALL, f"evaluate.tasks=[{exam}]"]


def digests(done: Run) -> dict[str, str]:
    """Step name -> content digest of its artifact."""
    found = {step.name: done.artifact(step) for step in done.steps}
    return {name: artifact.manifest["content"] for name, artifact in found.items() if artifact}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, small: list[str]) -> Run:
    """An unbroken run, shared by the tests below."""
    return run(load_recipe("lamb", small), tmp_path_factory.mktemp("store"))


def test_every_step_left_its_records(whole: Run) -> None:
    assert whole.complete
    manifests = [a.manifest for step in whole.steps if (a := whole.artifact(step)) and step.stage != "seeds"]
    loading = [
        m for m in manifests if m["model"] and not m["name"].startswith("questions.")
    ]  # tests need no model
    assert all((m["device"] or "").startswith("cpu: 1 thread") for m in loading)
    assert all(m["provenance"]["packages"]["torch"] for m in manifests)
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


def test_nothing_held_out_is_trained_on(tmp_path: Path, small: list[str]) -> None:
    """The test is made of what the model itself wrote: all of that is then dropped, with the reason."""
    first = run(load_recipe("lamb", [*small, "iterations=1"]), tmp_path)
    wrote = [i for i in first.artifacts("instructions")[0].read(Instruction) if i.reason is None]
    leak = tmp_path / "leak.jsonl"
    rows = [{"instruction": i.instruction.upper(), "input": i.input, "answers": ["x"]} for i in wrote[:20]]
    leak.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    second = run(load_recipe("lamb", [*small, "iterations=1", f"evaluate.tasks=[{leak}]"]), tmp_path)
    reasons = {d.id: d.reason for d in second.artifacts("filter")[0].read(Decision)}
    assert {reasons[i.id] for i in wrote[:20]} == {"held_out"}
    assert "held_out" not in {reasons[i.id] for i in wrote[20:]}


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


def test_batches_do_not_change_the_result(whole: Run, small: list[str], tmp_path: Path) -> None:
    other = run(load_recipe("lamb", [*small, "runtime.batch_size=7", "iterations=1"]), tmp_path)
    for stage, cls in (("instructions", Instruction), ("responses", Pair)):
        assert other.artifacts(stage)[0].read(cls) == whole.artifacts(stage)[0].read(cls)  # type: ignore[type-var]
    ours, theirs = (r.artifacts("assessment")[0].read(Verdict) for r in (other, whole))
    assert [v.score for v in ours] == pytest.approx([v.score for v in theirs], abs=1e-4)


def command(store: Path, chosen: list[str]) -> list[str]:
    settings = [word for setting in chosen for word in ("--set", setting)]
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
def test_sigkill_anywhere_then_the_same_result(whole: Run, small: list[str], tmp_path: Path) -> None:
    rng = random.Random(8)
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    began = time.monotonic()
    kills = 0
    for _ in range(60):
        child = subprocess.Popen(
            command(tmp_path, small), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
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


def test_each_step_in_its_own_process_gives_the_same(whole: Run, small: list[str], tmp_path: Path) -> None:
    other = run(load_recipe("lamb", [*small, "iterations=1", "runtime.isolation=process"]), tmp_path)
    plain = digests(whole)
    assert digests(other).items() <= plain.items()


def test_every_option_on_a_real_model(small: list[str], tmp_path: Path) -> None:
    """Turns, perplexity, vectors, sampled verdicts and preferences: what each asks of the libraries, they do."""
    options = [
        "iterations=1",
        "instructions.count=40",
        "followups={turns: 2, max_tokens: 24, rules: [], min_words: 1}",
        "assessment={reading: sampled, samples: 2}",
        "probes.count=3",
        "filter={threshold: null, keep_fraction: 0.9, ppl: {limit: 1000, of: response},"
        " density: {clusters: null, share: 0.8, choose: perplexity}, overlap: {threshold: 0.99}}",
        "preferences={samples: 3, min_gap: 0.0}",
        "prefer={cutoff: 128, warmup_steps: 1}",
    ]
    done = run(load_recipe("lamb", [*small, *options]), tmp_path)
    assert done.complete
    pairs = [p for name in ("responses", "turn2.responses") for p in done.named(name)[0].read(Pair)]
    readable = [p for p in pairs if p.response]
    found = {f.id: f for f in done.artifacts("likelihood")[0].read(Likelihood)}
    assert all(found[p.id].text_loglik < 0 < found[p.id].text_tokens for p in readable)
    vectors = {v.id: v.numbers for v in done.artifacts("vectors")[0].read(Vector)}
    assert all(abs(float((vectors[p.id] ** 2).sum()) - 1) < 0.01 for p in readable)
    assert any(p.reason is None for p in done.artifacts("preferences")[0].read(Preference))
    (model,) = done.artifacts("prefer")[0].read(ModelRef)
    assert model.last_loss is not None
    assert done.artifacts("evaluate")[1].manifest["model"]["adapter"] == done.artifacts("prefer")[0].key
    assert (done.folder / "report.html").is_file()


def test_foreign_seeds_are_coped_with(small: list[str], tmp_path: Path) -> None:
    """Seed tasks far longer than lamb's context, in words it never saw: what can be shown is, the rest is counted."""
    done = run(
        load_recipe(
            "lamb",
            [
                *small,
                "iterations=1",
                "seeds.file=general",
                "instructions.count=12",
                "filter.min_kept=3",
            ],
        ),
        tmp_path,
    )
    summary = summarize(done)
    assert done.complete
    assert any("too long" in note for note in summary["iterations"][0]["notes"])


@pytest.mark.parametrize("arch", ["llama", "qwen2"])
@pytest.mark.parametrize("layout", ["question", "auto", "chatml"])
def test_a_model_of_ones_own(arch: str, layout: str, small: list[str], tmp_path: Path) -> None:
    """A small random model with a ChatML template: it writes noise, but the whole machinery turns."""
    model = tmp_path / "model"
    make_model(model, arch, template=True)
    settings: list[Any] = [
        *small, f"model.base={model}", f"model.layout={layout}", "iterations=1", "instructions.count=8",
        "filter.min_kept=2", "instructions.rules=[]", "filter.rules=[]",
    ]  # fmt: skip
    done = run(load_recipe("lamb", settings), tmp_path / "store")
    assert done.complete
    (trained,) = done.artifacts("train")[0].read(ModelRef)
    assert trained.pairs >= 2
    assert (
        trained.layout
        in {"question": {"question"}, "auto": {"chat", "question"}, "chatml": {"chatml"}}[layout]
    )
