"""`isheep eval` without a terminal: names of tasks, a model, every model of a run; nothing is done twice."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark_rows import ROWS, write_rows
from evaluated import ASKED, IFEVAL, PAIRS, TALK
from isheep.benchmarks import GROUPS
from isheep.errors import RecipeError, StoreError
from isheep.evaluation import evaluate, settings_of
from isheep.records import Judgment, Leak, Reply
from isheep.report import summarize
from isheep.runs import Run, open_run
from isheep.step import Event
from isheep.walk import run
from toy import TESTS, contents, toy, write_lines
from watching import Watch

#: A model that is not there, asked by the fake backend.
FAKE = ("backend={engine: fake, trainer: fake}", "model.layout=question", "runtime.isolation=none")
JUDGE = ("judge={kind: scripted, script: longer}", "chat.baseline=base")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the published file names."""
    folder = tmp_path_factory.mktemp("data")
    write_lines(folder / "ifeval_input_data.jsonl", IFEVAL)
    (folder / "alpaca_eval.json").write_text(json.dumps(PAIRS), encoding="utf-8")
    write_lines(folder / "question.jsonl", TALK)
    write_lines(folder / "mine.jsonl", ASKED)
    write_rows(folder / "boolq.jsonl", ROWS["boolq"])
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished toy run; to be copied."""
    folder = tmp_path_factory.mktemp("made")
    return run(toy(folder), folder / "store", "toy")


@pytest.fixture
def trained(made: Run, tmp_path: Path) -> Run:
    """A copy of the finished run, in a store of its own."""
    shutil.copytree(made.store.root, tmp_path / "store")
    return open_run("toy", tmp_path / "store")


def evaluated(
    target: Run, tasks: Sequence[str], data: Path | None = None, *overrides: str, limit: int | None = None
) -> Run:
    return evaluate(target.name, tasks, data_dir=data, limit=limit, overrides=overrides, store=target.store)


def scores(made: Run) -> dict[tuple[int, str, str], dict[str, Any]]:
    """What summary.json has, by iteration, task and metric."""
    summary = json.loads((made.folder / "summary.json").read_text(encoding="utf-8"))
    return {(e["iteration"], s["task"], s["metric"]): s for e in summary["iterations"] for s in e["scores"]}


def told(made: Run) -> set[str]:
    """The words of both reports that are in each of them."""
    pages = [(made.folder / f"report.{end}").read_text(encoding="utf-8") for end in ("html", "md")]
    return set.intersection(*(set(re.findall(r"\w+", page.replace("\\_", "_"))) for page in pages))


def by_key(made: Run) -> dict[str, str]:
    """The name of every finished step."""
    return {step.key: step.name for step in made.steps if made.artifact(step)}


# names of tasks


def test_no_task_is_a_mistake() -> None:
    with pytest.raises(RecipeError, match="--tasks names no task") as caught:
        settings_of([])
    assert "ifeval" in caught.value.hint


@pytest.mark.parametrize(
    ("rows", "section"), [(ASKED, "evaluate.tasks"), (PAIRS, "chat.pairwise"), (TALK, "chat.graded")]
)
@pytest.mark.parametrize("form", ["lines", "list"])
def test_a_file_may_begin_with_a_byte_order_mark(
    tmp_path: Path, rows: Sequence[Any], section: str, form: str
) -> None:
    path = tmp_path / "mine.jsonl"
    text = "\r\n".join(map(json.dumps, rows)) if form == "lines" else json.dumps(rows)
    path.write_text(f"\ufeff{text}", encoding="utf-8")
    assert settings_of([str(path)]) == {section: [str(path)]}


def test_a_file_nested_deeper_than_can_be_read_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(RecipeError, match=r"deep\.jsonl"):
        settings_of([str(path)])


@pytest.mark.parametrize("target", ["", "here"])
def test_what_is_no_model_is_told_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match="MODEL_OR_RUN") as caught:
        evaluate(target, ["lamb"], store=tmp_path / "store")
    assert "run" in caught.value.hint


def test_every_name_has_its_place(data: Path) -> None:
    found = settings_of(["boolq", "ifeval", "mt_bench", "alpaca_eval", "lamb", "boolq"], data, 5)
    assert found == {
        "benchmarks.tasks": ["boolq"],
        "benchmarks.data_dir": str(data),
        "benchmarks.limit": 5,
        "ifeval.file": str(data / "ifeval_input_data.jsonl"),
        "ifeval.limit": 5,
        "chat.graded": [str(data / "question.jsonl")],
        "chat.pairwise": [str(data / "alpaca_eval.json")],
        "chat.limit": 5,
        "evaluate.tasks": ["lamb"],
    }


@pytest.mark.parametrize("group", GROUPS)
def test_groups_stand_for_their_tasks(group: str, data: Path) -> None:
    folder = data if group == "paper_chat" else None
    assert settings_of([group], folder) == settings_of(GROUPS[group], folder)


@pytest.mark.parametrize(
    ("name", "rows", "section"),
    [
        ("exact.jsonl", ASKED, "evaluate.tasks"),
        ("pairs.jsonl", PAIRS, "chat.pairwise"),
        ("pairs.json", PAIRS, "chat.pairwise"),
        ("talk.jsonl", TALK, "chat.graded"),
        ("plain.jsonl", [{"instruction": "Say yes."}], "chat.graded"),
    ],
)
def test_a_file_of_ones_own_is_told_by_its_first_row(
    tmp_path: Path, name: str, rows: Sequence[Any], section: str
) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(list(rows), indent=1), encoding="utf-8")
    if path.suffix == ".jsonl":
        write_lines(path, rows)
    assert settings_of([str(path)]) == {section: [str(path)]}


def test_all_that_is_wrong_with_the_names_is_said_at_once(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("no question\n", encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        settings_of(["bolq", "ifeval", "mt_bench", str(broken), str(tmp_path / "gone.jsonl")], tmp_path)
    said = caught.value.message.split("\n")
    assert len(said) == 6
    for line, word in zip(said[1:], ("bolq", "ifeval", "mt_bench", str(broken), "gone.jsonl"), strict=True):
        assert word in line
    assert "did you mean 'boolq'?" in said[1]
    assert "ifeval_input_data.jsonl" in said[2]


def test_what_needs_data_says_so_without_a_folder() -> None:
    with pytest.raises(RecipeError, match="ifeval: its data are needed") as caught:
        settings_of(["ifeval"])
    assert "--data-dir" in caught.value.hint


def test_benchmarks_without_their_data_are_named_all_at_once(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        evaluate(
            "toy-base", ["boolq", "piqa", "winogrande"], data_dir=data, overrides=FAKE, store=tmp_path / "s"
        )
    assert "piqa" in caught.value.message
    assert "winogrande" in caught.value.message
    assert "boolq:" not in caught.value.message


# a model


def test_a_model_is_put_through_every_kind_of_task(data: Path, tmp_path: Path) -> None:
    tasks = ["boolq", "ifeval", "mt_bench", "alpaca_eval", str(data / "mine.jsonl")]
    judge = ("judge={kind: scripted, script: longer}",)
    found = evaluate("toy-base", tasks, data_dir=data, overrides=(*FAKE, *judge), store=tmp_path / "store")
    assert found.complete
    assert {step.stage for step in found.steps} >= {"benchmarks", "ifeval", "chat", "judged", "evaluate"}
    rows = scores(found)
    assert {(t, task) for t, task, _ in rows} == {
        (0, "boolq"), (0, "ifeval"), (0, "mt_bench"), (0, "alpaca_eval"), (0, "mine"),
    }  # fmt: skip
    for row in rows.values():
        assert row["ci_low"] <= row["value"] <= row["ci_high"]
    assert rows[0, "ifeval", "prompt_level_strict_acc"]["n"] == 3
    assert rows[0, "ifeval", "inst_level_strict_acc"]["clusters"] == 3
    assert {"boolq", "ifeval", "mt_bench", "alpaca_eval"} <= told(found)


def test_the_same_command_again_costs_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def once() -> Run:
        return evaluate(
            "toy-base", ["boolq", "ifeval"], data_dir=data, overrides=FAKE, store=tmp_path / "store"
        )

    watch = Watch(monkeypatch)
    first = once()
    assert watch.of("examine") == ["boolq"]
    assert len(watch.of("generate")) == len(IFEVAL)
    watch.asked.clear()
    again = once()
    assert watch.asked == {}
    assert (again.name, contents(again)) == (first.name, contents(first))


def test_a_group_is_asked_as_a_whole(tmp_path: Path) -> None:
    found = evaluate("toy-base", ["paper_standard"], limit=2, overrides=FAKE, store=tmp_path / "store")
    assert {task for _, task, _ in scores(found)} == set(GROUPS["paper_standard"])


def test_the_name_of_a_run_that_is_not_there_is_an_error(trained: Run) -> None:
    with pytest.raises(StoreError, match="no run 'toi'") as caught:
        evaluate("toi", ["boolq"], overrides=FAKE, store=trained.store)
    assert "toy" in caught.value.hint


# a run


def test_every_model_of_a_run_is_evaluated_and_held_against_its_base(trained: Run, data: Path) -> None:
    found = evaluated(trained, ["boolq", "ifeval", "mt_bench", "alpaca_eval"], data, *JUDGE)
    assert found.complete
    rows = scores(found)
    for task, metric in (("boolq", "acc"), ("ifeval", "prompt_level_strict_acc"), ("mt_bench", "grade")):
        for t in range(3):
            row = rows[t, task, metric]
            assert row["ci_low"] <= row["value"] <= row["ci_high"]
    assert {t for t, task, _ in rows if task == "alpaca_eval"} == {1, 2}, "the base model is the baseline"
    summary = json.loads((found.folder / "summary.json").read_text(encoding="utf-8"))
    for entry in summary["iterations"][1:]:
        gains = {(g["task"], g["metric"]): g for g in entry["gain"]}
        for cell in (("boolq", "acc"), ("ifeval", "prompt_level_strict_acc"), ("mt_bench", "grade")):
            gain, t = gains[cell], entry["iteration"]
            assert gain["value"] == pytest.approx(rows[t, *cell]["value"] - rows[0, *cell]["value"])
            assert gain["ci_low"] <= gain["value"] <= gain["ci_high"]
            assert 0 <= gain["p"] <= 1
            assert gain["p"] <= gain["p_holm"] <= 1, "it is a headline, so it is of the family"
        assert gains["ifeval", "inst_level_loose_acc"]["p_holm"] is None, "it is not"
    assert {"boolq", "ifeval", "mt_bench", "alpaca_eval"} <= told(found)


def test_a_runs_own_steps_are_never_done_again(
    trained: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(monkeypatch)
    found = evaluated(trained, ["boolq", "ifeval"], data)
    assert watch.asked.keys() == {"generate", "examine"}
    assert sorted(watch.of("generate")) == sorted(3 * [f"ifeval/{row['key']}" for row in IFEVAL])
    assert watch.of("examine") == 3 * ["boolq"]
    assert by_key(trained).items() <= by_key(found).items()
    watch.asked.clear()
    again = evaluated(found, ["boolq", "ifeval"], data)
    assert watch.asked == {}
    assert again.steps == found.steps == open_run("toy", trained.store).steps


def test_a_tests_own_evaluation_stays_where_it_is(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run was tested on it already: there is nothing to do, and nothing to add."""
    path = write_lines(tmp_path / "toy_tests.jsonl", TESTS)
    before = summarize(trained)["iterations"]
    watch = Watch(monkeypatch)
    found = evaluated(trained, [str(path)])
    assert watch.asked == {}
    assert {step.name for step in trained.steps} <= {step.name for step in found.steps}
    assert found.artifacts("evaluate").keys() == {0, 1, 2}
    after = summarize(found)["iterations"]
    assert [entry["scores"] for entry in after] == [entry["scores"] for entry in before]


