"""A plan on devices: every step has a cost, what does not fit is told with what would; and the paper's figure."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from isheep.backends.trl_run import _CHECKPOINT_ACTIVATIONS
from isheep.capacity.fit import Room, servings, trainings
from isheep.capacity.gpus import GPUS
from isheep.capacity.memory import gib
from isheep.capacity.shape import SHAPES
from isheep.errors import RecipeError
from isheep.estimate import LONGEST, TYPICAL, Lengths
from isheep.plan import make_plan
from isheep.plan_capacity import RECOMPUTE_ABOVE, Capacity, capacity
from isheep.recipe import load_recipe

DOCS = Path(__file__).parents[1] / "docs"
#: The paper's largest run: one iteration of the released code, without what is ours.
PAPER = (
    "model.base=Qwen/Qwen1.5-72B",
    "iterations=1",
    "exam.questions=0",
    "exam.constraints=0",
    "backend.engine=vllm",
)


def held(
    recipe: str,
    *overrides: str,
    gpu: str = "a100-80gb",
    devices: int = 1,
    lengths: Lengths = TYPICAL,
    **more: Any,
) -> Capacity:
    return capacity(make_plan(load_recipe(recipe, overrides)), gpu, devices, lengths=lengths, **more)


def total(found: Capacity) -> float:
    assert found.fits
    return sum(cost.seconds or 0.0 for cost in found.costs.values())


def test_every_step_has_a_cost() -> None:
    plan = make_plan(
        load_recipe("qwen", ["preferences.samples=2", "filter.density={}", "backend.engine=vllm"])
    )
    found = capacity(plan, "a100-80gb", 1)
    assert found.costs.keys() == {step.name for step in plan.steps}
    for name, cost in found.costs.items():
        works = name.startswith(
            ("instructions", "responses", "assessment", "vectors", "train", "prefer.", "candidates")
        )
        assert (cost.seconds or 0) > 0 if works else (cost.seconds or 0) >= 0, name
        assert cost.memory <= 80 * 2**30, name
    assert set(found.serving) == {"vllm", "hf"}, "hidden states are read by transformers"
    assert found.costs["filter.0"].seconds == 0


def test_the_papers_four_hours() -> None:
    """At most 4 hours an iteration on 8 x A800 (paper): between texts of the released data's length and full ones."""
    typical, longest = (
        total(held("released_code", *PAPER, gpu="a800-80gb", devices=8, lengths=lengths)) / 3600
        for lengths in (TYPICAL, LONGEST)
    )
    assert typical < 4 < longest
    assert 4 / typical < 6
    assert longest / 4 < 2


def test_published_rates_come_out_within_a_factor_of_two(docs: ModuleType) -> None:
    ratios = [float(line.split("|")[-2]) for line in docs.published().splitlines()[2:]]
    assert len(ratios) == 13
    assert all(0.5 < ratio < 2 for ratio in ratios)
    assert 0.8 < sorted(ratios)[6] < 1.2, "the median is neither fast nor slow"


def test_more_and_better_gpus_are_faster() -> None:
    one = total(held("qwen", "backend.engine=vllm"))
    assert total(held("qwen", "backend.engine=vllm", devices=8)) < one
    assert total(held("qwen", "backend.engine=vllm", gpu="h200")) < one < total(held("qwen", gpu="a100-80gb"))
    assert total(held("qwen", "backend.engine=vllm", lengths=LONGEST)) > one


def test_what_is_done_costs_nothing() -> None:
    every = held("qwen")
    rest = held("qwen", done=["instructions.0", "train.0"])
    assert rest.costs["train.0"].seconds == rest.costs["instructions.0"].seconds == 0
    assert total(rest) < total(every)
    assert rest.costs["responses.0"].seconds is not None
    # An engine is started once for the steps in a row that it serves, by whichever of them is first.
    assert (rest.costs["responses.0"].seconds or 0) == pytest.approx(every.costs["responses.0"].seconds)
    late = held("qwen", "exam.questions=0", "exam.constraints=0", done=["instructions.0"]).costs[
        "responses.0"
    ]
    first = held("qwen", "exam.questions=0", "exam.constraints=0").costs["responses.0"]
    assert (late.seconds or 0) - (first.seconds or 0) == pytest.approx(20 + 7_721_324_544 * 2 / 2e9)


