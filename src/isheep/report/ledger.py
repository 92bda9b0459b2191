"""What a run cost: tokens, training, model FLOPs, time and energy by stage, from the manifests of its steps.

Every step counts in full, also one that came out of the store because another run had made it: the ledger says what
the run would have cost alone. Testing is kept apart, since it makes no model better. What a step did is told by the
types of records it wrote, so a new stage needs no entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean
from typing import Any

from isheep.records import Decision, ModelRef
from isheep.report.numbers import count
from isheep.runs import Run
from isheep.store import Artifact

#: Model FLOPs per parameter and token: a forward pass, and a training step (Kaplan et al. 2020, arXiv 2001.08361,
#: section 2.1 and table 1). Attention over long contexts is left out; LoRA, which needs no gradient of the frozen
#: weights, costs less than 6 N, and a prefix that is computed once for many prompts less than 2 N a token.
FORWARD_FLOPS, TRAINING_FLOPS = 2, 6
#: From here on a count is written as 1.23e+12.
LARGE = 1e9
#: Records only a test writes, and records of a step that reads texts to score them.
_TESTS = {"answer", "score", "item", "reply", "judgment", "question", "leak", "constraint"}
_SCORES = {"verdict", "likelihood", "vector", "measure"}
#: Steps that test the judge with the stages of the loop.
_EXAM = "exam"

SHARED = "Steps shared with other runs count in full: this is what the run would have cost alone."
ESTIMATED = "FLOPs are an estimate: 2 N per token read or written, 6 N per token trained on, N parameters."


@dataclass(frozen=True, slots=True)
class Cost:
    """What some steps took; means over runs need not be whole. None: not known, as a step did not record it."""

    #: Tokens read and tokens written by steps that generate (instructions, responses, follow-ups) or test.
    read: float = 0
    generated: float = 0
    #: Tokens read and written by steps that score (assessment, likelihood, vectors).
    scored: float = 0
    #: Tokens trained on, every pass counted.
    trained: float = 0
    #: Model FLOPs, estimated.
    flops: float | None = 0
    seconds: float = 0
    joules: float | None = 0

    def __add__(self, other: Cost) -> Cost:
        return _combine((self, other), sum)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The cost of a run, or the mean over several. `kept` and `trained_pairs` are pairs by iteration
    (of an iteration that also trains on preferences, both)."""

    runs: tuple[str, ...]
    #: By stage, in the order they ran; tests left out.
    stages: Mapping[str, Cost]
    evaluation: Cost
    kept: tuple[float, ...]
    trained_pairs: tuple[float, ...]
    notes: tuple[str, ...]

    @property
    def training(self) -> Cost:
        """What it took to make the models: everything but the tests."""
        return sum(self.stages.values(), Cost())

    def as_dict(self) -> dict[str, Any]:
        """Plain data for summary.json and compare.json."""
        return {
            "runs": list(self.runs),
            "training": asdict(self.training),
            "evaluation": asdict(self.evaluation),
            "stages": {stage: asdict(cost) for stage, cost in self.stages.items()},
            "kept": list(self.kept),
            "trained_pairs": list(self.trained_pairs),
            "notes": list(self.notes),
        }


def ledger(run: Run, until: int | None = None) -> Ledger:
    """The ledger of a run, as far as it is done.

    `until`: only what it took to make and test the models up to M_until, thus steps of earlier iterations; the base
    model (0) costs nothing but its test.
    """
    stages: dict[str, Cost] = {}
    evaluation = Cost()
    kept: dict[int, int] = {}
    trained_pairs: dict[int, int] = {}
    notes = {SHARED: None, ESTIMATED: None}
    for step in run.due:
        artifact = run.artifact(step)
        if artifact is None:
            continue
        is_test = step.name.startswith(_EXAM) or bool(_TESTS & artifact.manifest["records"].keys())
        if until is not None and step.iteration >= until + is_test:
            continue
        cost = step_cost(artifact)
        notes.update(dict.fromkeys(_unknown(artifact, cost)))
        if is_test:
            evaluation += cost
            continue
        stages[step.stage] = stages.get(step.stage, Cost()) + cost
        if artifact.has(Decision):
            kept[step.iteration] = sum(d.kept for d in artifact.read(Decision))
        if artifact.has(ModelRef):
            pairs = sum(model.pairs for model in artifact.read(ModelRef))
            trained_pairs[step.iteration] = trained_pairs.get(step.iteration, 0) + pairs
    return Ledger(
        (run.name,), stages, evaluation, _by_iteration(kept), _by_iteration(trained_pairs), tuple(notes)
    )


