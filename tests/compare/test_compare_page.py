"""compare.html: nothing in it is alive, and its figures are those of the rows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.compare import COLUMNS, compare, headline, lines, write_comparison
from isheep.compare.charts import Branch, Step, climb, forest
from isheep.compare.page import page
from isheep.errors import StoreError
from isheep.report.charts import Point
from isheep.runs import Run
from made_runs import MakeRun, skilled

SCRIPTS = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
Arms = dict[str, list[Run]]
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script></style></title>\"' onload='x' &lt; \u202ereversed\u0007"


def parse(text: str) -> ElementTree.Element:
    """The page as XML: no text has opened or closed an element anywhere. Checks what must hold for every page."""
    specs = json.loads(SCRIPTS.findall(text)[0])["charts"]
    text = SCRIPTS.sub("", text)
    tree = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
    names = {element.tag.removeprefix(SVG) for element in tree.iter()}
    assert not names & {"script", "img", "iframe", "link", "object", "form", "input", "use", "image"}
    attributes = {name for element in tree.iter() for name in element.attrib}
    assert not {name for name in attributes if name.startswith("on") or name in {"src", "style", "srcdoc"}}
    links = [element.attrib["href"] for element in tree.iter("a")]
    ids = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert all(
        link in {"compare.csv", "compare.json"} or link.startswith("plots/") or link.removeprefix("#") in ids
        for link in links
    )
    policy = next(m.attrib["content"] for m in tree.iter("meta") if "http-equiv" in m.attrib)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-eval" not in policy
    assert "url(" not in text
    assert "@import" not in text
    plots = [element for element in tree.iter("div") if "data-plot" in element.attrib]
    assert {plot.attrib["data-plot"] for plot in plots} == set(specs)
    assert all(plot.attrib["role"] == "img" and plot.attrib["aria-describedby"] in ids for plot in plots)
    return tree


def words(tree: ElementTree.Element) -> str:
    return " ".join(tree.itertext())


@pytest.mark.parametrize("iteration", ["last", "all", "best", 1])
def test_the_page_holds_every_figure(chosen_arms: Arms, iteration: str | int) -> None:
    found = compare(chosen_arms, "plain", iteration=iteration)
    tree = parse(page(found)[0])
    text = words(tree)
    assert headline(found) in text
    for row in lines(found):
        assert all(cell in text for cell in row)
    for result in found.results:
        assert all(
            reason in text for reason in (*(result.pair_matched or ()), *(result.compute_matched or ()))
        )
    assert all(name in text for name in COLUMNS)
    assert all(run in text for arm in found.arms for run in arm.runs.values())
    plots = sum("data-plot" in element.attrib for element in tree.iter("div"))
    assert plots == 2 + 2 + 6  # by decoding: differences, gains, a panel for each of three arms


def test_the_files_lie_together_and_are_made_anew(chosen_arms: Arms, tmp_path: Path) -> None:
    found = compare(chosen_arms, "plain")
    target = write_comparison(found, tmp_path / "new" / "folder")
    assert target == tmp_path / "new" / "folder" / "compare.html"
    first = target.read_bytes()
    assert write_comparison(found, target.parent).read_bytes() == first
    assert sorted(p.name for p in target.parent.iterdir()) == [
        "compare.csv",
        "compare.html",
        "compare.json",
        "plots",
    ]


def test_a_folder_that_cannot_be_written(chosen_arms: Arms, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write to"):
        write_comparison(compare(chosen_arms, "plain"), tmp_path / "file")


def test_what_was_left_out_stands_first(make_run: MakeRun) -> None:
    right = skilled(0.5, 0.1, 0)
    arms = {
        "a": [make_run("a", 0, right)],
        "b": [make_run("b", 0, right), make_run("b", 1, right, complete=False)],
    }
    text = words(parse(page(compare(arms, "a"))[0]))
    assert "Look at this first" in text
    assert "b.seed1 of b is left out: not complete." in text
    assert "another seed gives another model" in text


def test_hostile_names_are_shown_and_inert(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run("a", seed, skilled(0.5, 0.1, seed), task="<b>quiz</b>") for seed in range(2)]
    found = compare({HOSTILE: runs, "b": runs}, HOSTILE)
    text = write_comparison(found, tmp_path).read_text()
    shown = words(parse(text))
    assert "<script>alert(1)</script>" in shown
    assert "<b>quiz</b>" in shown
    assert "⟦U+202E⟧reversed␇" in shown
    assert not re.search("[\u202a-\u202e\x00-\x08]", text)


def test_runs_without_a_known_truth_or_cost(make_run: MakeRun) -> None:
    made = [make_run("a", s, skilled(0.5, 0.1, s), parameters=None, joules=None) for s in range(2)]
    bare = [make_run("b", s, skilled(0.5, 0.1, s), iterations=0) for s in range(2)]
    text = words(parse(page(compare({"a": made, "b": bare}, "a"))[0]))
    assert "model FLOPs are not known" in text
    assert "recorded no energy" in text


def test_real_runs_have_a_page(fake_arms: Arms) -> None:
    parse(page(compare(fake_arms, "best", iteration="all"))[0])


def test_only_base_models_have_a_page_too(make_run: MakeRun) -> None:
    arms = {name: [make_run(name, s, skilled(0.5, 0.1, s), iterations=0) for s in range(2)] for name in "ab"}
    assert "Does it help at all?" not in words(parse(page(compare(arms, "a"))[0]))


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 0.5)), min_size=1, max_size=6))
def test_a_forest_keeps_order_and_stays_inside(cells: list[tuple[float, float]]) -> None:
    rows = [
        Branch("arm", Point(v, v - d, v + d, "x"), [v - d / 2, v + d / 2], "note", "even") for v, d in cells
    ]
    made = forest("f", "t", "d", rows)
    low, high = made.spec["layer"][3]["encoding"]["x"]["scale"]["domain"]
    assert low <= -0.05
    assert high >= 0.05
    whole = [row for row in made.rows if "value" in row]
    assert [row["value"] for row in whole] == [v for v, _ in cells]
    assert all(low <= row["low"] <= row["high"] <= high for row in whole)
    assert sum("seed" in row for row in made.rows) == 2 * len(cells)


def test_a_panel_has_every_seed_and_the_reference() -> None:
    steps = [Step(f"M{i}", Point(0.5, 0.4, 0.6, "x"), [0.45, 0.55], 0.3 if i else None) for i in range(3)]
    made = climb("c", "t", "d", steps, (0, 1))
    assert [row["reference"] for row in made.rows if "value" in row] == [None, 0.3, 0.3]
    assert [row["seed"] for row in made.rows if "seed" in row] == [0.45, 0.55] * 3