def test_a_step_trains_on_what_is_kept() -> None:
    few, many = (held("qwen", f"train.max_samples={n}").costs["train.0"].seconds or 0 for n in (500, 2000))
    start = 30 + 7_721_324_544 * 2 / 2e9
    assert many - start == pytest.approx(4 * (few - start))


@pytest.mark.parametrize(
    ("overrides", "gpu", "devices", "engine", "training"),
    [
        (["model.base=Qwen/Qwen1.5-7B"], "a100-80gb", 1, (1, 1), "plain_1"),
        (["model.base=Qwen/Qwen1.5-7B"], "a100-80gb", 8, None, "ddp_8"),
        (["model.base=Qwen/Qwen1.5-72B"], "a100-80gb", 8, None, "fsdp2_8"),
        (["model.base=Qwen/Qwen1.5-72B", "runtime.tensor_parallel=8"], "a100-80gb", 8, (1, 8), "fsdp2_8"),
        (["model.base=Qwen/Qwen1.5-7B", "train.accumulation=4"], "a100-80gb", 8, None, "ddp_4"),
        (["model.base=Qwen/Qwen1.5-72B", "model.load_in=4bit"], "a100-80gb", 1, (1, 1), "plain_1"),
        (["model.base=Qwen/Qwen1.5-7B"], "a100-80gb", 3, None, "ddp_2"),
    ],
)
def test_how_the_work_is_spread(
    overrides: list[str], gpu: str, devices: int, engine: tuple[int, int] | None, training: str
) -> None:
    found = held("qwen", "backend.engine=vllm", *overrides, gpu=gpu, devices=devices)
    assert found.fits
    assert found.training is not None
    assert found.training.config == training
    way = found.serving["vllm"].engine
    assert way.workers * way.gpus <= devices
    if engine:
        assert (way.workers, way.gpus) == engine


def test_what_does_not_fit_is_told_with_what_would() -> None:
    found = held("qwen", "model.base=Qwen/Qwen1.5-32B", "backend.engine=vllm", gpu="a100-40gb")
    assert not found.fits
    assert not found.costs["responses.0"].fits
    assert found.costs["responses.0"].limit == "weights"
    notes = "\n".join(found.notes)
    assert "vLLM has no room: weights 60.6 + " in notes
    assert "where 36.0 are free" in notes
    for offer in (
        "--set model.load_in=8bit",
        "2 x a100-40gb --set runtime.tensor_parallel=2",
        "1 x h100 (79.6 GiB)",
    ):
        assert f"would fit: {offer}" in notes, offer
    # What is offered is so: it does fit.
    for change, gpu, devices in (
        ("model.load_in=8bit", "a100-40gb", 1),
        ("seed=0", "a100-40gb", 2),
        ("seed=0", "h100", 1),
    ):
        again = held(
            "qwen", "model.base=Qwen/Qwen1.5-32B", "backend.engine=vllm", change, gpu=gpu, devices=devices
        )
        assert again.serving["vllm"].fits


def test_a_giant_fits_nowhere() -> None:
    found = held("qwen", "model.base=some/giant", "backend.engine=vllm", gpu="t4", parameters=3e12)
    assert not found.fits
    assert any("a smaller model, or more machines" in note for note in found.notes)


def test_the_least_way_that_fits_is_offered_first() -> None:
    shape = SHAPES["Qwen/Qwen1.5-72B"]
    assert [
        way.engine.gpus for way in servings(shape, Room(GPUS["a100-80gb"], 8), "vllm", "16bit") if way.fits
    ] == [4, 8]
    spread = servings(shape, Room(GPUS["a100-80gb"], 8), "hf", "16bit")
    assert next(way.engine.gpus for way in spread if way.fits) == 2
    tasks = held("qwen", "model.base=Qwen/Qwen1.5-72B", devices=8).training
    assert tasks is not None
    assert gib(sum(tasks.parts.values())) < 80