def test_questions_of_ones_own_may_have_been_trained_on(trained: Run, data: Path) -> None:
    found = evaluated(trained, [str(data / "mine.jsonl")])
    assert {t for t, task, _ in scores(found) if task == "mine"} == {0, 1, 2}
    assert by_key(trained).items() <= by_key(found).items()
    assert set(by_key(found).values()) - set(by_key(trained).values()) == {
        "tests.mine", "also.0", "also.1", "also.2",
    }  # fmt: skip
    assert found.artifacts("filter").keys() == {0, 1}


def test_what_a_run_wrote_is_held_against_the_new_questions(trained: Run, tmp_path: Path) -> None:
    """The first seed is asked, word by word."""
    rows = [{"instruction": "Explain why the sky is blue to a child.", "output": "Air scatters light."}]
    path = write_lines(tmp_path / "asked.jsonl", rows)
    found = evaluated(trained, [str(path)], None, *JUDGE)
    looked = [a for s in found.steps if s.stage == "contamination" and (a := found.artifact(s)) is not None]
    leaks = [leak for a in looked for leak in a.read(Leak)]
    assert {(leak.where, leak.source, leak.task, leak.kind) for leak in leaks} >= {
        ("seed", "s3", "asked", "exact")
    }
    assert (trained.folder / "report.html").read_text(encoding="utf-8").count("asked") > 0


