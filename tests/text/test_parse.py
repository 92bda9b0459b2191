"""Reading lists and ratings: never raises, ends items only where an item ends, never invents a rating."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from isheep.text.parse import RATING_DONE, ParsedTask, parse_rating, parse_task_list, stop_text
from isheep.text.prompts import list_item, task_list

ANY_TEXT = st.text(st.characters())  # lone surrogates and control characters too
#: Text made of the list's own pieces: more likely to confuse the parser than random letters.
PIECES = st.lists(
    st.sampled_from(
        [
            "\n",
            "\r\n",
            "6",
            "7",
            "8",
            "17",
            ".",
            ". ",
            " ",
            "Task:",
            "Input:",
            "input:",
            "task:",
            "none",
            "Write",
            "é",
        ]
    ),
    max_size=40,
).map("".join)


def usable(text: str, first: int, **options: bool) -> list[tuple[int, str, str]]:
    items = parse_task_list(text, first, **options)
    return [(item.number, item.instruction, item.input) for item in items if item.problem is None]


# ---------------------------------------------------------------- lists


def test_a_plain_list() -> None:
    text = " Name the capital.\nInput: France\n7. Task: Count the words.\nInput: one two\nthree\n8. Task: Say hello.\n"
    assert parse_task_list(text, 6) == [
        ParsedTask(6, "Name the capital.", "France"),
        ParsedTask(7, "Count the words.", "one two\nthree"),
        ParsedTask(8, "Say hello.", ""),
    ]


WORD = st.from_regex(r"[a-z]{1,6}", fullmatch=True).filter(lambda w: w not in ("none", "noinput"))
LINE = st.lists(WORD, min_size=1, max_size=6).map(" ".join)
TASKS = st.lists(
    st.tuples(LINE, st.one_of(st.just(""), st.lists(LINE, min_size=1, max_size=3).map("\n".join))), min_size=1
)


@given(TASKS, st.integers(0, 5))
def test_what_task_list_lays_out_is_read_back(tasks: list[tuple[str, str]], shown: int) -> None:
    """The parser and the layout of prompts.py are two sides of one format."""
    shown = min(shown, len(tasks) - 1)
    prompt = task_list("Tasks:", tasks[:shown])
    whole = task_list("Tasks:", tasks)
    written = whole.removeprefix(prompt).rpartition(f"\n{len(tasks) + 1}. Task:")[0]
    assert usable(written, shown + 1) == [
        (number, instruction, input) for number, (instruction, input) in enumerate(tasks, 1) if number > shown
    ]


@given(
    st.one_of(ANY_TEXT, PIECES), st.integers(1, 20), st.one_of(st.none(), st.integers(1, 20)), st.booleans()
)
def test_never_raises_and_marks_every_item(text: str, first: int, last: int | None, finished: bool) -> None:
    items = parse_task_list(text, first, last, finished=finished)
    for item in items:
        assert item.problem in (None, "empty", "cut", "numbering", "format")
        assert item.instruction == item.instruction.strip()
        assert item.problem is not None or item.instruction
        assert last is None or item.number <= last
    assert len(items) >= 1 or (last is not None and first > last)


@given(PIECES, st.integers(5, 8))
def test_an_item_follows_the_one_before_or_is_marked(text: str, first: int) -> None:
    items = parse_task_list(text, first)
    assert items[0].number == first
    for before, item in pairwise(items):
        assert (item.number == before.number + 1) == (item.problem != "numbering")


@pytest.mark.parametrize(
    "inside",
    [
        "What happened in 1776?",
        "He paid $17 for it.",
        "Add 16 and 17. Then stop.",
        "Use\n17.5 km of rope",
        "Use\n1776. That was the year",
        "Year:\n17",
        "Order:\n17) apples",
    ],
)
def test_a_number_that_is_no_heading_ends_nothing(inside: str) -> None:
    """The released code stops at the text "17" anywhere, which cuts "1776" and "$17"."""
    assert usable(f" {inside}\n17. Task: Next one.", 16) == [(16, inside, ""), (17, "Next one.", "")]
    assert stop_text(16) not in f" {inside}"


def test_a_numbered_list_inside_an_input_belongs_to_the_input() -> None:
    text = " Sort the list.\nInput: 5. pears\n6. plums\n7. apples\n7. Task: Say hello."
    assert usable(text, 6) == [(6, "Sort the list.", "5. pears\n6. plums\n7. apples"), (7, "Say hello.", "")]
    last = " Sort the list.\nInput: 5. pears\n6. plums\n7. apples"
    assert usable(last, 6) == [(6, "Sort the list.", "5. pears\n6. plums\n7. apples")]


def test_the_due_number_in_an_input_waits_for_the_labelled_heading() -> None:
    text = " Sort.\nInput:\n7. apples\n8. pears\n7. Task: Say hello."
    assert usable(text, 6)[0] == (6, "Sort.", "7. apples\n8. pears")


def test_items_without_label_end_the_one_before_and_are_marked() -> None:
    items = parse_task_list(" Say hello.\n7. Write a poem.\n8. Explain rain.\n9. Task: Count.", 6)
    assert [(i.number, i.instruction, i.problem) for i in items] == [
        (6, "Say hello.", None),
        (7, "Write a poem.", "format"),
        (8, "Explain rain.", "format"),
        (9, "Count.", None),
    ]


@pytest.mark.parametrize("label", ["Input:", "input:", "INPUT:", "  Input :"])
def test_the_input_label(label: str) -> None:
    assert usable(f" Name the capital.\n{label} Peru", 6) == [(6, "Name the capital.", "Peru")]


def test_an_input_label_in_mid_line_is_no_label() -> None:
    assert usable(" Read the input: it matters.", 6) == [(6, "Read the input: it matters.", "")]


@pytest.mark.parametrize(
    "said",
    ["none", "None.", "N/A", "n/a", "<noinput>", "noinput", "No input", "(none)", "[empty]", "-", "—", "",
     "No input needed.", "not applicable"],
)  # fmt: skip
def test_ways_to_say_no_input(said: str) -> None:
    assert usable(f" Say hello.\nInput: {said}\n7. Task: Go.", 6)[0] == (6, "Say hello.", "")


@pytest.mark.parametrize(
    "said",
    [
        "nonetheless",
        "none of these",
        "empty",
        "nothing",
        "Na",
        "0",
        "-5",
        "- a\n- b",
        ".",
        "no inputs",
        '"none"',
    ],
)
def test_inputs_that_only_look_like_none(said: str) -> None:
    assert usable(f" Do it now.\nInput: {said}", 6) == [(6, "Do it now.", said)]


def problems(text: str, first: int, finished: bool = True) -> list[tuple[int, str | None]]:
    return [(item.number, item.problem) for item in parse_task_list(text, first, finished=finished)]


def test_a_list_cut_by_the_token_limit_loses_only_its_last_item() -> None:
    text = " Say hello.\n7. Task: Name the cap"
    assert problems(text, 6, finished=False) == [(6, None), (7, "cut")]
    assert problems(text, 6, finished=True) == [(6, None), (7, None)]
    assert problems(" Say hello.\n7. Ta", 6, finished=False) == [(6, None), (7, "cut")]


def test_the_last_item_is_whole_when_the_model_wrote_on_beyond_it() -> None:
    items = parse_task_list(" One more.\n17.  Task: Not asked for", 16, 16, finished=False)
    assert [(item.number, item.problem) for item in items] == [(16, None)]


def test_numbers_that_do_not_follow() -> None:
    assert problems(" A b.\n7. Task: C d.\n9. Task: E f.\n10. Task: G h.\n1. Task: I j.", 6) == [
        (6, None),
        (7, None),
        (9, "numbering"),
        (10, None),
        (1, "numbering"),
    ]


def test_empty_items() -> None:
    assert problems("", 6) == [(6, "empty")]
    assert problems("\n7. Task:\nInput: x\n8. Task: Go on.", 6) == [(6, "empty"), (7, "empty"), (8, None)]
    assert problems("", 6, finished=False) == [(6, "cut")]


def test_two_inputs_are_no_item() -> None:
    assert problems(" Add.\nInput: 1\nInput: 2", 6) == [(6, "format")]


def test_a_repeated_heading_is_taken_off() -> None:
    assert usable("\n6. Task: Say hello.\n7. Task: Go.", 6) == [(6, "Say hello.", ""), (7, "Go.", "")]


def test_windows_line_ends() -> None:
    assert usable(" Add.\r\nInput: 1\r\n7. Task: Go.\r\n", 6) == [(6, "Add.", "1"), (7, "Go.", "")]


def test_items_after_the_last_wanted_are_left_out() -> None:
    text = " A b.\n16. Task: C d.\n17. Task: E f.\n18. Task: G h."
    assert [item.number for item in parse_task_list(text, 15, 16)] == [15, 16]
    assert [item.number for item in parse_task_list(text, 15, 18)] == [15, 16, 17, 18]


def test_the_stop_text_is_the_heading_of_the_next_item() -> None:
    text = "\n".join(list_item(number, f"Do {number}.") for number in range(15, 19))
    before, stop, after = text.partition(stop_text(16))
    assert before.endswith("16. Task: Do 16.")
    assert stop
    assert after.startswith(" Do 17.")


# ---------------------------------------------------------------- ratings


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("8||The answer is right.", 8), ("8/10", 8), ("Score: 7.5", 7.5), ("10", 10), (" 9.", 9), ("1", 1),
        ("10.0", 10),
        ("8 out of 10", 8), ("8 / 10", 8), ("10/10", 10), ("**8**", 8), ("[[8]]", 8), ("(8) good", 8), ("||8", 8),
        ("<score>9</score>", 9), ("Rating: **6**", 6), ("**Score:** 9", 9), ("Final rating = 4", 4), ("Quality: 8", 8),
        ("8, because it is right", 8), ("8 - good", 8), ("8 because it is right", 8), ("8 The answer is right.", 8),
        ("9. Good answer.", 9), ("8\n\n9", 8), ("8||In 1776 there were 13 states", 8),
        ("Score (1-10): 8", 8), ("On a scale of 1 to 10, I would give it an 8.", 8), ("I'd rate this 9 out of 10", 9),
        ("10 facts are named. Score: 3", 3), ("The score is 5 of 10", 5), ("评分：8", 8), ("8分", 8),
    ],
)  # fmt: skip
def test_ratings_that_can_be_read(text: str, rating: float) -> None:
    assert parse_rating(text) == rating


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "none", "good", "eight",  # no number
        "0", "11", "100", "2024", "1776", "0.5", "10.5", "Score: 11", "9" * 500,  # out of range, never clipped
        "-3", "−3", "Score: -3", "+-7", "8%", "8th", "8:30", "8,5", "8.5.1", "1e1",  # no plain number
        "4/5", "3 out of 5", "80/100", "Score: 4/5", "3 stars out of 5", "8/10/2024", "8/100",  # other scales
        "7-9", "7 to 9", "6 or 7", "between 7 and 9", "Score: between 7 and 9", "1-10", "8 9 7",  # no single rating
        "1. The answer is right.\n2. It is short.",  # a list
        "The response makes 3 errors.",  # a number that is no rating
    ],
)  # fmt: skip
def test_ratings_that_cannot_be_told(text: str) -> None:
    assert parse_rating(text) is None


@given(
    st.one_of(
        ANY_TEXT,
        st.text("0123456789.,/|-+%: scoreutfand\n*([", max_size=30),
        st.floats().map(str),
        st.integers().map(str),
    )
)
def test_a_rating_is_none_or_in_range(text: str) -> None:
    rating = parse_rating(text)
    assert rating is None or 1 <= rating <= 10


@given(
    st.integers(10, 100),
    st.sampled_from(["{}", "{}||why", "{}/10", "Score: {}", " {}.", "I say {} out of 10"]),
)
def test_every_rating_in_range_is_read_in_every_form(tenths: int, form: str) -> None:
    assert parse_rating(form.format(tenths / 10)) == tenths / 10


@given(st.integers())
def test_whole_numbers_out_of_range_are_never_read(number: int) -> None:
    assert parse_rating(f"{number}||because") == (number if 1 <= number <= 10 else None)


# ---------------------------------------------------------------- a rating that is settled before its text ends


def cut(text: str) -> str | None:
    """What an engine keeps of a completion it stops at RATING_DONE; None where it never stops."""
    match = re.search(RATING_DONE, text)
    return text[: match.end()] if match else None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("8||because it is right", "8"),
        (" 8 || because", " 8"),
        ("10 || because", "10"),
        ("8.5 || because", "8.5"),
        ("**8** is my score", "**8"),
        ("8, as it is right", "8"),
        ("8: good", "8"),
        ("8 - good", "8"),
        ("8 because it is right", "8"),
        ("8\nThe answer is right", "8"),
        ("8\n\nAnd then", None),  # may become "and 9"
        ("8\n\nAn answer", "8"),
        ("8分，因为", "8"),
        ("8/10 for this", "8/10"),
        ("8 out of 10, for this", "8 out of 10"),
        ("I say 8/10 because", "I say 8/10"),
        ("On a scale (1-10) I say 8/10 because", "On a scale (1-10) I say 8/10"),
        # not settled: the number, or what it is a part of, may go on
        ("8", None),
        ("1", None),
        ("10", None),
        ("8.", None),
        ("8.5", None),
        ("8 ", None),
        ("8\n", None),
        ("8/1", None),
        ("8/10", None),
        ("8/100 of it", None),
        # no rating, or one that a later form may overrule
        ("8. The answer is right", None),  # may become a numbered list
        ("8 The answer is right", None),  # "... so 9/10" would decide
        ("Score: 8\n", None),
        ("between 7 and 8, I think", None),
        ("7-8, I think", None),
        ("7 to 8, I think", None),
        ("1-10: it is", None),
        ("1 to 10/10 is the scale", None),
        ("4/5, I think", None),
        ("3 errors, so 7/10 for it", None),
    ],
)
def test_where_a_rating_is_settled(text: str, kept: str | None) -> None:
    assert cut(text) == kept


_JOINTS = [
    ".",
    ",",
    ":",
    " ",
    "\n",
    "\r",
    "\t",
    "/",
    "||",
    "*",
    "_",
    "%",
    "+",
    "−",
    "-",
    "–",
    "—",
    "~",
    "(",
    "<",
    "²",
]
_WORDS = [
    "to",
    " and ",
    "or",
    "stars",
    "point",
    "s",
    " because ",
    "分",
    "T",
    "The ",
    "a",
    "an",
    "o",
    "out",
    "p",
    "ſtars",
]
_RATINGS = [
    "1",
    "5",
    "7",
    "8",
    "10",
    "/10",
    " of ",
    " out of ",
    "(1-10)",
    "1 to 10",
    "1-10",
    "Score: ",
    "\n2. ",
]
RATING_PIECES = st.lists(st.sampled_from(_JOINTS + _WORDS + _RATINGS), max_size=9).map("".join)


@settings(max_examples=1500)
@given(st.sampled_from(["", "8", "10", "7.5", " (", "**9", "x 8/10"]), RATING_PIECES | ANY_TEXT)
@example("8", "\n- 9")
@example("8", "(1 to 10)9")
@example("8", ".(1-10)\n2. x")
@example("", "Score: 8, or 9/10 ")
@example("", "x 8 (1-10)/10 and 7/10 ")
def test_a_settled_rating_is_that_of_the_whole_text(start: str, rest: str) -> None:
    text = start + rest
    kept = cut(text)
    if kept is not None:
        assert parse_rating(kept) == parse_rating(text)
        # An engine looks at the text while it grows: it must stop at the same place as soon as it stops at all.
        assert {cut(text[:end]) for end in range(len(text) + 1)} == {None, kept}
