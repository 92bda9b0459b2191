"""The reviewer's questions on the numbers: seeds, intervals, tests, what is missing, what was selected.

Reads the summary, and what other seeds of the same recipe left in the store. A part of the rigor page (rigor.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import stdev

from isheep.report.evaluations import BOUNDS, in_other_layout
from isheep.report.numbers import metric_text, percent
from isheep.report.rigor_power import power
from isheep.report.rigor_row import (
    AGAIN,
    Check,
    Entry,
    State,
    Subject,
    in_points,
    listed,
    metric_name,
    plural,
)
from isheep.stats import false_positives_of_one_seed

#: Seeds from which on the answer is yes: three see a difference of 5 points one time in three, five two times in three
#: (docs/statistics.md, as the default of a sweep).
ENOUGH_SEEDS = 5
#: How much a score moves from seed to seed, where nobody has measured it (the default of `isheep power`).
USUAL_SEED_SD = 0.015
LEVEL = 0.05
#: From this share of missing values on, a score is that of what could be read, and of little else.
MANY_MISSING = 0.1


def seeds(s: Subject) -> Check:
    question = "Are there runs with several training seeds?"
    found = sorted(s.seeds)
    if len(found) <= 1:
        answer = f"One run, with seed {s.run.recipe.seed}. The store holds no finished run of this recipe with another."
    else:
        answer = (
            f"{len(found)} finished runs of this recipe are in the store, with the seeds {listed(found)}."
        )
    return Check("seeds", question, _by_seeds(len(found)), answer, _more_seeds(s))


def _by_seeds(count: int) -> State:
    return "no" if count <= 1 else "part" if count < ENOUGH_SEEDS else "yes"


def _more_seeds(s: Subject) -> str:
    if isinstance(s.run.recipe.filter.match, str):
        return f"`isheep sweep {s.own_sweep} --seed {max(s.seeds, default=0) + 1}`, as this run is an arm of a sweep."
    new = next(seed for seed in range(len(s.seeds) + 2) if seed not in s.seeds and seed != s.run.recipe.seed)
    missing = max(1, ENOUGH_SEEDS - len(s.seeds))
    again = f", and so on for {missing} seeds" if missing > 1 else ""
    return f"`{AGAIN} --seed {new}`{again}; then `isheep compare RUN RUN` with the names of all of them."


def variance(s: Subject) -> Check | None:
    question = "Is the luck of a single training run measured?"
    if not s.trains:
        return None
    row = next(iter(s.headline_gains), None)
    if row is None:
        return Check("variance", question, "no", "Not known: no gain was measured.", s.tests())
    gains = dict(_gains_by_seed(s, row))
    if len(gains) > 1:
        each = listed([metric_text(row["metric"], gains[seed], True) for seed in sorted(gains)], 8)
        unit = "" if row["metric"] in BOUNDS else " points"
        spread = metric_text(row["metric"], stdev(gains.values()), True).lstrip("+") + unit
        answer = (
            f"{metric_name(row)}: the gains of {len(gains)} seeds are {each}{unit}, with a standard deviation of "
            f"{spread}. `isheep compare` gives the interval over seeds and prompts together."
        )
        return Check("variance", question, _by_seeds(len(gains)), answer, _more_seeds(s))
    answer = "Not measured: the intervals here cover the prompts, for one training run."
    # With fewer changes, seeds hardly moved anything; one prompt tells nothing.
    if row["n"] > 1 and (row.get("changed") or 0.0) >= 2 * USUAL_SEED_SD:
        wrong = false_positives_of_one_seed(row["n"], USUAL_SEED_SD, row["changed"])
        answer += (
            f" Were the standard deviation between seeds {in_points(USUAL_SEED_SD)}, two methods of equal merit would "
            f"be called different on these {row['n']:,} prompts in {percent(wrong, 0)} of cases."
        )
    return Check("variance", question, "no", answer, _more_seeds(s))


def _gains_by_seed(s: Subject, wanted: Entry) -> Iterator[tuple[int, float]]:
    """The gain of the same model under each seed, where the report of that run tells it."""
    yield s.run.recipe.seed, wanted["value"]
    for seed, sibling in s.seeds.items():
        found = sibling.gain(wanted["task"], wanted["metric"], s.claimed or 0)
        if seed != s.run.recipe.seed and found is not None:
            yield seed, found


def intervals(s: Subject) -> Check:
    question = "Does every score have an interval, and over what?"
    rows = [row for e in s.entries for row in e["scores"] if not in_other_layout(row)]
    if not s.heads:  # shares of missing verdicts and mean lengths are no scores of a model
        return Check("intervals", question, "no", "There is no score.", s.tests())
    bare = [row for row in rows if row["ci_low"] is None]
    of_task = {row["task"]: row for row in rows if row["ci_low"] is not None}
    sizes = [f"{task} {_size(row)}" for task, row in of_task.items()]
    answer = (
        f"{len(rows) - len(bare)} of {plural(len(rows), 'score')} with a 95 % interval over the prompts "
        f"({listed(sizes)}): what another draw of prompts would give, not what another training run would."
    )
    cut = list(_limits(s))
    if bare or cut:
        more = (
            [f"of {listed(cut)} only the first prompts were asked, which are no sample of the rest"]
            if cut
            else []
        )
        more += [f"{plural(len(bare), 'score')} could not be computed"] if bare else []
        supply = f"Leave `--limit` away: `isheep eval {s.name} --tasks NAME`." if cut else s.tests()
        return Check("intervals", question, "part", f"{answer} But {'; '.join(more)}.", supply)
    return Check("intervals", question, "yes", answer)


def _size(row: Entry) -> str:
    clusters = row.get("clusters", row["n"])
    return f"{row['n']:,}" if clusters == row["n"] else f"{row['n']:,} in {clusters:,} clusters"


def _limits(s: Subject) -> Iterator[str]:
    """The evaluations that asked only a beginning of their data."""
    found = {
        step.name.partition(".")[0]
        for step, artifact in s.done
        if step.stage in ("benchmarks", "ifeval", "chat")
        and (artifact.manifest.get("settings") or {}).get("limit")
    }
    yield from sorted(found)


def tests(s: Subject) -> Check | None:
    question = "Are the tests declared, and corrected for their number?"
    if not s.trains:
        return None
    rows = [row for e in s.entries for row in e["gain"]]
    family = [row for row in rows if row.get("p_holm") is not None]
    refused = [row for row in rows if "refused" in row]
    if not family:
        return Check("tests", question, "no", "None: no model was compared with the base model.", s.tests())
    plain, held = (sum(row[name] < LEVEL for row in family) for name in ("p", "p_holm"))
    declared = s.run.recipe.report.family
    which = (
        "declared in the recipe" if declared else "each task's headline metric, every model against the base"
    )
    answer = (
        f"A family of {plural(len(family), 'paired test')} ({which}), corrected by Holm's method: {held} below "
        f"{LEVEL:g}, without correction {plain}."
    )
    others = len(rows) - len(family) - len(refused)
    if others:
        answer += f" Outside it, and without correction: {plural(others, 'other change')} in the report."
    if refused:
        return Check(
            "tests", question, "part",
            f"{answer} {plural(len(refused), 'comparison')} had to be refused: the models were not asked the same.",
            f"`isheep eval {s.name} --tasks NAME` puts the same prompts to every model.",
        )  # fmt: skip
    return Check("tests", question, "yes", answer)


# ---------------------------------------------------------------- what the scores leave out


def missing(s: Subject) -> Check | None:
    question = "Are the scores complete?"
    found = [
        (lost / asked, task, lost, asked) for e in s.entries for task, lost, asked in _lost(s, e["scores"])
    ]
    if not found:
        return None
    gone, asked = sum(one[2] for one in found), sum(one[3] for one in found)
    if not gone:
        return Check("missing", question, "yes", f"All {asked:,} headline items of all models have a value.")
    share, task, *_ = max(found)
    answer = (
        f"{gone:,} of {asked:,} headline items have no value (unreadable verdicts, unanswered questions); they are "
        f"counted and left out, never taken for a number. Most are missing on {task}: {percent(share)} of one model's."
    )
    state: State = "no" if share > MANY_MISSING else "part"
    supply = (
        "A judge whose verdicts can be read: more room in `judge.max_tokens`, other words in `judge.prompts`, or "
        f"another judge: `isheep eval {s.name} --tasks ./questions.jsonl --judge openai --judge-model NAME`."
    )
    return Check("missing", question, state, answer, supply)


def _lost(s: Subject, rows: Sequence[Entry]) -> Iterator[tuple[str, int, int]]:
    """(task, items without a value, items) of a model's headline scores; judged chat tells them as a share."""
    for row in rows:
        if row["metric"] == "missing_rate":
            yield row["task"], round(row["value"] * row["n"]), row["n"]
        elif s.heads.get(row["task"]) == row["metric"] and "missing" in row and row["n"] + row["missing"]:
            yield row["task"], row["missing"], row["n"] + row["missing"]


