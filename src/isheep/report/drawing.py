"""From charts to what people see: inline SVG for the page, files for the disk, and the scripts that draw in a browser.

Each chart is drawn twice from one spec. Once here, by vl-convert, offline: that image stands in the page for whoever
runs no scripts, and lies in `plots/`. Once in the browser by the same Vega, when its place comes into view: as
wide as the place, with tooltips. Vega's expressions are interpreted (vega-embed's `ast`), so the page needs no
'unsafe-eval'.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from isheep.report.chart import CONFIG, Chart
from isheep.report.markup import Html, el

#: Folder of the plots, beside the page.
FOLDER = "plots"
#: The dialect of the specs, and of the Vega-Lite that vega.js holds (docs/report.md names the versions).
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
VERSION = "6.4"
_HERE = Path(__file__).parent
#: Attributes that say nothing to an image that is one to every reader.
_IDLE = "pointer-events|aria-hidden|aria-roledescription|role|class|xmlns:xlink|version"
#: Cells of a CSV that a spreadsheet would take for a formula begin so.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def policy() -> str:
    """What the page may do: run our two scripts, known by their hashes, and load nothing."""
    hashes = " ".join(f"'sha256-{_digest(text)}'" for text in _scripts())
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def scripts(charts: Sequence[Chart]) -> list[Html]:
    """The end of a page's body: its specs as data, then the scripts that draw them. Nothing without plots."""
    if not charts:
        return []
    plain = {
        "config": CONFIG,
        "charts": {one.name: {"spec": one.spec, "fixed": one.fixed} for one in charts},
    }
    data = json.dumps(plain, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return [
        el("script", Html(data), type="application/json", id="specs"),
        *(el("script", Html(text)) for text in _scripts()),
    ]


@cache
def _scripts() -> tuple[str, ...]:
    return tuple((_HERE / name).read_text(encoding="utf-8") for name in ("vega.js", "draw.js"))


@cache
def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def inline(chart: Chart) -> Html:
    """The chart as SVG for the page, in the page's own colours."""
    drawn = _tidy(_converted(_plain(chart)))
    return Html(re.sub(r' font-family="[^"]*"', "", drawn).replace("<svg ", '<svg aria-hidden="true" ', 1))


def alone(chart: Chart) -> str:
    """The chart as an SVG file: light colours on white, with title and description."""
    drawn = _tidy(_converted(_plain(chart)))
    colours = _light()
    drawn = re.sub(r"var\(--([a-z0-9-]+)\)", lambda found: colours.get(found[1], "#57606b"), drawn)
    said = f"<title>{html.escape(chart.title)}</title><desc>{html.escape(chart.desc)}</desc>"
    paper = f'{said}<rect width="100%" height="100%" fill="#ffffff"/>'
    return re.sub(r"(<svg [^>]*>)", lambda found: found[1] + paper, drawn, count=1)


@lru_cache(maxsize=512)
def _converted(plain: str) -> str:
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(plain, vl_version=VERSION)
    return svg


def _plain(chart: Chart, **more: Any) -> str:
    return json.dumps({"$schema": SCHEMA, **more, "config": CONFIG, **chart.spec}, ensure_ascii=False)


def _tidy(svg: str) -> str:
    """Without what makes it long: digits nobody sees, names nobody asks for. Texts stay as they are."""

    def short(tag: re.Match[str]) -> str:
        text = re.sub(r"(\.\d\d)\d+", r"\1", tag[0])
        return re.sub(rf' (?:{_IDLE})="[^"]*"', "", text)

    return re.sub(r"<[a-z][^>]*>", short, svg)


@cache
def _light() -> Mapping[str, str]:
    """The light colours of style.css."""
    css = (_HERE / "style.css").read_text(encoding="utf-8").partition("@media")[0]
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", css))


def as_csv(chart: Chart) -> str:
    """A chart's data, a line for each mark."""
    rows = chart.rows
    columns = list(dict.fromkeys(name for row in rows for name in row))
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_harmless(row.get(name)) for name in columns] for row in rows)
    return made.getvalue()


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet would run is quoted."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_plots(charts: Sequence[Chart], folder: Path) -> Path:
    """Write every chart as NAME.svg, NAME.csv and its spec as NAME.vl.json; plots that are no more are removed."""
    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, str] = {}
    for chart in charts:
        wanted[f"{chart.name}.svg"] = alone(chart)
        wanted[f"{chart.name}.csv"] = as_csv(chart)
        wanted[f"{chart.name}.vl.json"] = _plain(chart, description=chart.desc)
    for path in target.iterdir():
        if path.name not in wanted and path.suffix in {".svg", ".csv", ".json"}:
            path.unlink()
    for name, text in wanted.items():
        replace(target / name, text)
    return target


def replace(path: Path, text: str) -> None:
    """Write a file at once: a reader sees the old one or the new one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8", errors="backslashreplace")
    aside.replace(path)
