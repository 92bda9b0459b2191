"""Planted answers are of the kinds they claim to be, whatever the order of the tasks; blind judges are found out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.records import Pair, Task
from isheep.stats import auroc
from isheep.text.probes import EVASIONS, KINDS, plant, probe_report

ZOO = [
    Task(f"{kind}-{number}", f"{asked} {thing}?", "", answer, (answer,), kind)
    for kind, asked, facts in [
        ("colour", "Tell the colour of a", [("frog", "green"), ("fox", "red"), ("swan", "white"), ("leaf", "Green.")]),
        ("count", "How many legs has a", [("cow", "4"), ("bird", "2"), ("spider", "8")]),
        ("capital", "Which city is the capital of", [("France", "Paris"), ("Italy", "Rome"), ("Peru", "Lima")]),
    ]
    for number, (thing, answer) in enumerate(facts)
]  # fmt: skip
OUTPUTS = {task.id: task.output for task in ZOO}


def by_task(pairs: list[Pair]) -> dict[str, dict[str, Pair]]:
    found: dict[str, dict[str, Pair]] = {}
    for pair in pairs:
        task, _, kind = pair.id.rpartition(":")
        found.setdefault(task, {})[kind] = pair
    return found


def owners(response: str) -> set[str]:
    """The kinds of task that give this answer."""
    return {task.category for task in ZOO if task.output == response}


@given(st.integers(0, 2**63 - 1))
def test_every_answer_is_of_the_kind_it_claims(seed: int) -> None:
    planted = by_task(plant(ZOO, len(ZOO), seed))
    assert planted.keys() == OUTPUTS.keys()
    for task in ZOO:
        pairs = planted[task.id]
        assert tuple(pairs) == KINDS
        assert all((p.instruction, p.input) == (task.instruction, task.input) for p in pairs.values())
        answers = {kind: pair.response for kind, pair in pairs.items()}
        assert answers["right"] == task.output
        assert owners(answers["wrong"]) == {task.category}
        assert task.category not in owners(answers["off_topic"])
        assert answers["evasive"] in EVASIONS
        assert answers["empty"] == ""
        assert len({answer.casefold().rstrip(".") for answer in answers.values()}) == 5


@given(st.permutations(ZOO), st.integers(0, 12), st.integers(0, 99))
def test_the_order_of_tasks_does_not_count_and_fewer_are_the_first_of_more(
    shuffled: list[Task], count: int, seed: int
) -> None:
    planted = plant(ZOO, count, seed)
    assert plant(shuffled, count, seed) == planted
    assert len(planted) == 5 * min(count, len(ZOO))
    assert plant(ZOO, len(ZOO), seed)[: len(planted)] == planted


def test_the_seed_decides_tasks_and_answers() -> None:
    tasks = {frozenset(by_task(plant(ZOO, 3, seed))) for seed in range(20)}
    evasions = {plant(ZOO, 1, seed)[3].response for seed in range(60)}
    assert len(tasks) > 10
    assert evasions == set(EVASIONS)


def test_an_accepted_answer_is_never_wrong_even_of_another_task() -> None:
    """A frog is "green" and a leaf "Green.": one answer."""
    for seed in range(30):
        planted = by_task(plant(ZOO, len(ZOO), seed))
        assert planted["colour-0"]["wrong"].response in ("red", "white")
        assert planted["colour-3"]["wrong"].response in ("red", "white")
    ten = Task("ten", "What is five plus five?", "", "10", ("10", "ten"), "sum")
    word = Task("word", "Write 10 in words.", "", "Ten", (), "sum")
    assert all(by_task(plant([*ZOO, ten, word], 99, s))["ten"]["wrong"].response != "Ten" for s in range(30))


def test_the_same_request_lends_no_answer_as_both_may_be_right() -> None:
    twins = [
        Task(f"t{n}", "Name an animal.", "", answer, (), "open") for n, answer in enumerate(["cat", "dog"])
    ]
    for seed in range(20):
        for pairs in by_task(plant([*ZOO, *twins], 99, seed)).values():
            if pairs["right"].instruction == "Name an animal.":
                assert pairs["wrong"].response not in ("cat", "dog")


def test_without_categories_likeness_decides() -> None:
    bare = [Task(task.id, task.instruction, task.input, task.output) for task in ZOO]
    for seed in range(20):
        planted = by_task(plant(bare, len(bare), seed))
        for task in ZOO:
            assert owners(planted[task.id]["wrong"].response) == {task.category}
            assert task.category not in owners(planted[task.id]["off_topic"].response)


def test_tasks_without_output_are_neither_asked_nor_lend() -> None:
    silent = [Task(f"s{n}", f"Say {n}.", "", " ", (), "colour") for n in range(5)]
    assert plant([*ZOO, *silent], 99, 1) == plant(ZOO, 99, 1)


@pytest.mark.parametrize(
    "seeds", [[], ZOO[:1], ZOO[:2], [ZOO[0], ZOO[3]]], ids=["none", "one", "two", "equal"]
)
def test_too_few_to_borrow_from_plants_nothing(seeds: list[Task]) -> None:
    assert plant(seeds, 5, 0) == []


ANY_TASK = st.builds(
    Task, st.uuids().map(str), st.text(), st.text(), st.text(), category=st.sampled_from(["", "a", "b"])
)


@given(st.lists(ANY_TASK, max_size=6))
def test_any_tasks_give_whole_fives(seeds: list[Task]) -> None:
    planted = plant(seeds, 3, 0)
    assert len(planted) in (0, 5, 10, 15)
    assert len({pair.id for pair in planted}) == len(planted)


# ---------------------------------------------------------------- reading the scores


def scores(**by_kind: list[float | None]) -> dict[str, float | None]:
    return {f"task:{n}:{kind}": score for kind, given in by_kind.items() for n, score in enumerate(given)}


def test_a_judge_that_sees() -> None:
    given = scores(
        right=[9, 8, None], wrong=[4, 8, 3], off_topic=[2, 2, 2], evasive=[3, None, None], empty=[1, 1, 1]
    )
    report = probe_report(given, auroc)
    assert [(k.kind, k.count, k.unreadable, k.mean, k.auroc) for k in report.kinds] == [
        ("right", 3, 1, 8.5, None),
        ("wrong", 3, 0, 5, pytest.approx(5.5 / 6)),
        ("off_topic", 3, 0, 2, 1),
        ("evasive", 3, 2, 3, 1),
        ("empty", 3, 0, 1, 1),
    ]
    assert report.auroc == pytest.approx(19.5 / 20)
    assert report.preferred == ()
    assert report.blind is False


def test_a_judge_that_always_says_ten_is_blind() -> None:
    report = probe_report(scores(**{kind: [10.0] * 4 for kind in KINDS}), auroc)
    assert (report.auroc, report.blind) == (0.5, True)
    assert report.preferred == ("wrong", "off_topic", "evasive", "empty")


def test_a_judge_that_likes_evasions_is_not_blind_but_is_told_on() -> None:
    given = scores(right=[8, 8], wrong=[4, 4], off_topic=[2, 2], evasive=[9, 9], empty=[1, 1])
    report = probe_report(given, auroc)
    assert (report.auroc, report.blind, report.preferred) == (0.75, False, ("evasive",))


def test_more_often_above_but_lower_on_average_is_blind() -> None:
    report = probe_report(scores(right=[2, 2, 2], wrong=[1, 1, 10]), auroc)
    assert report.auroc == pytest.approx(2 / 3)
    assert report.blind is True


@pytest.mark.parametrize(
    "given", [{}, scores(right=[1, 2]), scores(wrong=[1]), scores(right=[None], wrong=[1])]
)
def test_what_cannot_be_known(given: dict[str, float | None]) -> None:
    report = probe_report(given, auroc)
    assert (report.auroc, report.blind, report.preferred) == (None, None, ())


def test_another_id_is_refused() -> None:
    with pytest.raises(ValueError, match="planted"):
        probe_report({"0.000001.03": 5.0}, auroc)


GIVEN = st.dictionaries(st.tuples(st.integers(0, 5), st.sampled_from(KINDS)), st.none() | st.integers(1, 10))


@given(GIVEN, st.randoms(use_true_random=False))
def test_order_does_not_count_and_all_are_counted(
    given: dict[tuple[int, str], float | None], rng: object
) -> None:
    named = {f"task-{n}:{kind}": score for (n, kind), score in given.items()}
    report = probe_report(named, auroc)
    shuffled = list(named.items())
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    again = probe_report(dict(shuffled), auroc)
    assert (again.blind, again.preferred) == (report.blind, report.preferred)
    assert sum(kind.count for kind in report.kinds) == len(named)
    assert all(k.mean is None or 1 <= k.mean <= 10 for k in report.kinds)
    assert report.auroc is None or (0 <= report.auroc <= 1 and math.isfinite(report.auroc))


def test_what_is_planted_can_be_read() -> None:
    report = probe_report({pair.id: 5.0 for pair in plant(ZOO, 4, 0)}, auroc)
    assert [kind.count for kind in report.kinds] == [4] * 5
