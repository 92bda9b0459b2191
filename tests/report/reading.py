"""How the report's tests read a page, and what they try to smuggle into one."""

from __future__ import annotations

from html.parser import HTMLParser
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
    "svg", "desc", "text", "line", "rect", "circle", "path",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "aria-label", "aria-labelledby", "role",
    "tabindex", "dir", "open", "scope", "xmlns", "viewbox", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx",
    "width", "height", "d", "text-anchor", "transform",
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


def read(text: str) -> Reader:
    """Parse a page and check all that must hold for every page."""
    found = Reader(text)
    assert found.elements <= ELEMENTS
    assert found.attributes <= ATTRIBUTES
    assert not found.odd
    assert all(link in FILES or (link.startswith("#") and link[1:] in found.ids) for link in found.links)
    assert len(found.ids) == len(set(found.ids))
    assert found.policy.startswith("default-src 'none'; ")
    assert "script-src" not in found.policy
    assert "url(" not in text
    assert "@import" not in text
    assert len(text.encode()) < MAX_BYTES
    # Well-formed as XML from end to end: no text has opened or closed an element anywhere, the plots included.
    ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
    return found
