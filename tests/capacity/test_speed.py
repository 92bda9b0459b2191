"""Time: the roofline, by hand in small cases; that more hardware is never slower."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.capacity import speed
from isheep.capacity.gpus import GPU, GPUS, find_gpu
from isheep.capacity.shape import SHAPES
from isheep.capacity.speed import Engine, Seconds, forward, serve, start, train
from isheep.errors import RecipeError

SEVEN = SHAPES["Qwen/Qwen1.5-7B"]
A100 = GPUS["a100-80gb"]


def test_one_token_is_as_fast_as_weights_are_read() -> None:
    one = forward(SEVEN, A100, Engine("vllm"), 1, 0)
    assert one.limit == "bandwidth"
    assert one.bandwidth == pytest.approx(7_721_324_544 * 2 / (2039e9 * 0.6))
    assert one.total == pytest.approx(one.bandwidth + speed.VLLM_STEP_SECONDS)
    assert one.compute == 0, "it computes while it reads"


def test_a_long_prompt_is_as_fast_as_it_is_multiplied() -> None:
    one = forward(SEVEN, A100, Engine("vllm"), 8192, 0)
    assert one.limit == "compute"
    assert one.compute == pytest.approx(2 * 7_721_324_544 * 8192 / (312e12 * 0.6))


def test_training_by_hand() -> None:
    plain = train(SEVEN, A100, "16bit", 1, "", 100, 100 * 1024, 1, recompute=False)
    assert plain.compute == pytest.approx(4 * 7_721_324_544 * 100 * 1024 / (312e12 * 0.4))
    again = train(SEVEN, A100, "16bit", 1, "", 100, 100 * 1024, 1, recompute=True)
    assert again.compute == pytest.approx(1.5 * plain.compute), "6 FLOPs a parameter and token, not 4"
    assert again.launch == pytest.approx(1.5 * plain.launch)
    short = train(SEVEN, A100, "16bit", 1, "", 100, 100 * 20, 1, recompute=False)
    assert short.limit in ("bandwidth", "launch"), "short texts do not fill a GPU"


def test_gathering_hides_behind_computing() -> None:
    shape, gpu = SHAPES["Qwen/Qwen1.5-72B"], GPUS["a800-80gb"]
    full = train(shape, gpu, "16bit", 8, "link", 800, 800 * 8192, 1, recompute=True)
    assert full.link == 0
    short = train(shape, gpu, "16bit", 8, "link", 800, 800 * 64, 1, recompute=True)
    assert short.limit == "link"
    host = train(shape, gpu, "16bit", 1, "host", 800, 800 * 64, 1, recompute=True)
    assert host.total > 8 * short.total
    assert train(shape, gpu, "16bit", 8, "link", 0, 0, 1, recompute=True) == Seconds()


@settings(max_examples=40)
@given(
    requests=st.integers(1, 20000), prompt=st.integers(1, 2000), answer=st.integers(0, 1000),
    texts=st.integers(1, 256), kind=st.sampled_from(["hf", "vllm"]),
)  # fmt: skip
def test_more_is_never_faster_and_better_never_slower(
    requests: int, prompt: int, answer: int, texts: int, kind: str
) -> None:
    def took(gpu: GPU, engine: Engine, more: int = 1) -> float:
        return serve(
            SEVEN, gpu, engine, requests, more * requests * prompt, more * requests * answer, texts
        ).total

    one = took(A100, Engine(kind))
    assert one > 0
    assert took(A100, Engine(kind), 2) >= one
    assert took(A100, Engine(kind, workers=4)) <= one * 1.0001
    assert took(GPUS["h200"], Engine(kind)) <= one
    assert took(A100, Engine(kind, weights="4bit")) > 0


def test_no_requests_take_no_time() -> None:
    assert serve(SEVEN, A100, Engine("vllm"), 0, 0, 0, 1) == Seconds()


def test_a_device_map_is_no_faster_than_one_gpu() -> None:
    spread, one = (forward(SEVEN, A100, Engine("hf", gpus), 64, 64) for gpus in (4, 1))
    assert spread == one


def test_loading_is_part_of_the_start() -> None:
    assert start(SEVEN, Engine("vllm")).total == pytest.approx(60 + 7_721_324_544 * 2 / 2e9)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("A100-SXM4-80GB", "a100-80gb"), ("NVIDIA A10G", "a10g"), ("RTX 4090", "rtx4090"), ("Tesla T4", "t4"),
        ("h100", "h100"), ("GeForce_RTX_3090", "rtx3090"), ("4090", "rtx4090"), ("V100", "v100-32gb"),
    ],
)  # fmt: skip
def test_gpus_by_many_names(typed: str, name: str) -> None:
    assert find_gpu(typed).name == name


def test_an_unknown_gpu_is_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="a100") as error:
        find_gpu("a101")
    assert "mi300x" in error.value.hint
    with pytest.raises(RecipeError, match="'quantum' in the table\n"):
        find_gpu("quantum")


def test_the_table_of_gpus_is_plausible() -> None:
    for gpu in GPUS.values():
        assert 10 < gpu.memory < 300
        # Bytes a second per FLOP a second: from H20 (27) to L4 (2.5), all makers' cards lie between.
        assert 0.8 < gpu.bandwidth / gpu.tflops < 30, gpu.name
        assert gpu.link < gpu.bandwidth
        assert gpu.source
