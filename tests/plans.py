"""How a plan is looked at: what rests on what, and which keys differ between two plans."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from isheep.plan import Plan, Step, make_plan
from toy import toy


def plan_of(folder: Path, *overrides: str) -> Plan:
    return make_plan(toy(folder, *overrides))


def names(plan: Plan) -> list[str]:
    """The steps in the order they run."""
    return [step.name for step in plan.steps]


def by_name(plan: Plan) -> dict[str, Step]:
    return {step.name: step for step in plan.steps}


def keys(plan: Plan) -> dict[str, str]:
    return {step.name: step.key for step in plan.steps}


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Role -> the steps read, in the order they are read."""
    known = {step.key: step.name for step in plan.steps}
    return {role: [known[ref.key] for ref in refs] for role, refs in by_name(plan)[name].inputs.items()}


def loaded(plan: Plan, *steps: str) -> list[str | None]:
    """The step whose adapter each of these steps loads; None is the base model."""
    known = {step.key: step.name for step in plan.steps}
    adapters = [by_name(plan)[step].adapter for step in steps]
    return [known[adapter.key] if adapter else None for adapter in adapters]


def sources(plan: Plan) -> dict[str, set[str]]:
    """Step -> the steps it reads or whose model it uses."""
    known = {step.key: step.name for step in plan.steps}
    return {
        step.name: {known[ref.key] for refs in step.inputs.values() for ref in refs}
        | ({known[step.adapter.key]} if step.adapter else set())
        for step in plan.steps
    }


def downstream(plan: Plan, first: Iterable[str]) -> set[str]:
    """The steps in `first` and all that rest on them."""
    found = set(first)
    for name, needs in sources(plan).items():  # in the order they run
        if needs & found:
            found.add(name)
    return found


def own(plan: Plan, *stages: str) -> set[str]:
    """The steps of some stages; a test file, though read by the stage of the seeds, is not among them."""
    return {s.name for s in plan.steps if s.stage in stages and not s.name.startswith("tests.")}


def kinds(plan: Plan, *wanted: str) -> set[str]:
    """The steps of these names, of all iterations: "pairs.judged" are "pairs.judged.0", "pairs.judged.1", ..."""
    return {s.name for s in plan.steps if s.name.removesuffix(f".{s.iteration}") in wanted}


def changed(before: Plan, after: Plan) -> set[str]:
    """Steps of the second plan that are not in the first, by name and key. None may have gone."""
    old, new = keys(before), keys(after)
    assert old.keys() <= new.keys()
    return {name for name in new if old.get(name) != new[name]}