def test_interrupted_anywhere_it_ends_the_same(made: Run, data: Path, tmp_path: Path) -> None:
    tasks = ["boolq", "ifeval", "mt_bench", "alpaca_eval"]
    runs = []
    for limit in (10**9, 25):
        shutil.copytree(made.store.root, tmp_path / str(limit))
        ended: Run | None = None
        times = 0
        while ended is None:
            times += 1
            assert times < 100
            heard = 0

            def tell(event: Event, limit: int = limit) -> None:
                nonlocal heard
                heard += event.kind != "cached"
                if heard > limit:
                    raise KeyboardInterrupt

            with contextlib.suppress(KeyboardInterrupt):
                ended = evaluate(
                    "toy", tasks, data_dir=data, overrides=JUDGE, store=tmp_path / str(limit), tell=tell
                )
        runs.append(ended)
    assert times > 3
    unbroken, broken = runs
    assert contents(unbroken) == contents(broken)
    assert scores(unbroken) == scores(broken)


def test_what_was_added_survives_the_run_and_goes_with_its_models(trained: Run, data: Path) -> None:
    found = evaluated(trained, ["ifeval"], data)
    added = [step.name for step in found.steps if step.key not in {own.key for own in trained.steps}]
    assert sorted(added) == sorted(
        ["ifeval.0", "ifeval.1", "ifeval.2", "questions.ifeval", "contamination.0", "contamination.1"]
    )
    folder = Path(trained.recipe.seeds.file).parent
    again = run(toy(folder), trained.store, "toy")
    assert again.steps == found.steps
    other = run(toy(folder, "train.epochs=3.0"), trained.store, "toy")
    assert {step.name for step in other.steps} >= {"ifeval.0", "questions.ifeval"}, (
        "the base model is the same"
    )
    assert not {step.name for step in other.steps} & {"ifeval.1", "ifeval.2"}
    looked = [step.name for step in other.steps if step.stage == "contamination"]
    assert looked == ["contamination.0", "contamination.0", "contamination.1"], (
        "the old second texts are not its own"
    )
    assert {t for t, task, _ in scores(other) if task == "ifeval"} == {0}
    back = run(toy(folder), trained.store, "toy")
    assert contents(back) == contents(found)


