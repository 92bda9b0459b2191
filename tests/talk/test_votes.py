"""Votes: hidden order, a file that survives, and what the votes come to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from echo import BASE, TWO, Echo
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from isheep.errors import RecipeError, StoreError
from isheep.runs import Run
from isheep.talk.blind import Blind, order
from isheep.talk.conversation import Decoding, Models
from isheep.talk.models import TalkModel
from isheep.talk.preferences import Preferred, append, count, read, tally

VOTE = Preferred(
    0, "2026-01-01T00:00:00+00:00", "r", (0, 2), (2, 0), 0, "q\u2028\ud83d", ("x", "y"), "a", 2, 0.0, 9
)


def votes(wins: int, losses: int, ties: int, skipped: int = 0) -> list[Preferred]:
    kinds = [("a", 2)] * wins + [("b", 0)] * losses + [("tie", None)] * ties + [("skip", None)] * skipped
    return [replace(VOTE, vote=vote, winner=winner) for vote, winner in kinds]  # type: ignore[arg-type]


def session(run: Run, *chosen: TalkModel, seed: int = 0) -> Blind:
    return Blind(run, Models(Echo(), chosen or (BASE, TWO), Decoding(9, seed=seed)))


def silent(place: int, piece: str) -> None:
    pass


# ---------------------------------------------------------------- the order


def test_the_order_is_a_coin_that_can_be_tossed_again() -> None:
    tossed = [order(0, n, "q", (0, 3)) for n in range(400)]
    assert tossed == [order(0, n, "q", (0, 3)) for n in range(400)]
    assert 160 < tossed.count((0, 3)) < 240
    assert tossed != [order(1, n, "q", (0, 3)) for n in range(400)]
    assert tossed != [order(0, n, "p", (0, 3)) for n in range(400)]


def test_a_is_the_model_the_order_says(own_run: Run) -> None:
    blind = session(own_run)
    seen = set()
    for n in range(12):
        told: list[tuple[int, str]] = []
        asked = blind.ask("q", lambda place, piece, told=told: told.append((place, piece)))  # type: ignore[misc]
        assert asked.order == order(0, n, "q", (0, 2))
        adapters = [answer.text.split(".")[0] for answer in asked.answers]
        assert adapters == ["0" if model == 2 else "None" for model in asked.order]
        assert told == [(side, asked.answers[side].text) for side in (0, 1)]
        blind.vote(asked, "b")
        kept = read(blind.path)[-1]
        assert (kept.order, kept.winner, kept.number) == (asked.order, asked.order[1], n)
        assert kept.answers == tuple(answer.text for answer in asked.answers)
        seen.add(asked.order)
    assert seen == {(0, 2), (2, 0)}


def test_no_question_sees_what_was_said_before(own_run: Run) -> None:
    blind = session(own_run)
    for question in ("one", "two"):
        blind.vote(blind.ask(question, silent), "tie")
    prompts = [request.prompt for _, request in blind._models._streamer.asked]  # type: ignore[attr-defined]
    assert not any("one" in prompt for prompt in prompts[2:])


@pytest.mark.parametrize("chosen", [(BASE,), (BASE, TWO, TalkModel(1, "z"))])
def test_it_is_between_two(own_run: Run, chosen: tuple[TalkModel, ...]) -> None:
    with pytest.raises(RecipeError, match="between two models"):
        session(own_run, *chosen)


def test_the_closing_counts_older_votes_and_says_so(own_run: Run) -> None:
    first = session(own_run)
    first.vote(first.ask("q", silent), "tie")
    assert "earlier" not in first.closing()
    later = session(own_run, TWO, BASE)  # the pair is the same, whichever is named first
    later.vote(later.ask("q", silent), "skip")
    later.vote(later.ask("q", silent), "tie")
    assert "0, 2 ties" in later.closing()
    assert later.closing().endswith("(1 of the votes are from earlier sessions)")
    assert "No vote" in session(own_run, BASE, TalkModel(1, "x")).closing()


# ---------------------------------------------------------------- the file


def test_a_vote_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    assert read(path) == []
    for n in range(3):
        append(path, replace(VOTE, number=n))
    assert read(path) == [replace(VOTE, number=n) for n in range(3)]
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("cut", [1, 2, 100, 200])
def test_half_a_line_costs_that_vote_alone(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "votes.jsonl"
    for n in range(2):
        append(path, replace(VOTE, number=n))
    path.write_bytes(path.read_bytes()[:-cut])
    left = [0, 1] if cut == 1 else [0]  # only the end of the line is missing
    assert [vote.number for vote in read(path)] == left
    append(path, replace(VOTE, number=2))
    assert [vote.number for vote in read(path)] == [*left, 2]
    assert count(path) == 3


def test_votes_survive_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    code = (
        "import sys, pathlib\nfrom dataclasses import replace\nfrom test_votes import VOTE\n"
        "from isheep.talk.preferences import append\n"
        "for n in range(10**6):\n append(pathlib.Path(sys.argv[1]), replace(VOTE, number=n)); print(n, flush=True)"
    )
    here = str(Path(__file__).parent)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([here, *filter(None, sys.path)])}
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, env=env)
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(5)]
    child.send_signal(signal.SIGKILL)
    told += [int(line) for line in child.stdout]
    child.wait()
    assert [vote.number for vote in read(path)][: len(told)] == told


def test_a_file_of_something_else_is_not_taken_for_votes(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    for row in ({"x": 1}, [1], {**asdict(VOTE), "vote": "c"}):
        path.write_text(json.dumps(row) + "\n")
        with pytest.raises(StoreError, match="line 1 is no vote"):
            read(path)


# ---------------------------------------------------------------- what they come to


@settings(deadline=None)  # a busy machine is no mistake
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 5))
def test_rate_and_interval(wins: int, losses: int, skipped: int) -> None:
    found = tally(votes(wins, losses, 0, skipped), (0, 2))
    assert (found.wins, found.losses, found.skipped) == (wins, losses, skipped)
    if wins + losses == 0:
        assert found.rate is None
        assert found.interval == (0.0, 1.0)
        return
    assert found.rate == wins / (wins + losses)
    assert found.interval == pytest.approx(
        proportion_confint(wins, wins + losses, method="wilson"), abs=1e-12
    )


def test_a_tie_counts_half_and_other_pairs_not_at_all() -> None:
    others = [replace(VOTE, models=(0, 1), winner=1)] * 50
    found = tally([*votes(3, 1, 2), *others], (0, 2))
    assert (found.votes, found.rate) == (6, 4 / 6)


def test_the_sentence_says_whether_it_differs_from_even() -> None:
    assert "M2 is preferred" in tally(votes(18, 2, 0), (0, 2)).sentence()
    assert "M0 (base) is preferred" in tally(votes(2, 18, 0), (0, 2)).sentence()
    even = tally(votes(6, 4, 1), (0, 2)).sentence()
    assert "does not differ from even" in even
    assert "preferred in 6, not in 4, 1 ties; win rate 59%" in even
