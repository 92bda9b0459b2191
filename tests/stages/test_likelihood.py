"""likelihood and vectors: every pair is read once, in the very text it was asked and is trained in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isheep.backends.base import Passage
from isheep.records import Likelihood, Pair, Record, Vector
from isheep.stages import likelihood, vectors
from isheep.stages.likelihood import LikelihoodSettings
from isheep.stages.stage import Context
from isheep.stages.train import examples
from isheep.stages.vectors import VectorsSettings
from isheep.text.prompts import LAYOUTS
from toy import Script, context, pair, whole

PAIRS = [
    pair("0.0.00", "Red.", instruction="Name a colour."),
    pair("0.0.01", "Cows.", instruction="Give the plural.", input="cow"),
    pair("0.0.01+", "Geese.", instruction="And of goose?", history=("Give the plural.\ncow", "Cows.")),
    pair("0.0.02", "", instruction="Say nothing."),
]

Run = Callable[[Context[Any]], Iterator[Record]]
#: What each of the two stages runs, with its settings.
STAGES: dict[str, tuple[Run, Any]] = {
    "likelihood": (likelihood.run, LikelihoodSettings()),
    "vectors": (vectors.run, VectorsSettings()),
}


def ctx_for(
    folder: Path,
    settings: Any,
    engine: Any = None,
    journal: Sequence[Record] = (),
    pairs: Sequence[Pair] = PAIRS,
    **rest: Any,
) -> Context[Any]:
    if engine is not None:
        rest["open_engine"] = lambda: engine
    return context(settings, folder, {"responses": pairs}, journal, **rest)


def passages(folder: Path, run: Run, settings: Any, **rest: Any) -> dict[str, Passage]:
    engine = Script()
    list(run(ctx_for(folder, settings, engine, **rest)))
    assert len(engine.passages) == len(PAIRS)
    return {passage.id: passage for passage in engine.passages}


# both


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("layout", ["question", "chatml"])
def test_pairs_are_read_as_they_are_trained(tmp_path: Path, stage: str, layout: str) -> None:
    read = passages(tmp_path, *STAGES[stage], layout=layout)
    for example in examples(PAIRS[:3], LAYOUTS[layout]):
        passage = read[example.id]
        assert (passage.prompt, passage.text) == (example.prompt, example.completion)
    assert read["0.0.02"].text == "", "the space before an answer is no answer"


@pytest.mark.parametrize("stage", STAGES)
def test_every_pair_has_one_record_and_an_interruption_changes_nothing(tmp_path: Path, stage: str) -> None:
    run, settings = STAGES[stage]
    made = whole(run, lambda journal: ctx_for(tmp_path, settings, journal=journal))
    assert sorted(record.id for record in made) == [p.id for p in PAIRS]


@pytest.mark.parametrize("stage", STAGES)
def test_what_was_read_is_not_read_again(tmp_path: Path, stage: str) -> None:
    run, settings = STAGES[stage]
    made = list(run(ctx_for(tmp_path, settings, Script())))
    again = Script()
    told: list[tuple[int, int, str]] = []
    ctx = ctx_for(tmp_path, settings, again, made[:3])
    ctx.report = lambda *now: told.append(now)
    assert list(run(ctx)) == made[3:]
    assert [passage.id for passage in again.passages] == [made[3].id]
    assert told == [(3, 4, "pairs"), (4, 4, "pairs")]


# likelihood


def test_likelihoods_are_kept_as_they_were_told(tmp_path: Path) -> None:
    made = list(likelihood.run(ctx_for(tmp_path, LikelihoodSettings(), Script())))
    assert made[-1] == Likelihood("0.0.00", -1.0, 1, -4.0, 2)


def test_an_empty_answer_has_no_likelihood(tmp_path: Path) -> None:
    found = {r.id: r for r in likelihood.run(ctx_for(tmp_path, LikelihoodSettings()))}
    assert found["0.0.02"] == Likelihood("0.0.02", 0.0, 0, 0.0, 0)
    one = found["0.0.00"]
    assert isinstance(one, Likelihood)
    assert one.text_tokens > 0 > one.text_loglik


# vectors


def numbers(folder: Path, settings: VectorsSettings, pairs: Sequence[Pair]) -> dict[str, Any]:
    made = vectors.run(ctx_for(folder, settings, pairs=pairs))
    return {record.id: record.numbers for record in made if isinstance(record, Vector)}


ANSWERED = [pair(p.id, f"Something else, {p.id}.", instruction=p.instruction, input=p.input) for p in PAIRS]
ASKED = [pair(p.id, p.response, instruction=p.instruction, input=p.input) for p in PAIRS]


def test_the_vector_of_a_request_does_not_hang_on_its_answer(tmp_path: Path) -> None:
    alone = VectorsSettings(of="instruction")
    one, two = numbers(tmp_path, alone, ASKED), numbers(tmp_path, alone, ANSWERED)
    for id, found in one.items():
        assert np.array_equal(found, two[id])
        assert np.linalg.norm(found) == pytest.approx(1, abs=1e-2), "even where there is no answer"
    assert len({found.tobytes() for found in one.values()}) == len(PAIRS), "and tells requests apart"


def test_the_vector_of_a_pair_hangs_on_its_answer(tmp_path: Path) -> None:
    one, two = (numbers(tmp_path, VectorsSettings(), given) for given in (ASKED, ANSWERED))
    assert not any(np.array_equal(one[id], two[id]) for id in one)


def test_a_pair_without_an_answer_has_a_vector_of_zeros(tmp_path: Path) -> None:
    found = numbers(tmp_path, VectorsSettings(), PAIRS)
    assert {id: bool(values.any()) for id, values in found.items()} == {
        "0.0.00": True, "0.0.01": True, "0.0.01+": True, "0.0.02": False,
    }  # fmt: skip
    assert len({values.shape for values in found.values()}) == 1


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_the_pooling_reaches_the_engine(tmp_path: Path, pooling: Any) -> None:
    engine = Script()
    made = list(vectors.run(ctx_for(tmp_path, VectorsSettings(pooling=pooling), engine)))
    assert engine.pooling == pooling
    assert made[0] == Vector.of("0.0.02", np.array([0.6, 0.8], np.float32))
