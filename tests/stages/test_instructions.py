"""instructions: lists in, tasks out; nothing is lost without a reason, and an interruption changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.backends.base import Request
from isheep.errors import RecipeError, YieldError
from isheep.records import Completion, Instruction, Record, Task
from isheep.stages.instructions import InstructionsSettings, run
from isheep.stages.stage import Context
from toy import SEEDS, Script, context, whole

TASKS = [Task(row["id"], row["instruction"], row.get("input", "")) for row in SEEDS]
SMALL: dict[str, Any] = {"count": 6, "shots": 2, "list_length": 5, "lists_per_round": 2}


def ctx_for(
    folder: Path,
    settings: dict[str, Any] | None = None,
    engine: Any = None,
    seeds: Sequence[Task] = TASKS,
    earlier: Sequence[Instruction] = (),
    journal: Sequence[Record] = (),
    **rest: Any,
) -> Context[Any]:
    header = folder / "header.txt"
    header.write_text("A list of tasks.\n", encoding="utf-8")
    if engine is not None:
        rest["open_engine"] = lambda: engine
    return context(
        InstructionsSettings(**{**SMALL, **(settings or {})}),
        folder,
        {"seeds": seeds, "earlier": earlier},
        journal,
        files={"prompt": header},
        **rest,
    )


def instructions(records: Sequence[Record]) -> list[Instruction]:
    return [record for record in records if isinstance(record, Instruction)]


def kept(records: Sequence[Record]) -> list[Instruction]:
    return [record for record in instructions(records) if record.reason is None]


def counting() -> Script:
    """Writes lists of three tasks, all different from one another."""

    def write(request: Request) -> str:
        k = int(request.id.split(".")[1])
        words = [f"Describe animal{k}{n} and plant{k}{n} with colour{k}{n}." for n in "abc"]
        return f" {words[0]}\n4. Task: {words[1]}\nInput: thing{k}\n5. Task: {words[2]}\n"

    return Script(write)


def test_count_is_reached_exactly_and_the_rest_is_recorded(tmp_path: Path) -> None:
    records = list(run(ctx_for(tmp_path, {"count": 7}, counting())))
    assert [i.id for i in kept(records)] == [
        "0.000000.00", "0.000000.01", "0.000000.02", "0.000001.00", "0.000001.01", "0.000001.02", "0.000002.00",
    ]  # fmt: skip
    assert [(i.id, i.reason) for i in instructions(records)[7:]] == [
        (f"0.00000{k}.0{n}", "over_count") for k, n in ((2, 1), (2, 2), (3, 0), (3, 1), (3, 2))
    ]
    assert sum(isinstance(record, Completion) for record in records) == 4


def test_what_a_record_holds(tmp_path: Path) -> None:
    engine = counting()
    records = list(run(ctx_for(tmp_path, engine=engine)))
    second = next(i for i in instructions(records) if i.id == "0.000001.01")
    assert (second.instruction, second.input) == (
        "Describe animal1b and plant1b with colour1b.",
        "thing1",
    )
    assert second.source == "0.000001"
    assert len(second.shots) == len(set(second.shots)) == 2
    shown = {task.id: task for task in TASKS}
    prompt = engine.prompts["0.000001"]
    assert prompt.startswith("A list of tasks.\n\n1. Task: " + shown[second.shots[0]].instruction)
    assert f"\n2. Task: {shown[second.shots[1]].instruction}" in prompt
    assert prompt.endswith("\n3. Task:")
    assert not any(row["output"] in prompt for row in SEEDS), "answers are never shown"


def test_the_request(tmp_path: Path) -> None:
    seen: list[Request] = []

    def write(request: Request) -> str:
        seen.append(request)
        return counting().write(request)

    settings = {"temperature": 0.7, "top_p": 0.8, "max_tokens": 50}
    list(run(ctx_for(tmp_path, settings, Script(write))))
    sampling = seen[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.7, 0.8, 50)
    assert "\n6. Task:" in sampling.stops
    assert len({request.seed for request in seen}) == len(seen)


def test_every_candidate_has_a_record_and_every_dropped_one_a_reason(tmp_path: Path) -> None:
    def write(request: Request) -> Completion:
        k = int(request.id.split(".")[1])
        text = (
            " Name three fruits that are red.\n"  # a seed
            f"4. Task: {'abc'[k]}a {'abc'[k]}b {'abc'[k]}c {'abc'[k]}d.\n"  # new
            f"5. Task: {'abc'[k]}a {'abc'[k]}b {'abc'[k]}c {'abc'[k]}d.\n"  # just written
            "6. Task: Short.\n"
            "7. Task:\n"
            "8. Task: Draw a picture of the sea at night.\n"
            f"9. Task: this one is cut in the mid"
        )
        return Completion(request.id, text, "length", 1, 1)

    records = list(run(ctx_for(tmp_path, {"list_length": 20, "count": 2, "patience": 1}, Script(write))))
    found = [i.reason for i in instructions(records)][:7]
    assert found == ["near_duplicate", None, "near_duplicate", "length", "empty", "blacklist", "cut"]
    assert len(instructions(records)) == 7 * 2


def test_near_duplicates_of_earlier_iterations_are_dropped(tmp_path: Path) -> None:
    old = [
        Instruction("0.000000.00", "Describe animal0a and plant0a with colour0a.", "", (), "0.000000"),
        Instruction("0.000000.01", "Describe animal0b and plant0b with colour0b.", "", (), "x", "length"),
    ]
    records = list(run(ctx_for(tmp_path, engine=counting(), earlier=old, iteration=1)))
    reasons = {i.id: i.reason for i in instructions(records)}
    assert reasons["1.000000.00"] == "near_duplicate"
    assert reasons["1.000000.01"] is None, "what was dropped earlier may be written again"


@pytest.mark.parametrize(("on", "reason"), [("instruction", "near_duplicate"), ("pair", None)])
def test_instruction_or_pair_is_compared(tmp_path: Path, on: str, reason: str | None) -> None:
    texts = iter(["a1 a2 a3 a4 a5 a6 a7 a8", "b1 b2 b3 b4 b5 b6 b7 b8", "c1 c2", "d1 d2"])
    script = Script(lambda request: f" Give the plural of the word.\nInput: {next(texts)}\n")
    settings = {"count": 2, "overlap": {"on": on}, "patience": 2, "rules": []}
    ctx = ctx_for(tmp_path, settings, script)
    if reason:
        with pytest.raises(YieldError):
            list(run(ctx))
    else:
        assert len(kept(list(run(ctx)))) == 2


def test_seeds_need_not_be_compared_with(tmp_path: Path) -> None:
    script = Script(lambda request: " Name three fruits that are red.\n")
    records = list(run(ctx_for(tmp_path, {"count": 1, "overlap": {"seeds": False}}, script)))
    assert len(kept(records)) == 1


def test_rules_can_be_left_out(tmp_path: Path) -> None:
    script = Script(lambda request: " Sing.\n")
    records = list(run(ctx_for(tmp_path, {"count": 1, "rules": []}, script)))
    assert [i.instruction for i in kept(records)] == ["Sing."]


def test_a_collapsed_yield_stops_with_advice(tmp_path: Path) -> None:
    script = Script(lambda request: " blah\n")
    with pytest.raises(YieldError) as caught:
        list(run(ctx_for(tmp_path, {"patience": 3}, script)))
    assert len(script.asked) == 3 * 2
    assert "only 0 of 6 new tasks after 3 rounds" in caught.value.message
    assert "'blah'" in caught.value.message
    assert "instructions.author: base" in caught.value.hint


def test_a_collapse_is_the_same_after_an_interruption(tmp_path: Path) -> None:
    script = Script(lambda request: " blah\n")
    written: list[Record] = []
    with pytest.raises(YieldError) as first:
        written.extend(run(ctx_for(tmp_path, {"patience": 2}, script)))
    assert len(written) == 8
    again = Script()
    with pytest.raises(YieldError) as second:
        list(run(ctx_for(tmp_path, {"patience": 2}, again, journal=written)))
    assert again.asked == []
    assert (first.value.message, first.value.hint) == (second.value.message, second.value.hint)


def test_one_good_round_gives_new_patience(tmp_path: Path) -> None:
    good = counting()

    def write(request: Request) -> str:
        return good.write(request) if int(request.id.split(".")[1]) % 6 == 4 else " blah\n"

    records = list(run(ctx_for(tmp_path, {"patience": 3, "count": 9}, Script(write))))
    assert len(kept(records)) == 9


def test_a_model_that_never_writes_anything_new_is_stopped_however_low_the_bar(tmp_path: Path) -> None:
    script = Script(lambda request: "")
    with pytest.raises(YieldError):
        list(run(ctx_for(tmp_path, {"min_yield": 1e-9, "patience": 2}, script)))


def test_too_few_seeds(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"instructions\.shots is 2, but there are only 1 seed"):
        list(run(ctx_for(tmp_path, engine=Script(), seeds=TASKS[:1])))


def test_seeds_too_long_for_the_context_are_left_out(tmp_path: Path) -> None:
    long = Task("long", "word " * 300)
    engine = counting()
    engine.context = 120
    notes: list[str] = []
    records = list(run(ctx_for(tmp_path, engine=engine, seeds=[*TASKS, long], note=notes.append)))
    assert notes == ["1 of 7 seed tasks are too long to be shown to this model"]
    assert not any("long" in i.shots for i in instructions(records))


def test_a_context_too_small_for_any_seed(tmp_path: Path) -> None:
    engine = counting()
    engine.context = 16
    with pytest.raises(YieldError, match="no seed task fits into the model's context of 16 tokens"):
        list(run(ctx_for(tmp_path, engine=engine, seeds=[Task(f"t{i}", "word " * 40) for i in range(3)])))


def test_fewer_examples_shift_the_numbers(tmp_path: Path) -> None:
    """Two seeds of 40 words do not fit together: one is shown, and the list is open at 2."""
    engine = Script(lambda request: " " + counting().write(request).lstrip())
    engine.context = 120
    seeds = [Task(f"t{i}", f"word{i} " * 40) for i in range(3)]
    for record in run(ctx_for(tmp_path, {"patience": 1, "count": 1}, engine, seeds)):
        if isinstance(record, Instruction):
            assert len(record.shots) == 1
    assert all(prompt.endswith("\n2. Task:") for prompt in engine.prompts.values())


@pytest.mark.parametrize("overlap", [{}, {"across": False, "window": 3}])
def test_an_interruption_anywhere_changes_nothing(tmp_path: Path, overlap: dict[str, Any]) -> None:
    """With the fake engine's natural defects: cut after every record, go on, and compare."""
    settings = {"count": 9, "list_length": 8, "overlap": overlap}
    made = whole(run, lambda journal: ctx_for(tmp_path, settings, journal=journal))
    assert len({i.reason for i in instructions(made)}) > 2, "the toy run shows several fates"


