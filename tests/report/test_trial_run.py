"""The judge's trial gathered from a run's records, and its section of the page."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from isheep.errors import IsheepError
from isheep.lamb import world
from isheep.records import Constraint, Decision, Instruction, Pair, Record, Verdict
from isheep.report.figures import Figure
from isheep.report.markup import Html
from isheep.report.tables import Table
from isheep.report.trial import MOST_PAIRS, grade, trial
from isheep.report.trial_plots import trial_figures
from isheep.report.trial_view import trial_section, trial_tables
from isheep.runs import Run
from isheep.store import Store
from made_runs import Maker

NO_COMMA = '[["punctuation:no_comma", {}]]'
#: (judge, author, right, number of the question) -> score, or None for one that cannot be read.
Judge = Callable[[int, int, bool, int], float | None]


def answer(id: str, text: str, finish: str = "stop") -> Pair:
    return Pair(id, f"Question {id}", "", text, finish, True, 5, 2)


def verdicts(scores: Mapping[str, float | None]) -> list[Record]:
    return [Verdict(f"{id}/quality", id, "quality", score) for id, score in scores.items()]


def made(
    folder: Path,
    judge: Judge,
    *,
    models: int = 2,
    questions: int = 60,
    right: Callable[[int, int], bool] = lambda t, i: (7 * i + t) % 10 < 5 + t,
    before_judging: bool = False,
) -> Run:
    """A run of which only the exam is done: `models` models and half of the questions of either kind."""
    make = Maker(Store(folder), "exam", 1, models - 1, "none")
    tests = [f"test:q{i}" for i in range(questions)]
    checks = [f"check:c{i}" for i in range(questions)]
    make.step(
        "exam",
        "exam",
        0,
        [
            *(Instruction(id, f"Question {id}", "", (), "") for id in (*tests, *checks)),
            *(Constraint(id, answers=("yes", "Yes, it is")) for id in tests),
            *(Constraint(id, checks=NO_COMMA) for id in checks),
        ],
    )

    def step(name: str, t: int, by: int, author: int) -> None:
        scores = {id: judge(by, author, right(author, int(id[6:] if id[0] == "t" else id[7:])), n)
                  for n, id in enumerate((*tests, *checks))}  # fmt: skip
        make.step(name, "assessment", t, verdicts(scores))

    for t in range(models):
        said = [answer(id, ("yes.", "Yes, it is")[i % 2] if right(t, i) else f"no {t}{' !' * (i % 5)}")
                for i, id in enumerate(tests)]  # fmt: skip
        kept = [answer(id, f"{'plain' if right(t, i) else 'so,'} {'word ' * (i % 5)}{t * (not right(t, i))}")
                for i, id in enumerate(checks)]  # fmt: skip
        make.step("exam_responses", "responses", t, [*said, *kept])
        if before_judging:
            continue
        step("exam_own", t, t, t)
        if t:
            step("exam_first", t, t, 0)
            step("exam_base", t, 0, t)
    return make.done()


def good(by: int, author: int, right: bool, n: int) -> float:
    return random.Random(f"{by}/{author}/{n}").gauss(6.8 if right else 5.2, 0.7)


def blind(by: int, author: int, right: bool, n: int) -> float:
    return random.Random(f"{by}/{author}/{n}").uniform(1, 10)


# ---------------------------------------------------------------- grading


@pytest.mark.parametrize(
    ("constraint", "text", "right"),
    [
        (Constraint("q", answers=("yes", "It is.")), " YES. ", True),
        (Constraint("q", answers=("yes", "It is.")), "it is", True),
        (Constraint("q", answers=("yes",)), "yes, it is", False),
        (Constraint("q", checks=NO_COMMA), "No commas here.", True),
        (Constraint("q", checks=NO_COMMA), "One, two.", False),
        (
            Constraint("q", checks='[["punctuation:no_comma", {}], ["startend:quotation", {}]]'),
            "Bare.",
            False,
        ),
        (Constraint("q", checks='[["punctuation:no_comma", {}], ["startend:quotation", {}]]'), '"So."', True),
    ],
)
def test_grading(constraint: Constraint, text: str, right: bool) -> None:
    assert grade(constraint, answer("q", text)) is right


def test_what_cannot_grade_is_an_error() -> None:
    with pytest.raises(ValueError, match="neither answers nor checks"):
        grade(Constraint("q"), answer("q", "yes"))
    with pytest.raises(IsheepError):
        grade(Constraint("q", checks='[["no:such_type", {}]]'), answer("q", "yes"))


# ---------------------------------------------------------------- gathering


def test_a_run_without_an_exam_or_a_truth_has_no_trial(tmp_path: Path) -> None:
    make = Maker(Store(tmp_path), "plain", 1, 1, "none")
    make.step("responses", "responses", 0, [answer("p1", "yes")])
    make.step("assessment", "assessment", 0, verdicts({"p1": 9.0}))
    assert trial(make.done()) is None


def test_answers_that_nobody_judged_are_no_trial(tmp_path: Path) -> None:
    assert trial(made(tmp_path, good, before_judging=True)) is None


def test_models_sources_drift_and_self_preference(tmp_path: Path) -> None:
    found = trial(made(tmp_path, good, models=3))
    assert found is not None
    assert found["questions"] == {"tests": 60, "constraints": 60}
    assert [m["iteration"] for m in found["models"]] == [0, 1, 2]
    assert [d["iteration"] for d in found["drift"]] == [1, 2]
    assert [s["iteration"] for s in found["self_preference"]] == [1, 2]
    for t, model in enumerate(found["models"]):
        assert list(model["sources"]) == ["tests", "constraints"]
        for figures in model["sources"].values():
            assert figures["n"] == 60
            assert figures["right"]["value"] == pytest.approx(0.5 + 0.1 * t)
            assert figures["auroc"]["ci_low"] > 0.7
    assert found["headline"]["look"] == "good"
    assert any(text.startswith("M0 on exam questions") for text in found["sentences"])
    # The right answers of both models are the same text: nothing to prefer there.
    assert found["self_preference"][0]["same"] == 60


def test_a_judge_without_skill_is_called_bad(tmp_path: Path) -> None:
    found = trial(made(tmp_path, blind, models=1, questions=400))
    assert found is not None
    assert found["headline"]["look"] == "bad"
    assert any("do not tell right from wrong: AUROC 0." in text for text in found["sentences"])
    assert (found["drift"], found["self_preference"]) == ([], [])


def test_planted_self_preference_is_told(tmp_path: Path) -> None:
    def partial(by: int, author: int, right: bool, n: int) -> float:
        return good(by, author, right, n) + 1.5 * (by == author == 1)

    found = trial(made(tmp_path, partial, questions=200))
    assert found is not None
    assert found["self_preference"][0]["equal"]["ci_low"] > 0.5
    assert any(text.startswith("M1 favours its own answers") for text in found["sentences"])


def test_drift_is_about_the_frozen_answers(tmp_path: Path) -> None:
    def lenient(by: int, author: int, right: bool, n: int) -> float:
        return good(0, author, right, n) + 0.3 * by

    found = trial(made(tmp_path, lenient))
    assert found is not None
    cell = found["drift"][0]["sources"]["tests"]
    assert cell["mean_change"]["value"] == pytest.approx(0.3)
    assert cell["auroc_change"]["value"] == 0
    # What M1 adds to all is no self-preference.
    assert found["self_preference"][0]["all"]["value"] == pytest.approx(0, abs=1e-9)


def test_unreadable_scores_are_counted(tmp_path: Path) -> None:
    found = trial(made(tmp_path, lambda by, author, right, n: good(by, author, right, n) if n % 3 else None))
    assert found is not None
    assert found["models"][0]["sources"]["tests"]["unreadable"] == 20


# ---------------------------------------------------------------- generated pairs


def generated(folder: Path, count: int, judge: str = "current") -> Run:
    """A run whose pairs lamb's world knows: half of them right, its judge good, and the better half kept."""
    make = Maker(Store(folder), "written", 1, 1, "lamb")
    make.recipe = make.recipe.model_copy(
        update={"assessment": make.recipe.assessment.model_copy(update={"judge": judge})}
    )
    pairs = [
        Pair(f"p{i:05d}", task, given, right if i % 2 else "I do not know.", "stop", True, 5, 2)
        for i, (task, given, (right, *_)) in enumerate(world.held_out(count, 0))
    ]
    scores = {p.id: good(0, 0, bool(i % 2), i) for i, p in enumerate(pairs)}
    best = sorted(scores, key=lambda id: -scores[id])[: count // 2]
    make.step("responses", "responses", 0, pairs)
    make.step("assessment", "assessment", 0, verdicts(scores))
    make.step(
        "filter",
        "filter",
        0,
        [Decision(p.id, p.id in best, None if p.id in best else "x", None, None) for p in pairs],
    )
    return make.done()


def test_generated_pairs_are_tried_where_the_truth_is_known(tmp_path: Path) -> None:
    found = trial(generated(tmp_path, 120, "base"))
    assert found is not None
    figures = found["models"][0]["sources"]["generated"]
    assert (figures["judged_by"], figures["of"], figures["n"]) == (0, 120, 120)
    assert figures["auroc"]["ci_low"] > 0.7
    kept = figures["filter"]
    assert kept["kept"] == 60
    assert kept["precision"] > kept["random_high"] > kept["base"]
    assert any(
        text.startswith("The filter of iteration 0 keeps the better ones") for text in found["sentences"]
    )
    assert found["questions"] == {}


def test_of_many_generated_pairs_whole_questions_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isheep.report.trial.MOST_PAIRS", 60)
    found = trial(generated(tmp_path, 120))
    assert found is not None
    figures = found["models"][0]["sources"]["generated"]
    assert figures["of"] == 120
    assert 30 < figures["n"] < 90
    assert MOST_PAIRS > 1000


# ---------------------------------------------------------------- the page


def parts(summary: Mapping[str, Any]) -> tuple[list[Html], list[Figure], list[Table]]:
    found = list(trial_section(summary))
    return (
        [part for part in found if isinstance(part, Html)],
        [part for part in found if isinstance(part, Figure)],
        [part for part in found if isinstance(part, Table)],
    )


def test_no_trial_no_section() -> None:
    assert list(trial_section({"trial": None})) == []
    assert trial_tables({}) == []
    assert list(trial_figures({})) == []


def test_the_section(tmp_path: Path) -> None:
    found = trial(made(tmp_path, good, models=3))
    texts, figures, tables = parts({"trial": found})
    assert ">Yes<" in texts[0]
    assert len(tables) == 4
    assert [row[0] for row in tables[0].rows][:2] == [
        "M0 (base), exam, answers",
        "M0 (base), exam, constraints",
    ]
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    titles = [figure.title for figure in figures]
    assert sum(title.startswith("Right among what a threshold keeps") for title in titles) == 2
    assert sum(title.startswith("Reliability") for title in titles) == 2
    assert titles[-2:] == ["AUROC on the frozen answers of M0", "Mean score on the frozen answers of M0"]


@pytest.mark.parametrize(
    "judge", [good, blind, lambda *_: None, lambda *_: 10.0], ids=["good", "blind", "mute", "flat"]
)
def test_every_figure_says_in_words_what_it_shows(tmp_path: Path, judge: Judge) -> None:
    summary = {"trial": trial(made(tmp_path, judge))}
    texts, figures, tables = parts(summary)
    assert texts
    assert tables
    names = []
    for figure in figures:
        assert re.search(r"\d", figure.plot.desc)
        names.append(figure.plot.name)
        json.dumps(dict(figure.plot.spec), allow_nan=False)
    assert len(names) == len(set(names))
    cells = " ".join(cell for table in tables for row in table.rows for cell in row)
    assert "nan" not in cells
