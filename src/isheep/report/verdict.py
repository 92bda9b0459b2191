"""Did it work? The headline and the warnings of a run, computed from its summary.

Knows: the summary's figures. Says only what they carry: an interval that includes 0 is no improvement, a run without a
test is not known to have worked, and whatever the interval covers is said next to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from isheep.report.evaluations import BOUNDS
from isheep.report.measures import blind_sentence, guard_sentences, is_blind
from isheep.report.numbers import gain, percent, points
from isheep.report.scored import headlines

#: Fewer pairs than this teach little but the form of an answer.
FEW_PAIRS = 50
#: A judge below this hardly tells right answers from wrong ones (0.5 is chance).
WEAK_JUDGE = 0.6
#: More than this share of scores in the top bin (9.5 and above): the scale no longer separates anything.
SATURATED = 0.6
#: A rise of the share of very short answers since iteration 0 by more than this: the model falls silent.
SHORTER = 0.15
#: Share of short answers from which on a task simply asks for them.
MOSTLY_SHORT = 0.5
#: A tuned model that ends fewer of its answers by itself has not learned to stop.
ENDED = 0.95

#: A p value below this is called a difference.
LEVEL = 0.05
DECODING_WORDS = {"greedy": "greedy", "sampled": "sampled at T = 1"}
Entry = Mapping[str, Any]


def verdict(summary: Entry) -> dict[str, Any]:
    """`status` (improved, no_difference, worse, mixed, base_only, not_tested), `headline`, `outcome` (what stopped the
    run, which model is its result), `details`, and the cell of the scores it speaks of: `task`, `decoding`, `last` and
    `best` iteration."""
    cell, outcome = headline_cell(summary), list(_outcome(summary))
    if cell is None:
        return {
            **_untested(summary),
            "outcome": outcome,
            "details": [],
            "task": None,
            "decoding": None,
            "last": None,
            "best": None,
        }
    task, decoding = cell
    gains = {e["iteration"]: g for e in summary["iterations"] if (g := gain_of(e, task, decoding))}
    made: dict[str, Any] = {"task": task, "decoding": decoding, "last": max(gains, default=None)}
    made["best"] = max(gains, key=lambda t: (gains[t]["value"], t), default=None)
    status, headline = _tested(summary, made) if gains else _base_only(summary, task, decoding)
    told = {"headline": headline, "outcome": outcome, "details": list(_details(summary, made))}
    return {"status": status, **told, **made}


def _outcome(summary: Entry) -> Iterator[str]:
    """What stopped the run, and which model is its result."""
    if summary["stopped"]:
        yield f"{summary['stopped'][0].upper()}{summary['stopped'][1:]}."
    if summary["result"]:
        t = summary["result"]["iteration"]
        yield f"The result of this run is M{t}{'' if t else ', the base model'}: {summary['result']['why']}."


def headline_cell(summary: Entry) -> tuple[str, str] | None:
    """(task, decoding) of the figure the headline speaks of: the recipe's first test, greedy where there is greedy.
    With no such test (task, headline metric) of the first benchmark whose headline is a share."""
    cells = [(s["task"], s["metric"]) for e in summary["iterations"] for s in e["scores"]]
    tasks = sorted({task for task, _ in cells}, key=lambda t: (_order(summary["tests"], t), t))
    for task in tasks:
        for decoding in DECODING_WORDS:
            if (task, f"accuracy_{decoding}") in cells:
                return task, decoding
    heads = headlines({"task": task, "metric": metric} for task, metric in cells if metric not in BOUNDS)
    return next(iter(heads.items()), None)


def metric_of(decoding: str, metric: str = "accuracy") -> str:
    """The metric's name in the summary; what is no decoding is the name of a benchmark's metric itself."""
    return f"{metric}_{decoding}" if decoding in DECODING_WORDS else decoding


def _order(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def score_of(entry: Entry, task: str, decoding: str, metric: str = "accuracy") -> dict[str, Any] | None:
    """A model's headline figure (the base model's in its best layout)."""
    wanted = (task, metric_of(decoding, metric))
    found = (s for s in entry["scores"] if (s["task"], s["metric"]) == wanted and s["value"] is not None)
    return next(found, None)


def gain_of(entry: Entry, task: str, decoding: str) -> dict[str, Any] | None:
    """A model's paired difference to the base model."""
    wanted = (task, metric_of(decoding))
    found = (g for g in entry["gain"] if (g["task"], g["metric"]) == wanted and g["value"] is not None)
    return next(found, None)