def test_the_newest_answer_to_a_task_counts(trained: Run, data: Path) -> None:
    """Two prompts for a trial, then all; another benchmark besides; two again."""
    few = evaluated(trained, ["ifeval", "boolq"], limit=2, data=data)
    cell = (1, "ifeval", "prompt_level_strict_acc")
    assert scores(few)[cell]["n"] == 2
    every = evaluated(few, ["ifeval"], data)
    assert scores(every)[cell]["n"] == 3
    assert scores(every)[1, "boolq", "acc"]["n"] == 2
    more = evaluated(every, ["piqa"])
    assert {"boolq", "piqa", "ifeval", "toy_tests"} <= {task for _, task, _ in scores(more)}
    again = evaluated(more, ["ifeval", "boolq"], limit=2, data=data)
    assert scores(again)[cell]["n"] == 2
    assert scores(open_run("toy", trained.store)) == scores(again)


def test_another_test_of_a_runs_name_is_refused(trained: Run, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    path = write_lines(tmp_path / "else" / "toy_tests.jsonl", ASKED)
    with pytest.raises(RecipeError, match="another test called 'toy_tests'"):
        evaluated(trained, [str(path)])


def test_files_the_loop_was_made_of_may_be_gone(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "recipe"
    folder.mkdir()
    recipe = toy(folder)
    made = run(recipe, tmp_path / "store", "toy")
    shutil.rmtree(folder)
    found = evaluated(made, ["ifeval"], data)
    assert {t for t, task, _ in scores(found) if task == "ifeval"} == {0, 1, 2}


def test_only_models_that_are_there_are_evaluated(data: Path, tmp_path: Path) -> None:
    def tell(event: Event) -> None:
        if event.step == "train.1":
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        run(toy(tmp_path), tmp_path / "store", "toy", tell=tell)
    found = evaluate("toy", ["ifeval"], data_dir=data, store=tmp_path / "store")
    assert {t for t, task, _ in scores(found) if task == "ifeval"} == {0, 1}
    assert not found.complete, "the run itself is not"


# refused before any work


@pytest.mark.parametrize(
    ("task", "word"),
    [
        ("humaneval", "allow-code-execution"),
        ("mbpp", "allow-code-execution"),
        ("paper_code", "allow-code-execution"),
        ("alpaca_eval", "judge.kind"),
        ("mt_bench", "judge.kind"),
    ],
)
@pytest.mark.parametrize("target", ["toy", "hub/model"])
def test_what_nobody_allowed_or_judges_is_refused_before_any_work(
    trained: Run, data: Path, monkeypatch: pytest.MonkeyPatch, target: str, task: str, word: str
) -> None:
    watch = Watch(monkeypatch)
    before = sorted(path.name for path in trained.store.root.rglob("manifest.json"))
    overrides = () if target == "toy" else FAKE
    local = data if word == "judge.kind" else None
    with pytest.raises(RecipeError, match=word):
        evaluate(
            target,
            ["ifeval", task] if local else [task],
            data_dir=local,
            overrides=overrides,
            store=trained.store,
        )
    assert watch.asked == {}
    assert sorted(path.name for path in trained.store.root.rglob("manifest.json")) == before


def test_all_mistakes_are_reported_at_once(trained: Run) -> None:
    with pytest.raises(RecipeError) as caught:
        evaluated(
            trained, ["humaneval"], None, "judge.kind=nobody", "ifeval.max_tokens=0", "chat.limit=0", "sead=1"
        )
    for path in ("judge.kind", "ifeval.max_tokens", "chat.limit", "sead"):
        assert path in caught.value.message


def test_code_is_run_where_it_is_allowed(trained: Run, data: Path) -> None:
    found = evaluated(trained, ["humaneval"], None, "runtime.allow_code_execution=true", limit=2)
    assert {t for t, task, _ in scores(found) if task == "humaneval"} == {0, 1, 2}


# judged chat


def test_a_judge_that_cannot_be_read_gives_no_number(trained: Run, data: Path) -> None:
    found = evaluated(
        trained,
        ["mt_bench", "alpaca_eval"],
        data,
        "judge={kind: scripted, script: garbage}",
        "chat.baseline=base",
    )
    judged = [a for step in found.steps if step.stage == "judged" and (a := found.artifact(step))]
    values = [j.value for a in judged for j in a.read(Judgment) if j.judge != "rule"]
    assert values
    assert set(values) == {None}
    rows = scores(found)
    assert not {metric for _, _, metric in rows} & {"grade", "win_rate", "lc_win_rate"}
    assert (
        rows[2, "mt_bench", "missing_rate"]["value"] == rows[2, "alpaca_eval", "missing_rate"]["value"] == 1
    )
    assert "missing" in (found.folder / "report.md").read_text(encoding="utf-8")


def test_second_turns_are_asked_behind_the_first(trained: Run, data: Path) -> None:
    found = evaluated(trained, ["mt_bench"], data, "judge={kind: scripted, script: longer}")
    replies = found.named("mt_bench.chat")[2].read(Reply)
    assert {(r.prompt, r.turn) for r in replies} == {("81", 1), ("81", 2), ("111", 1), ("111", 2)}