def selection(s: Subject) -> Check | None:
    question = "Is the result free of selection on its own test?"
    review = s.run.recipe.review
    if not s.trains:
        return None
    if review.keep == "last" and review.until == "fixed":
        answer = (
            "No choice was made: the result is the last of a fixed number of models, whatever they scored."
        )
        return Check("selection", question, "yes", answer)
    chose = " and ".join(
        text
        for text, is_so in (
            ("the best of several models was kept (`review.keep`)", review.keep == "best"),
            ("a stop was looked for (`review.until`)", review.until != "fixed"),
        )
        if is_so
    )
    on = review.on or next(iter(sorted(s.summary["tests"])), "its test")
    others = [task for task in s.heads if task != on]
    answer = f"On {on} {chose}, so its score there looks better than it is."
    if others:
        answer += f" {listed(others)} had no part in that."
        return Check(
            "selection", question, "part", answer, f"Report {listed(others)}, and {on} only beside it."
        )
    supply = (
        f"A second test that decides nothing (`evaluate.tasks`, with `review.on={on}`), or `review.keep=last` and "
        "`review.until=fixed`."
    )
    return Check("selection", question, "no", answer, supply)


def layouts(s: Subject) -> Check | None:
    question = "Was the base model tried in several forms of the prompt?"
    base = s.entries[0]["scores"]
    tried = [r["task"] for r in base if in_other_layout(r)]  # a score in any but the best layout says which
    task = next((task for task in s.heads if task in tried or not tried), None)
    if task is None:
        return None
    metric = s.heads[task]
    mine = [r for r in base if r["task"] == task and r["metric"].removesuffix(f"@{r['layout']}") == metric]
    known = sorted((r["value"], r["layout"]) for r in mine if r["value"] is not None)
    if len(known) < 2:
        answer = f"Not known: every model was asked {task} in one form only."
        supply = "`evaluate.base_layouts=[plain, question, qa, user]` tries the base model in each."
        return Check("layouts", question, "no", answer, supply)
    (low, worst), (high, best) = known[0], known[-1]
    answer = (
        f"The base model was tried in {len(known)} layouts on {task} and counts in its best: from "
        f"{metric_text(metric, low)} ({worst}) to {metric_text(metric, high)} ({best}), chosen on the "
        "test itself, which favours it. Tuned models were asked in the layout they were trained in."
    )
    fixed_form = [name for name in s.heads if name not in tried]
    if not fixed_form:
        return Check("layouts", question, "yes", answer)
    answer += f" {listed(fixed_form)} were asked in one form."
    supply = (
        f"For benchmarks: `isheep eval {s.name} --tasks NAME --set benchmarks.layout=model` asks them in the model's "
        "layout too."
    )
    return Check("layouts", question, "part", answer, supply)


CHECKS = (seeds, variance, intervals, tests, power, missing, selection, layouts)