def own_layout(summary: Entry) -> str | None:
    """The run's own layout, where a step has told it."""
    for entry in summary["iterations"][1:]:
        for told in (entry["train"], *entry["scores"]):
            if told:
                return str(told["layout"])
    return None


def own_layout_score(summary: Entry, task: str, decoding: str) -> dict[str, Any] | None:
    """The base model's figure in the run's own layout, when that is not its best one."""
    wanted = f"accuracy_{decoding}@{own_layout(summary)}"
    base = summary["iterations"][0]
    return next((s for s in base["scores"] if (s["task"], s["metric"]) == (task, wanted)), None)


def sign(cell: Entry) -> int:
    """1: the interval lies above 0 and p, corrected where it is of the family, is below LEVEL; -1: below 0; 0: neither.
    Of the two the more cautious decides, as an interval speaks for one change alone."""
    if (p := decisive_p(cell)) is not None and p >= LEVEL:
        return 0
    return int(cell["ci_low"] > 0) - int(cell["ci_high"] < 0)


def decisive_p(cell: Entry) -> float | None:
    """Holm's p where the change belongs to the family, else its own."""
    corrected: float | None = cell.get("p_holm")
    return cell.get("p") if corrected is None else corrected


def _untested(summary: Entry) -> dict[str, str]:
    scores = {(s["task"], s["metric"]) for e in summary["iterations"] for s in e["scores"]}
    heads = headlines({"task": task, "metric": metric} for task, metric in scores)
    if scores and not heads:
        text = "Not known: what was asked has no score, as no verdict could be read."
    elif scores:
        text = (
            f"Not known from grades alone ({', '.join(sorted(heads))}): no test of this run tells right from wrong. "
            "The changes, with their intervals, stand below."
        )
    elif not summary["tests"]:
        text = "Not known: this run has no test with a result, so nobody can say whether it improved."
    else:
        text = "Not known yet: no model of this run has been tested so far."
    return {"status": "not_tested", "headline": text}


def _base_only(summary: Entry, task: str, decoding: str) -> tuple[str, str]:
    base = score_of(summary["iterations"][0], task, decoding)
    figure = f"it {_reaches(base, task, decoding)}" if base else "its score is missing"
    if len(summary["iterations"]) == 1:
        return "base_only", f"Only the base model was tested, as the recipe has no iterations: {figure}."
    return "base_only", f"Not known yet: only the base model has been tested so far; {figure}."


def _reaches(score: Entry, task: str, decoding: str) -> str:
    """What a model does on a test, in words: "gets 57 % of the lamb prompts right"."""
    if decoding in DECODING_WORDS:
        return f"gets {percent(score['value'])} of the {task} prompts right"
    return f"reaches {percent(score['value'])} on {task} ({decoding.replace('_', ' ')})"


def _tested(summary: Entry, cell: Entry) -> tuple[str, str]:
    """Status and headline of the last tested model against the base model."""
    task, decoding, last = cell["task"], cell["decoding"], cell["last"]
    entries = summary["iterations"]
    change = gain_of(entries[last], task, decoding)
    after, before = (score_of(entries[t], task, decoding) for t in (last, 0))
    assert change is not None
    assert after is not None
    assert before is not None
    planned = len(entries) - 1
    after_words = f"after {last} iteration{'s' * (last > 1)}"
    if not summary["complete"]:
        after_words = f"so far ({last} of {planned} iterations tested)"
    scores = f"the model {_reaches(after, task, decoding)}"
    span = f"95 % interval {points(change['ci_low'])} to {points(change['ci_high'])}"
    base = percent(before["value"])
    size = f"{points(abs(change['value'])).lstrip('+')}\u00a0points"
    signs = {sign(g) for g in entries[last]["gain"] if g["value"] is not None}
    head = sign(change)
    if head > 0:
        text = f"{after_words} {scores}, {size} more than the base model's {base} ({span})."
        lead, status = "It worked:", "improved"
    elif head < 0:
        text = f"{after_words} {scores}, {size} fewer than the base model's {base} ({span})."
        lead, status = "It got worse:", "worse"
    else:
        if change["ci_low"] > 0 or change["ci_high"] < 0:
            span += (
                f", but p {decisive_p(change):.3f}{' by Holm' if change.get('p_holm') is not None else ''}"
            )
        told = f"a change of {points(change['value'])} points may be chance ({span})"
        text = f"{after_words} {scores}, the base model {base}; {told}."
        lead, status = "No clear difference:", "no_difference"
    if head and -head in signs:
        lead, status = "Mixed, some figures rose and some fell:", "mixed"
    return status, f"{lead} {text}"