def test_the_order_of_answers_does_not_matter(tmp_path: Path) -> None:
    engine = counting()
    backwards = list(run(ctx_for(tmp_path, {"count": 7}, engine)))
    engine.generate = lambda requests, skip=(): iter(
        Completion(r.id, counting().write(r), "stop", len(r.prompt.split()), len(counting().write(r).split()))
        for r in requests
    )
    forwards = list(run(ctx_for(tmp_path, {"count": 7}, engine)))
    assert instructions(backwards) == instructions(forwards)


def test_progress_counts_kept_tasks(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    list(run(ctx_for(tmp_path, engine=counting(), report=lambda *now: told.append(now))))
    assert told[0] == (0, 6, "tasks")
    assert told[-1] == (6, 6, "tasks")


def test_a_prompt_too_long_for_the_model_is_a_dropped_record(tmp_path: Path) -> None:
    good = counting()

    def write(request: Request) -> str | Completion:
        long = request.id.endswith("1")
        return Completion(request.id, "", "too_long", 9, 0) if long else good.write(request)

    records = list(run(ctx_for(tmp_path, engine=Script(write))))
    dropped = next(i for i in instructions(records) if i.source == "0.000001")
    assert (dropped.id, dropped.instruction, dropped.reason) == ("0.000001.00", "", "too_long")
    assert len(kept(records)) == 6
