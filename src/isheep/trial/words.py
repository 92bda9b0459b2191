"""What the figures of a trial amount to, in sentences. Knows: the figures; not how a page looks.

A sentence says no more than its interval: what includes chance is not shown, whatever the value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Entry = Mapping[str, Any]

#: An AUROC below this hardly separates, even if it is above chance for certain (as for planted answers).
WEAK = 0.6
#: From this share of top scores on the scale separates next to nothing (as in the report's warnings).
SATURATED = 0.6
#: Above this share of unreadable scores, what could be read is not the judge's work but a selection of it.
UNREADABLE = 0.5

#: A rank correlation below this is next to nothing.
NOTHING = 0.1
#: One above this is as good as perfect.
ALL = 0.999

#: source -> what its answers are called.
SOURCES: Mapping[str, str] = {
    "tests": "exam questions with known answers",
    "constraints": "exam prompts with checkable constraints",
    "generated": "its own generated tasks",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a judge's scores on one set of answers are worth. `look`: good, warn, bad or calm (nothing is known)."""

    status: str
    look: str
    text: str


def finding(figures: Entry) -> Finding:
    """`status`: unknown, unreadable, flat, inverted, blind, unproven, length, weak or good."""
    scored = figures["n"] - figures["unreadable"]
    if figures["n"] and figures["unreadable"] > UNREADABLE * figures["n"]:
        return Finding(
            "unreadable",
            "bad",
            f"{figures['unreadable']} of {figures['n']} scores could not be read; the rest says little.",
        )
    if scored and figures["levels"] == 1:
        value = _plain(figures["mean"]["value"] if figures["mean"] else None)
        what = "the top score" if figures["top"] == 1 else f"the same score{value}"
        return Finding("flat", "bad", f"It gives everything {what}: its scores keep nothing out.")
    if figures["missing"]:
        return Finding("unknown", "calm", f"Not known: {figures['missing']}.")
    cell = figures["auroc"]
    if cell is None:
        return Finding("unknown", "calm", "Not known: the answers are too few and too alike for an interval.")
    return _told(figures, cell)


def _told(figures: Entry, cell: Entry) -> Finding:
    shown = f"AUROC {span(cell)}"
    if cell["ci_high"] < 0.5:
        return Finding(
            "inverted", "bad", f"Its scores are upside down: wrong answers get the higher ones, {shown}."
        )
    if cell["ci_low"] <= 0.5:
        if cell["ci_high"] < WEAK:
            text = f"Its scores do not tell right from wrong: {shown}{_by_length(figures)}."
            return Finding("blind", "bad", text)
        text = f"Its scores are not shown to tell right from wrong: {shown} includes 0.5, which is chance"
        return Finding("unproven", "bad", f"{text}{_by_length(figures)}.")
    if _by_length_alone(figures):
        return _length(figures, shown)
    top = (
        f", though {100 * figures['top']:.0f} % of its scores are the top one"
        if figures["top"] > SATURATED
        else ""
    )
    if cell["value"] < WEAK:
        return Finding("weak", "warn", f"Its scores tell right from wrong, but hardly: {shown}{top}.")
    return Finding("good", "warn" if top else "good", f"Its scores tell right from wrong: {shown}{top}.")


def _by_length_alone(figures: Entry) -> bool:
    """Whether nothing is shown to be left of the judge's skill among answers of like length, and length does tell."""
    partial, alone = figures["partial"], figures["length_auroc"]
    tells = bool(alone) and not alone["ci_low"] <= 0.5 <= alone["ci_high"]
    return tells and (partial is None or partial["ci_low"] <= 0)


def _length(figures: Entry, shown: str) -> Finding:
    partial, alone = figures["partial"], f"length alone has an AUROC of {span(figures['length_auroc'])}"
    if partial is None and abs(figures["with_length"]["value"]) < ALL:
        text = (
            f"Skill cannot be told from length here, as the length decides what is right: {shown}; {alone}."
        )
        return Finding("length", "warn", text)
    if partial is None:
        return Finding(
            "length", "bad", f"What tells is length: {shown}, but the scores are the length; {alone}."
        )
    sure, look = ("is", "bad") if partial["value"] < NOTHING else ("may be", "warn")
    rest = f"at equal length their rank correlation with the truth is {span(partial)}"
    return Finding("length", look, f"What tells {sure} length: {shown}, but {rest}; {alone}.")


def _by_length(figures: Entry) -> str:
    """What a judge goes by that knows nothing else."""
    found = figures["with_length"]
    if found is None or abs(found["value"]) < 0.5 or found["ci_low"] <= 0 <= found["ci_high"]:
        return ""
    side = "long" if found["value"] > 0 else "short"
    return f"; what it likes is {side} answers (rank correlation with length {span(found)})"


def _plain(value: float | None) -> str:
    return "" if value is None else f" ({value:.1f})"


def span(cell: Entry | None, digits: int = 2, signed: bool = False) -> str:
    """A figure with its interval: "0.81 (0.76 to 0.85)"; "–" without one."""
    if cell is None:
        return "–"
    value, low, high = (_number(cell[k], digits, signed) for k in ("value", "ci_low", "ci_high"))
    return f"{value} ({low} to {high})"


