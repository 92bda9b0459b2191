"""A trainer that trains nothing: writes an adapter folder named by what it was trained on, without torch.

The folder's digest changes what FakeEngine writes with it, so every input of a training shows in what follows.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path

from isheep.backends.base import Example, ModelSpec, Preferred, Progress, Runtime, Trained, TrainSpec
from isheep.backends.fake import adapter_digest, layout_named, tokens_of
from isheep.errors import BackendError
from isheep.text.prompts import Layout


class FakeTrainer:
    """Writes an adapter folder named by what it was trained on; its digest changes what FakeEngine writes."""

    device_name = "none"
    parameters: int | None = 1000

    def __init__(self, model: ModelSpec, runtime: Runtime) -> None:
        self._model = model

    def layout(self, name: str) -> Layout:
        return layout_named(name)

    def train(
        self, examples: Sequence[Example], spec: TrainSpec, layout: Layout, folder: Path, progress: Progress
    ) -> Trained:
        trained = _pretend([(e.prompt, e.completion) for e in examples], spec, 3.5, progress)
        _write_adapter(folder / "adapter", self._model, examples, spec, layout)
        return trained

    def prefer(
        self,
        examples: Sequence[Preferred],
        spec: TrainSpec,
        beta: float,
        layout: Layout,
        folder: Path,
        progress: Progress,
    ) -> Trained:
        texts = [(e.prompt, e.chosen, e.rejected) for e in examples]
        trained = _pretend(texts, spec, math.log(2), progress)
        _write_adapter(folder / "adapter", self._model, examples, spec, layout, beta)
        return trained

    def close(self) -> None:
        pass


def _pretend(texts: Sequence[tuple[str, ...]], spec: TrainSpec, first: float, progress: Progress) -> Trained:
    """What a training on these would report: each text is a prompt and the answers read behind it."""
    if not texts:
        raise BackendError("there is nothing to train on", "loosen the filter, or ask for more instructions")
    lengths = [
        [len(tokens_of(prompt)) + len(tokens_of(a)) + 1 for a in answers] for prompt, *answers in texts
    ]
    per_epoch = math.ceil(len(texts) / (spec.batch_size * spec.accumulation))
    steps = max(1, math.ceil(per_epoch * spec.epochs))
    losses = []
    for step in range(1, steps + 1):
        losses.append((step, round(first / 7 * (1 + 6 * math.exp(-3.0 * (step - 1) / steps)), 6)))
        progress(step, steps)
    return Trained(
        losses=tuple(losses),
        steps=steps,
        tokens=int(sum(min(n, spec.cutoff) for row in lengths for n in row) * spec.epochs),
        truncated=sum(max(row) > spec.cutoff for row in lengths),
    )


def _write_adapter(
    folder: Path, model: ModelSpec, examples: Sequence[Example] | Sequence[Preferred], *given: object
) -> None:
    digest = hashlib.sha256(repr((adapter_digest(model.adapter), *given)).encode())
    for example in examples:
        digest.update(repr(example).encode())
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "base_model_name_or_path": model.name or model.base,
        "peft_type": "FAKE",
        "examples": len(examples),
        "digest": digest.hexdigest(),
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
