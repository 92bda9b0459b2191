"""Screenshots for the README: `python docs/screenshots.py STORE/runs/NAME/report.html` writes docs/images/report.png.

Needs Playwright and a Chromium (CHROMIUM=/path/to/it; /usr/bin/chromium if not set).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

IMAGES = Path(__file__).parent / "images"


def report(page_file: Path) -> Path:
    """The first screen of a report, light."""
    from playwright.sync_api import sync_playwright

    IMAGES.mkdir(exist_ok=True)
    target = IMAGES / "report.png"
    with sync_playwright() as started:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1200, "height": 1000}, color_scheme="light")
        page.goto(page_file.resolve().as_uri())
        page.wait_for_selector("[data-drawn]")
        page.screenshot(path=target)
        browser.close()
    return target


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(report(Path(sys.argv[1])))  # noqa: T201
