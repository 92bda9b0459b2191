"""Text that a model wrote goes into the page as text: nothing hidden, nothing alive."""

from __future__ import annotations

import html
import re
import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from isheep.report.markdown import safe
from isheep.report.markup import Html, cut, el, visible

#: Every character there is, stray surrogates too.
ANY_TEXT = st.text(st.characters(exclude_categories=[]))


@given(ANY_TEXT)
def test_nothing_hidden_is_left(text: str) -> None:
    shown = visible(text)
    for before, letter in zip(" " + shown, shown, strict=False):
        joins = letter in "\u200c\u200d" and before > "\x7f"
        assert (
            letter in "\n\t"
            or joins
            or unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
        )
    shown.encode()
    assert visible(shown) == shown


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a⟦U+202E⟧b"),
        ("\x00\x1b\x7f", "␀␛␡"),
        ("zero\u200bwidth", "zero⟦U+200B⟧width"),
        ("pass\u200dword", "pass⟦U+200D⟧word"),
        ("👩\u200d🔬 می\u200cخواهم", "👩\u200d🔬 می\u200cخواهم"),
        ("tag \U000e0041", "tag ⟦U+E0041⟧"),
        ("half \ud800", "half ⟦U+D800⟧"),
        ("non \uffff", "non ⟦U+FFFF⟧"),
        ("two\n\tlines", "two\n\tlines"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(ANY_TEXT, ANY_TEXT)
def test_an_element_holds_any_text_and_is_well_formed(text: str, attribute: str) -> None:
    made = ElementTree.fromstring(el("p", text, title=attribute))
    assert (made.text or "") == visible(text)
    assert len(made) == 0
    # An XML reader turns white space in attributes into spaces.
    assert made.attrib["title"].split() == visible(attribute).split()


def test_markup_stays_markup_and_nothing_else_does() -> None:
    assert el("p", el("b", "<i>"), Html("<hr/>"), None, 3) == "<p><b>&lt;i&gt;</b><hr/>3</p>"
    assert el("p", cls="a", hidden=True, title=None) == '<p class="a" hidden=""></p>'


def test_cut_tells_the_length() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("word " * 500, 9) == "word word … (2,499 characters)"


@given(ANY_TEXT)
def test_markdown_cell_shows_the_text_and_breaks_nothing(text: str) -> None:
    page = (
        MarkdownIt("commonmark").enable("table").render(f"| a | b |\n| --- | --- |\n| {safe(text)} | end |\n")
    )
    tree = ElementTree.fromstring(f"<div>{page}</div>")
    cells = [list(cell.iter()) for cell in tree.iter("td")]
    assert [len(cell) for cell in cells] == [1, 1], "an element inside a cell"
    expected = re.sub("[ \t]+", " ", visible(text.replace("\r\n", "\n").strip()).replace("\n", " ↵ "))
    assert (cells[0][0].text or "") == expected
    assert cells[1][0].text == "end"


@pytest.mark.parametrize("text", ["https://evil.example", "www.evil.example", ":sheep:", "$x$"])
def test_markdown_leaves_github_nothing_to_find(text: str) -> None:
    assert text not in safe(text)
    assert html.unescape(safe(text)).replace("\\", "") == text
