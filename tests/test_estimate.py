"""Estimates: rough, but of the right order, and never a reason for `isheep plan` to fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluated import write_evaluations
from isheep.benchmarks import BENCHMARKS
from isheep.estimate import DOCUMENTS, LONGEST, Estimate, estimate
from isheep.plan import make_plan
from toy import TESTS, toy, write_lines


def estimated(folder: Path, *overrides: str) -> dict[str, Estimate]:
    return estimate(make_plan(toy(folder, *overrides)))


def test_every_step_has_one(tmp_path: Path) -> None:
    plan = make_plan(toy(tmp_path))
    found = estimate(plan)
    assert set(found) == {step.name for step in plan.steps}
    for name, guess in found.items():
        assert min(guess.read, guess.written, guess.bytes) >= 0, name


def test_more_tasks_cost_more(tmp_path: Path) -> None:
    few = estimated(tmp_path, "instructions.count=100")
    many = estimated(tmp_path, "instructions.count=1000")
    for stage in ("instructions", "responses", "assessment"):
        assert 8 < many[f"{stage}.0"].read / few[f"{stage}.0"].read < 12
    assert many["responses.0"].written == 10 * few["responses.0"].written
    assert many["train.0"].read == pytest.approx(10 * few["train.0"].read)


def test_what_generates_nothing_writes_nothing(tmp_path: Path) -> None:
    found = estimated(tmp_path)
    assert found["assessment.0"].written == found["filter.0"].read == found["train.0"].written == 0
    assert estimated(tmp_path, "assessment.reading=sampled")["assessment.0"].written > 0
    nothing = estimated(tmp_path, "assessment.level=none", "filter.by=random")["assessment.0"]
    assert (nothing.read, nothing.written) == (0, 0)


def test_one_scale_is_half_of_both(tmp_path: Path) -> None:
    one = estimated(tmp_path, "assessment.level=quality")["assessment.0"].read
    assert 2 * one == estimated(tmp_path)["assessment.0"].read


def test_the_base_model_answers_in_several_layouts(tmp_path: Path) -> None:
    found = estimated(tmp_path)
    assert found["evaluate.0"].read == 2 * found["evaluate.1"].read == 3 * 2 * 2 * 40


def test_training_sees_what_is_kept(tmp_path: Path) -> None:
    all_kept = estimated(tmp_path, "instructions.count=1000", "filter.keep_fraction=1.0")["train.0"].read
    half = estimated(tmp_path, "instructions.count=1000", "filter.keep_fraction=0.5")["train.0"].read
    capped = estimated(tmp_path, "instructions.count=1000", "train.max_samples=100")["train.0"].read
    assert 2 * half == all_kept
    assert 10 * capped == all_kept


@pytest.mark.parametrize(
    "config",
    [
        "not json",
        "[]",
        "{}",
        '{"hidden_size": null}',
        '{"text_config": {"hidden_size": 8}}',
        '{"hidden_size": "8"}',
        "\udcff",
    ],
)
def test_an_odd_model_folder_does_no_harm(tmp_path: Path, config: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_bytes(config.encode(errors="surrogateescape"))
    assert estimated(tmp_path, f"model.base={tmp_path}/model")["train.0"].bytes == 0


def test_the_adapters_size(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    config = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    rows = 4 * 2 * 64 + 3 * (64 + 128)
    found = estimated(tmp_path, f"model.base={tmp_path}/model", "train.lora.rank=4")
    assert found["train.0"].bytes == 4 * 4 * 2 * rows


def test_test_files_of_any_kind_do_no_harm(tmp_path: Path) -> None:
    odd = tmp_path / "odd.jsonl"
    odd.write_bytes(b"\xff\xfe\n\xff\n")
    (tmp_path / "folder").mkdir()
    write_lines(tmp_path / "folder" / "a.jsonl", TESTS)
    found = estimated(tmp_path, f"evaluate.tasks=[{odd}, {tmp_path}/folder]")
    assert found["evaluate.1"].read > 0


def test_options_cost_what_they_ask_for(tmp_path: Path) -> None:
    plain = estimated(tmp_path)
    turns = estimated(tmp_path, "followups.turns=3")
    assert turns["turn3.responses.0"].written == plain["responses.0"].written
    assert turns["turn2.followups.0"].written > 0
    assert turns["assessment.0"].read == 3 * plain["assessment.0"].read
    assert turns["train.0"].read == 3 * plain["train.0"].read
    several = estimated(tmp_path, "responses.samples=4")
    assert several["responses.0"].written == 4 * plain["responses.0"].written
    assert several["assessment.0"].read == 4 * plain["assessment.0"].read
    assert several["probe_scores.0"] == plain["probe_scores.0"], "planted answers are as many as before"
    often = estimated(tmp_path, "assessment={reading: sampled, samples: 5}")["assessment.0"]
    assert often.read == 5 * plain["assessment.0"].read


def test_likelihoods_and_vectors_only_read(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    config = {"hidden_size": 4096, "intermediate_size": 1, "num_hidden_layers": 1}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    words = (f"model.base={tmp_path}/model", "filter.ppl={}")
    found = estimated(tmp_path, *words, "filter.density={}")
    assert found["likelihood.0"].read == found["vectors.0"].read > 0
    assert found["likelihood.0"].written == found["vectors.0"].written == 0
    assert found["vectors.0"].bytes > 12 * 2 * 4096 > 10 * found["likelihood.0"].bytes
    alone = estimated(tmp_path, *words, "filter.density={of: instruction}")
    assert alone["vectors.0"].read < found["vectors.0"].read


def test_preferences_read_two_answers_to_every_task(tmp_path: Path) -> None:
    found = estimated(
        tmp_path, "preferences.samples=3", "prefer.epochs=1.0", "train.epochs=1.0", "filter.keep_fraction=1.0"
    )
    assert found["candidates.0"].written == 3 * found["responses.0"].written
    assert found["candidate_scores.0"].read == 3 * found["assessment.0"].read
    assert found["prefer.0"].read == 2 * found["train.0"].read
    direct = estimated(tmp_path, "preferences.samples=3", "prefer.epochs=1.0", "train.start=direct")
    assert direct["prefer.0"].read == 2 * found["prefer.0"].read, "the tasks of both iterations"


def test_direct_costs_all_iterations_at_once(tmp_path: Path) -> None:
    each, once = (
        estimated(tmp_path, "iterations=3"),
        estimated(tmp_path, "iterations=3", "train.start=direct"),
    )
    for name in ("responses.0", "assessment.0", "train.0"):
        assert once[name].read == 3 * each[name].read
    assert (
        estimated(tmp_path, "iterations=3", "train.start=total_base")["train.2"].read
        == 3 * each["train.2"].read
    )


def test_a_density_filter_keeps_its_clusters(tmp_path: Path) -> None:
    many = ("instructions.count=1000", "filter.keep_fraction=null")
    every = estimated(tmp_path, *many)["train.0"].read
    for density, share in (("{clusters: 100}", 10), ("{clusters: null, share: 0.2, per_cluster: 2}", 2.5)):
        found = estimated(tmp_path, *many, f"filter.density={density}")["train.0"].read
        assert share * found == every


# evaluations


def test_evaluations_have_theirs_too(tmp_path: Path) -> None:
    rest = write_evaluations(tmp_path)
    found = estimated(tmp_path, *rest)
    asking = ("also.1", "benchmarks.1", "ifeval.1", "pairs.chat.1", "pairs.judged.1", "talk.chat.1",
              "talk.judged.1", "exam_responses.1")  # fmt: skip
    for name in asking:
        assert found[name].read > 0, name
        assert found[name].written > 0, name
        assert found[name].bytes > 0, name
    for name in ("questions.talk", "contamination.0", "exam"):
        assert (found[name].read, found[name].written) == (0, 0), name
    assert found["ifeval.0"] == found["ifeval.2"], "every model is asked the same"
    assert found["exam_own.1"].read == found["exam_first.1"].read == found["exam_base.1"].read > 0


def test_what_is_asked_less_costs_less(tmp_path: Path) -> None:
    rest = write_evaluations(tmp_path)
    every, few = (
        estimated(tmp_path, *rest, *words)
        for words in ((), ("ifeval.limit=1", "chat.limit=1", "exam.questions=0"))
    )
    assert every["ifeval.1"].written == 3 * few["ifeval.1"].written
    assert every["talk.chat.1"].written == 2 * few["talk.chat.1"].written
    assert every["pairs.judged.1"].read == 3 * few["pairs.judged.1"].read
    assert every["exam_responses.1"].written == 2 * few["exam_responses.1"].written
    short = estimated(tmp_path, *rest, "ifeval.max_tokens=2", "chat.max_tokens=2", "judge.max_tokens=3")
    assert short["ifeval.1"].written == 3 * 2
    assert short["talk.chat.1"].written == 4 * 2
    assert short["talk.judged.1"].written == 4 * 3
    assert short["pairs.judged.1"].written == 6 * 3, "both orders"
    label = estimated(tmp_path, *rest, "judge.reading=expected")
    assert label["pairs.judged.1"].written == 6, "one token each"


def test_a_second_turn_reads_the_first(tmp_path: Path) -> None:
    found = estimated(tmp_path, *write_evaluations(tmp_path), "chat.max_tokens=10")
    assert found["talk.chat.1"].read == 2 * (40 + 40 + 40 + 10)


def test_benchmarks_by_their_published_sizes(tmp_path: Path) -> None:
    assert DOCUMENTS.keys() == BENCHMARKS.keys()

    def of(*words: str) -> Estimate:
        return estimated(tmp_path, "iterations=0", *words)["benchmarks.0"]

    choice, written = of("benchmarks.tasks=[boolq]"), of("benchmarks.tasks=[squadv2]")
    assert (choice.written, written.written) == (0, 11873 * 80)
    assert choice.read == 3270 * 4 * 100
    both = of("benchmarks.tasks=[boolq, squadv2]")
    assert both.read == choice.read + written.read
    assert of("benchmarks={tasks: [boolq], limit: 10}").read == 10 * 4 * 100
    assert of("benchmarks={tasks: [boolq], limit: 10, shots: 5}").read == 6 * 10 * 4 * 100
    assert of("benchmarks={tasks: [mmlu], limit: 1}").read == 57 * 4 * 100, "one of each subject"
    assert of("benchmarks={tasks: [squadv2], limit: 10, max_tokens: 3}").written == 30


def test_a_test_that_was_added_is_counted_apart(tmp_path: Path) -> None:
    found = estimated(tmp_path, *write_evaluations(tmp_path), "evaluate.decodings=[greedy]")
    assert (found["evaluate.1"].read, found["also.1"].read) == (3 * 40, 2 * 40)


# lengths


def test_the_longest_texts_are_those_the_recipe_allows(tmp_path: Path) -> None:
    words = (
        "responses.max_tokens=700",
        "instructions.max_tokens=900",
        "train.cutoff=512",
        "followups.turns=2",
    )
    sampled = "assessment={reading: sampled, max_tokens: 60}"
    plan = make_plan(toy(tmp_path, *words, sampled))
    typical, longest = estimate(plan), estimate(plan, LONGEST)
    answers = longest["responses.0"]
    assert answers.written == answers.requests * 700 > typical["responses.0"].written
    assert longest["instructions.0"].written == longest["instructions.0"].requests * 900
    assert longest["assessment.0"].written == longest["assessment.0"].requests * 60
    assert longest["train.0"].read == longest["train.0"].requests * 512, "longer texts are cut"
    for name, guess in longest.items():
        assert guess.read >= typical[name].read, name
        assert guess.written >= typical[name].written, name
        assert guess.requests == typical[name].requests, name


def test_requests_are_counted(tmp_path: Path) -> None:
    found = estimated(tmp_path, "instructions.count=1000", "responses.samples=2", "filter.keep_fraction=0.5")
    assert found["responses.0"].requests == 2000
    assert found["assessment.0"].requests == 2 * 2000, "both scales"
    assert found["train.0"].requests == found["train.0"].read / 120 == 2 * 1000, "both epochs"
    assert found["filter.0"].requests == 0
