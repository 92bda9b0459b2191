"""The toy run with every option on: turns, preferences, several answers and verdicts, every filter, a strict review,
every evaluation, and what is copied from them dropped.

Counts are as small as they can be: this run is killed after every record.
"""

from __future__ import annotations

from pathlib import Path

from evaluated import write_evaluations

_LOOP = (
    "instructions.count=5",
    "followups.turns=2",
    "assessment={level: quality, reading: sampled, samples: 2}",
    "probes.count=1",
    "filter={threshold: 1, keep_fraction: 0.9, min_kept: 1, ppl: {limit: 1000, of: response},"
    " density: {clusters: 6, choose: perplexity}, overlap: {threshold: 0.9}}",
    "train.start=total_base",
    "preferences={samples: 2, min_gap: 0.0}",
    "evaluate.decodings=[greedy]",
    "review={until: stagnation, patience: 9, keep: best, guard: {action: stop, max_saturation: 1.0,"
    " min_share_of_first_median: 0, min_share_of_first_distinct: 0, min_share_of_first_spread: 0,"
    " min_kept_share_of_first: 0}}",
)


def everything(folder: Path) -> tuple[str, ...]:
    """Overrides of the toy recipe; writes the files they name."""
    return (
        *_LOOP,
        *write_evaluations(folder),
        "benchmarks={tasks: [boolq, squadv2], limit: 2}",
        "exam={questions: 1, constraints: 1}",
        "contamination.drop=true",
    )
