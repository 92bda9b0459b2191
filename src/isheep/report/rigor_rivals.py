"""The reviewer's questions on what a gain is worth: its cost, arms of equal cost, baselines, and how far it reaches.

Reads the ledger, and the sweeps this run is an arm of. A part of the rigor page (rigor.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from isheep.report.evaluations import BOUNDS
from isheep.report.ledger import Cost, ledger
from isheep.report.numbers import duration, gain, large, metric_text, short_count
from isheep.report.rigor_row import AGAIN, Check, Subject, listed, metric_name, plural
from isheep.report.siblings import Sweep

#: What can stand beside a run, in the order a reviewer asks for it.
BASELINES = ("the base model", "unfiltered pairs", "random pairs")


def compute(s: Subject) -> Check | None:
    question = "Is the cost of each model known, next to what it gained?"
    if not s.trains:
        return None
    models = list(_models(s))
    claimed = next((m for m in models if m["iteration"] == s.claimed), None)
    row = next(iter(s.headline_gains), None)
    if claimed is None or row is None:
        return Check(
            "compute", question, "no", "Not known: no gain was measured.", s.tests(), {"models": models}
        )
    spent = (
        f"{short_count(claimed['tokens'])} tokens and {duration(claimed['seconds'])}"
        if claimed["flops"] is None
        else f"{large(claimed['flops'])} model FLOPs (estimated), {short_count(claimed['tokens'])} tokens and "
        f"{duration(claimed['seconds'])}"
    )
    brought = (
        f"{gain(row)} points"
        if row["metric"] not in BOUNDS
        else "{} ({} to {})".format(
            *(metric_text(row["metric"], row[name], True) for name in ("value", "ci_low", "ci_high"))
        )
    )
    test = s.summary["ledger"]["evaluation"]
    answer = (
        f"Making M{s.claimed} took {spent}, all iterations before it included, and changed {metric_name(row)} by "
        f"{brought}. Testing all models took {duration(test['seconds'])} more."
    )
    if claimed["flops"] is not None:
        return Check("compute", question, "yes", answer, more={"models": models})
    return Check(
        "compute", question, "part", f"{answer} FLOPs are not known, as a step did not record its model's size.",
        f"Make it anew, which records it: `{AGAIN} --store NEW`.", {"models": models},
    )  # fmt: skip


def _models(s: Subject) -> Iterator[dict[str, Any]]:
    """What it took to make each model that was tested; the base model took nothing."""
    for entry in s.entries:
        if entry["scores"]:
            t = entry["iteration"]
            cost = ledger(s.run, t).training if t else Cost()
            tokens = cost.read + cost.generated + cost.scored + cost.trained
            yield {"iteration": t, "flops": cost.flops, "tokens": tokens, "seconds": cost.seconds}


def matched(s: Subject) -> Check | None:
    question = "Is there an arm of equal cost without the idea?"
    if not s.trains:
        return None
    # Of the shipped sweep for other models the random arm judges nothing, which is cheaper, unless all are told to.
    shipped = s.sweep("lamb_baselines", "table1_baselines", "assessment.level=both")
    supply = (
        f"{shipped}. Its random arm keeps as many pairs, drawn out of answers that cost as much to write and judge; "
        "the table says whether all else came within 5 %."
    )
    labels = {sweep.name: _labels(sweep) for sweep in s.sweeps}
    by_cost = {
        f"{arm} (sweep {name})" for name, found in labels.items() for arm, (_, cost) in found.items() if cost
    }
    by_pairs = {
        f"{arm} (sweep {name})"
        for name, found in labels.items()
        for arm, (pairs, _) in found.items()
        if pairs
    }
    if by_cost:
        return Check(
            "matched", question, "yes",
            f"Within 5 % in pairs, tokens and FLOPs: {listed(sorted(by_cost))}. The sweep's page has the differences.",
        )  # fmt: skip
    if by_pairs:
        return Check(
            "matched", question, "part",
            f"Only in the number of pairs trained on: {listed(sorted(by_pairs))}; tokens or FLOPs differ by more than "
            "5 %.", supply,
        )  # fmt: skip
    if s.sweeps:
        return Check("matched", question, "no", f"None in {listed([w.name for w in s.sweeps])}.", supply)
    return Check("matched", question, "no", "None: this run stands alone.", supply)


def _labels(sweep: Sweep) -> Mapping[str, tuple[bool, bool]]:
    """Arm -> whether it matches this run's arm in pairs, and in cost. Labels are given against the reference: of
    another arm it is only known how it compares with that."""
    found = {
        row["arm"]: (row.get("pair_matched") is True, row.get("compute_matched") is True)
        for row in sweep.rows
        if row.get("arm")
    }
    if sweep.arm == sweep.reference:
        return {arm: told for arm, told in found.items() if arm != sweep.arm}
    return {sweep.reference: found[sweep.arm]} if sweep.arm in found else {}


def baselines(s: Subject) -> Check | None:
    question = "Does it stand beside the base model, unfiltered pairs and random pairs?"
    if not s.trains:
        return None
    seen: dict[str, str] = {}
    if s.heads:
        seen["the base model"] = "in this run"
    for sweep in s.sweeps:
        for arm, recipe in sweep.arms.items():
            kind = _kind(recipe)
            if kind and arm != sweep.arm:
                seen.setdefault(kind, f"arm {arm} of {sweep.name}")
    lacking = [kind for kind in BASELINES if kind not in seen]
    told = "; ".join(f"{kind} ({where})" for kind, where in seen.items())
    answer = f"It stands beside {told}." if seen else "Nothing stands beside it."
    if not lacking:
        return Check(
            "baselines", question, "yes", f"{answer} The sweep's page has the differences, with intervals."
        )
    return Check(
        "baselines", question, "part" if len(seen) > 1 else "no", f"{answer} Missing: {listed(lacking)}.",
        f"A sweep over several seeds: {s.sweep('lamb_baselines', 'table1_baselines')}.",
    )  # fmt: skip


def _kind(recipe: Mapping[str, Any]) -> str | None:
    """Which baseline a recipe is, if it is one."""
    try:
        if recipe["iterations"] == 0:
            return "the base model"
        chosen = recipe["filter"]
        choosy = chosen["keep_fraction"] is not None or chosen["match"] is not None
        if chosen["verifier"] != "none" or any(chosen[name] for name in ("ppl", "density")):
            return None
        if choosy:
            return "random pairs" if chosen["by"] == "random" else None
        unjudged = recipe["assessment"]["level"] == "none" or (chosen["threshold"] or 0) <= 0
        return "unfiltered pairs" if unjudged and recipe["responses"]["principles"] is None else None
    except (KeyError, TypeError):
        return None


def reach(s: Subject) -> Check:
    question = "Does the result reach beyond this model, language and test?"
    recipe = s.run.recipe
    bases = sorted({sibling.base for sibling in s.alike if sibling.complete} | {recipe.model.base})
    language = " from English seeds" if recipe.seeds.file in ("general", "lamb") else ""
    tasks = f"tested on {listed(list(s.heads))}" if s.heads else "never tested"
    answer = f"{plural(len(bases), 'base model')} ({listed(bases)}){language}, {tasks}; nothing beyond that is shown."
    if not s.has_model:
        answer = "Nowhere: no model was at work, a stand-in shows the shape of a run."
    elif recipe.model.base == "lamb":
        answer += (
            " lamb's is a toy world of a few kinds of question: what holds there need not hold elsewhere."
        )
    supply = (
        "`isheep run one_gpu --set model.base=Qwen/Qwen2.5-1.5B`, or another base model; more tests: "
        f"`isheep eval {s.name} --tasks paper_standard --data-dir DATA`."
    )
    return Check("reach", question, "part" if len(bases) > 1 else "no", answer, supply)


CHECKS = (compute, matched, baselines)
LIMITS = (reach,)
