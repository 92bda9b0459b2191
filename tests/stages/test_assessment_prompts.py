"""assessment: what a judge is shown (sets of prompts, examples, what was said before), and several verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from isheep.backends.base import Request
from isheep.files import shipped
from isheep.records import Pair, Record, Verdict
from isheep.stages.assessment import PROMPT_SET, SCALES, AssessmentSettings, run
from isheep.text.parse import RATING_DONE
from isheep.text.prompts import read_examples, request
from isheep.text.verdicts import scores
from toy import Script, context, pair, whole, write_lines

PAIRS = [
    pair("0.0.00", "Red.", instruction="Name a colour."),
    pair("0.0.01", "Cows.", instruction="Give the plural.", input="cow"),
]
SETS = shipped(PROMPT_SET.folder, PROMPT_SET.suffix)


def ctx_for(
    folder: Path,
    prompts: Path,
    engine: Any = None,
    pairs: Sequence[Pair] = PAIRS,
    journal: Sequence[Record] = (),
    **settings: Any,
) -> Any:
    rest: dict[str, Any] = {} if engine is None else {"open_engine": lambda: engine}
    asked = AssessmentSettings(**settings)
    return context(asked, folder, {"responses": pairs}, journal, files={"prompts": prompts}, **rest)


def shown(folder: Path, prompts: Path, **given: Any) -> dict[str, str]:
    """What a judge of probabilities is asked, by verdict."""
    engine = Script()
    list(run(ctx_for(folder, prompts, engine, **given)))
    return {query.id: query.prompt for query in engine.queries}


# the shipped sets


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("reading", ["expected", "sampled"])
def test_every_shipped_set_judges_both_scales(tmp_path: Path, name: str, reading: str) -> None:
    prompts = PROMPT_SET.place(SETS[name])
    assert PROMPT_SET.problem(prompts) is None
    verdicts = list(run(ctx_for(tmp_path, prompts, reading=reading)))
    assert {v.id for v in verdicts} == {f"{p.id}/{scale}" for p in PAIRS for scale in SCALES}
    for verdict in verdicts:
        assert isinstance(verdict, Verdict)
        assert verdict.score is not None, "what the set asks for is read as a score"
        assert 1 <= verdict.score <= 10


@pytest.mark.parametrize("name", SETS)
def test_the_two_scales_are_asked_in_different_words(tmp_path: Path, name: str) -> None:
    texts = shown(tmp_path, PROMPT_SET.place(SETS[name]))
    assert len(set(texts.values())) == 4
    for id, text in texts.items():
        asked = "Name a colour." if id.startswith("0.0.00") else "Give the plural.\ncow"
        assert asked in text
        assert text.count("Cows.") + text.count("Red.") == 1


@pytest.mark.parametrize("name", ["icl", "lamb_icl"])
@pytest.mark.parametrize("scale", SCALES)
def test_icl_shows_every_example_with_its_mark(tmp_path: Path, name: str, scale: str) -> None:
    prompts = PROMPT_SET.place(SETS[name])
    examples = read_examples((prompts / "examples.jsonl").read_text(encoding="utf-8"))
    text = shown(tmp_path, prompts)[f"0.0.00/{scale}"]
    at = 0
    for example in examples:
        asked = request(example.instruction, example.input)
        for part in (asked, example.response, f": {example.score(scale)}\n\n"):
            at = text.index(part, at) + len(part)
    assert text.index("Name a colour.", at)
    assert text.count("10):") + text.count("10:") == len(examples) + 1


@pytest.mark.parametrize("name", ["simple", "combined", "lamb"])
def test_the_other_sets_show_none(tmp_path: Path, name: str) -> None:
    assert not (PROMPT_SET.place(SETS[name]) / "examples.jsonl").exists()


# a folder of one's own


def own(
    folder: Path, quality: str = "{request}|{response}|", following: str = "{request}?{response}"
) -> Path:
    made = folder / "mine"
    made.mkdir()
    (made / "quality.txt").write_text(quality, encoding="utf-8")
    (made / "following.txt").write_text(following, encoding="utf-8")
    return made


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    prompts = own(tmp_path)
    assert PROMPT_SET.problem(prompts) is None
    texts = shown(tmp_path, prompts)
    assert texts["0.0.01/quality"] == "Give the plural.\ncow|Cows.|"
    assert texts["0.0.01/following"] == "Give the plural.\ncow?Cows."


EXAMPLE = {"instruction": "Add.", "input": "1 and 2", "response": "3", "quality": 9, "following": 4}


def test_a_folder_with_examples_of_ones_own(tmp_path: Path) -> None:
    template = "Marks.\n{examples}\n{request}={response}:"
    prompts = own(tmp_path, template, template)
    write_lines(prompts / "examples.jsonl", [EXAMPLE])
    assert PROMPT_SET.problem(prompts) is None
    texts = shown(tmp_path, prompts)
    assert texts["0.0.00/quality"] == "Marks.\nAdd.\n1 and 2=3: 9\n\nName a colour.=Red.:"
    assert texts["0.0.00/following"] == "Marks.\nAdd.\n1 and 2=3: 4\n\nName a colour.=Red.:"


@pytest.mark.parametrize(
    ("template", "examples", "said"),
    [
        ("{request} {response}\n{examples}\n", None, "holds a quality.txt that"),
        ("{examples}\n{request} {response}", None, "has {examples}, but there are none"),
        ("{examples}\n{request} {response}", b"", "the file is empty"),
        ("{examples}\n{request} {response}", b'{"instruction": "x"}\n', "line 1: missing or unknown"),
        ("{examples}\n{request} {response}", b"\xff\xfe\x00", "examples.jsonl that is not UTF-8"),
        ("{request}", None, "missing or unknown: response"),
        ("{request} {response} {score}", None, "missing or unknown: score"),
    ],
)
def test_a_folder_that_cannot_judge_is_known_before_any_work(
    tmp_path: Path, template: str, examples: bytes | None, said: str
) -> None:
    prompts = own(tmp_path, template, template)
    if examples is not None:
        (prompts / "examples.jsonl").write_bytes(examples)
    problem = PROMPT_SET.problem(prompts)
    assert problem is not None
    assert said in problem


def test_a_folder_needs_a_template_for_each_scale(tmp_path: Path) -> None:
    prompts = own(tmp_path)
    (prompts / "following.txt").unlink()
    assert PROMPT_SET.problem(prompts) == "holds no following.txt"


# what was said before


def test_the_judge_sees_what_was_said_before(tmp_path: Path) -> None:
    later = pair("0.0.00+", "Blue.", instruction="And another?", history=("Name a colour.", "Red."))
    text = shown(tmp_path, own(tmp_path), pairs=[later])["0.0.00+/quality"]
    said = [text.index(part) for part in ("Name a colour.", "Red.", "And another?", "|Blue.|")]
    assert said == sorted(said)
    alone = pair("0.0.00", "Blue.", instruction="And another?")
    assert shown(tmp_path, tmp_path / "mine", pairs=[alone])["0.0.00/quality"] == "And another?|Blue.|"


# several verdicts


def drawing(*written: str) -> Script:
    """A judge that writes the first text for the first draw of a pair, and so on."""
    return Script(lambda request: written[int(request.id.rpartition("/")[2])])


def test_several_samples_have_their_own_ids_and_seeds(tmp_path: Path) -> None:
    seen: list[Request] = []

    def write(request: Request) -> str:
        seen.append(request)
        return " 7||"

    list(run(ctx_for(tmp_path, own(tmp_path), Script(write), reading="sampled", samples=3)))
    ids = {f"{p.id}/{scale}/{n}" for p in PAIRS for scale in SCALES for n in range(3)}
    assert {request.id for request in seen} == ids
    assert len({request.seed for request in seen}) == len(ids) == 12
    assert len({request.prompt for request in seen}) == 4


@pytest.mark.parametrize(
    ("written", "score"),
    [
        (("8||", "9||", "5||"), 22 / 3),
        (("8||", "no idea", "5||"), 6.5),
        (("hm", "", "11||"), None),
    ],
)
def test_the_readable_ones_are_averaged(
    tmp_path: Path, written: tuple[str, ...], score: float | None
) -> None:
    ctx = ctx_for(tmp_path, own(tmp_path), drawing(*written), reading="sampled", samples=3, level="quality")
    verdicts = [v for v in run(ctx) if isinstance(v, Verdict)]
    assert {v.pair for v in verdicts} == {p.id for p in PAIRS}
    for found in scores(verdicts).values():
        assert found["quality"] == (None if score is None else pytest.approx(score))


def test_a_score_that_is_complete_ends_the_verdict(tmp_path: Path) -> None:
    seen: list[Request] = []

    def write(request: Request) -> str:
        seen.append(request)
        return " 7||"

    list(run(ctx_for(tmp_path, own(tmp_path), Script(write), reading="sampled", max_tokens=1000)))
    assert {request.sampling.until for request in seen} == {RATING_DONE}
    written = list(
        run(ctx_for(tmp_path, PROMPT_SET.place(SETS["simple"]), reading="sampled", max_tokens=1000))
    )
    for verdict in written:
        assert isinstance(verdict, Verdict)
        assert verdict.text.strip().isdigit(), "the fake would have gone on with a reason"
        assert verdict.tokens <= 2


def test_an_interruption_between_samples_changes_nothing(tmp_path: Path) -> None:
    prompts = own(tmp_path)
    made = whole(
        run, lambda journal: ctx_for(tmp_path, prompts, journal=journal, reading="sampled", samples=3)
    )
    assert len(made) == 2 * 2 * 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"samples": 2}, "the expected score is always the same"),
        ({"samples": 2, "reading": "sampled", "temperature": 0}, "every verdict is the same"),
    ],
)
def test_samples_that_would_all_be_the_same_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AssessmentSettings(**settings)
