"""How the report's tests read a page, and what they try to smuggle into one."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

from isheep.report.page import MAX_BYTES

#: Breaks out of HTML text, attributes, SVG, CSS, comments, Markdown tables and code; hides; reorders.
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"' onload='alert(3)' </svg></style></title></desc>"
    "<svg onload=alert(4)><a href=javascript:alert(5)>x</a>--><!--]]> &lt;script&gt; `|` ``` [x](javascript:1) "
    "\u202ereversed\u202c \u200bzero\u0007bell </td></tr></table><iframe src=//evil.example></iframe>"
)
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer", "nav", "h1", "h2", "h3",
    "h4", "p", "small", "span", "strong", "code", "pre", "a", "ul", "li", "dl", "dt", "dd", "div", "article", "figure",
    "figcaption", "details", "summary", "table", "caption", "thead", "tbody", "tr", "th", "td",
    "svg", "g", "text", "line", "rect", "path",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "aria-label", "aria-labelledby", "role",
    "tabindex", "dir", "open", "scope", "xmlns", "viewbox", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "d",
    "text-anchor", "transform", "aria-describedby", "aria-hidden", "data-plot", "fill", "fill-opacity", "stroke",
    "stroke-width", "stroke-miterlimit", "stroke-dasharray", "opacity", "font-size", "font-weight", "font-family",
}  # fmt: skip
FILES = {"summary.json", "report.md", "recipe.yaml"}


class Reader(HTMLParser):
    """Every element, attribute and piece of text of a page, as a browser's parser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.ids: list[str] = []
        self.text = ""
        self.odd: list[str] = []
        self.policy = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "href":
                self.links.add(value or "")
            if name == "content" and ("http-equiv", "Content-Security-Policy") in attrs:
                self.policy = value or ""
            if name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def unknown_decl(self, data: str) -> None:
        self.odd.append(data)


_SCRIPT = re.compile(r"<script([^>]*)>(.*?)</script>", re.DOTALL)


def specs_of(text: str) -> dict[str, Any]:
    """The specs a page holds, by the name of their plot."""
    data = [body for head, body in _SCRIPT.findall(text) if head]
    return {name: held["spec"] for name, held in json.loads(data[0])["charts"].items()} if data else {}


def without_scripts(text: str) -> str:
    """The page without our scripts and their data, which must be the only ones: the policy knows each by its hash."""
    found = _SCRIPT.findall(text)
    assert [head for head, _ in found] in ([], [' type="application/json" id="specs"', "", ""])
    for head, body in found:
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert head or f"'sha256-{digest}'" in text.partition("</head>")[0].replace("&#x27;", "'")
        assert not head or "<" not in body
    return _SCRIPT.sub("", text)


def read(text: str) -> Reader:
    """Parse a page and check all that must hold for every page."""
    assert len(text.encode()) < MAX_BYTES
    specs, text = specs_of(text), without_scripts(text)
    found = Reader(text)
    places = set(re.findall(r'data-plot="([^"]*)"', text))
    assert places == set(specs)
    files = FILES | {f"plots/{name}.{end}" for name in places for end in ("csv", "svg")}
    assert found.elements <= ELEMENTS
    assert found.attributes <= ATTRIBUTES
    assert not found.odd
    assert all(
        link in files
        or re.fullmatch(r"\.\./\.\./artifacts/[a-z_]+/[0-9a-f]+/[a-z_]+\.jsonl", link)
        or (link.startswith("#") and link[1:] in found.ids)
        for link in found.links
    )
    assert len(found.ids) == len(set(found.ids))
    assert found.policy.startswith("default-src 'none'; ")
    assert "unsafe-eval" not in found.policy
    assert "unsafe-inline" not in found.policy.partition("script-src")[2].partition(";")[0]
    assert "url(" not in text
    assert "@import" not in text
    # Well-formed as XML from end to end: no text has opened or closed an element anywhere, the plots included.
    ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
    return found
