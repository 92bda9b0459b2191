"""Student's t. Knows: its quantiles and its tail; not what they are used for.

scipy is imported when the first of them is asked for: `import isheep` stays light.
"""

from __future__ import annotations


def t_quantile(df: float) -> float:
    """Two-sided 95 % quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.975))


def two_sided(t: float, df: float) -> float:
    """Chance of a value at least as far from 0 as `t`."""
    from scipy.special import stdtr

    return float(2 * stdtr(df, -abs(t)))
