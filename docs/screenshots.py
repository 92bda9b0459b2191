"""The pictures of the README: `python docs/screenshots.py RUN --store STORE` writes docs/img/report.png and browse.png.

Needs Playwright and a Chromium (CHROMIUM=/path/to/it; /usr/bin/chromium if not set).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from isheep import open_run, write_report

IMAGES = Path(__file__).parent / "img"
SIZE = {"width": 1200, "height": 900}


def report(browser: Any, file: Path) -> Path:
    """The first screen of a report."""
    page = browser.new_page(viewport=SIZE, color_scheme="light")
    page.goto(file.resolve().as_uri())
    page.wait_for_selector("[data-drawn]")
    return shot(page, "report.png")


def browse(browser: Any, run: str, store: str) -> Path:
    """The list of a run's records, what was dropped first."""
    words = [sys.executable, "-m", "isheep", "browse", run, "--store", store, "--no-open"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = next(line for line in server.stdout if "http://" in line).split()[-1]
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(address)
        page.wait_for_load_state("networkidle")
        made = shot(page, "browse.png")
        server.terminate()
    return made


def shot(page: Any, name: str) -> Path:
    page.screenshot(path=IMAGES / name)
    return IMAGES / name


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("--store", default="isheep-store")
    arguments = parser.parse_args()
    file = write_report(open_run(arguments.run, arguments.store))
    with sync_playwright() as started:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        print(report(browser, file))  # noqa: T201
        print(browse(browser, arguments.run, arguments.store))  # noqa: T201
        browser.close()


if __name__ == "__main__":
    main()
