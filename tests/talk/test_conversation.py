"""Turns: each model has its own history, and a turn that is broken off leaves no trace."""

from __future__ import annotations

import pytest
from echo import BASE, ONE, TWO, Echo

from isheep.errors import RecipeError, StoreError
from isheep.runs import Run
from isheep.talk.conversation import Conversation, Decoding, Models
from isheep.talk.models import TalkModel, models, open_models, parse_iterations
from isheep.text.prompts import LAYOUTS


def talk(*chosen: TalkModel, finish: str = "stop") -> tuple[Echo, Conversation]:
    echo = Echo(finish)
    return echo, Conversation(Models(echo, chosen or (TWO, BASE, ONE), Decoding(9, 0.5, 0.9, seed=4)))


def silent(place: int, piece: str) -> None:
    pass


def test_every_model_is_asked_with_its_own_history() -> None:
    echo, conversation = talk()
    told: list[tuple[int, str]] = []
    first = conversation.ask(" a ", lambda place, piece: told.append((place, piece)))
    assert [answer.text for answer in first] == [
        "0.1",
        "None.2",
        "1.3",
    ]  # adapters in the order of the models
    assert told == [(0, "0.1"), (1, "None.2"), (2, "1.3")]
    conversation.ask("b", silent)
    assert [request.prompt for _, request in echo.asked[3:]] == [
        LAYOUTS["question"].prompt("b", "", ("a", said)) for said in ("0.1", "None.2", "1.3")
    ]
    sampling = echo.asked[0][1].sampling
    assert (sampling.max_tokens, sampling.temperature, sampling.top_p) == (9, 0.5, 0.9)
    assert sampling.stops == LAYOUTS["question"].stop_texts


def test_one_draw_for_all_models_and_another_for_every_turn() -> None:
    echo, conversation = talk()
    for _ in range(2):
        conversation.ask("a", silent)
    conversation.retry(silent)
    conversation.retry(silent)
    seeds = [request.seed for _, request in echo.asked]
    assert [len(set(seeds[n : n + 3])) for n in range(0, 12, 3)] == [1] * 4
    assert len(set(seeds)) == 4
    again, same = talk()
    same.ask("a", silent)
    assert again.asked[0][1].seed == seeds[0]


def test_retry_takes_the_place_of_the_last_answers() -> None:
    echo, conversation = talk(BASE)
    conversation.ask("a", silent)
    conversation.ask("b", silent)
    conversation.retry(silent)
    assert echo.asked[2][1].prompt == echo.asked[1][1].prompt
    assert conversation.turns == 2
    conversation.ask("c", silent)
    assert "None.3" in echo.asked[3][1].prompt
    assert "None.2" not in echo.asked[3][1].prompt


def test_reset_forgets() -> None:
    echo, conversation = talk(BASE)
    conversation.ask("a", silent)
    conversation.reset()
    conversation.ask("b", silent)
    assert echo.asked[1][1].prompt == LAYOUTS["question"].prompt("b")


def test_a_turn_that_is_broken_off_leaves_no_trace() -> None:
    echo, conversation = talk()
    conversation.ask("a", silent)

    def leave(place: int, piece: str) -> None:
        if place == 1:
            raise KeyboardInterrupt

    for attempt in (lambda: conversation.ask("b", leave), lambda: conversation.retry(leave)):
        with pytest.raises(KeyboardInterrupt):
            attempt()
    assert conversation.turns == 1
    conversation.ask("c", silent)
    assert echo.asked[-1][1].prompt == LAYOUTS["question"].prompt("c", "", ("a", "1.3"))


@pytest.mark.parametrize(("finish", "word"), [("length", "cut"), ("too_long", "/reset"), ("stop", "")])
def test_what_a_reader_should_know_is_said(finish: str, word: str) -> None:
    _, conversation = talk(BASE, finish=finish)
    (answer,) = conversation.ask("a", silent)
    assert word in answer.note
    assert bool(answer.note) == bool(word)


def test_models_are_chosen_by_number(fake_run: Run) -> None:
    assert [model.name for model in models(fake_run, [2, 0])] == ["M2", "M0 (base)"]
    with pytest.raises(StoreError, match="no model 3, 7") as caught:
        models(fake_run, [3, 0, 7])
    assert "0, 1, 2" in caught.value.hint
    assert parse_iterations(" 0, 3 ") == (0, 3)


@pytest.mark.parametrize("text", ["", "a", "0,,1", "-1", "1,1", "²"])
def test_what_is_no_list_of_numbers_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="--iterations"):
        parse_iterations(text)


def test_a_conversation_with_a_real_run_is_the_same_each_time(fake_run: Run) -> None:
    def said() -> list[str]:
        chosen = models(fake_run)
        conversation = Conversation(Models(open_models(fake_run, chosen), chosen, Decoding(60, 1.0)))
        return [answer.text for _ in range(2) for answer in conversation.ask("What?", silent)]

    assert said() == said()
