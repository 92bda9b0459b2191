"""The quality of the data by iteration: share kept, scores, lengths, variety, copies, and what is asked for.

Knows: the pairs and decisions of a run. Does not know: what the review measured (the summary has that), nor how it is
drawn. Every figure stands for two sets, `all` answers of an iteration and those `kept`. Figures that change with the
number of texts alone (distinct n-grams, kinds of task, near-duplicates) are taken at one size for all sets of the run,
so that iterations, and all against kept, can be compared.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isheep.records import Decision, Pair, kept_pairs
from isheep.runs import Run
from isheep.stats import wilson
from isheep.text import diversity
from isheep.text.health import histogram
from isheep.text.prompts import request
from isheep.text.verbs import verb_and_noun, verb_noun_spread
from isheep.text.words import word_count

#: A set of fewer pairs, or texts with fewer n-grams, has no figure that needs equal size, and does not pull the size of
#: all others down to its own. Ours: below these, one text more or less moves every figure by several points.
LEAST_PAIRS, LEAST_NGRAMS = 10, 50
#: Copies are looked for among at most so many pairs: the time taken grows with the square, and a share among 1,000 is
#: known to 3 points (95 %).
MOST_COMPARED = 1_000
#: Verbs and their nouns that are counted by name: as many as a ring of labels can hold. Self-Instruct's figure has 20
#: and 4. A verb that is among the first in any iteration is counted in all.
VERBS, NOUNS = 12, 4
#: The n of distinct n-grams.
GRAMS = (1, 2)
SCALES = ("quality", "following")
#: The two sets of an entry.
GROUPS = ("all", "kept")

Counts = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Texts:
    """One set of pairs, with what its texts are compared by."""

    pairs: Sequence[Pair]

    @property
    def parts(self) -> dict[str, list[str]]:
        """What is compared: the requests with their inputs, and the answers."""
        return {
            "instructions": [request(p.instruction, p.input) for p in self.pairs],
            "responses": [p.response for p in self.pairs],
        }

    def drawn(self, size: int) -> list[str]:
        """`size` whole exchanges: those whose ids have the lowest hashes, as good as random and always the same."""
        first = sorted(
            self.pairs, key=lambda p: hashlib.sha256(p.id.encode("utf-8", "surrogatepass")).digest()
        )
        return [f"{request(p.instruction, p.input)}\n{p.response}" for p in first[:size]]


def quality(run: Run) -> dict[str, Any]:
    """`measured` for every iteration that has answers, finished or not. About 7 s of CPU time for 10,000 answers."""
    from isheep.report.summary import pairs_of  # here, as the summary is what asks for this

    pairs = {t: found for t in range(run.recipe.iterations) if (found := pairs_of(run, t))}
    decided = run.artifacts("filter")
    decisions = {t: decided[t].read(Decision) for t in pairs if t in decided}
    return measured(pairs, decisions, run.recipe.seed)


def measured(
    pairs: Mapping[int, Sequence[Pair]], decisions: Mapping[int, Sequence[Decision]], seed: int
) -> dict[str, Any]:
    """What sets are compared at: `size` (tasks) and `copies_size` (pairs, at most MOST_COMPARED), None where nothing
    can be, and `budgets` ("instructions/2" -> n-grams); and `iterations`, a list of entries.

    An entry has `iteration`, `kept_share` (value, n, and its 95 % Wilson interval), and `all` and `kept`, each None
    (not filtered yet) or a set: `pairs`; `scores` by scale and `words` by part (quartiles, mean); `distinct` by
    part, then n ("1", "2"); `likeness` by part; `near_duplicates`, `within` and of the iteration `before`; `spread`;
    `verbs`. A figure is None where there is nothing to measure.
    """
    sets = {(t, "all"): Texts(found) for t, found in pairs.items()}
    sets |= {(t, "kept"): Texts(kept_pairs(pairs[t], found)) for t, found in decisions.items()}
    kinds = {at: Counter(verb_and_noun(p.instruction) for p in texts.pairs) for at, texts in sets.items()}
    shown = _shown(list(kinds.values()))
    size = min((len(s.pairs) for s in sets.values() if len(s.pairs) >= LEAST_PAIRS), default=None)
    copies_size = None if size is None else min(size, MOST_COMPARED)
    totals = {at: _totals(texts) for at, texts in sets.items()}
    budgets = _budgets(list(totals.values()))

    def one(t: int, group: str) -> dict[str, Any] | None:
        texts = sets.get((t, group))
        if texts is None:
            return None
        parts = texts.parts
        return {
            "pairs": len(texts.pairs),
            "scores": _scores(texts.pairs, decisions.get(t, ())),
            "words": {name: quartiles([word_count(x) for x in found]) for name, found in parts.items()},
            "distinct": _distinct(parts, totals[t, group], budgets),
            "likeness": {name: diversity.self_similarity(found, seed) for name, found in parts.items()},
            "near_duplicates": _near_duplicates(texts, sets.get((t - 1, group)), copies_size),
            "spread": _spread(texts, size),
            "verbs": _verbs(kinds[t, group], shown),
        }

    entries = [
        {
            "iteration": t,
            "kept_share": _share(decisions.get(t, ())),
            **{group: one(t, group) for group in GROUPS},
        }
        for t in sorted(pairs)
    ]
    return {"size": size, "copies_size": copies_size, "budgets": budgets, "iterations": entries}


def _share(decisions: Sequence[Decision]) -> dict[str, Any] | None:
    if not decisions:
        return None
    kept, n = sum(d.kept for d in decisions), len(decisions)
    low, high = wilson(kept, n)
    return {"value": kept / n, "n": n, "ci_low": low, "ci_high": high}


def quartiles(values: Sequence[float]) -> dict[str, Any] | None:
    """`n`, `mean`, `q1`, `median` and `q3` (between two values on the straight line); None without a value."""
    if not values:
        return None
    low, middle, high = (float(v) for v in np.percentile(values, [25, 50, 75]))
    mean = min(max(float(np.mean(values)), min(values)), max(values))  # rounding may carry it over the edge
    return {"n": len(values), "mean": mean, "q1": low, "median": middle, "q3": high}


def _scores(pairs: Sequence[Pair], decisions: Sequence[Decision]) -> dict[str, Any]:
    """By scale: quartiles and histogram (1 to 10) of the scores that could be read; None for a scale without any."""
    here = {p.id for p in pairs}
    made = {}
    for scale in SCALES:
        found = [getattr(d, scale) for d in decisions if d.id in here and getattr(d, scale) is not None]
        made[scale] = {**(quartiles(found) or {}), "histogram": list(histogram(found))} if found else None
    return made


# ---------------------------------------------------------------- variety, at equal size


def _totals(texts: Texts) -> dict[str, int]:
    if len(texts.pairs) < LEAST_PAIRS:
        return {}
    return {
        f"{name}/{n}": diversity.ngram_total(found, n) for name, found in texts.parts.items() for n in GRAMS
    }


def _budgets(totals: Sequence[Mapping[str, int]]) -> dict[str, int]:
    names = {name: None for found in totals for name in found}
    held = {name: [n for found in totals if (n := found.get(name, 0)) >= LEAST_NGRAMS] for name in names}
    return {name: min(found) for name, found in held.items() if found}


def _distinct(
    parts: Mapping[str, Sequence[str]], totals: Mapping[str, int], budgets: Mapping[str, int]
) -> dict[str, dict[str, float | None]]:
    """Distinct n-grams by part and n, within the budget that all sets have."""

    def share(name: str, n: int) -> float | None:
        budget = budgets.get(f"{name}/{n}")
        if budget is None or totals.get(f"{name}/{n}", 0) < budget:
            return None
        return diversity.distinct_n(parts[name], n, budget)

    return {name: {str(n): share(name, n) for n in GRAMS} for name in parts}


def _near_duplicates(texts: Texts, before: Texts | None, size: int | None) -> dict[str, float | None]:
    """Near-duplicates among `size` exchanges, and of as many of the iteration before."""
    if size is None or len(texts.pairs) < size:
        return {"within": None, "before": None}
    drawn = texts.drawn(size)
    comparable = before is not None and len(before.pairs) >= size
    return {
        "within": diversity.near_duplicate_share(drawn),
        "before": diversity.near_duplicate_share_against(drawn, before.drawn(size))
        if before is not None and comparable
        else None,
    }


def _spread(texts: Texts, size: int | None) -> float | None:
    if size is None or len(texts.pairs) < size:
        return None
    return verb_noun_spread([p.instruction for p in texts.pairs], size)


# ---------------------------------------------------------------- verbs and nouns


def _shown(sets: Sequence[Counts]) -> dict[str, list[str]]:
    """The verbs that are among the first in any set, each with its first nouns in any set."""
    verbs = {verb for kinds in sets for verb in _first(_by_verb(kinds), VERBS)}
    nouns: dict[str, set[str]] = {verb: set() for verb in verbs}
    for kinds in sets:
        for verb in verbs:
            nouns[verb].update(_first(_by_noun(kinds, verb), NOUNS))
    return {verb: sorted(found) for verb, found in sorted(nouns.items())}


def _first(counts: Counter[str], n: int) -> list[str]:
    """The most frequent, equals by name; what could not be found ("") is none."""
    return sorted((name for name in counts if name), key=lambda name: (-counts[name], name))[:n]


def _by_verb(kinds: Counts) -> Counter[str]:
    found: Counter[str] = Counter()
    for (verb, _), count in kinds.items():
        found[verb] += count
    return found


def _by_noun(kinds: Counts, verb: str) -> Counter[str]:
    return Counter({noun: count for (first, noun), count in kinds.items() if first == verb})


def _verbs(kinds: Counts, shown: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """`total`, and `verbs`: [verb, count, [[noun, count], ...]], the most frequent first; what is missing to the total,
    or to a verb's count, is of other names."""
    verbs = _by_verb(kinds)
    rows: list[list[Any]] = []
    for verb in sorted(shown, key=lambda name: (-verbs[name], name)):
        if verbs[verb]:
            nouns = sorted((n for n in shown[verb] if kinds[verb, n]), key=lambda n: (-kinds[verb, n], n))
            rows.append([verb, verbs[verb], [[noun, kinds[verb, noun]] for noun in nouns]])
    return {"total": kinds.total(), "verbs": rows}
