"""Whether a response follows what was demanded, strictly and loosely, and the four accuracies of many such gradings.

Loose as IFEval defines it: an instruction is followed if any of eight variants of the response follows it, so that an
opening remark, a closing remark or Markdown emphasis does not count against the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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


#: What may be asked for: a Demand, or an id and its arguments as JSON has them.
Asked = Demand | Sequence[Any]


def demanded(checks: Iterable[Asked]) -> tuple[Demand, ...]:
    """Each as a Demand. Raises RecipeError naming every mistake."""
    given = [(wanted[0], dict(wanted[1])) for wanted in checks]
    if mistakes := [said for wanted in given for said in problems(*wanted)]:
        raise refusal("the list of checks", mistakes)
    return tuple(demand(*wanted) for wanted in given)


def grade(demands: Iterable[Demand], response: str) -> tuple[Graded, ...]:
    """One grade per demand, in their order."""
    variants = tuple(dict.fromkeys(loose_variants(response)))[1:]
    found = []
    for wanted in demands:
        strict = wanted.met(response)
        found.append(Graded(wanted.id, strict, strict or any(map(wanted.met, variants))))
    return tuple(found)


def follows(response: str, checks: Iterable[Asked], loose: bool = False) -> bool:
    """Whether a response follows all that is asked: Demands, or pairs of id and arguments.

    A blank response follows nothing, not even an empty list. Raises RecipeError naming every mistake in the pairs.
    """
    graded = grade(demanded(checks), response)
    return bool(response.strip()) and all(g.loose if loose else g.strict for g in graded)


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
    pairs = isinstance(rows, list) and all(
        isinstance(row, list) and len(row) == 2 and isinstance(row[1], dict) for row in rows
    )
    if not pairs:
        raise refusal("the list of checks", ["it must be a list of [id, arguments]"])
    return demanded(rows)
