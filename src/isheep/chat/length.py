"""The length-controlled win rate: what share would be won if both answers were equally long?

Knows preferences and differences in length. Judges prefer long answers; a model that only writes more wins more. The
idea and the form of the regression are those of Dubois et al. 2024 (arXiv 2404.04475); formula and code are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Half of this times the square of the length's weight is added to the loss (a sum over questions): enough to keep the
#: weight finite where length alone decides every verdict, and 2 % of what 80 questions say about it. Ours.
RIDGE = 0.1
#: The same for the strength, so that it is finite where every verdict is won: 1 becomes 1 - 1e-6 or nearer.
RIDGE_STRENGTH = 1e-6
#: Newton steps at most; a fit takes under ten.
STEPS = 100
#: Where this much of the loss per question is left to gain, one whole step more is exact to six digits and the last.
NEAR = 1e-8


def length_controlled(preferences: Floats, differences: Floats) -> float:
    """The win rate at equal lengths, 0 to 1.

    `preferences` are the shares won (0 to 1), `differences` the lengths of ours minus the baseline's, in characters:
    arrays of one length, not empty. Fitted by maximum likelihood with a small ridge:

        preference ~ logistic(strength + weight * tanh(difference / SD of the differences))

    and read at difference 0: logistic(strength). Where the differences do not vary they explain nothing, and the result
    is the plain win rate. Swapping the two models mirrors it about 0.5.

    AlpacaEval's own model (`length_controlled_v1`) has besides these a term for how hard each instruction is, fitted
    over the answers of many models; a few judged answers of models told to be brief or verbose, as regularisation; and
    an L1 penalty chosen by cross-validation. Those data belong to its 805 instructions and its judge. Without them all
    questions count as equally hard: figures of the two are near each other, but not the same.
    """
    import numpy as np

    spread = float(np.std(differences, ddof=1)) if len(differences) > 1 else 0.0
    if spread == 0:
        return float(np.mean(preferences))
    length = np.tanh(differences / spread)
    strength, _ = _fit(preferences, length)
    return float(1 / (1 + np.exp(-strength)))


def _fit(y: Floats, x: Floats) -> tuple[float, float]:
    """The strength and the weight of least penalised loss, by Newton's method with step halving.

    The loss is strictly convex, so there is one answer and the way to it takes no random start. A bootstrap fits some
    thousand times, for which a general optimiser is ten times slower; a test holds the two against each other.
    """
    import numpy as np

    design = np.stack([np.ones_like(x), x])
    ridge = np.array([RIDGE_STRENGTH, RIDGE])

    def at(w: Floats) -> tuple[float, Floats]:
        """The loss, and the probability of each win."""
        z = w @ design
        small = np.exp(-np.abs(z))  # never overflows
        loss = np.sum(np.maximum(z, 0.0) + np.log1p(small)) - y @ z + ridge @ (w * w) / 2
        return float(loss), np.where(z < 0, small, 1.0) / (1.0 + small)

    weights = np.zeros(2)
    now, p = at(weights)
    for _ in range(STEPS):
        gradient = design @ (p - y) + ridge * weights
        hessian = (design * (p * (1 - p))) @ design.T + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        if gradient @ step < NEAR * len(y):
            weights = weights - step
            break
        then, p = at(weights - step)
        while then > now and float(np.max(np.abs(step))) > NEAR:
            step = step / 2
            then, p = at(weights - step)
        weights, now = weights - step, then
    return float(weights[0]), float(weights[1])
