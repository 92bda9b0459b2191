"""The report of a run of 3 x 10,000 records: time to write it, its size, and the time to the first plot in a browser.

    python benchmarks/report_page.py [--records 10000] [--store DIR]

Makes the run first with the `fake` recipe (no model), which takes a while; with --store it is there the next time. The
time to the first plot is Chromium's own, from opening the file to Vega's first drawn plot, the smallest of three.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from isheep import load_recipe, run, write_report

CHROMIUM = "/usr/bin/chromium"


def first_plot(page_file: Path) -> tuple[float, int]:
    """Milliseconds from opening to the first plot drawn, and how many plots the page has."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        times = []
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            page.goto(page_file.as_uri())
            page.wait_for_selector("[data-drawn]")
            times.append(page.evaluate("performance.getEntriesByName('first-plot')[0].startTime"))
            plots = page.locator("[data-plot]").count()
            page.close()
        browser.close()
    return min(times), plots


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--store")
    given = parser.parse_args()
    n = given.records
    recipe = load_recipe(
        "fake", ["iterations=3", f"instructions.count={n}", "instructions.overlap.threshold=1.0"]
    )
    made = run(recipe, given.store or tempfile.mkdtemp())
    begun = time.perf_counter()
    page = write_report(made)
    print(f"records    3 x {n:,}")
    print(f"written    {time.perf_counter() - begun:.1f} s")
    print(f"size       {page.stat().st_size / 1e6:.2f} MB")
    shown, plots = first_plot(page)
    print(f"first plot {shown / 1000:.2f} s, of {plots}")


if __name__ == "__main__":
    main()
