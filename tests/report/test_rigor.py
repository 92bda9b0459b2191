"""The rigor page: what it says of runs in many states, that what it names exists, and how it is shown."""

from __future__ import annotations

import copy
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel, TypeAdapter
from reading import HOSTILE, read, without_scripts

import isheep.report
from isheep import load_recipe, make_plan, run
from isheep.cli import app
from isheep.compare import compare, write_comparison
from isheep.evaluation import settings_of
from isheep.files import shipped
from isheep.recipe import Recipe
from isheep.records import Item, Judgment, Reply
from isheep.report import rigor_power, rigor_row
from isheep.report.drawing import scripts
from isheep.report.figures import Figure
from isheep.report.markup import Html, el, join
from isheep.report.origin import recipe_yaml
from isheep.report.page import page_head
from isheep.report.rigor import AREAS, rigor
from isheep.report.rigor_plot import compute_figure
from isheep.report.rigor_view import STATES, rigor_section, rigor_table
from isheep.report.siblings import Sibling
from isheep.report.summary import summarize
from isheep.report.views import Plots, table_view
from isheep.runs import Run, register
from isheep.stats import mcnemar, minimum_detectable_effect, power_report
from isheep.store import Store
from isheep.sweep import load_sweep, run_sweep
from made_runs import Maker

FOLDER = Path(isheep.report.__file__).parent
SMALL = ("instructions.count=40", "instructions.lists_per_round=8", "filter.min_kept=1")
Rows = Mapping[str, Mapping[str, Any]]
Summary = dict[str, Any]


@pytest.fixture(scope="module")
def told(fake_run: Run) -> Summary:
    return summarize(fake_run)


def rows_of(run: Run, summary: Summary) -> Rows:
    found = rigor(run, summary)
    assert len({row["id"] for row in found}) == len(found)
    return {row["id"]: row for row in found}


def changed(run: Run, **sections: Mapping[str, Any]) -> Run:
    """The run as if its recipe had these settings."""
    recipe = run.recipe
    for name, settings in sections.items():
        recipe = recipe.model_copy(update={name: getattr(recipe, name).model_copy(update=dict(settings))})
    return replace(run, recipe=recipe)


def gained(told: Summary, **fields: Any) -> Summary:
    """The summary with these figures in every headline change."""
    made = copy.deepcopy(told)
    for entry in made["iterations"]:
        for row in entry["gain"]:
            if row["metric"] == "accuracy_greedy":
                row.update(fields)
    return made


# ---------------------------------------------------------------- what every list must keep


def test_the_list_of_a_finished_run(fake_run: Run, told: Summary) -> None:
    found = rigor(fake_run, told)
    assert list(dict.fromkeys(row["area"] for row in found)) == list(AREAS)
    for row in found:
        assert row["state"] in STATES
        assert row["question"].endswith("?")
        assert row["answer"].endswith(".")
        assert (row["supply"] == "") == (row["state"] == "yes")
    json.dumps(found, allow_nan=False)