def _number(value: float, digits: int, signed: bool) -> str:
    value = round(value, digits) + 0.0  # the sum makes a zero of what would be shown as a negative one
    return f"{value:{'+' if signed and value else ''}.{digits}f}".replace("-", "−")


# ---------------------------------------------------------------- the whole trial


def judgement(trial: Entry) -> list[str]:
    """Sentences, the ones that matter most first: what every judge's scores are worth, drift, self-preference."""
    return [*_models(trial), *_filters(trial), *_drifts(trial), *_preferences(trial)]


def _models(trial: Entry) -> Iterator[str]:
    """One sentence for each model and source; equal ones of several models are said once."""
    told: dict[tuple[str, str], list[str]] = {}
    for model in trial["models"]:
        for source, figures in model["sources"].items():
            told.setdefault((source, finding(figures).text), []).append(f"M{model['iteration']}")
    for (source, text), judges in told.items():
        yield f"{_listed(judges)} on {SOURCES.get(source, source)}: {_lower(text)}"


def _filters(trial: Entry) -> Iterator[str]:
    """What the recipe's own filter gained, where the truth about generated pairs is known."""
    for model in trial["models"]:
        for figures in model["sources"].values():
            found = figures.get("filter")
            if found is None:
                continue
            t, gain = model["iteration"], found["gain"]
            size = f"{found['kept']} kept pairs, {_points(found['gain'], 1)} points of right answers over all pairs"
            if gain["ci_low"] > 0:
                yield f"The filter of iteration {t} keeps the better ones: {size}."
            elif gain["ci_high"] < 0:
                yield f"The filter of iteration {t} keeps the worse ones: {size}."
            else:
                yield f"The filter of iteration {t} is not shown to keep better ones than a random filter: {size}."


def _points(cell: Entry, digits: int) -> str:
    return span({k: 100 * cell[k] for k in ("value", "ci_low", "ci_high")}, digits, signed=True)


def _drifts(trial: Entry) -> Iterator[str]:
    for model in trial["drift"]:
        for source, found in model["sources"].items():
            head = f"M{model['iteration']} on M0's answers to {SOURCES.get(source, source)}"
            change, auroc = found["mean_change"], found["auroc_change"]
            if change and not change["ci_low"] <= 0 <= change["ci_high"]:
                way, by = ("higher", change) if change["value"] > 0 else ("lower", _mirrored(change))
                yield f"{head}: it scores the same answers {way} than M0 did, by {span(by)} on average."
            if auroc and not auroc["ci_low"] <= 0 <= auroc["ci_high"]:
                way = "better" if auroc["value"] > 0 else "worse"
                yield f"{head}: it tells right from wrong {way} than M0 did, AUROC {span(auroc, 2, signed=True)}."


def _mirrored(cell: Entry) -> Entry:
    """The same figure counted the other way."""
    return {"value": -cell["value"], "ci_low": -cell["ci_high"], "ci_high": -cell["ci_low"]}


def _preferences(trial: Entry) -> Iterator[str]:
    for found in trial["self_preference"]:
        t, whole, equal = found["iteration"], found["all"], found["equal"]
        if whole is None:
            yield (
                f"Self-preference of M{t} is not known: its answers differ from M0's, with all scores readable, on too "
                "few questions."
            )
            continue
        among = f"among answers equally right or wrong {span(equal, 2, signed=True)}"
        if equal is None:
            among = "too few of the answers are equally right or wrong to tell liking from skill"
        figures = f"{span(whole, 2, signed=True)} points on {whole['n']} questions; {among}"
        decides = equal or whole
        if decides["ci_low"] > 0:
            yield f"M{t} favours its own answers over M0's, more than M0 does: {figures}."
        elif decides["ci_high"] < 0:
            yield f"M{t} is harder on its own answers than M0 is: {figures}."
        else:
            yield f"No self-preference of M{t} is shown: {figures}."


def headline(trial: Entry) -> dict[str, str]:
    """Does this model know what it knows? `answer` in a word or two, its `look`, and `text`, a sentence."""
    found = [
        (f"M{model['iteration']} on {SOURCES.get(source, source)}", finding(figures))
        for model in trial["models"]
        for source, figures in model["sources"].items()
    ]
    known = [(name, told) for name, told in found if told.status != "unknown"]
    if not known:
        text = "No judge of this run has scored enough answers with a known truth."
        return {"look": "calm", "answer": "Not known", "text": text}
    sets = "the one set of answers tried" if len(known) == 1 else f"all {len(known)} sets of answers tried"
    doubtful = [name for name, told in known if told.look != "good"]
    if not doubtful:
        return {"look": "good", "answer": "Yes", "text": f"On {sets}, the scores tell right from wrong."}
    if all(told.look == "bad" for _, told in known):
        text = f"On {sets}, the scores are not shown to tell right from wrong."
        return {"look": "bad", "answer": "No", "text": text}
    good = len(known) - len(doubtful)
    text = f"On {good} of {len(known)} sets of answers the scores tell right from wrong; in doubt: {_listed(doubtful)}."
    return {"look": "warn", "answer": "In part", "text": text}


def _listed(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(names))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
