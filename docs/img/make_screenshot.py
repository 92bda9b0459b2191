"""Take the picture of a report that the README shows: docs/img/report.png, and report-dark.png for dark pages.

    python docs/img/make_screenshot.py [RUN] [--store DIR]

Needs a Chromium or Chrome on the path. RUN is a run's name or the beginning of it; by default the newest.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from isheep import open_run, write_report
from isheep.runs import DEFAULT_STORE

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
#: The first screen, in CSS pixels, and how many dots each has.
SIZE, DOTS = (1180, 860), 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", nargs="?", default="last")
    parser.add_argument("--store", default=DEFAULT_STORE)
    given = parser.parse_args()
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"no browser found; install one of: {', '.join(BROWSERS)}")
    page = write_report(open_run(given.run, given.store)).absolute()
    for name, dark in (("report.png", False), ("report-dark.png", True)):
        shoot(browser, page, HERE / name, dark)
        print(HERE / name)  # noqa: T201


def shoot(browser: str, page: Path, target: Path, dark: bool) -> None:
    """One picture of the top of a page."""
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            "--headless",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            f"--window-size={SIZE[0]},{SIZE[1]}",
            f"--force-device-scale-factor={DOTS}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--screenshot={target}",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            page.as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main()
