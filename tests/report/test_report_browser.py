"""The page in a real browser: every plot is drawn, nothing a model wrote is alive, nothing is fetched, all can be
reached by keyboard, and axe finds nothing to complain about, in light and dark, on a desktop and on a phone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reading import HOSTILE

from isheep import load_recipe, run, write_report
from isheep.backends import fake
from isheep.runs import Run

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed"),
    pytest.mark.usefixtures("real_images"),
]
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, real_images: None) -> Path:
    """The report of a run that is hostile wherever a text of others can stand."""
    folder = tmp_path_factory.mktemp("hostile")
    wrote = fake._write

    def attack(rng: Any, prompt: str) -> tuple[str, bool]:
        text, endless = wrote(rng, prompt)
        return "\n".join(f"{line} {HOSTILE}" if line.strip() else line for line in text.split("\n")), endless

    tests = folder / "<img src=x onerror=alert(6)>.jsonl"
    row = {"id": HOSTILE, "instruction": HOSTILE, "answers": [HOSTILE], "category": HOSTILE}
    tests.write_text(json.dumps(row) + "\n")
    recipe = {
        "extends": "fake", "name": "attack", "iterations": 2, "description": HOSTILE,
        "model": {"base": f"lamb{HOSTILE}"}, "evaluate": {"tasks": [str(tests)], "base_layouts": ["plain"]},
        "instructions": {"count": 8, "lists_per_round": 4, "rules": [], "overlap": {"threshold": 1.0}},
        "filter": {"min_kept": 1, "rules": []},
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake, "_write", attack)
        made: Run = run(load_recipe(recipe), folder / "store")
        return write_report(made)


@pytest.fixture
def opened(browser: Any, hostile: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The hostile page in a window of its own; whatever it says or asks for is written down and must be nothing."""
    look, width = request.param
    page = browser.new_page(
        color_scheme=look, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    )
    page.emulate_media(color_scheme=look)
    told: list[str] = []
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: told.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (told.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda asked: told.append(asked.url))
    page.goto(hostile.as_uri())
    yield page
    page.close()
    assert told == [hostile.as_uri()]


LOOKS = pytest.mark.parametrize(
    "opened", [("light", 1200), ("dark", 390)], indirect=True, ids=["light desktop", "dark phone"]
)


def draw_all(page: Any) -> None:
    """Scroll past every plot, and wait until each is drawn."""
    page.evaluate(
        """async () => {
            for (const place of document.querySelectorAll("[data-plot]")) {
                place.scrollIntoView();
                await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 10)));
            }
        }"""
    )
    page.locator("[data-plot]:not([data-drawn])").first.wait_for(state="detached")


@LOOKS
def test_every_plot_is_drawn_nothing_is_alive_and_axe_is_content(opened: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    draw_all(opened)
    assert opened.locator("[data-drawn] svg.marks").count() == opened.locator("[data-plot]").count() > 10
    assert opened.locator("img, iframe, a[href^='javascript'], [onload], [onerror]").count() == 0
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    empty = "[...document.querySelectorAll('svg.marks')].filter((s) => s.getBoundingClientRect().height < 40).length"
    assert opened.evaluate(empty) == 0
    found = Axe().run(opened)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("opened", [("light", 1200)], indirect=True)
def test_all_that_can_be_used_is_reached_by_keyboard_with_a_mark(opened: Any) -> None:
    wanted = opened.evaluate(
        """() => [...document.querySelectorAll("a, summary, [tabindex]")]
            .filter((one) => one.checkVisibility()).length"""
    )
    reached = set()
    for _ in range(min(wanted, 40)):
        opened.keyboard.press("Tab")
        state = opened.evaluate(
            """() => {
                const one = document.activeElement;
                const all = [...document.querySelectorAll("a, summary, [tabindex]")];
                return [all.indexOf(one), getComputedStyle(one).outlineStyle];
            }"""
        )
        assert state[1] != "none"
        reached.add(state[0])
    assert len(reached) == min(wanted, 40)


@pytest.mark.parametrize("opened", [("light", 1200)], indirect=True)
def test_a_tooltip_says_what_a_mark_is_as_text(opened: Any) -> None:
    draw_all(opened)
    opened.locator("[data-plot='funnel-0'] svg.marks path[fill^='var(--s1)']").first.hover()
    tip = opened.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    assert tip.inner_text().startswith("tasks written")


def test_without_scripts_every_plot_is_a_still_image(browser: Any, hostile: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(hostile.as_uri())
    places = page.locator("[data-plot]").count()
    assert page.locator("[data-plot] > svg").count() == places > 10
    assert page.locator("[data-plot] > svg text").count() > places
    context.close()
