"""A run from end to end on the fake backend: cached, resumed, shared, isolated; and how runs are named and found."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import isheep
from isheep.backends.base import Runtime
from isheep.errors import BackendError, RecipeError, StoreError, YieldError
from isheep.plan import Step, make_plan
from isheep.recipe import RuntimeSettings
from isheep.records import RECORD_TYPES, Decision, Instruction, ModelRef, Pair, Score, Task, Verdict
from isheep.runs import Run, default_name, open_run, register
from isheep.step import Event, do_step, fetch
from isheep.store import Store
from isheep.walk import needs_own_process, run
from isheep.worker import do_step_apart
from toy import contents, toy, toy_file

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One finished toy run; read it, change nothing."""
    folder = tmp_path_factory.mktemp("finished")
    return run(toy(folder), folder / "store")


def picture(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def steps(self, kind: str) -> list[str]:
        return [event.step for event in self.events if event.kind == kind]


# end to end


def test_the_whole_loop(finished: Run) -> None:
    assert finished.complete
    for t in range(2):
        instructions = finished.artifacts("instructions")[t].read(Instruction)
        pairs = finished.artifacts("responses")[t].read(Pair)
        verdicts = finished.artifacts("assessment")[t].read(Verdict)
        decisions = finished.artifacts("filter")[t].read(Decision)
        (model,) = finished.artifacts("train")[t].read(ModelRef)
        kept = [i.id for i in instructions if i.reason is None]
        assert len(kept) == 12
        assert [p.id for p in pairs] == kept == [d.id for d in decisions]
        assert len(verdicts) == 24
        assert model.pairs == sum(d.kept for d in decisions) > 0
        assert finished.artifacts("train")[t].path(model.adapter).is_dir()
    scores = {t: artifact.read(Score) for t, artifact in finished.artifacts("evaluate").items()}
    assert sorted(scores) == [0, 1, 2]
    assert {s.layout for s in scores[0]} == {"question", "plain"}
    assert {s.layout for s in scores[2]} == {"question"}
    assert finished.artifacts("seeds")[0].read(Task)[0].id == "s1", "tests are no seeds"


def test_tuning_changes_the_model(finished: Run) -> None:
    first, second = (finished.artifacts("responses")[t].read(Pair) for t in (0, 1))
    assert {p.response for p in first} != {p.response for p in second}


def test_nothing_is_wrong_with_any_artifact(finished: Run) -> None:
    for step in finished.steps:
        artifact = finished.artifact(step)
        assert artifact is not None
        assert artifact.verify() == []
        counts = artifact.manifest["records"]
        assert {name: len(artifact.read(RECORD_TYPES[name])) for name in counts} == counts


def test_a_manifest_says_where_a_result_is_from(finished: Run) -> None:
    by_name = {step.name: step for step in finished.steps}
    manifest = finished.artifacts("assessment")[1].manifest
    assert manifest["name"] == "assessment.1"
    assert manifest["inputs"] == {"responses": [by_name["responses.1"].key]}
    assert manifest["model"]["adapter"] == by_name["train.0"].key
    assert manifest["model"]["backend"] == "fake"
    assert manifest["settings"]["level"] == "both"
    assert manifest["usage"]["prompt_tokens"] > 0
    assert manifest["resumed"] is False
    assert manifest["provenance"]["python"]
    assert finished.artifacts("train")[0].manifest["usage"]["trained_tokens"] > 0


def test_the_store_holds_no_remains(finished: Run) -> None:
    root = finished.store.root
    for room in ("work", "locks", "trash"):
        assert [path for path in (root / room).rglob("*") if path.is_file()] == []


def test_a_second_run_is_all_cached_and_touches_nothing(tmp_path: Path) -> None:
    first = run(toy(tmp_path), tmp_path / "store")
    before = picture(tmp_path / "store" / "artifacts")
    ear = Ear()
    second = run(toy(tmp_path), tmp_path / "store", tell=ear)
    assert {event.kind for event in ear.events} == {"cached"}
    assert ear.steps("cached") == [step.name for step in second.steps]
    assert picture(tmp_path / "store" / "artifacts") == before
    assert (second.name, second.steps) == (first.name, first.steps)


def test_the_same_recipe_gives_the_same_bytes_anywhere(tmp_path: Path, finished: Run) -> None:
    assert contents(run(toy(tmp_path), tmp_path / "other-store")) == contents(finished)


def test_another_seed_gives_another_result(tmp_path: Path, finished: Run) -> None:
    other = contents(run(toy(tmp_path, "iterations=1", seed=1), tmp_path / "store"))
    assert other["responses.0"] != contents(finished)["responses.0"]


def test_an_ablation_costs_only_what_differs(tmp_path: Path) -> None:
    run(toy(tmp_path, "iterations=1"), tmp_path / "store")
    ear = Ear()
    run(toy(tmp_path, "iterations=1", "filter.by=random"), tmp_path / "store", tell=ear)
    assert ear.steps("done") == ["filter.0", "train.0", "evaluate.1"]


def test_events(tmp_path: Path) -> None:
    ear = Ear()
    made = run(toy(tmp_path, "iterations=1"), tmp_path / "store", tell=ear)
    names = [step.name for step in made.steps]
    assert ear.steps("start") == ear.steps("done") == names
    progress = [e for e in ear.events if e.kind == "progress" and e.step == "responses.0"]
    assert [e.done for e in progress] == list(range(13))
    assert {(e.total, e.unit) for e in progress} == {(12, "answers")}


def test_the_report_is_written_and_traces_back_to_keys(finished: Run) -> None:
    summary = json.loads((finished.folder / "summary.json").read_text(encoding="utf-8"))
    keys = {step.name: step.key for step in finished.steps}
    assert summary["complete"] is True
    assert [entry["iteration"] for entry in summary["iterations"]] == [0, 1, 2]
    assert summary["iterations"][1]["keys"]["filter"] == keys["filter.1"]
    assert (finished.folder / "report.html").is_file()


def test_total_base_trains_on_the_pairs_of_all_iterations(tmp_path: Path) -> None:
    made = run(toy(tmp_path, "train.start=total_base"), tmp_path / "store")
    kept = [sum(d.kept for d in artifact.read(Decision)) for artifact in made.artifacts("filter").values()]
    assert [a.read(ModelRef)[0].pairs for a in made.artifacts("train").values()] == [kept[0], sum(kept)]


@pytest.mark.parametrize(
    "override", ["instructions.author=base", "assessment.judge=base", "train.start=one_last"]
)
def test_other_settings_of_the_loop_run_too(tmp_path: Path, override: str) -> None:
    assert run(toy(tmp_path, override), tmp_path / "store").complete


def test_without_iterations_or_tests(tmp_path: Path) -> None:
    assert run(toy(tmp_path, "iterations=0"), tmp_path / "store").complete
    assert run(toy(tmp_path, "iterations=0", "evaluate.tasks=[]"), tmp_path / "store").complete
    assert run(toy(tmp_path, "iterations=1", "evaluate.tasks=[]"), tmp_path / "store").complete


def test_a_run_without_assessment(tmp_path: Path) -> None:
    overrides = ("iterations=1", "assessment.level=none", "filter.by=random")
    assert run(toy(tmp_path, *overrides), tmp_path / "store").complete


# trouble


def test_a_stage_that_yields_too_little_stops_and_what_was_done_stays(tmp_path: Path) -> None:
    loaded = toy(tmp_path, "filter.min_kept=6", "filter.threshold=9.99", "iterations=1")
    with pytest.raises(YieldError, match=r"fewer than filter\.min_kept = 6"):
        run(loaded, tmp_path / "store")
    stopped = open_run("last", tmp_path / "store")
    assert not stopped.complete
    assert sorted(stopped.artifacts("assessment")) == [0]
    summary = json.loads((stopped.folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["complete"] is False
    assert summary["iterations"][0]["instructions"] == 12
    ear = Ear()
    run(toy(tmp_path, "iterations=1"), tmp_path / "store", tell=ear)
    assert ear.steps("done") == ["filter.0", "train.0", "evaluate.1"]


def test_a_report_that_fails_does_not_hide_why_the_run_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: Run) -> None:
        raise OSError("no room for the report")

    monkeypatch.setattr("isheep.walk.write_report", fail)
    with pytest.raises(YieldError):
        run(toy(tmp_path, "filter.min_kept=6", "filter.threshold=9.99", "iterations=1"), tmp_path / "store")


def test_ctrl_c_does_not_wait_for_a_report(tmp_path: Path) -> None:
    def tell(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(toy(tmp_path), tmp_path / "store", tell=tell)
    assert sorted(path.name for path in open_run("last", tmp_path / "store").folder.iterdir()) == ["run.json"]


def test_bad_seeds_stop_before_a_model_is_asked(tmp_path: Path) -> None:
    seeds = tmp_path / "bad.jsonl"
    seeds.write_text("oops\n")
    ear = Ear()
    with pytest.raises(RecipeError, match="line 1"):
        run(toy(tmp_path, f"seeds.file={seeds}"), tmp_path / "store", tell=ear)
    assert ear.steps("done") == []


def test_an_input_that_is_gone_is_named(tmp_path: Path) -> None:
    plan = make_plan(toy(tmp_path))
    step = next(s for s in plan.steps if s.name == "responses.0")
    with pytest.raises(StoreError, match=r"instructions \w{12} is not in the store"):
        do_step(step, Store(tmp_path / "store"), Runtime(), lambda event: None)


# interruption


def test_interrupted_at_any_event_and_resumed(tmp_path: Path, finished: Run) -> None:
    """One run, broken off again and again after a few more events each time, ends like the unbroken one."""
    store = tmp_path / "store"
    times = 0
    made: Run | None = None
    while made is None and times < 400:
        times += 1
        heard = 0

        def tell(event: Event) -> None:
            nonlocal heard
            heard += event.kind != "cached"
            if heard > 11:
                raise KeyboardInterrupt

        with contextlib.suppress(KeyboardInterrupt):
            made = run(toy(tmp_path), store, tell=tell)
    assert made is not None
    assert times > 10
    assert contents(made) == contents(finished)


@pytest.mark.slow
def test_killed_after_every_record_and_resumed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, HERE / "kill_everywhere.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 150


def command(folder: Path, store: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "isheep", "run", str(folder / "toy.yaml"), "--store", str(store), *words]


def test_two_processes_on_one_store_share_the_work(tmp_path: Path, finished: Run) -> None:
    toy_file(tmp_path)
    store = tmp_path / "store"
    workers = [
        subprocess.Popen(command(tmp_path, store), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    made = open_run("last", store)
    assert contents(made) == contents(finished)
    for step in made.steps:
        lines = [line for out, _ in said for line in out.splitlines() if f"] {step.name} " in line]
        assert len(lines) == 2
        assert sum("from the store" not in line for line in lines) == 1, (
            f"{step.name} was done twice: {lines}"
        )


def test_a_run_whose_process_is_killed_goes_on(tmp_path: Path, finished: Run) -> None:
    toy_file(tmp_path)
    store = tmp_path / "store"
    child = subprocess.Popen(command(tmp_path, store), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(store.glob("artifacts/responses/*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    child.kill()
    child.wait()
    assert contents(run(toy(tmp_path), store)) == contents(finished)


# a process for each step


def last_step(loaded: Any, store: Path) -> Step:
    """Do all but evaluate.0, and return that."""
    plan = make_plan(loaded)
    for step in plan.of("seeds"):
        do_step(step, Store(store), Runtime(), lambda event: None)
    return next(step for step in plan.steps if step.name == "evaluate.0")


def test_a_step_in_its_own_process_is_the_same_step(tmp_path: Path) -> None:
    ear = Ear()
    loaded = toy(tmp_path, "runtime.isolation=process", "iterations=1", "evaluate.tasks=[]")
    made = run(loaded, tmp_path / "store", tell=ear)
    alone = toy(tmp_path, "iterations=1", "evaluate.tasks=[]")
    assert contents(made) == contents(run(alone, tmp_path / "other"))
    assert ear.steps("done") == [step.name for step in made.steps]
    assert [e.done for e in ear.events if e.kind == "progress" and e.step == "responses.0"] == list(range(13))
    assert sorted(path.name.split("-")[0] for path in (tmp_path / "store" / "logs").iterdir()) == sorted(
        step.name for step in make_plan(loaded).steps if step.model
    )
    again = Ear()
    run(loaded, tmp_path / "store", tell=again)
    assert {event.kind for event in again.events} == {"cached"}


def test_an_error_of_the_child_comes_back_as_it_was(tmp_path: Path) -> None:
    loaded = toy(tmp_path)
    store = tmp_path / "store"
    step = next(s for s in make_plan(loaded).steps if s.name == "instructions.0")
    with pytest.raises(StoreError) as caught:
        do_step_apart(step, Store(store), Runtime(), lambda event: None)
    assert "is not in the store" in caught.value.message
    assert caught.value.hint == "run the recipe again to make it"


def crashing(folder: Path, code: str) -> str:
    """A folder to put on the path, so that the child, and only the child, runs `code` when it starts."""
    (folder / "crash").mkdir()
    (folder / "crash" / "sitecustomize.py").write_text(
        f"import os, sys, signal\nif 'isheep.worker' in sys.orig_argv:\n    {code}\n"
    )
    return str(folder / "crash")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('last words', file=sys.stderr); os._exit(7)", "ended with code 7:\nlast words"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed (signal 9"),
    ],
)
def test_a_child_that_crashes_leaves_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    step = last_step(toy(tmp_path), tmp_path / "store")
    monkeypatch.setenv("PYTHONPATH", crashing(tmp_path, code))
    with pytest.raises(BackendError) as caught:
        do_step_apart(step, Store(tmp_path / "store"), Runtime(), lambda event: None)
    assert said in caught.value.message
    assert "logs/evaluate.0-" in caught.value.hint
    monkeypatch.delenv("PYTHONPATH")
    do_step_apart(step, Store(tmp_path / "store"), Runtime(), lambda event: None)
    assert fetch(Store(tmp_path / "store"), step.ref).verify() == []


def test_a_listener_that_raises_ends_the_child(tmp_path: Path) -> None:
    step = last_step(toy(tmp_path), tmp_path / "store")

    def tell(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        do_step_apart(step, Store(tmp_path / "store"), Runtime(), tell)
    with Store(tmp_path / "store").claim(step.stage, step.key):
        pass  # the child let go of its lock


def test_modules_in_the_working_directory_do_not_get_into_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = last_step(toy(tmp_path), tmp_path / "store")
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong random')")
    monkeypatch.chdir(tmp_path)
    do_step_apart(step, Store(tmp_path / "store"), Runtime(), lambda event: None)


@pytest.mark.parametrize(
    ("settings", "own"),
    [
        ({"isolation": "process"}, True),
        ({"isolation": "none", "device": "cuda"}, False),
        ({"device": "cuda:1"}, True),
        ({"device": "cpu"}, False),
    ],
)
def test_who_gets_a_process_of_its_own(settings: dict[str, Any], own: bool) -> None:
    assert needs_own_process(RuntimeSettings(**settings)) == own


# named runs


def named(folder: Path, name: str | None, *overrides: str) -> Run:
    """Only written down, nothing done."""
    return register(make_plan(toy(folder, *overrides)), Store(folder / "store"), name)


def test_the_default_name_stands_for_the_keys(tmp_path: Path) -> None:
    plan = make_plan(toy(tmp_path))
    assert default_name(plan).startswith("toy-seed0-")
    assert default_name(plan) == default_name(make_plan(toy(tmp_path, "runtime.batch_size=3")))
    assert default_name(plan) != default_name(make_plan(toy(tmp_path, "responses.max_tokens=9")))
    assert default_name(make_plan(toy(tmp_path, seed=5))).startswith("toy-seed5-")


def test_a_run_is_found_by_name_beginning_and_last(tmp_path: Path) -> None:
    for n, name in enumerate(("alpha-1", "alpha-2", "beta")):
        made = named(tmp_path, name)
        os.utime(made.folder / "run.json", (n, n))
    store = tmp_path / "store"
    assert open_run("alpha-1", store).name == "alpha-1"
    assert open_run("alpha", store).name == "alpha-2", "the newest of several"
    assert open_run("b", store).name == "beta"
    assert open_run("last", store).name == "beta"
    assert open_run("beta", str(store)).steps == named(tmp_path, "x").steps


def test_an_exact_name_goes_before_a_beginning(tmp_path: Path) -> None:
    for n, name in enumerate(("a", "a-1")):
        os.utime(named(tmp_path, name).folder / "run.json", (n, n))
    assert open_run("a", tmp_path / "store").name == "a"


@pytest.mark.parametrize(
    "name",
    ["nope", "..", ".", "../store", "/etc", "alpha/..", "*", "[a]*", "a\0b", "x" * 300, "../runs/alpha"],
)
def test_a_run_that_is_not_there(tmp_path: Path, name: str) -> None:
    named(tmp_path, "alpha")
    with pytest.raises(StoreError) as caught:
        open_run(name, tmp_path / "store")
    assert f"no run {name!r}" in caught.value.message
    assert caught.value.hint == "runs here: alpha; --store names another store"


def test_no_store_at_all(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        open_run("last", tmp_path / "nowhere")
    assert caught.value.hint.startswith("runs here: none")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", " ", "a b", "é", "x" * 129, "last"])
def test_names_a_run_cannot_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot name a run"):
        named(tmp_path, name)
    assert not (tmp_path / "store").exists()


def test_a_name_used_for_other_settings_keeps_its_old_list_beside_it(tmp_path: Path) -> None:
    first = named(tmp_path, "mine")
    assert sorted(p.name for p in first.folder.iterdir()) == ["run.json"]
    named(tmp_path, "mine")
    assert sorted(p.name for p in first.folder.iterdir()) == ["run.json"], "the same settings, the same run"
    second = named(tmp_path, "mine", "seed=1")
    names = sorted(p.name for p in first.folder.iterdir())
    assert len(names) == 2
    assert names[0].startswith("run-")
    assert open_run("mine", tmp_path / "store").recipe.seed == 1
    old = json.loads((second.folder / names[0]).read_text(encoding="utf-8"))
    assert [step["key"] for step in old["steps"]] == [step.key for step in first.steps]


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    made = named(tmp_path, "mine", "evaluate.decodings=[greedy]", "filter.threshold=null")
    opened = open_run("mine", tmp_path / "store")
    assert opened.recipe == made.recipe
    assert opened.steps == made.steps
    assert opened.folder == made.folder


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"plan": 3}', '{"recipe": {"seed": -1}, "steps": []}', "\0"]
)
def test_a_run_file_that_is_damaged_is_named_and_made_again(tmp_path: Path, text: str) -> None:
    made = named(tmp_path, "mine")
    (made.folder / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"run\.json cannot be read"):
        open_run("mine", tmp_path / "store")
    named(tmp_path, "mine")
    assert open_run("mine", tmp_path / "store").steps == made.steps


def test_a_store_that_cannot_be_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StoreError) as caught:
        named(tmp_path, "mine")
    assert str(tmp_path / "store") in caught.value.message
    assert caught.value.hint


# the public face


def test_the_python_api_of_the_docstring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example runs as it stands, on the fake recipe."""
    monkeypatch.chdir(tmp_path)
    assert isheep.__doc__
    example = [line[4:] for line in isheep.__doc__.splitlines() if line.startswith("    ")]
    code = "\n".join(example).replace('"lamb"', '"fake"').replace("iterations=1", "iterations=0")
    assert '"fake"' in code
    said: list[object] = []
    exec(code, {"print": said.append})
    assert said
    assert Path(str(said[0])).is_file()
    assert open_run("last", "my-store").complete


def test_everything_public_is_there() -> None:
    for name in isheep.__all__:
        assert getattr(isheep, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'sheep'"):
        isheep.sheep  # noqa: B018


def test_what_the_command_line_does_python_can(tmp_path: Path) -> None:
    loaded = isheep.load_recipe("fake", ["iterations=0"], seed=3)
    assert isheep.make_plan(loaded).recipe.seed == 3
    made = isheep.run(loaded, store=str(tmp_path / "store"), name="mine")
    assert isheep.summarize(made)["run"] == "mine"
    assert isheep.write_report(isheep.open_run("mine", tmp_path / "store")).is_file()


def test_listeners_are_plain_functions(tmp_path: Path) -> None:
    kinds: set[str] = set()
    listener: Callable[[Event], None] = lambda event: kinds.add(event.kind)  # noqa: E731
    run(toy(tmp_path, "iterations=0"), tmp_path / "store", tell=listener)
    assert kinds == {"start", "progress", "done"}
