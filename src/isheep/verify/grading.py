"""Whether a response follows what was demanded, strictly and loosely, and the four accuracies of many such gradings.

Loose as IFEval defines it: an instruction is followed if any of eight variants of the response follows it, so that an
opening remark, a closing remark or Markdown emphasis does not count against the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isheep.verify.checks import Demand, demand, problems, refusal

#: Names of the four accuracies, as the harness has them.
METRICS = (
    "prompt_level_strict_acc",
    "prompt_level_loose_acc",
    "inst_level_strict_acc",
    "inst_level_loose_acc",
)


@dataclass(frozen=True, slots=True)
class Graded:
    """What came of one instruction. `loose` holds whenever `strict` does."""

    id: str
    strict: bool
    loose: bool


def loose_variants(response: str) -> tuple[str, ...]:
    """The eight variants: whole, without the first line, without the last, without both; each as it is and without
    asterisks. The whole comes first, untouched; some may be equal or blank."""
    lines = response.split("\n")
    cut = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    return tuple(variant for text in (response, *cut) for variant in (text, text.replace("*", "")))


def grade(demands: Iterable[Demand], response: str) -> tuple[Graded, ...]:
    """One grade per demand, in their order."""
    variants = tuple(dict.fromkeys(loose_variants(response)))[1:]
    found = []
    for wanted in demands:
        strict = wanted.met(response)
        found.append(Graded(wanted.id, strict, strict or any(map(wanted.met, variants))))
    return tuple(found)


def follows(response: str, checks: Iterable[Demand], loose: bool = False) -> bool:
    """Whether a response follows every demand."""
    return all(g.loose if loose else g.strict for g in grade(checks, response))


def prompt_scores(gradings: Iterable[Sequence[Graded]]) -> dict[str, float]:
    """The four accuracies by name, each in 0..1: the share of prompts of which every instruction is followed, and the
    share of instructions followed, both strictly and loosely. Raises ValueError without any instruction."""
    prompts = [list(grading) for grading in gradings]
    single = [graded for grading in prompts for graded in grading]
    if not single:
        raise ValueError("no graded instruction: there is nothing to take a mean of")
    sums = (
        sum(all(g.strict for g in grading) for grading in prompts) / len(prompts),
        sum(all(g.loose for g in grading) for grading in prompts) / len(prompts),
        sum(g.strict for g in single) / len(single),
        sum(g.loose for g in single) / len(single),
    )
    return dict(zip(METRICS, sums, strict=True))


def to_json(checks: Iterable[Demand]) -> str:
    """Demands as a JSON list of [id, arguments], the form records keep them in."""
    return json.dumps([[wanted.id, wanted.arguments] for wanted in checks], ensure_ascii=False)


def from_json(text: str) -> tuple[Demand, ...]:
    """Demands from a JSON list of [id, arguments]. Raises RecipeError naming every mistake."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refusal("the list of checks", [f"it is not JSON: {error}"]) from error
    if not isinstance(rows, list):
        raise refusal("the list of checks", ["it must be a list of [id, arguments]"])
    mistakes: list[str] = []
    for number, row in enumerate(rows):
        if isinstance(row, list) and len(row) == 2 and isinstance(row[1], dict):
            mistakes += [f"[{number}]: {said}" for said in problems(row[0], row[1])]
        else:
            mistakes.append(f"[{number}]: must be [id, arguments], not {row!r}")
    if mistakes:
        raise refusal("the list of checks", mistakes)
    return tuple(demand(id, arguments) for id, arguments in rows)
