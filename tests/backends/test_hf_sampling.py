"""Drawing tokens: the right distribution, and numbers that depend on the seed alone."""

from __future__ import annotations

import pytest
import torch

from isheep.backends.base import Sampling
from isheep.backends.hf_sampling import draw, uniforms


def _logits(size: int = 40, rows: int = 1) -> torch.Tensor:
    return torch.randn(1, size, generator=torch.Generator().manual_seed(3)).repeat(rows, 1) * 2


def test_numbers_depend_on_the_seed_alone() -> None:
    numbers = uniforms([5, 2**63 - 1, 5, 6], 9)
    assert torch.equal(numbers[0], numbers[2])
    assert not torch.equal(numbers[0], numbers[3])
    assert torch.equal(uniforms([6], 4)[0], numbers[3, :4])
    assert numbers.min() >= 0
    assert numbers.max() < 1


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(1),
        Sampling(1, 0.5),
        Sampling(1, 1.0, top_p=0.7),
        Sampling(1, 1.5, top_k=4),
        Sampling(1, 1.0, 0.8, 10),
    ],
)
def test_frequencies_follow_the_filtered_distribution(sampling: Sampling) -> None:
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    count = 20_000
    warpers = LogitsProcessorList([TemperatureLogitsWarper(float(sampling.temperature))])
    if sampling.top_k:
        warpers.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    wanted = warpers(None, _logits()).softmax(-1)[0]
    drawn = draw(_logits(rows=count), sampling, uniforms(range(count), 1)[:, 0])
    seen = torch.bincount(drawn, minlength=40) / count
    assert (seen - wanted).abs().max() < 0.015
    assert not seen[wanted == 0].any()


def test_zero_temperature_takes_the_best() -> None:
    logits = _logits(rows=3)
    assert draw(logits, Sampling(1, 0.0), torch.zeros(3)).tolist() == logits.argmax(-1).tolist()


def test_the_extremes_of_the_numbers_draw_possible_tokens() -> None:
    logits = torch.full((2, 9), float("-inf"))
    logits[:, 3:5] = 0.0
    numbers = torch.tensor([0.0, uniforms([1], 1).clamp(min=1).item() - 1e-6], dtype=torch.float64)
    assert draw(logits, Sampling(1), numbers).tolist() == [3, 4]


def test_nucleus_of_a_large_flat_vocabulary() -> None:
    logits = torch.zeros(4, 5000)
    logits[:, 2500:] = -1.0
    drawn = draw(logits, Sampling(1, 1.0, top_p=0.5), torch.linspace(0, 0.99, 4, dtype=torch.float64))
    assert (drawn < 2500).all()