def situations(
    fake_run: Run, told: Summary, swept: Mapping[str, Run], tmp_path: Path
) -> Iterator[tuple[Run, Summary]]:
    """Runs that between them make every check answer in every way it can."""
    yield fake_run, told
    yield fake_run, gained(told, changed=0.9)
    yield fake_run, gained(told, changed=None, ci_low=-0.2, ci_high=0.2)
    yield fake_run, gained(told, changed=0.1, n=2000, clusters=2000)
    partly = gained(told, n=2000, clusters=2000)  # the last model's pairing refused; two questions unanswered
    partly["iterations"][-1]["gain"].append(
        {**partly["iterations"][-1]["gain"][0], "refused": "not the same"}
    )
    partly["iterations"][0]["scores"][0].update(missing=2)
    yield fake_run, partly
    yield fake_run, gained(told, value=None, refused="not the same", p_holm=None)
    leaked = copy.deepcopy(told)
    leaked["contamination"]["iterations"][0]["flagged"].update(instruction=3)
    yield fake_run, leaked
    seeded = copy.deepcopy(leaked)
    seeded["contamination"]["iterations"][-1]["flagged"].update(seed=2)
    yield fake_run, seeded
    yield fake_run, {**told, "contamination": None, "trial": None, "guard": "off"}
    yield (
        fake_run,
        {**told, "guard": "warn", "trial": {"headline": {"answer": "Yes", "text": "On all it does."}}},
    )
    other = copy.deepcopy(told)  # a benchmark nobody kept out of training, half of it unreadable
    for entry in other["iterations"]:
        entry["scores"].append(
            {"task": "piqa", "metric": "acc", "value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "n": 50, "missing": 50,
             "clusters": 50, "layout": ""}
        )  # fmt: skip
    yield fake_run, other
    hub = changed(fake_run, model={"base": "Qwen/Qwen1.5-7B"}, backend={"engine": "hf", "trainer": "trl"})
    yield hub, told
    unjudged = changed(hub, assessment={"level": "none"}, filter={"keep_fraction": None, "threshold": 0.0})
    yield changed(unjudged, review={"keep": "best", "until": "stagnation"}), other
    yield changed(hub, review={"keep": "best"}), told
    yield changed(fake_run, filter={"match": "best"}), told
    broken = copy.deepcopy(told)
    broken["iterations"][0]["review"]["measures"]["spread"]["ok"] = False
    yield fake_run, broken
    one = copy.deepcopy(told)
    one["iterations"][0]["scores"] = [s for s in one["iterations"][0]["scores"] if "@" not in s["metric"]]
    yield fake_run, one
    loose = Maker(Store(tmp_path / "loose"), "loose", 0, 2, "none")  # a size not recorded, data from the hub
    loose.step("instructions", "instructions", 0, [], tokens=9, parameters=None)
    loose.step("benchmarks", "benchmarks", 0, [], settings={"tasks": ["piqa"], "data_dir": None, "limit": 10})
    yield loose.done(), told
    for arm in swept.values():
        yield arm, summarize(arm)
    for name, recipe in (
        ("untested", load_recipe("fake", [*SMALL, "evaluate.tasks=[]"])),
        ("base", load_recipe("fake", ["iterations=0"])),
        ("begun", load_recipe("fake", SMALL)),
    ):
        begun = register(make_plan(recipe), Store(tmp_path / name), name)
        yield begun, summarize(begun)
    untested = run(
        load_recipe("fake", [*SMALL, "evaluate.tasks=[]", "exam.constraints=0"]), tmp_path / "no-tests"
    )
    yield untested, summarize(untested)
    for kind, model in (("scripted", ""), ("engine", "base"), ("openai", "judge-9")):
        judged = judged_run(tmp_path / kind, kind, model, missing=kind == "openai")
        yield judged, summarize(judged)


def judged_run(folder: Path, kind: str, model: str, *, missing: bool) -> Run:
    """A run of which only a judge's verdicts are there; one of two is missing, or none."""
    make = Maker(Store(folder), kind, 0, 1, "none")
    verdicts = [Judgment(f"q{i}/1", "chat", f"q{i}", 1, model or kind, "7", 7.0) for i in range(2)]
    items = [
        Item(f"chat/q{i}/1", "chat", f"q{i}", "1", f"q{i}", "grade", 7.0, "h", 3, "judge") for i in range(2)
    ]
    if missing:
        verdicts[0], items[0] = replace(verdicts[0], value=None), replace(items[0], value=None)
    settings, reply = {"kind": kind, "model": model}, Reply("q0/1", "chat", "q0", "Yes.", "stop", True)
    make.step(
        "chat.judged",
        "judged",
        0,
        [*verdicts, *items, reply],
        settings=settings,
        inputs={},
        started="2026-11-21T06:00:00Z",
    )
    return make.done()


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, tests_file: Path) -> Mapping[str, Run]:
    """One seed of a sweep with every baseline, compared. Its arms by name."""
    folder = tmp_path_factory.mktemp("sweep")
    loaded = load_sweep(
        {
            "name": "rivals",
            "recipe": "fake",
            "reference": "best",
            "seeds": [0],
            "common": {"instructions": {"count": 40, "lists_per_round": 8}, "evaluate": {"tasks": [str(tests_file)]},
                       "filter": {"min_kept": 1}, "iterations": 1},
            "arms": {
                "best": {},
                "random": {"filter": {"by": "random", "match": "best"}},
                "all": {"assessment": {"level": "none"}, "filter": {"threshold": -1, "keep_fraction": None}},
                "base": {"iterations": 0},
            },
        }
    )  # fmt: skip
    record = run_sweep(loaded, folder)
    write_comparison(compare(record.arms, "best"), record.folder)
    return {arm: runs[0] for arm, runs in record.arms.items()}