def test_four_bit_weights_are_not_sharded() -> None:
    found = held("qwen", "model.load_in=4bit", devices=8)
    assert found.training is not None
    assert found.training.how == "ddp"
    task = found.training
    assert task.parts["gathered"] > 0
    ways = trainings(SHAPES["Qwen/Qwen1.5-7B"], Room(GPUS["t4"], 4), "4bit", _task())
    assert [way.how for way in ways] == ["ddp"]


def _task() -> Any:
    from isheep.capacity.fit import Task

    return Task(10**7, 1, 1024, True, 16)


def test_who_loads_no_model_needs_no_gpu() -> None:
    assert total(held("fake", gpu="t4")) == 0
    served = held("qwen", "backend.engine=openai", gpu="a100-80gb")
    assert served.costs["responses.0"].seconds is None
    assert served.costs["train.0"].seconds
    assert "responses.0" in served.summary(list(served.costs))["unknown"]


def test_a_model_of_unknown_size_needs_a_number() -> None:
    with pytest.raises(RecipeError, match="cannot be known without downloading") as error:
        held("qwen", "model.base=some/body")
    assert "--params 7e9" in error.value.hint
    found = held("qwen", "model.base=some/body", parameters=7e9)
    assert found.shape.parameters == 7_000_000_000
    assert found.fits


def test_recomputing_begins_where_the_trainer_begins() -> None:
    assert RECOMPUTE_ABOVE == _CHECKPOINT_ACTIVATIONS


# the page


@pytest.fixture(scope="module")
def docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("capacity_page", DOCS / "capacity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_commands_print(docs: ModuleType) -> None:
    page = (DOCS / "capacity.md").read_text(encoding="utf-8")
    assert docs.rewritten(page) == page, "run `python docs/capacity.py`"


def test_the_page_says_the_factor_that_comes_out() -> None:
    page = (DOCS / "capacity.md").read_text(encoding="utf-8")
    short, full = (
        4 * 3600 / total(held("released_code", *PAPER, gpu="a800-80gb", devices=8, lengths=lengths))
        for lengths in (TYPICAL, LONGEST)
    )
    assert f"{short:.1f} times the short estimate, and {full:.1f} of the upper bound" in page


def test_every_constant_on_the_page_is_the_one_in_use() -> None:
    from isheep.capacity import memory, speed

    page = (DOCS / "capacity.md").read_text(encoding="utf-8")
    rows = page.split("## The assumptions")[1].split("## The GPUs")[0]
    for text in (
        f"| {100 * speed.SERVING_FLOPS:.0f} %; {100 * speed.TRAINING_FLOPS:.0f} % |",
        f"| {100 * speed.BANDWIDTH:.0f} % |",
        f"{100 * speed.LINK:.0f} % of the link, {1e6 * speed.ALL_REDUCE_SECONDS:.0f} us an all-reduce",
        f"{speed.NETWORK:g} GB/s a GPU between machines",
        f"| {1e3 * speed.LAUNCH_SECONDS:g} ms; {1e3 * speed.TRAIN_LAUNCH_SECONDS:g} ms |",
        f"| {1e3 * speed.VLLM_STEP_SECONDS:g} ms |",
        f"{', '.join(f'{s:g}' for s in speed.START_SECONDS.values())} s and reading the weights at "
        f"{speed.LOAD_BYTES_A_SECOND / 1e9:g} GB/s",
        f"4 bit {memory.WEIGHT_BYTES['4bit']:g} for",
        f"{memory.TRAINED_BYTES} bytes a parameter",
        f"{memory.LOGIT_BYTES} bytes a token",
        f"{gib(memory.OVERHEAD_BYTES):g} GiB; vLLM {gib(memory.VLLM_BYTES):g} GiB more",
        f"{speed.QUANTISED_SLOWER:g} times slower",
    ):
        assert text in rows, text
