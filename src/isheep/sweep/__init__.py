"""Many arms over many seeds on one store: what the paper's tables are made of.

A sweep is a recipe, arms (changes to it) and seeds. Every arm and seed is an ordinary run; steps that arms have in
common have one key, so they are done once.
"""

from isheep.sweep.definition import Job, LoadedSweep, Sweep, load_sweep, sweep_names
from isheep.sweep.record import arms_of, open_sweep
from isheep.sweep.running import JobEvent, run_sweep

__all__ = [
    "Job",
    "JobEvent",
    "LoadedSweep",
    "Sweep",
    "arms_of",
    "load_sweep",
    "open_sweep",
    "run_sweep",
    "sweep_names",
]
