"""The reviewer's question on power: could this run have seen a gain of five points, had there been one?

Reads the headline changes of the summary: how many prompts, and how many of them changed in this very run. A part of
the rigor page (rigor.py).
"""

from __future__ import annotations

import math
from statistics import NormalDist

from isheep.report.evaluations import BOUNDS
from isheep.report.numbers import metric_text, percent
from isheep.report.rigor_row import Check, Entry, State, Subject, in_points, metric_name
from isheep.stats import Z95, needed_prompts, paired_power

#: The change the power row asks about: five points of a share, or five hundredths of a scale.
FIVE = 0.05
#: The chance to see a change that counts as being able to, as `isheep power` has it.
POWER = 0.8
#: With fewer prompts McNemar's exact test never comes below 5 %: five that all change one way have p 2 / 2^5 = 0.0625.
LEAST_PROMPTS = 6


def power(s: Subject) -> Check | None:
    question = "Could a gain of five points have been seen?"
    if not s.trains:
        return None
    rows = sorted(s.headline_gains, key=_chance)
    if not rows:
        return Check("power", question, "no", "Not known: no gain was measured.", s.tests())
    able = [row for row in rows if _chance(row) >= POWER]
    told = " ".join(_seen(row) for row in rows[:2])
    if len(rows) > 2:
        told = f"On {len(able)} of {len(rows)} tests; the two that see least: {told}"
    state: State = "yes" if len(able) == len(rows) else "part" if able else "no"
    least = rows[0]
    if least.get("changed") is None:
        supply = "More prompts: half the smallest change takes four times as many."
    else:
        changed = max(least["changed"], FIVE)
        enough = needed_prompts(FIVE, changed)
        supply = (
            f"{f'About {enough:,} prompts' if enough else 'More prompts'} on {least['task']}, or more seeds: "
            f"`isheep power --prompts {least['n']} --discordant {changed:.3g} --effect {FIVE}` says what each brings."
        )
    return Check("power", question, state, told, supply)


def _seen(row: Entry) -> str:
    smallest, chance = _smallest(row), _chance(row)
    if row.get("changed") is None:
        basis = f"{row['n']:,} items"
    else:
        basis = f"{row['n']:,} prompts, of which {percent(row['changed'])} changed"
    least = (
        "no change, however large, would be seen four times in five"
        if smallest is None
        else f"a change of {_change(row, smallest)} is the least that is seen four times in five"
    )
    return (
        f"{metric_name(row)} ({basis}): {least}; a gain of {_change(row, FIVE * _span(row))} would have been seen in "
        f"{percent(chance, 0)} of cases, if training always brought it."
    )


def _change(row: Entry, value: float) -> str:
    return in_points(value) if row["metric"] not in BOUNDS else metric_text(row["metric"], value)


def _chance(row: Entry) -> float:
    return _power(row, FIVE * _span(row))


def _smallest(row: Entry) -> float | None:
    """The least change that is seen with chance POWER, to a thousandth of the scale."""
    steps = (k / 1000 * _span(row) for k in range(1, 1001))
    return next((change for change in steps if _power(row, change) >= POWER), None)


def _power(row: Entry, change: float) -> float:
    """The chance to see a change on these prompts with as many changing as did, or as many as it takes. Right or wrong
    by McNemar's test, anything else by the normal distribution with the standard error behind the row's interval."""
    if row.get("changed") is not None:
        prompts = row.get("clusters", row["n"])
        return paired_power(change, prompts, max(row["changed"], change)) if prompts >= LEAST_PROMPTS else 0.0
    normal, error = NormalDist(), (row["ci_high"] - row["ci_low"]) / (2 * Z95)
    if not math.isfinite(error):
        return 0.0
    far = change / error if error else math.inf
    return normal.cdf(far - Z95) + normal.cdf(-far - Z95)


def _span(row: Entry) -> float:
    low, high = BOUNDS.get(row["metric"], (0.0, 1.0))
    return high - low