def step_cost(artifact: Artifact) -> Cost:
    """One step's cost, from its manifest: `usage`, `seconds`, and where they are known `parameters` and `joules`."""
    manifest = artifact.manifest
    usage: Mapping[str, int] = manifest["usage"]
    read, written, trained = (usage[name] for name in ("prompt_tokens", "tokens", "trained_tokens"))
    scores = bool(_SCORES & manifest["records"].keys())
    parameters, joules = manifest.get("parameters"), manifest.get("joules")
    works = bool(read or written or trained)
    flops: float | None = 0
    if works:
        weights = FORWARD_FLOPS * (read + written) + TRAINING_FLOPS * trained
        flops = None if parameters is None else weights * parameters
    return Cost(
        read=0 if scores else read,
        generated=0 if scores else written,
        scored=read + written if scores else 0,
        trained=trained,
        flops=flops,
        seconds=manifest["seconds"],
        joules=joules if works else joules or 0,
    )


def _unknown(artifact: Artifact, cost: Cost) -> Iterable[str]:
    """What has to be said of a step's figures."""
    if cost.flops is None:
        yield f"{artifact.stage} did not record its model's size, so its FLOPs are not known."
    if cost.joules is None:
        yield f"{artifact.stage} recorded no energy, so the run's is not known."
    if artifact.manifest.get("resumed"):
        yield f"{artifact.stage} was interrupted; its time and energy are those of its last go."


def _by_iteration(counts: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(counts.get(t, 0) for t in range(max(counts, default=-1) + 1))


def pooled(ledgers: Sequence[Ledger]) -> Ledger:
    """The mean over runs of one arm. Raises ValueError for none."""
    if not ledgers:
        raise ValueError("no ledger to pool")
    stages = dict.fromkeys(stage for one in ledgers for stage in one.stages)
    return Ledger(
        tuple(run for one in ledgers for run in one.runs),
        {stage: _combine([one.stages.get(stage, Cost()) for one in ledgers], fmean) for stage in stages},
        _combine([one.evaluation for one in ledgers], fmean),
        _mean_by_iteration([one.kept for one in ledgers]),
        _mean_by_iteration([one.trained_pairs for one in ledgers]),
        tuple(dict.fromkeys(note for one in ledgers for note in one.notes)),
    )


def _combine(costs: Sequence[Cost], how: Callable[[list[float]], float]) -> Cost:
    """Field by field; what is not known of one is not known of all."""

    def combined(name: str) -> float | None:
        values = [getattr(cost, name) for cost in costs]
        return None if None in values else how(values)

    return Cost(**{field.name: combined(field.name) for field in fields(Cost)})  # type: ignore[arg-type]


def _mean_by_iteration(counts: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Runs that ended earlier kept nothing later."""
    longest = max(map(len, counts))
    return tuple(fmean(one[t] if t < len(one) else 0 for one in counts) for t in range(longest))


def matched_pairs(arm: Ledger, reference: Ledger, tolerance: float = 0.05) -> list[str]:
    """Why the label "same number of kept pairs" is refused, in words; an empty list grants it.

    Compared iteration by iteration where both arms have as many, else in total. `tolerance`: largest difference as a
    share of the reference's count.
    """
    if len(arm.kept) != len(reference.kept):
        return _apart("kept pairs", sum(arm.kept), sum(reference.kept), tolerance)
    return [
        reason
        for t, (ours, theirs) in enumerate(zip(arm.kept, reference.kept, strict=True))
        for reason in _apart(f"pairs kept in iteration {t}", ours, theirs, tolerance)
    ]


def matched(arm: Ledger, reference: Ledger, tolerance: float = 0.05) -> list[str]:
    """Why the label "compute-matched" is refused, in words; an empty list grants it.

    Kept pairs, trained pairs, tokens generated, tokens trained on and model FLOPs (tests left out of all) must each
    lie within `tolerance` of the reference's; what is not known does not match.
    """
    ours, theirs = arm.training, reference.training
    return [
        *_apart("kept pairs", sum(arm.kept), sum(reference.kept), tolerance),
        *_apart("trained pairs", sum(arm.trained_pairs), sum(reference.trained_pairs), tolerance),
        *_apart("tokens generated", ours.generated, theirs.generated, tolerance),
        *_apart("tokens trained on", ours.trained, theirs.trained, tolerance),
        *_apart("model FLOPs", ours.flops, theirs.flops, tolerance),
    ]


def _apart(what: str, ours: float | None, theirs: float | None, tolerance: float) -> list[str]:
    if ours is None or theirs is None:
        return [f"{what} are not known"]
    if abs(ours - theirs) <= tolerance * theirs:
        return []
    by = f" ({100 * (ours / theirs - 1):+.0f} %)" if theirs else ""
    return [f"{what}: {_short(ours)} against {_short(theirs)}{by}"]


def _short(value: float) -> str:
    return count(value) if value < LARGE else f"{value:.3g}"
