"""Intervals and tests. Knows: counts, paired outcomes, clusters, and tables of outcomes by seed and prompt.

Every score isheep reports carries a 95 % interval. docs/statistics.md says which of these answers which question, and
how well each keeps its promise. Importing this loads neither numpy nor scipy; a function that needs one does.
"""

from __future__ import annotations

from isheep.stats.bootstrap import bca
from isheep.stats.calibration import Calibration, Steps, brier, calibrated, ece, isotonic, reliability
from isheep.stats.clustered import Clustered, ClusteredDifference, clustered_difference, clustered_mean
from isheep.stats.crossed import DF_PER_SEED, Difference, Estimate, crossed, crossed_share, mean_squares
from isheep.stats.families import adjusted, holm
from isheep.stats.permutation import sign_flip
from isheep.stats.power import (
    PowerReport,
    PowerRow,
    false_positives_of_one_seed,
    minimum_detectable_crossed,
    minimum_detectable_effect,
    needed_prompts,
    needed_seeds,
    paired_power,
    power_crossed,
    power_report,
)
from isheep.stats.ranking import auroc, auroc_interval, partial_spearman, spearman, spearman_interval
from isheep.stats.shares import Z95, mcnemar, paired_difference, wilson
from isheep.stats.student import t_quantile

__all__ = [
    "DF_PER_SEED",
    "Z95",
    "Calibration",
    "Clustered",
    "ClusteredDifference",
    "Difference",
    "Estimate",
    "PowerReport",
    "PowerRow",
    "Steps",
    "adjusted",
    "auroc",
    "auroc_interval",
    "bca",
    "brier",
    "calibrated",
    "clustered_difference",
    "clustered_mean",
    "crossed",
    "crossed_share",
    "ece",
    "false_positives_of_one_seed",
    "holm",
    "isotonic",
    "mcnemar",
    "mean_squares",
    "minimum_detectable_crossed",
    "minimum_detectable_effect",
    "needed_prompts",
    "needed_seeds",
    "paired_difference",
    "paired_power",
    "partial_spearman",
    "power_crossed",
    "power_report",
    "reliability",
    "sign_flip",
    "spearman",
    "spearman_interval",
    "t_quantile",
    "wilson",
]
