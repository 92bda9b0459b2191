"""Judges whose skill was chosen: what the trial makes of them can be held to the truth."""

from __future__ import annotations

import numpy as np

from isheep.trial import Case


def judged(
    judge: str, n: int = 200, seed: int = 0, d: float = 1.5, right: float = 0.5, per_question: int = 1
) -> list[Case]:
    """`n` answers of which a share is right, and what this judge scored them.

    good: right answers `d` standard deviations higher; random, constant, inverted; length: the longer the higher;
    known_by_length: likewise, in a world where right answers are the longer ones.
    """
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < right
    length = np.round(np.exp(rng.normal(4, 0.6, n) + 0.8 * truth * (judge == "known_by_length")))
    noise = rng.normal(size=n)
    score = {
        "good": noise + d * truth,
        "random": noise,
        "inverted": noise - d * truth,
        "constant": np.full(n, 9.0),  # cut at 10, as all are
        "length": 2 * np.log(length) - 8 + 0.2 * noise,
        "known_by_length": 2 * np.log(length) - 8 + 0.2 * noise,
    }[judge]
    shown = np.clip(5.5 + score, 1, 10)
    return [
        Case(float(s), bool(t), int(k), f"q{i // per_question}")
        for i, (s, t, k) in enumerate(zip(shown, truth, length, strict=True))
    ]
