"""Shared runs of words are found as a plain search finds them, whatever case, punctuation and script; and no others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.records import Item, Leak, Question
from isheep.text.contamination import SHORTEST, NgramIndex
from isheep.text.hashed import read, words
from isheep.text.leaks import clean_and_flagged, contaminated_pairs, leaked_questions
from toy import pair

LONG = "Write a short letter to the mayor of a small town, and ask (politely!) why the bridge is closed on Sundays."
ANSWER = "Dear mayor, the people of this town cross the old bridge every single Sunday morning to visit their parents."
MIDDLE = "Which river runs through the town with the closed bridge?"  # 10 words
SHORT = "What is it?"
QUESTIONS = [
    Question("t/1", "t", "1", LONG, ANSWER),
    Question("t/2", "t", "2", MIDDLE, "The Itz"),
    Question("u/1", "u", "1", SHORT, "A bridge"),
    Question("u/2", "u", "2", "桥在星期天为什么关闭?请给市长写一封信", ""),
    Question("u/3", "u", "3", "!?", ""),
]
INDEX = NgramIndex(QUESTIONS)


def found(text: str, index: NgramIndex = INDEX) -> dict[str, tuple[str, str]]:
    return {m.question: (m.kind, m.words) for m in index.find(text)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's Über-cool, ok?", "it s über cool ok"),
        ("a_b-c 3.5 ﬁne Ⅳ", "a b c 3 5 fine iv"),
        ("STRASSE Straße", "strasse strasse"),
        ("你好 world 안녕 하세요", "你 好 world 안녕 하세요"),
        ("สวัสดี", "ส ว ั ส ด ี"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("a\x01b", "a b"),
        ("...", ""),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert words(text) == expected.split()


@given(st.text())
def test_words_are_the_same_whatever_stands_around_and_in_any_case(text: str) -> None:
    once = words(text)
    assert words(" ".join(once)) == once
    assert words(f"¿{text}!\n") == once


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_text_is_cut_as_any_text(text: str) -> None:
    assert words(text) == words(text + " é")[:-1]


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        LONG.upper(),
        f"Please do this: {LONG} Thank you!",
        LONG.replace(",", " --").replace(" ", "\n  "),
        LONG.replace("(politely!)", "*politely*"),
        "".join(chr(ord(c) + 0xFEE0) if "!" < c <= "~" else c for c in LONG),
        ANSWER,
        "é " + ANSWER.replace(",", ";").title(),
        f"{LONG} {ANSWER}",
        " ".join(LONG.split()[-6:] + ANSWER.split()[:7]),
    ],
)
def test_a_copy_is_found(text: str) -> None:
    assert found(text).keys() == {"t/1"}
    kind, shared = found(text)["t/1"]
    assert kind == "ngram"
    assert 13 <= len(shared.split()) <= len(words(LONG + ANSWER))


def test_the_longest_shared_run_is_told() -> None:
    ws = words(LONG)
    text = " ".join([*ws[:13], "but", *ws[2:18], "never"])
    assert found(text) == {"t/1": ("ngram", " ".join(ws[2:18]))}


@pytest.mark.parametrize("start", range(9))
def test_twelve_words_are_not_thirteen(start: int) -> None:
    ws = words(LONG)
    assert found(" ".join(["x", *ws[start : start + 12], "y"])) == {}
    if start < 8:
        assert found(" ".join(["x", *ws[start : start + 13], "y"])).keys() == {"t/1"}


def test_a_run_across_two_texts_or_two_questions_is_none() -> None:
    ws = words(LONG)
    assert list(INDEX.scan([" ".join(ws[:7]), " ".join(ws[7:14])])) == [(), ()]
    two = NgramIndex(
        [Question("a/1", "a", "1", " ".join(ws[:9])), Question("a/2", "a", "2", " ".join(ws[9:18]))]
    )
    assert found(" ".join(ws[1:17]), two) == {}


def test_a_prompt_of_few_words_counts_when_all_of_it_is_there() -> None:
    assert found(f"Tell me: {MIDDLE.lower()} I forgot") == {"t/2": ("exact", " ".join(words(MIDDLE)))}
    assert found(" ".join(words(MIDDLE)[:-1])) == {}


def test_a_very_short_prompt_counts_only_when_it_is_the_whole_text() -> None:
    assert found("WHAT IS IT") == {"u/1": ("exact", "what is it")}
    assert found("What is it good for?") == {}
    assert found("what is") == {}


def test_scripts_without_spaces_are_compared_by_character() -> None:
    assert found("问题:桥在星期天为什么关闭?请给市长写信").keys() == {"u/2"}
    assert found("桥在星期天为什么关") == {}


def test_nothing_is_found_in_nothing() -> None:
    assert list(INDEX.scan(["", "?", "\x01"])) == [(), (), ()]
    assert list(INDEX.scan([])) == []
    assert NgramIndex([]).find(LONG) == ()


def test_n_must_be_something() -> None:
    with pytest.raises(ValueError, match="at least one word"):
        NgramIndex([], 0)


def test_equal_questions_are_all_told_in_their_order() -> None:
    index = NgramIndex([replace(QUESTIONS[0], id=f"t/{n}") for n in range(9)])
    assert [m.question for m in index.find(LONG)] == [f"t/{n}" for n in range(9)]


def test_many_repetitions_do_not_explode() -> None:
    index = NgramIndex([Question("t/1", "t", "1", "so " * 20_000)])
    assert found("so " * 20_000, index).keys() == {"t/1"}


@given(st.lists(st.text()), st.integers(1, 3))
def test_reading_many_texts_at_once_cuts_the_same_words(texts: list[str], batch: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("isheep.text.hashed.BATCH", batch)
        told = read(texts)
    rows = [words(text) for text in texts]
    assert told.lengths.tolist() == [len(row) for row in rows]
    flat = [word for row in rows for word in row]
    assert len(set(told.hashes.tolist())) == len(set(flat)), "a hash for each different word"
    hashes = dict(zip(flat, told.hashes.tolist(), strict=True))
    assert told.hashes.tolist() == [hashes[word] for word in flat]
    assert told.texts(np.arange(len(flat))).tolist() == [n for n, row in enumerate(rows) for _ in row]


# against the plain way

#: Few different words, so that runs are shared by chance, and questions repeat themselves.
WORDS = st.lists(st.sampled_from(["a", "b", "é", "漢", "Ä"]), max_size=14).map(" ".join)


def plain(questions: list[Question], n: int, text: str) -> set[str]:
    """The definition, word by word."""

    def holds(row: list[str], run: list[str]) -> bool:
        return any(row[i : i + len(run)] == run for i in range(len(row) - len(run) + 1))

    ws, hits = words(text), set()
    for q in questions:
        asked, row = words(q.text), words(q.text) + words(q.answer)
        if any(holds(ws, row[i : i + n]) for i in range(len(row) - n + 1)):
            hits.add(q.id)
        if SHORTEST <= len(asked) < n and holds(ws, asked):
            hits.add(q.id)
        if 0 < len(asked) < min(n, SHORTEST) and ws == asked:
            hits.add(q.id)
    return hits


@settings(max_examples=300)
@given(st.lists(st.tuples(WORDS, WORDS), max_size=5), st.lists(WORDS, max_size=6), st.integers(1, 11))
def test_it_finds_what_a_plain_search_finds(asked: list[tuple[str, str]], texts: list[str], n: int) -> None:
    questions = [Question(f"t/{i}", "t", str(i), text, answer) for i, (text, answer) in enumerate(asked)]
    index = NgramIndex(questions, n)
    for text, matches in zip(texts, index.scan(texts), strict=True):
        assert {m.question for m in matches} == plain(questions, n, text)
        row = f" {' '.join(words(text))} "
        for match in matches:
            q = questions[int(match.question[2:])]
            assert f" {match.words} " in row
            assert f" {match.words} " in f" {' '.join(words(q.text) + words(q.answer))} "


@given(st.lists(WORDS, min_size=1, max_size=9))
def test_many_texts_are_searched_as_each_alone(texts: list[str]) -> None:
    index = NgramIndex(
        [Question("t/1", "t", "1", "a b a b é 漢 a"), Question("t/2", "t", "2", "b", "b b b")], 3
    )
    many = texts * 200  # more than one batch
    assert list(index.scan(many)) == [index.find(text) for text in texts] * 200


def test_equal_hashes_alone_flag_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isheep.text.hashed._mixed", lambda hashes: np.zeros_like(hashes))
    index = NgramIndex(QUESTIONS[:1])  # every run now has the hash 0
    backwards = " ".join(reversed(words(LONG)))
    assert found(backwards, index) == {}


# what follows


def leak(where: str, source: str, question: str = "t/1") -> Leak:
    return Leak(f"{where}/{source}/{question}", where, source, question, "t", "ngram", "w")


def test_pairs_go_with_their_instruction_or_their_response() -> None:
    pairs = [pair(id) for id in ("1", "2", "3/0", "3/1", "4/0", "4/1", "5", "5+")]
    leaks = [
        leak("seed", "1"), leak("response", "2"), leak("instruction", "3"), leak("response", "4/1"),
        leak("instruction", "5+"),
    ]  # fmt: skip
    assert contaminated_pairs(iter(leaks), pairs) == {"2", "3/0", "3/1", "4/1", "5+"}


def test_items_are_split_by_their_question() -> None:
    items = [
        Item(f"{task}/{prompt}/{m}", task, prompt, "", prompt, m, 1.0, "", None, "s")
        for task, prompt in (("t", "1"), ("t", "2"), ("u", "1"))
        for m in ("a", "b")
    ]
    leaked = leaked_questions([leak("seed", "s", "t/1"), leak("response", "r", "t/1")], QUESTIONS)
    assert leaked == {("t", "1")}
    clean, flagged = clean_and_flagged(items, leaked)
    assert [i.id for i in flagged] == ["t/1/a", "t/1/b"]
    assert [i.id for i in clean] == ["t/2/a", "t/2/b", "u/1/a", "u/1/b"]
