"""Several engines in workers of Ray: the results of one, whoever is lost. Workers start slowly, so tests share them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.backends import obstacles, open_engine
from isheep.backends.base import (
    Embedder,
    Engine,
    ModelSpec,
    Passage,
    Query,
    Reader,
    Request,
    Runtime,
    Sampling,
)
from isheep.errors import BackendError, RecipeError
from tiny_models import make_model

ray = pytest.importorskip("ray")

from isheep.backends import ray_cluster, ray_pool, ray_worker  # noqa: E402
from isheep.backends.ray import RayEngine, _anywhere, _parcels  # noqa: E402
from ray_here import hands, kill, pid, ray_here  # noqa: E402

CPU = Runtime(device="cpu", batch_size=4, workers=2)
ALONE = replace(CPU, workers=1)
FAKE = ModelSpec("any")
OTHER = replace(FAKE, name="another")


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with ray_here():
        yield


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    return ModelSpec(str(make_model(tmp_path_factory.mktemp("tiny"))))


@pytest.fixture(scope="module")
def one(tiny: ModelSpec) -> Iterator[Engine]:
    engine = open_engine("hf", tiny, replace(ALONE, threads=1))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def two(tiny: ModelSpec) -> Iterator[Engine]:
    engine = open_engine("hf", tiny, replace(CPU, threads=1))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Two fake engines. A request called "deadly" ends its worker each time, one called "once" the first time."""
    seen = str(tmp_path_factory.mktemp("seen"))

    class Mortal(ray_worker.Worker):  # sent to the workers by value, as it can be imported from nowhere
        def work(self, method: str, batches: Any, given: Any, skip: Any) -> list[Any]:
            for item in (item for batch in batches for item in batch):
                mark = os.path.join(seen, item.id)
                if item.id == "deadly" or (item.id.startswith("once") and not os.path.exists(mark)):
                    open(mark, "w").close()
                    os._exit(1)
            return super().work(method, batches, given, skip)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray_pool, "Worker", Mortal)
        engine = open_engine("fake", FAKE, CPU)
    yield engine
    engine.close()


def fake(model: ModelSpec = FAKE) -> Engine:
    return open_engine("fake", model)


def requests(count: int = 40) -> list[Request]:
    return [
        Request(f"r{n:03}", "Describe " + "a sheep and " * (n % 7) + f"the number {n}.", Sampling(12), n)
        for n in range(count)
    ]


def by_id(results: Iterator[Any]) -> dict[str, Any]:
    found = list(results)
    assert len({one.id for one in found}) == len(found)
    return {one.id: one for one in found}


# the same as one worker, to the last bit


def test_it_writes_scores_and_reads_what_one_engine_does(one: Engine, two: Engine) -> None:
    asked = [*requests(), Request("long", "a b c " * one.context, Sampling(3))]
    assert by_id(two.generate(asked)) == by_id(one.generate(asked))
    queries = [Query(r.id, r.prompt, tuple(str(n) for n in range(1, 11))) for r in asked]
    assert by_id(two.score(queries)) == by_id(one.score(queries))
    passages = [Passage(r.id, r.prompt, " It is" + " white" * (n % 5)) for n, r in enumerate(asked)]
    assert isinstance(one, Reader)
    assert isinstance(two, Reader)
    assert by_id(two.likelihood(passages)) == by_id(one.likelihood(passages))
    assert isinstance(one, Embedder)
    assert isinstance(two, Embedder)
    vectors, wanted = by_id(two.embed(passages, "mean")), by_id(one.embed(passages, "mean"))
    assert vectors.keys() == wanted.keys()
    for id, vector in vectors.items():
        assert np.array_equal(vector.values, wanted[id].values)
        assert vector.values.flags.writeable
    last = by_id(two.embed(passages, "last"))
    assert not np.array_equal(last["r001"].values, vectors["r001"].values)


def test_what_is_skipped_changes_nothing(one: Engine, two: Engine) -> None:
    asked = requests()
    skip = {r.id for n, r in enumerate(asked) if n % 3 == 0 or n < 15}
    wanted = {id: done for id, done in by_id(one.generate(asked)).items() if id not in skip}
    assert by_id(two.generate(asked, skip)) == wanted
    assert by_id(two.generate(asked, [r.id for r in asked])) == {}