def _details(summary: Entry, cell: Entry) -> Iterator[str]:
    """What a careful reader needs next to the headline."""
    entries, task, decoding = summary["iterations"], cell["task"], cell["decoding"]
    last, best = cell["last"], cell["best"]
    if not summary["complete"]:
        yield f"This run is unfinished; the next step is {summary['next']}. Run the recipe again and it goes on there."
    if last is not None and best != last:
        yield (
            f"The best model is M{best}: {gain(gain_of(entries[best], task, decoding))} points. "
            "It was picked on these same prompts, so expect somewhat less elsewhere."
        )
    for other in entries[last]["gain"] if last is not None else []:
        other_decoding = other["metric"].removeprefix("accuracy_")
        if other_decoding in DECODING_WORDS and (other["task"], other_decoding) != (task, decoding):
            before, after = (score_of(entries[t], other["task"], other_decoding) for t in (0, last))
            if before and after:
                name = DECODING_WORDS.get(other_decoding, other_decoding)
                name = f"On {other['task']}, {name}" if other["task"] != task else name[0].upper() + name[1:]
                values = f"{percent(before['value'])} → {percent(after['value'])}"
                yield f"{name}: {values}, {gain(other)} points."
    own = own_layout_score(summary, task, decoding)
    base = score_of(entries[0], task, decoding)
    if own and base:
        yield (
            f"The base model is scored in the layout that suits it best ({base['layout']}). In the run's own layout "
            f"({own['layout']}) it gets {percent(own['value'])}."
        )
    if base:
        yield (
            f"Intervals cover the choice of the {base['n']} test prompts, for one training seed ({summary['seed']}). "
            "They do not cover training: another seed gives another model, so repeat with other seeds before you "
            "rely on a small difference."
        )


def warnings(summary: Entry) -> list[str]:
    """Signs that something is amiss, in words, each with its iteration; a blind judge once for all of them."""
    entries = summary["iterations"]
    blind = [entry for entry in entries if is_blind(entry)]
    found = [f"Iteration {e['iteration']}: {text}" for e in entries for text in _amiss(summary, e)]
    return [*([blind_sentence(blind)] if blind else []), *found]


def _amiss(summary: Entry, entry: Entry) -> Iterator[str]:
    """Where the collapse guard has looked at something, it alone speaks of that."""
    judged, guarded = entry["assessment"], entry["review"]["measures"] if entry["review"] else {}
    yield from guard_sentences(summary, entry)
    if "filter" in entry["keys"] and entry["kept"] < FEW_PAIRS:
        yield f"only {entry['kept']} pairs were kept (fewer than {FEW_PAIRS})."
    own = judged["auroc"]
    if own is not None and own < WEAK_JUDGE:
        yield f"the judge hardly tells right from wrong (AUROC {own:.2f}; 0.5 is chance)."
    for scale, figures in judged["scales"].items():
        total = sum(figures["histogram"]) if figures else 0
        seen = f"saturation/{scale}" in guarded
        if figures and total and not seen and figures["histogram"][-1] / total > SATURATED:
            top = percent(figures["histogram"][-1] / total, 0)
            yield f"{top} of the {scale} scores are 9.5 or above: the scale no longer separates answers."
    first, here = summary["iterations"][0]["lengths"]["all"], entry["lengths"]["all"]
    # Where short answers were the rule from the start, more of them are no sign of anything.
    wordy = first is not None and first["short"] < MOSTLY_SHORT
    if wordy and here and "share_short" not in guarded and here["short"] - first["short"] > SHORTER:
        rise = f"{percent(first['short'], 0)} → {percent(here['short'], 0)}"
        yield f"the share of very short answers rose ({rise} since iteration 0): the model may be falling silent."
    for s in entry["scores"] if entry["iteration"] else []:
        if s["metric"].startswith("ended_") and "@" not in s["metric"] and s["value"] < ENDED:
            how = DECODING_WORDS.get(s["metric"].removeprefix("ended_"), s["metric"])
            yield f"the tuned model ends only {percent(s['value'])} of its answers by itself ({s['task']}, {how})."
