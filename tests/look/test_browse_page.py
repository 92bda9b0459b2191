"""The page of `isheep browse` in a real browser, over a run with hostile text in every field."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import expect, sync_playwright

from isheep.look.app import look_app
from isheep.look.index import rows
from isheep.look.marks import FILE, marks
from isheep.runs import Run
from isheep.web.local import Place, listen, port_of

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}")
#: What keeps a browser from asking anybody anything of its own.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def place(hostile_run: Run) -> Iterator[Place]:
    """The page, served."""
    sock = listen()
    found = Place(port_of(sock))
    server = uvicorn.Server(
        uvicorn.Config(look_app(hostile_run, found), log_level="critical", lifespan="off")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    yield found
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests of this module."""
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, place: Place) -> Iterator[Any]:
    """The list, opened by its address. When a test ends: nothing was complained of, nothing left the page's origin,
    and nothing a model wrote has run."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    trouble: list[str] = []
    opened.on(
        "console", lambda said: trouble.append(said.text) if said.type in ("error", "warning") else None
    )
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("dialog", lambda dialog: trouble.append("a dialog"))
    opened.on(
        "request",
        lambda asked: (
            None if asked.url.startswith((place.origin + "/", "data:")) else trouble.append(asked.url)
        ),
    )
    opened.goto(place.address)
    yield opened
    assert opened.evaluate("window.hurt") is None
    assert opened.locator("img, iframe").count() == 0
    assert trouble == []
    context.close()


def _total(page: Any) -> int:
    return int(page.locator(".count strong").inner_text().replace(",", ""))


def test_the_address_is_cleared_of_its_token_and_the_list_is_there(
    page: Any, place: Place, hostile_run: Run
) -> None:
    assert page.url == place.origin + "/"
    assert _total(page) == sum(1 for _ in rows(hostile_run))
    assert "⟦U+202E⟧" in page.locator(".c-instruction").nth(1).inner_text()


def test_search_and_filters_narrow_the_list_without_loading_it_anew(
    page: Any, place: Place, hostile_run: Run
) -> None:
    page.evaluate("window.same = true")
    whole = _total(page)
    page.locator("#f-status").select_option("kept")
    kept = sum(row.fate[1] == "kept" for row in rows(hostile_run))
    assert 1 < kept < whole
    expect(page.locator(".count strong")).to_have_text(str(kept))
    assert "status=kept" in page.url
    some = next(row for row in rows(hostile_run) if row.fate[1] == "kept")
    page.locator("#q").press_sequentially(f'"{some.id}"', delay=5)
    expect(page.locator(".count strong")).to_have_text("1")
    page.locator("#q").fill("no such word anywhere")
    expect(page.locator("#results")).to_contain_text("No record is like that")
    assert page.evaluate("window.same") is True
    page.goto(page.url)  # the address says it all
    assert _total(page) == 0
    assert page.locator("#f-status").input_value() == "kept"


def test_any_column_sorts_and_pages_turn(page: Any) -> None:
    page.get_by_role("link", name="mean", exact=True).click()
    page.get_by_role("link", name="mean", exact=True).click()
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("mean")
    means = [float(text) for text in page.locator("td.c-mean").all_inner_texts() if text.strip()]
    assert means == sorted(means, reverse=True)
    assert len(means) > 5
    page.get_by_role("link", name="Next").click()
    assert "page 2 of" in page.locator(".pages").inner_text()


def test_the_keyboard_walks_marks_and_opens(page: Any, hostile_run: Run) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    id = page.evaluate("document.activeElement.innerText")
    assert id == list(rows(hostile_run))[1].id
    page.keyboard.press("g")
    page.wait_for_selector(".mark.good[aria-pressed=true]")
    assert marks(hostile_run) == {id: "good"}
    page.keyboard.press("b")
    page.wait_for_selector(".mark.bad[aria-pressed=true]")
    assert marks(hostile_run) == {id: "bad"}
    assert page.locator("[aria-pressed=true]").count() == 1
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector(".steps")
    assert page.locator(".mark.bad").get_attribute("aria-pressed") == "true"
    page.keyboard.press("u")
    page.wait_for_selector(".mark.bad[aria-pressed=false]")
    assert marks(hostile_run) == {}
    page.keyboard.press("n")
    expect(page.locator("h1")).not_to_contain_text(id)
    page.keyboard.press("Escape")
    page.wait_for_selector("#q")
    (hostile_run.folder / FILE).unlink()


def test_a_record_shows_its_whole_lineage(page: Any, hostile_run: Run) -> None:
    kept = next(row for row in rows(hostile_run) if row.models)
    page.goto(f"{page.url}record?id={kept.id}")
    said = page.locator("main").inner_text()
    for part in ("trained on in M1", "Seed tasks shown", "What the model wrote", "The answer", "Scores", "The filter",
                 "the judge's words", "other iterations"):  # fmt: skip
        assert part in said, part
    assert "{{7*7}}" in said
    for summary in page.locator("summary").all():
        summary.click()
    assert "1. Task:" in page.locator("details pre").first.inner_text()
    page.locator(".seeds a").first.click()
    page.wait_for_selector("text=Written after it was shown")
    assert page.locator(".columns section").count() >= 1


def test_a_dropped_record_says_why(page: Any, hostile_run: Run) -> None:
    dropped = next(row for row in rows(hostile_run) if row.fate[1] == "dropped")
    page.goto(f"{page.url}record?id={dropped.id}")
    assert f"dropped by {dropped.fate[0]}: {dropped.fate[2]}" in page.locator(".fate").inner_text()


def test_nothing_shuts_anybody_out(page: Any, hostile_run: Run) -> None:
    from axe_playwright_python.sync_playwright import Axe

    kept = next(row for row in rows(hostile_run) if row.models)
    home = page.url
    for path in ("?iteration=1&status=kept", f"record?id={kept.id}&at=3"):
        for scheme, options in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
            page.emulate_media(color_scheme=scheme)
            page.goto(home + path)
            found = Axe().run(page, options=options).response["violations"]
            serious = [
                (v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")
            ]
            assert serious == [], (path, scheme)


def test_on_a_phone_nothing_is_wider_than_the_screen(page: Any, hostile_run: Run) -> None:
    kept = next(row for row in rows(hostile_run) if row.models)
    home = page.url
    page.set_viewport_size({"width": 380, "height": 800})
    for path in ("", f"record?id={kept.id}", f"seed?id={kept.task.shots[0]}"):
        page.goto(home + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 380, path


def test_without_script_the_form_links_and_marks_work(browser: Any, place: Place, hostile_run: Run) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(place.address)
    page.locator("#f-status").select_option("kept")
    page.get_by_role("button", name="Show").click()
    page.locator(".mark.good").first.click()
    assert "status=kept" in page.url
    assert list(marks(hostile_run).values()) == ["good"]
    page.locator("[data-open]").first.click()
    assert page.locator(".mark.good").get_attribute("aria-pressed") == "true"
    context.close()
    (hostile_run.folder / FILE).unlink()


def test_steps_that_are_finished_while_it_is_open_appear(
    plain_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    from isheep.look import app

    begun = dataclasses.replace(plain_run, steps=plain_run.steps[:3], name="going-on")
    book = app.Book(begun)
    with book.open() as db:
        before = db.execute("SELECT count(*) FROM record").fetchone()[0]
    monkeypatch.setattr(app, "LOOK_AGAIN", 0.0)
    object.__setattr__(begun, "steps", plain_run.steps)
    deadline = time.monotonic() + 30
    while True:
        with book.open() as db:
            now = db.execute("SELECT count(*) FROM record").fetchone()[0]
        if now > before or time.monotonic() > deadline:
            break
    assert now == sum(1 for _ in rows(plain_run)) > before
