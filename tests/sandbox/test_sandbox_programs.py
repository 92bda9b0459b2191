"""From an answer to a program: what of it is run, and that right answers pass in whatever form they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.sandbox import Program, extract_code, humaneval_program, mbpp_program, run_checks

PROMPT = '''import math


def half(n):
    return n / 2


def quarter(n):
    """ A fourth of n, by way of half.
    >>> quarter(8)
    2.0
    """
'''
TEST = "def check(candidate):\n    assert candidate(8) == 2.0\n    assert math.isclose(candidate(1), 0.25)\n"
BODY = "    return half(half(n))\n"
WHOLE = "def quarter(n):\n    return half(half(n))\n"


def passes(completion: str) -> bool:
    (outcome,) = run_checks([Program("p", humaneval_program(PROMPT, completion, TEST, "quarter"))])
    return outcome.passed


@pytest.mark.parametrize(
    "completion",
    [
        BODY,
        "\n" + BODY,
        BODY.strip(),
        BODY + "\n\ndef another():\n    return (",
        BODY + "print('usage'\n",
        BODY + "```\nThat is all.",
        BODY + "# a comment\n",
        "    a = '''\ntext at the margin\n'''\n" + BODY,
        "    n = max([\n    n, n\n])\n" + BODY,
        "    if n:\n        return n / 4\n\n    return 0.0",
        f"```python\n{WHOLE}```",
        f"Here you are:\n\n```py\n{WHOLE}```\nIt halves twice.",
        f"```\n{BODY}```",
        f"````python\n{WHOLE}````",
        f"~~~\n{WHOLE}~~~",
        f"```python\n{WHOLE}",
        f"```bash\npip install x\n```\n```python\nprint('not this'\n```\n```python\n{WHOLE}```",
        f"Here you are:\n{WHOLE}",
        f"{PROMPT}{BODY}",
        f"```python\n{PROMPT}{BODY}```",
        f"```python\nfrom math import floor\n{WHOLE}```",
        f"```python\r\n{WHOLE}```".replace("\n", "\r\n").replace("\r\r", "\r"),
    ],
)
def test_a_right_answer_passes_in_any_form(completion: str) -> None:
    assert passes(completion)


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "    return n",
        "I do not know.",
        "```python\n```",
        "    pass\n\ndef check(candidate):\n    pass\n",
        "```python\ndef quarter(n):\n    return 2.0\n```",
        "    return 2.0\nimport sys\nsys.exit(0)",
    ],
)
def test_a_wrong_answer_fails(completion: str) -> None:
    assert not passes(completion)


def test_a_prompt_without_a_docstring_can_be_answered_whole() -> None:
    program = humaneval_program(
        "def one():\n", "```\ndef one():\n    return 1\n```", "def check(c): assert c() == 1", "one"
    )
    (outcome,) = run_checks([Program("p", program)])
    assert outcome.passed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1\n", "x = 1\n"),
        ("a\n```python\nx = 1\n```\nb", "x = 1\n"),
        ("```js\nlet x\n```\n```\nx = 1\n```", "x = 1\n"),
        ("```js\nlet x\n```", "```js\nlet x\n"),
        ("x = 1\n```\nThat is all.", "x = 1\n"),
        ("Here:\n```python\nx = 1", "x = 1"),
        ("  ```python\n  x = 1\n  ```", "  x = 1\n"),
        ("```python\nx = '```'\n```", "x = '```'\n"),
        ("", ""),
    ],
)
def test_what_counts_as_the_code_of_an_answer(text: str, code: str) -> None:
    assert extract_code(text) == code


def test_of_several_blocks_the_one_that_defines_it() -> None:
    text = "```\nimport a\n```\n```\ndef f(x): pass\n```\n```\nf(1)\n```"
    assert extract_code(text, "f") == "def f(x): pass\n"
    assert extract_code(text) == "import a\n"
    assert extract_code("def ff(): pass", "f") == "def ff(): pass"


@given(st.text(), st.text(max_size=5))
def test_code_is_always_a_piece_of_the_answer(text: str, name: str) -> None:
    assert extract_code(text, name) in text


@given(st.lists(st.text(st.characters(blacklist_characters="\n'\"`~"), max_size=9), min_size=1, max_size=9))
def test_a_body_of_indented_lines_is_kept_whole(lines: list[str]) -> None:
    body = "\n".join("    " + line for line in lines)
    assert body in humaneval_program(PROMPT, body, TEST, "quarter")


@pytest.mark.parametrize(
    ("answer", "passed"),
    [
        ("def add(a, b):\n    return a + b", True),
        ("```python\ndef add(a, b):\n    return a + b\n```", True),
        ("def add(a, b):\n    return a - b", False),
        ("quit()", False),
    ],
)
def test_mbpp(answer: str, passed: bool) -> None:
    program = mbpp_program(answer, ["assert add(1, 2) == 3", "assert add(ONE, 0) == 1"], setup="ONE = 1")
    (outcome,) = run_checks([Program("p", program)])
    assert outcome.passed == passed
