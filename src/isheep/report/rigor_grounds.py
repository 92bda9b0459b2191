"""The reviewer's questions on what the scores rest on: contamination, held-out prompts, judges, collapse.

Reads the summary and the records of judges. A part of the rigor page (rigor.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isheep.chat.protocols import RULE
from isheep.records import Judgment
from isheep.report.contamination import WHERE
from isheep.report.measures import alarms, broken_limits, is_blind
from isheep.report.numbers import percent
from isheep.report.rigor_numbers import MANY_MISSING
from isheep.report.rigor_row import AGAIN, Check, State, Subject, listed, plural

#: What the trial of the judge is called -> what that means here.
_TRIAL: Mapping[str, State] = {"Yes": "yes", "In part": "part", "No": "no"}


def contamination(s: Subject) -> Check | None:
    question = "Are the seeds and the generated texts free of benchmark questions?"
    found = s.summary.get("contamination")
    if not s.trains:
        return None
    if not found or not found["iterations"]:
        return Check(
            "contamination", question, "no", "Not looked for: there is no test to compare with.", s.tests()
        )
    last = found["iterations"][-1]
    checked = sum(sum(e["checked"][w] for w in WHERE if w != "seed") for e in found["iterations"])
    flagged = {w: sum(e["flagged"][w] for e in found["iterations"]) for w in WHERE if w != "seed"}
    of_seeds = last["flagged"]["seed"]
    count = sum(flagged.values())
    what = f"{found['n']} words in a row, or the whole of a shorter prompt"
    answer = (
        f"{count:,} of {checked:,} generated texts and {of_seeds:,} of {last['checked']['seed']:,} seeds share {what}, "
        f"with one of {sum(found.get('questions', {}).values()):,} questions."
    )
    unseen = [task for task in s.heads if task not in found.get("questions", {})]
    if unseen:
        return Check(
            "contamination", question, "part", f"{answer} {listed(unseen)} were not looked for.",
            f"`isheep eval {s.name} --tasks NAME` looks for the questions it asks.",
        )  # fmt: skip
    if of_seeds:
        return Check(
            "contamination",
            question,
            "part",
            answer,
            "Seeds without those tasks: a file of your own in `seeds.file`.",
        )
    if not count:
        return Check("contamination", question, "yes", answer)
    if found["drop"]:
        return Check(
            "contamination", question, "yes", f"{answer} Flagged pairs were dropped before training."
        )
    answer += (
        " Flagged pairs could be trained on, unless their request is the very prompt of a held-out test."
    )
    return Check("contamination", question, "part", answer, f"`{AGAIN} --set contamination.drop=true`.")


def pretraining(s: Subject) -> Check:
    question = "Are the tests known to be new to the base model?"
    if not s.has_model:
        answer = "There is no model: a stand-in wrote everything, and nothing can be learnt from its scores."
        supply = f"`{AGAIN} --set backend.engine=hf --set backend.trainer=trl` takes a real one."
        return Check("pretraining", question, "no", answer, supply)
    ours = [Path(task).stem for task in s.run.recipe.evaluate.tasks]
    if s.run.recipe.model.base == "lamb" and ours == ["lamb"] and set(s.heads) <= {"lamb"}:
        answer = "lamb's corpus is known and asks no held-out question, though the fact behind one may be told in it."
        return Check("pretraining", question, "yes", answer)
    answer = (
        "Nobody can tell from here. What is compared are this run's own texts; a base model may score well because it "
        "has read a benchmark, and every model made from it with it."
    )
    supply = (
        f"Questions written after the base model was published: `isheep eval {s.name} --tasks ./questions.jsonl`; or "
        "a base model whose corpus is open to search."
    )
    return Check("pretraining", question, "no", answer, supply)


def held_out(s: Subject) -> Check | None:
    question = "Were the test prompts kept out of training?"
    if not s.trains or not s.heads:
        return None
    kept_out = {Path(task).stem for task in s.run.recipe.evaluate.tasks}
    reasons = [
        e["dropped"].get(f"{stage}/held_out", 0) for e in s.entries for stage in ("filter", "preferences")
    ]
    others = [task for task in s.heads if task not in kept_out]
    guarded = [task for task in s.heads if task in kept_out]
    answer = (
        f"A pair whose request is a prompt of {listed(guarded)} is dropped before training: "
        f"{plural(sum(reasons), 'pair')} in this run."
        if guarded
        else "No test of this run was kept out of training."
    )
    drop = s.run.recipe.contamination.drop
    found = (s.summary.get("contamination") or {}).get("questions", {})
    exposed = [task for task in others if not (drop and task in found)]
    if not exposed:
        return Check("held_out", question, "yes", answer)
    return Check(
        "held_out", question, "part" if guarded else "no",
        f"{answer} The prompts of {listed(exposed)} could be trained on, had the model written them.",
        f"`{AGAIN} --set contamination.drop=true`, with the tests in the recipe; `evaluate.tasks` for your own files.",
    )  # fmt: skip


def self_assessment(s: Subject) -> Check | None:
    question = "Does the self-assessment tell right from wrong, by a truth outside itself?"
    if not s.trains:
        return None
    if s.run.recipe.assessment.level == "none":
        answer = "There is none: this run judges nothing (`assessment.level`)."
        return Check("self_assessment", question, "no", answer, f"`{AGAIN} --set assessment.level=both`.")
    trial = s.summary.get("trial")
    state = _TRIAL.get(trial["headline"]["answer"]) if trial else None
    if not trial or state is None:
        told = trial["headline"]["text"] if trial else "It was not tried."
        return Check(
            "self_assessment", question, "no", f"Not known: {told[0].lower()}{told[1:]}",
            f"`{AGAIN} --set exam.constraints=100`: prompts whose answers a program can check.",
        )  # fmt: skip
    answer = f"{trial['headline']['answer']}: {trial['headline']['text'][0].lower()}{trial['headline']['text'][1:]}"
    if state == "yes" and any(is_blind(e) for e in s.entries):
        state = "part"
        answer += " But it does not score planted right answers above wrong ones."
    supply = (
        "Another judging prompt or reading (`assessment.prompts`, `assessment.reading`); the sweep that compares them: "
        f"{s.sweep('lamb_table3', 'table3')}."
    )
    return Check("self_assessment", question, state, answer, supply)


def outside_judge(s: Subject) -> Check:
    question = "Did a judge from outside the loop, named and dated, read answers?"
    judged = [a for step, a in s.done if step.stage == "judged"]
    supply = (
        f"`isheep eval {s.name} --tasks ./questions.jsonl --judge openai --judge-model NAME`, with `--judge-url URL` "
        "for a server of your own."
    )
    if not judged:
        answer = "None: all scores here come from accepted answers and from programs."
        return Check(
            "outside_judge", question, "no", answer if s.heads else "None: there is no score.", supply
        )
    verdicts = [j for artifact in judged for j in artifact.read(Judgment) if j.judge != RULE]
    lost = sum(j.value is None for j in verdicts) / (len(verdicts) or 1)
    dates = sorted({str(a.manifest.get("started", ""))[:10] for a in judged} - {""})
    when = " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "a day not recorded"
    answer = (
        f"{listed(sorted({j.judge for j in verdicts})) or 'Nobody'} gave {plural(len(verdicts), 'verdict')} on {when}; "
        f"{percent(lost)} of them are missing. What stands behind a name may change: compare within one judge and time."
    )
    inside = [text for artifact in judged if (text := _inside(s, artifact.manifest.get("settings") or {}))]
    if inside:
        return Check("outside_judge", question, "no", f"{answer} But {inside[0]}.", supply)
    if lost > MANY_MISSING:
        return Check(
            "outside_judge", question, "part", f"{answer} So many missing make it a selection.", supply
        )
    return Check("outside_judge", question, "yes", answer)


def _inside(s: Subject, settings: Mapping[str, Any]) -> str:
    """Why a judge is none from outside; empty where it is one."""
    if settings.get("kind") == "scripted":
        return "it is a script, which has read nothing"
    if settings.get("kind") == "engine" and settings.get("model") in ("base", s.run.recipe.model.base):
        return "it is the base model of this very run"
    return ""


def guard(s: Subject) -> Check | None:
    question = "Is the loop watched, and free of signs of collapse?"
    if not s.trains:
        return None
    measured = [e for e in s.entries if e["review"]]
    if s.summary["guard"] == "off":
        answer = "Not watched: the collapse guard is switched off."
        return Check("guard", question, "no", answer, f"`{AGAIN} --set review.guard.action=warn`.")
    if not measured:
        return Check(
            "guard", question, "no", "No iteration has been reviewed yet.", f"Finish the run: `{AGAIN}`."
        )
    held = [m for e in measured for m in e["review"]["measures"].values() if m["ok"] is not None]
    broken = sum(len(broken_limits(s.summary, e)) for e in measured)
    answer = (
        f"{plural(len(held), 'figure')} held against limits in {plural(len(measured), 'iteration')} (lengths, "
        f"duplicates, variety, yield, top scores, planted answers); of the collapse guard's {broken or 'none'} broken."
    )
    if not broken:
        return Check("guard", question, "yes", answer)
    return Check(
        "guard", question, "part", f"{answer} {listed(alarms(s.summary))}.",
        "Gentler steps (`train.learning_rate`, `train.epochs`), tasks written by the base model "
        f"(`instructions.author=base`), or an end at the first sign: `{AGAIN} --set review.guard.action=stop`.",
    )  # fmt: skip


CHECKS = (contamination, pretraining, held_out)
JUDGES = (self_assessment, outside_judge, guard)