# ---------------------------------------------------------------- every command and setting named exists

#: Check -> the ways in which the situations make it answer.
EVERY: Mapping[str, str] = {
    "command": "yes part",
    "model": "yes part",
    "data": "yes part",
    "seeds": "no",
    "variance": "no",
    "intervals": "yes part no",
    "tests": "yes part no",
    "power": "yes no",
    "missing": "yes part no",
    "selection": "yes part no",
    "layouts": "yes part no",
    "contamination": "yes part no",
    "pretraining": "no",
    "held_out": "yes part no",
    "compute": "yes part no",
    "matched": "yes no",
    "baselines": "yes part no",
    "self_assessment": "part no",
    "outside_judge": "part no",
    "guard": "yes part no",
    "reach": "no",
}


def test_what_it_names_exists(
    fake_run: Run, told: Summary, swept: Mapping[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "questions.jsonl").write_text('{"instruction": "Say yes.", "answers": ["yes"]}\n')
    seen: dict[str, set[str]] = {}
    for run_, summary in situations(fake_run, told, swept, tmp_path):
        (tmp_path / "recipe.yaml").write_text(recipe_yaml(run_))
        for row in rigor(run_, summary):
            seen.setdefault(row["id"], set()).add(row["state"])
            named = re.findall(r"`([^`]*)`", f"{row['answer']} {row['supply']}")
            assert named or row["state"] == "yes" or row["id"] in {"power", "contamination", "selection"}
            for text in named:
                check_name(text)
    states = {id: " ".join(word for word in STATES if word in found) for id, found in seen.items()}
    del states["versions"]  # hangs on whether this very checkout has been changed
    assert states == EVERY  # so no way to answer goes unchecked


def check_name(text: str) -> None:
    """What stands between backticks is a command of ours with options it has, an option of one, or a setting."""
    words = shlex.split(text)
    if words[0] == "isheep":
        check_command(words[1:])
    elif words[0].startswith("--"):
        assert any(words[0] in option.opts for verb in verbs().values() for option in verb.params), text
    else:
        check_setting(text)


def verbs() -> Mapping[str, Any]:
    return typer.main.get_command(app).commands  # type: ignore[attr-defined,no-any-return]


def check_command(words: Sequence[str]) -> None:
    given = list(words)
    verb = verbs()[given[0]]
    if len(given) == 1:
        return  # the verb itself is spoken of
    params = verb.make_context(given[0], given[1:]).params
    overrides = params.get("overrides") or []
    for override in overrides:
        check_setting(override)
    if given[0] == "run":
        load_recipe(params["recipe"], overrides, seed=params["seed"])
    elif given[0] == "sweep" and params["name"] != "SWEEP.yaml":
        assert params["name"] in shipped("recipes/sweeps", ".yaml")
        load_sweep(params["name"], overrides, params["seeds"] or None)
    elif given[0] == "eval":
        assert params["tasks"] == ["NAME"] or settings_of(params["tasks"][0].split(","))
    elif given[0] == "power":
        power_report(
            params["prompts"], params["seeds"], params["seed_sd"], params["discordant"], params["effect"]
        )


def check_setting(text: str) -> None:
    """`a.b` is a setting of a recipe; the value of `a.b=value` is one it takes."""
    key, equals, value = text.partition("=")
    model: Any = Recipe
    for name in key.split(".")[:-1]:
        model = model.model_fields[name].annotation
        assert issubclass(model, BaseModel), text
    field = model.model_fields[key.split(".")[-1]]
    if equals:
        plain = {"true": True, "false": False}.get(value, value)
        if isinstance(plain, str) and plain.startswith("["):
            plain = tuple(plain.strip("[]").split(", "))
        TypeAdapter(field.annotation).validate_python(plain)


@pytest.mark.parametrize(
    "text",
    [
        "isheep fly",
        "isheep run --loud",
        "isheep sweep table9",
        "evaluate.task",
        "review.keep=first",
        "isheep run x --set a.b=1",
    ],
)
def test_the_check_of_names_can_fail(text: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, it must not pass
        check_name(text)


# ---------------------------------------------------------------- what single answers say


def test_the_smallest_change_is_that_of_the_statistics(fake_run: Run, told: Summary) -> None:
    for share in (0.1, 0.3, 0.6):
        answer = rows_of(fake_run, gained(told, changed=share, n=400, clusters=400))["power"]["answer"]
        (smallest,) = re.findall(r"a change of ([\d.]+) points", answer)
        exact = minimum_detectable_effect(400, share)
        assert exact is not None
        assert 100 * exact <= float(smallest) <= 100 * exact + 0.11  # to a tenth of a point, never below


@pytest.mark.parametrize(
    ("n", "share", "state"), [(2000, 0.1, "yes"), (541, 0.6, "no"), (20, 0.3, "no"), (100_000, 0.0, "yes")]
)
def test_five_points_are_seen_with_enough_prompts_that_do_not_change_too_much(
    fake_run: Run, told: Summary, n: int, share: float, state: str
) -> None:
    row = rows_of(fake_run, gained(told, changed=share, n=n, clusters=n))["power"]
    assert row["state"] == state
    assert ("isheep power" in row["supply"]) == (state == "no")


def test_grades_are_asked_for_five_hundredths_of_their_scale(fake_run: Run, told: Summary) -> None:
    made = copy.deepcopy(told)
    cell = {
        "task": "chat",
        "metric": "grade",
        "n": 80,
        "clusters": 80,
        "p": 0.5,
        "p_holm": 0.5,
        "changed": None,
    }
    for t, entry in enumerate(made["iterations"]):
        entry["scores"] = [{**cell, "value": 5.0, "ci_low": 4.9, "ci_high": 5.1, "layout": ""}]
        entry["gain"] = [{**cell, "value": 0.0, "ci_low": -0.1, "ci_high": 0.1}] if t else []
    row = rows_of(fake_run, made)["power"]
    assert row["state"] == "yes"
    assert "a gain of 0.45 would" in row["answer"]
    assert "by +0.00 (−0.10 to +0.10)." in rows_of(fake_run, made)["compute"]["answer"]


def test_a_single_prompt_that_changed_is_no_crash(fake_run: Run, told: Summary) -> None:
    row = rows_of(fake_run, gained(told, n=1, clusters=1, changed=1.0))["variance"]
    assert row["answer"] == "Not measured: the intervals here cover the prompts, for one training run."


def test_a_share_of_missing_verdicts_is_no_score(fake_run: Run, told: Summary) -> None:
    made = copy.deepcopy(told)
    for entry in made["iterations"]:
        head = {"task": "chat", "metric": "missing_rate", "n": 4, "layout": ""}
        entry.update(scores=[{**head, "value": 1.0, "ci_low": 0.5, "ci_high": 1.0}], gain=[])
    row = rows_of(fake_run, made)["intervals"]
    assert (row["state"], row["answer"]) == ("no", "There is no score.")


def test_seeds_are_found_in_the_store(tmp_path: Path, tests_file: Path) -> None:
    asked = [*SMALL, f"evaluate.tasks=[{tests_file}]", "iterations=1"]
    first = run(load_recipe("fake", asked, seed=0), tmp_path)
    alone = rows_of(first, summarize(first))
    assert (alone["seeds"]["state"], alone["variance"]["state"]) == ("no", "no")
    assert "--seed 1`" in alone["seeds"]["supply"]
    run(load_recipe("fake", asked, seed=3), tmp_path, "another-name")
    run(load_recipe("fake", [*asked, "probes.count=5"], seed=4), tmp_path)  # another recipe
    register(make_plan(load_recipe("fake", asked, seed=5)), Store(tmp_path))  # not done
    for name, text in (("torn", "{"), ("odd", '{"recipe": 3}'), ("list", "[1]")):
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / "run.json").write_text(text)
    found = rows_of(first, summarize(first))
    assert found["seeds"]["state"] == "part"
    assert (
        "2 finished runs of this recipe are in the store, with the seeds 0 and 3" in found["seeds"]["answer"]
    )
    assert found["variance"]["state"] == "part"
    assert "the gains of 2 seeds are 0.0 and 0.0 points" in found["variance"]["answer"]
    assert "--seed 1`, and so on for 3 seeds" in found["seeds"]["supply"]
    (tmp_path / "runs" / "another-name" / "summary.json").write_text("[]")
    assert rows_of(first, summarize(first))["variance"]["state"] == "no"


@pytest.mark.parametrize(
    ("count", "state"), [(0, "no"), (1, "no"), (2, "part"), (4, "part"), (5, "yes"), (9, "yes")]
)
def test_five_seeds_are_enough(
    fake_run: Run, told: Summary, monkeypatch: pytest.MonkeyPatch, count: int, state: str
) -> None:
    runs = [Sibling(f"s{seed}", seed, "lamb", True, fake_run.folder) for seed in range(count)]
    monkeypatch.setattr(rigor_row, "siblings", lambda run: runs)
    found = rows_of(fake_run, told)
    assert (found["seeds"]["state"], found["variance"]["state"]) == (state, state)


def test_another_base_model_in_the_store_is_told(tmp_path: Path) -> None:
    first = run(load_recipe("fake", ["iterations=0"]), tmp_path)
    run(load_recipe("fake", ["iterations=0", "model.base=Qwen/Qwen1.5-7B"]), tmp_path, "other")
    row = rows_of(first, summarize(first))["reach"]
    assert row["state"] == "part"
    assert rows_of(first, summarize(first))["seeds"]["state"] == "no"


@pytest.mark.parametrize(
    ("base", "revision", "state"),
    [
        ("Qwen/Qwen1.5-7B", None, "part"),
        ("Qwen/Qwen1.5-7B", "main", "part"),
        ("Qwen/Qwen1.5-7B", "0" * 40, "yes"),
        ("lamb", None, "yes"),
        ("./a-model", None, "yes"),
    ],
)
def test_a_hub_model_is_pinned_by_its_commit(
    fake_run: Run, told: Summary, base: str, revision: str | None, state: str
) -> None:
    made = changed(fake_run, backend={"engine": "hf"}, model={"base": base, "revision": revision})
    row = rows_of(made, told)["model"]
    assert row["state"] == state
    assert base in row["answer"]


def test_a_run_of_a_sweep_knows_its_rivals(swept: Mapping[str, Run]) -> None:
    best = rows_of(swept["best"], summarize(swept["best"]))
    assert best["baselines"]["state"] == "yes"
    assert "the base model (in this run)" in best["baselines"]["answer"]
    for arm in ("all", "random"):
        assert f"arm {arm} of rivals" in best["baselines"]["answer"]
    assert "random (sweep rivals)" in best["matched"]["answer"]
    other = rows_of(swept["random"], summarize(swept["random"]))
    assert "best (sweep rivals)" in other["matched"]["answer"]
    assert other["command"]["state"] == "part"
    assert "Missing: random pairs" in other["baselines"]["answer"]


def test_labels_of_matching_are_those_of_the_comparison(swept: Mapping[str, Run]) -> None:
    best = swept["best"]
    file = best.store.root / "sweeps" / "rivals" / "compare.json"
    whole = file.read_text()
    plain = json.loads(whole)
    try:
        for pairs, cost, state in ((True, True, "yes"), (True, False, "part"), (False, False, "no")):
            for row in plain["rows"]:
                given = row["arm"] == "random"
                row.update(pair_matched=pairs and given, compute_matched=cost and given)
            file.write_text(json.dumps(plain))
            assert rows_of(best, summarize(best))["matched"]["state"] == state
        file.unlink()
        assert rows_of(best, summarize(best))["matched"]["state"] == "no"
    finally:
        file.write_text(whole)


def test_a_run_that_trains_nothing_is_not_asked_about_training(tmp_path: Path) -> None:
    base = run(load_recipe("fake", ["iterations=0"]), tmp_path)
    found = rows_of(base, summarize(base))
    assert not {
        "variance",
        "power",
        "tests",
        "contamination",
        "held_out",
        "compute",
        "matched",
        "guard",
    } & set(found)
    assert found["intervals"]["state"] == "yes"


def test_contamination(fake_run: Run, told: Summary) -> None:
    assert rows_of(fake_run, told)["contamination"]["state"] == "yes"
    leaked = copy.deepcopy(told)
    leaked["contamination"]["iterations"][0]["flagged"].update(instruction=3, response=2)
    row = rows_of(fake_run, leaked)["contamination"]
    assert row["state"] == "part"
    assert row["answer"].startswith("5 of 160 generated texts and 0 of 175 seeds")
    assert "contamination.drop=true" in row["supply"]
    leaked["contamination"]["drop"] = True
    assert rows_of(fake_run, leaked)["contamination"]["state"] == "yes"
    leaked["contamination"]["iterations"][-1]["flagged"]["seed"] = 1
    assert rows_of(fake_run, leaked)["contamination"]["state"] == "part"
    del leaked["contamination"]
    assert rows_of(fake_run, leaked)["contamination"]["state"] == "no"


def test_nobody_knows_what_a_base_model_has_read(fake_run: Run, told: Summary) -> None:
    hub = changed(fake_run, backend={"engine": "hf"}, model={"base": "Qwen/Qwen1.5-7B"})
    assert rows_of(hub, told)["pretraining"]["state"] == "no"
    lamb = changed(fake_run, backend={"engine": "hf"}, model={"base": "lamb"})
    assert rows_of(lamb, told)["pretraining"]["state"] == "no"  # not by its own test
    own = changed(lamb, evaluate={"tasks": ("lamb",)})
    renamed = json.loads(json.dumps(told).replace('"quiz"', '"lamb"'))
    assert rows_of(own, renamed)["pretraining"]["state"] == "yes"


@pytest.mark.parametrize(
    ("kind", "model", "missing", "state"),
    [
        ("scripted", "", False, "no"),
        ("engine", "base", False, "no"),
        ("engine", "another", False, "yes"),
        ("openai", "judge-9", False, "yes"),
        ("openai", "judge-9", True, "part"),
    ],
)
def test_a_judge_is_named_dated_and_from_outside(
    tmp_path: Path, kind: str, model: str, missing: bool, state: str
) -> None:
    judged = judged_run(tmp_path, kind, model, missing=missing)
    row = rows_of(judged, summarize(judged))["outside_judge"]
    assert row["state"] == state
    assert f"{model or kind} gave 2 verdicts on 2026-11-21" in row["answer"]
    assert f"{50 if missing else 0}.0\u00a0% of them are missing" in row["answer"]


def test_missing_values_are_counted(tmp_path: Path, fake_run: Run, told: Summary) -> None:
    assert rows_of(fake_run, told)["missing"]["answer"] == "All 60 headline items of all models have a value."
    judged = judged_run(tmp_path, "openai", "judge-9", missing=True)
    row = rows_of(judged, summarize(judged))["missing"]
    assert row["state"] == "no"
    assert row["answer"].startswith("1 of 2 headline items have no value")


@pytest.mark.parametrize(
    ("review", "others", "state"),
    [
        ({"keep": "last", "until": "fixed"}, False, "yes"),
        ({"keep": "best", "until": "fixed"}, False, "no"),
        ({"keep": "best", "until": "fixed"}, True, "part"),
        ({"keep": "last", "until": "stagnation"}, False, "no"),
    ],
)
def test_a_result_chosen_on_its_own_test_is_told(
    fake_run: Run, told: Summary, review: Mapping[str, str], others: bool, state: str
) -> None:
    made = copy.deepcopy(told)
    if others:
        cell = {"task": "piqa", "metric": "acc", "n": 9, "missing": 0, "layout": ""}
        made["iterations"][0]["scores"].append({**cell, "value": 0.5, "ci_low": 0.2, "ci_high": 0.8})
    row = rows_of(changed(fake_run, review=review), made)["selection"]
    assert row["state"] == state


def test_what_the_code_was_is_told(tmp_path: Path) -> None:
    made = Maker(Store(tmp_path), "dated", 0, 1, "none")
    origin = {"isheep": "1", "git": "a" * 40, "python": "3", "packages": {"torch": "2"}}
    made.step("seeds", "seeds", 0, [], provenance=origin, device="cpu")
    assert rows_of(made.done(), summarize(made.done()))["versions"]["state"] == "yes"
    made.step("probes", "probes", 0, [], provenance={**origin, "git": "b" * 40 + "+changes"})
    row = rows_of(made.done(), summarize(made.done()))["versions"]
    assert row["state"] == "part"
    assert "the code was edited and not committed; steps were made by 2 revisions of isheep" in row["answer"]
    bare = Maker(Store(tmp_path / "bare"), "bare", 0, 1, "none").done()
    assert rows_of(bare, summarize(bare))["versions"]["state"] == "no"


def test_the_cost_of_each_model_grows(fake_run: Run, told: Summary) -> None:
    row = rows_of(fake_run, told)["compute"]
    costs = [model["flops"] for model in row["models"]]
    assert costs[0] == 0 < costs[1] < costs[2]
    assert costs[2] == told["ledger"]["training"]["flops"]


# ---------------------------------------------------------------- how it is shown


def page_of(summary: Summary) -> str:
    parts, plots = [], Plots()
    for part in rigor_section(summary):
        parts.append(plots.grid([part]) if isinstance(part, Figure) else part)
    head = page_head("t", (FOLDER / "rigor.css").read_text())
    return join(
        [
            Html('<!DOCTYPE html>\n<html lang="en">'),
            head,
            el("body", parts, scripts(plots.charts)),
            Html("</html>\n"),
        ]
    )


def test_the_section_says_every_state_in_a_word(fake_run: Run, told: Summary) -> None:
    summary = {**told, "rigor": rigor(fake_run, told)}
    text = page_of(summary)
    found = read(text)
    for row in summary["rigor"]:
        assert f"rigor-{row['id']}" in found.ids
        assert row["question"] in found.text
        assert row["answer"].replace("`", "") in found.text
        assert row["supply"].replace("`", "") in found.text
    words = re.findall(r'<span class="pill (\w+)">([^<]+)</span>', text)
    assert words == [STATES[row["state"]][::-1] for row in summary["rigor"]]
    noes = {f"#rigor-{row['id']}" for row in summary["rigor"] if row["state"] == "no"}
    assert noes
    assert {link for link in found.links if link.startswith("#")} == noes
    assert f"{len(noes)} by no" in found.text


def test_the_table_has_the_same_words(fake_run: Run, told: Summary) -> None:
    summary = {**told, "rigor": rigor(fake_run, told)}
    table = rigor_table(summary)
    assert [row[0] for row in table.rows] == [row["question"] for row in summary["rigor"]]
    assert [row[1] for row in table.rows] == [STATES[row["state"]][0] for row in summary["rigor"]]
    assert "<td" in table_view(table)


def test_names_cannot_break_the_page(fake_run: Run, told: Summary) -> None:
    hostile = replace(changed(fake_run, model={"base": HOSTILE}, backend={"engine": "hf"}), name=HOSTILE)
    summary = {**json.loads(json.dumps(told).replace('"quiz"', json.dumps(HOSTILE)))}
    page = page_of({**summary, "rigor": rigor(hostile, summary)})
    read(page)
    assert "<script" not in without_scripts(page)


def test_the_plot_shows_models_against_what_they_took(fake_run: Run, told: Summary) -> None:
    rows = rigor(fake_run, told)
    figure = compute_figure({**told, "rigor": rows})
    assert figure is not None
    assert len(figure.plot.rows) == 3
    assert "model FLOPs spent" in str(figure.plot.spec)
    for row in rows:
        for model in row.get("models", ()):
            model["flops"] = None
    in_tokens = compute_figure({**told, "rigor": rows})
    assert in_tokens is not None
    assert "tokens spent" in str(in_tokens.plot.spec)
    alone = {**told, "iterations": told["iterations"][:1]}
    alone["rigor"] = [{**row, "models": row["models"][:1]} if "models" in row else row for row in rows]
    assert compute_figure(alone) is None
    assert not any(isinstance(part, Figure) for part in rigor_section(alone))


def test_the_look_has_no_colour_of_its_own() -> None:
    own = (FOLDER / "rigor.css").read_text()
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", own)


def test_a_summary_without_a_list_has_no_section(told: Summary) -> None:
    assert list(rigor_section({**told, "rigor": []})) == []


def test_every_question_stands_in_the_documentation(fake_run: Run, told: Summary) -> None:
    text = (Path(__file__).parents[2] / "docs" / "rigor.md").read_text()
    for row in rigor(fake_run, told):
        assert f"| {row['question']} |" in text
    for area in AREAS:
        assert f"## {area}\n" in text


@pytest.mark.parametrize(("prompts", "seen"), [(2, False), (5, False), (6, True), (500, True)])
def test_so_few_prompts_that_the_exact_test_cannot_reject_see_nothing(prompts: int, seen: bool) -> None:
    row = {"task": "t", "metric": "acc", "n": prompts, "clusters": prompts, "changed": 1.0}
    assert (rigor_power._power(row, 1.0) > 0) is seen
    assert (mcnemar([True] * prompts, [False] * prompts) < 0.05) is seen