def test_it_says_what_its_engines_are(one: Engine, two: Engine) -> None:
    assert two.device_name == "2 x cpu: 1 threads"
    assert (two.parameters, two.context) == (one.parameters, one.context)
    assert two.count(["a sheep", ""]) == one.count(["a sheep", ""])
    assert two.layout("auto") == one.layout("auto")
    assert two.batches(requests()) == one.batches(requests())


def test_both_work(two: Engine) -> None:
    before = [_work_done(actor) for actor in hands(two)]
    list(two.generate(requests()))
    after = [_work_done(actor) for actor in hands(two)]
    assert all(b > a for a, b in zip(before, after, strict=True)), (before, after)


def _work_done(actor: Any) -> float:
    """CPU time a worker has used."""
    return float(ray.get(actor.__ray_call__.remote(lambda self: sum(os.times()[:2]))))


def test_errors_of_the_engine_are_its_own(two: Engine) -> None:
    with pytest.raises(RecipeError, match="unknown layout") as caught:
        two.layout("nobody")
    assert type(caught.value) is RecipeError
    assert "known:" in caught.value.hint
    broken: Any = Request("x", None, Sampling(3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="text input must be"):
        list(two.generate([broken]))
    assert len(list(two.generate(requests(9)))) == 9


# losses


def test_a_worker_killed_in_the_middle_changes_nothing(one: Engine, two: Engine) -> None:
    asked = requests(120)
    wanted = by_id(one.generate(asked))
    victim = pid(hands(two)[1])
    coming = two.generate(asked)
    first = next(coming)
    kill(victim)
    done = by_id(coming)
    assert {**done, first.id: first} == wanted
    assert len(done) == len(asked) - 1
    assert victim not in [pid(actor) for actor in hands(two)]


def test_all_killed_at_once_change_nothing(mortal: Engine) -> None:
    victims = [pid(actor) for actor in hands(mortal)]
    coming = mortal.generate(requests(90))
    first = next(coming)
    for victim in victims:
        kill(victim)
    assert by_id(iter([first, *coming])) == by_id(fake().generate(requests(90)))


def test_a_batch_that_ends_every_worker_is_given_up(mortal: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_pool, "TRIES", 2)
    asked = requests(23)
    with pytest.raises(BackendError, match="4 prompts run together have lost 2 workers") as caught:
        list(mortal.generate([*asked, replace(asked[0], id="deadly")]))
    assert "batch_size" in caught.value.hint
    assert by_id(mortal.generate(asked)) == by_id(fake().generate(asked)), "it goes on without that batch"


def test_only_what_was_being_done_is_blamed(mortal: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two batches ends a worker; to the one that stands behind the other, that worker's end is no loss."""
    monkeypatch.setattr(ray_pool, "TRIES", 2)
    mortal._pool._hands[1:], left = [], mortal._pool._hands[1:]  # type: ignore[attr-defined]
    try:
        asked = [replace(r, id=f"{'once-' if n % 4 == 0 else ''}{r.id}") for n, r in enumerate(requests(8))]
        assert by_id(mortal.generate(asked)) == by_id(fake().generate(asked))
    finally:
        mortal._pool._hands += left  # type: ignore[attr-defined]


def test_it_turns_as_its_engines_do(two: Engine, tiny: ModelSpec, mortal: Engine) -> None:
    assert two.turn_to(tiny)
    assert not two.turn_to(replace(tiny, name="x", load_in="8bit"))
    before = by_id(mortal.generate(requests(9)))
    assert mortal.turn_to(OTHER)
    turned = by_id(fake(OTHER).generate(requests(9)))
    assert turned != before
    assert by_id(mortal.generate(requests(9))) == turned


def test_who_is_lost_while_turning_comes_back_turned(mortal: Engine) -> None:
    for actor in hands(mortal):
        kill(pid(actor))
    assert mortal.turn_to(FAKE)
    assert by_id(mortal.generate(requests(9))) == by_id(fake().generate(requests(9)))


def test_a_worker_lost_each_time_it_loads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fragile(ray_worker.Worker):
        def open(self, *given: Any) -> Any:
            os._exit(1)

    monkeypatch.setattr(ray_pool, "Worker", Fragile)
    monkeypatch.setattr(ray_pool, "TRIES", 2)
    with pytest.raises(BackendError, match="lost 2 times before it had loaded the model"):
        RayEngine(FAKE, ALONE, "fake")


def test_who_stops_listening_leaves_nothing_behind(mortal: Engine) -> None:
    coming = mortal.generate(requests(200))
    next(coming)
    coming.close()  # type: ignore[attr-defined]
    assert by_id(mortal.generate(requests(9))) == by_id(fake().generate(requests(9)))


def test_two_calls_at_once_do_not_mix(mortal: Engine) -> None:
    other = [replace(r, id=f"other-{r.id}") for r in requests()]
    both = list(zip(mortal.generate(requests()), mortal.generate(other), strict=True))
    assert {mine.id for mine, _ in both} == {r.id for r in requests()}
    assert {theirs.id for _, theirs in both} == {r.id for r in other}


# workers that cannot be had


class Elsewhere(ray_worker.Worker):
    """Sent by name, and workers cannot import this module: as if isheep was not installed where they are."""


def test_a_node_without_isheep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_pool, "Worker", Elsewhere)
    with pytest.raises(BackendError, match="No module named 'test_ray'") as caught:
        RayEngine(FAKE, ALONE, "fake")
    assert "on every node" in caught.value.hint


def test_a_node_with_another_isheep() -> None:
    with pytest.raises(BackendError, match=r"0\.0\.1 on a node") as caught:
        ray_pool._placed(ray.put(ray_worker.Place("node", "0.0.1")))
    assert "on every node" in caught.value.hint


def test_a_model_that_cannot_be_opened() -> None:
    with pytest.raises(BackendError, match="no adapter at /no/such") as caught:
        RayEngine(replace(FAKE, adapter="/no/such"), ALONE, "fake")
    assert type(caught.value) is BackendError


def test_too_small_a_cluster_is_said_at_once() -> None:
    with pytest.raises(BackendError, match="17 workers need 17 CPUs, but this machine has 16"):
        open_engine("fake", FAKE, replace(CPU, workers=17))


def test_no_room_is_no_endless_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    free = int(ray.available_resources()["CPU"])
    taken = ray.util.placement_group([{"CPU": free}])
    assert taken.wait(30)
    monkeypatch.setattr(ray_pool, "PLACE_SECONDS", 1.0)
    try:
        with pytest.raises(BackendError, match="no room for 2 of 2 workers in 1 seconds"):
            open_engine("fake", FAKE, CPU)
    finally:
        ray.util.remove_placement_group(taken)


def test_what_each_worker_is_given() -> None:
    def share(gpus: int, **changes: Any) -> tuple[int, int]:
        given = ray_cluster.Session(8, gpus).share(Runtime(workers=2, **changes))
        return given.cpus, given.gpus

    assert share(0) == (1, 0)
    assert share(0, threads=3) == (3, 0)
    assert share(4, tensor_parallel=2) == (1, 2)
    assert share(4, device="cpu") == (1, 0)
    assert share(4, device="cuda") == (1, 1)
    lacking: list[tuple[int, dict[str, Any], str]] = [
        (0, {"device": "cuda:1"}, "no GPU"),
        (3, {"tensor_parallel": 2}, "2 workers need 4 GPUs"),
        (0, {"threads": 5}, "2 workers need 10 CPUs"),
    ]
    for gpus, changes, words in lacking:
        with pytest.raises(BackendError, match=words):
            share(gpus, **changes)


def test_what_stands_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(**changes: Any) -> list[str]:
        return obstacles("engine", "fake", FAKE, replace(CPU, **changes), {"generate"})

    monkeypatch.setattr("isheep.backends.ray.cores", lambda: 2)
    assert found() == []
    (sentence,) = found(workers=3)
    assert "3 workers need 3 CPUs, but this machine has 2; set runtime.workers to 2" in sentence
    assert found(ray="auto") == [], "the Ray of this process is asked"


# small parts


@given(st.lists(st.integers(1, 9)), st.integers(1, 20))
def test_parcels_hold_every_batch_in_order(sizes: list[int], size: int) -> None:
    batches = [[n] * length for n, length in enumerate(sizes)]
    parcels = list(_parcels(batches, size))
    assert [batch for parcel in parcels for batch in parcel] == batches
    for parcel in parcels:
        assert sum(map(len, parcel[:-1])) < size
    for parcel in parcels[:-1]:
        assert sum(map(len, parcel)) >= size


def test_folders_are_where_a_worker_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    found = _anywhere(ModelSpec("model", adapter="a/b"))
    assert (found.base, found.adapter, found.name) == (
        str(tmp_path / "model"),
        str(tmp_path / "a/b"),
        "model",
    )
    assert _anywhere(ModelSpec("owner/name", name="x")) == ModelSpec("owner/name", name="x")
