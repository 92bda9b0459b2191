"""The page in a real browser: asked and voted by keyboard, hostile text inert, no error, nothing from elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from echo import BASE, TWO, Echo

from isheep.records import Completion
from isheep.runs import Run
from isheep.talk.blind import Blind
from isheep.talk.conversation import Decoding, Models
from isheep.talk.preferences import read

expect = pytest.importorskip("playwright.sync_api").expect

CHROMIUM = Path("/usr/bin/chromium")
#: Milliseconds until a page is given up.
WAIT = 30_000
pytestmark = pytest.mark.skipif(not CHROMIUM.is_file(), reason="no /usr/bin/chromium on this machine")
HOSTILE = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>\u202e"
ARGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


class Hostile(Echo):
    def answer(self, adapter: int | None, request: Any, tell: Any) -> Completion:
        super().answer(adapter, request, lambda piece: None)
        tell(HOSTILE)
        return Completion("x", HOSTILE, "stop", 1, 1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that writes down what it complains about, and what it asks for elsewhere."""
    opened = browser.new_page(viewport={"width": 1000, "height": 700})
    opened.trouble = []
    opened.on("console", lambda m: opened.trouble.append(m.text) if m.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: opened.trouble.append(str(error)))
    ours = ("http://127.0.0.1:", "data:")
    opened.on("request", lambda r: None if r.url.startswith(ours) else opened.trouble.append(r.url))
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()


@pytest.fixture
def address(own_run: Run, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the page is served; the parameter says whether it is blind."""
    import uvicorn

    from isheep.talk.page import Page
    from isheep.web.local import Place, listen, local_app, port_of

    models = Models(Hostile(), (BASE, TWO), Decoding(9))
    session = Blind(own_run, models) if request.param else None
    sock = listen()
    place = Place(port_of(sock))
    app = local_app(Page(own_run.name, models, session).routes, place, static={"talk": "isheep.talk"})
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    yield place.address
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("address", [False], indirect=True)
def test_chat_by_keyboard_with_hostile_answers(page: Any, address: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.goto(address)
    page.keyboard.type("Name a <b>fruit</b>.")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Answered.", timeout=WAIT)
    shown = page.locator(".answers .text").all_text_contents()
    assert shown == [HOSTILE.replace("\u202e", "⟦U+202E⟧")] * 2
    assert page.locator(".asked").all_text_contents() == ["Name a <b>fruit</b>."]
    page.click("#again")
    expect(page.locator(".turn")).to_have_count(2, timeout=WAIT)
    assert "hacked" not in page.title()
    assert page.locator("main img, main script, main b").count() == 0
    tops = [
        box["y"]
        for box in (card.bounding_box() for card in page.locator(".turn").first.locator("article").all())
    ]
    assert tops[0] == tops[1]  # side by side
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.click("#reset")
    expect(page.locator(".turn")).to_have_count(0, timeout=WAIT)
    assert page.trouble == []


@pytest.mark.parametrize("address", [True], indirect=True)
def test_a_vote_by_keyboard(page: Any, address: str, own_run: Run) -> None:
    page.goto(address)
    for vote in ("b", "t"):
        page.keyboard.type("Which?")
        page.keyboard.press("Enter")
        page.wait_for_selector(".votes button")
        page.keyboard.press(vote)
        expect(page.locator(".votes")).to_have_count(0, timeout=WAIT)
        expect(page.locator("#question")).to_be_focused(timeout=WAIT)
    assert [kept.vote for kept in read(own_run.folder / "preferences.jsonl")] == ["b", "tie"]
    assert "M0" not in page.inner_text("body")
    page.click("#end")
    expect(page.locator("#said")).to_contain_text("win rate", timeout=WAIT)
    assert page.trouble == []
