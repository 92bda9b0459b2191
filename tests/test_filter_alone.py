"""Filters are views over one immutable scored pool: another filter generates, judges and reads nothing again.

The backend itself is watched: after a finished run, each setting of the filter is changed, and all that may be asked of
a model is to be trained on what is now kept, and to be tested.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from isheep import make_plan, run
from isheep.records import Decision
from isheep.runs import Run
from isheep.step import Event
from toy import toy
from watching import Watch

#: One iteration in which every filter has something to do, so that everything is known of every pair.
SCORED = (
    "iterations=1",
    "instructions.count=40",
    "filter={threshold: 2, keep_fraction: 0.9, min_kept: 3, ppl: {limit: 90, of: response},"
    " density: {clusters: 20, choose: perplexity}, overlap: {threshold: 0.8}}",
)
#: Every setting of the filter that chooses among what is scored, with another value.
OTHER = (
    "filter.threshold=3.5",
    "filter.threshold=null",
    "filter.threshold=-1",
    "filter.keep_fraction=0.5",
    "filter.keep_fraction=null",
    "filter.by=random",
    "filter.ppl.limit=50",
    "filter.ppl.of=pair",
    "filter.ppl=null",
    "filter.density.clusters=5",
    "filter.density={clusters: null, share: 0.2}",
    "filter.density.per_cluster=2",
    "filter.density.choose=random",
    "filter.density=null",
    "filter.overlap.threshold=0.5",
    "filter.overlap.on=response",
    "filter.overlap.across=false",
    "filter.overlap=null",
    "filter.verifier=lamb",
    "filter.order=[density, keep_fraction, overlap, ppl, threshold]",
    "filter.match=5",
    "filter.match=arm",
    "filter.rules=[]",
    "filter.min_kept=2",
)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run; `asked` of it is checked first, so that the watch below is known to see."""
    folder = tmp_path_factory.mktemp("scored")
    with pytest.MonkeyPatch.context() as patch:
        watch = Watch(patch)
        made = run(toy(folder, *SCORED), folder / "store")
        assert all(watch.of(name) for name in ("generate", "score", "likelihood", "embed", "train"))
    return made


def kept(made: Run) -> list[str]:
    return [d.id for d in made.artifacts("filter")[0].read(Decision) if d.kept]


@pytest.mark.parametrize("override", OTHER)
def test_another_filter_asks_a_model_only_to_be_trained_and_tested(
    scored: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str
) -> None:
    folder = scored.store.root.parent
    other = toy(folder, *SCORED, override)
    done: list[str] = []
    match = make_plan(toy(folder, *SCORED)) if override == "filter.match=arm" else None
    if override == "filter.verifier=lamb":  # lamb knows nothing of these tasks: let it
        monkeypatch.setattr(
            "isheep.lamb.world.check", lambda instruction, input, response: len(response) % 3 > 0
        )
    watch = Watch(monkeypatch)

    def tell(event: Event) -> None:
        if event.kind == "done":
            done.append(event.step)

    made = run(other, scored.store, tell=tell, match=match)
    assert made.complete
    assert done == ["filter.0", "train.0", "evaluate.1", "review.0"]
    assert watch.of("score", "likelihood", "embed", "prefer") == []
    assert watch.of("train") == kept(made)
    tests = [f"question/{how}/toy_tests:t{n}" for how in ("greedy", "sampled") for n in (1, 2, 3)]
    assert watch.of("generate") == tests
    assert made.artifacts("evaluate")[0].key == scored.artifacts("evaluate")[0].key
    assert made.artifacts("assessment")[0].key == scored.artifacts("assessment")[0].key


def test_these_filters_do_choose_differently(scored: Run, tmp_path: Path) -> None:
    """The test above would be worth little if all of them kept the same pairs."""
    folder = scored.store.root.parent
    chosen = {tuple(kept(scored))}
    for override in ("filter.threshold=3.5", "filter.keep_fraction=0.5", "filter.by=random", "filter.ppl.limit=50",
                     "filter.density.clusters=5", "filter.density=null", "filter.match=5"):  # fmt: skip
        chosen.add(tuple(kept(run(toy(folder, *SCORED, override), scored.store))))
    assert len(chosen) == 8


def test_without_a_test_only_the_trainer_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = (*SCORED, "evaluate.tasks=[]")
    run(toy(tmp_path, *whole), tmp_path / "store")
    watch = Watch(monkeypatch)
    run(toy(tmp_path, *whole, "filter.keep_fraction=0.5"), tmp_path / "store")
    assert watch.asked.keys() == {"train"}


def test_a_filter_that_needs_more_to_be_known_reads_that_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ("iterations=1", "evaluate.tasks=[]")
    run(toy(tmp_path, *plain), tmp_path / "store")
    watch = Watch(monkeypatch)
    run(toy(tmp_path, *plain, "filter.ppl={limit: 90, of: response}"), tmp_path / "store")
    assert watch.asked.keys() == {"likelihood", "train"}
    assert len(watch.of("likelihood")) == 12
    run(toy(tmp_path, *plain, "filter.density={clusters: 6}"), tmp_path / "store")
    assert watch.asked.keys() == {"likelihood", "train", "embed"}
    assert (len(watch.of("likelihood")), len(watch.of("embed"))) == (12, 12)
