"""Who may import whom, kept as data: no arrow runs back up, and the heavy libraries wait behind one door."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from isheep.stages import STAGES

ROOT = Path(__file__).parents[1] / "src" / "isheep"

#: Room -> the rooms it may import. A room is a top-level module or package of isheep.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "records": {"errors"},
    "stats": set(),
    "files": set(),
    "text": {"records", "errors"},
    "verify": {"errors"},
    "benchmarks": {"errors"},
    "sandbox": {"errors"},
    "trial": {"stats"},
    "chat": {"text", "records", "errors", "stats"},
    "store": {"records", "errors"},
    "backends": {"records", "errors", "text", "files", "child", "benchmarks", "sandbox", "launch"},
    "lamb": {"text"},
    "stages": {
        "text",
        "verify",
        "chat",
        "benchmarks",
        "backends",
        "lamb",
        "records",
        "errors",
        "stats",
    },
    "recipe_text": {"files", "errors"},
    "recipe_sections": {"stages", "backends"},
    "recipe_mistakes": set(),
    "recipe_checks": {"benchmarks", "chat"},
    "recipe": {
        "recipe_text",
        "recipe_sections",
        "recipe_mistakes",
        "recipe_checks",
        "stages",
        "files",
        "errors",
    },
    "steps": {"recipe", "stages", "store", "backends"},
    "making": {"steps", "recipe", "stages", "store", "backends", "files"},
    "plan_evaluation": {"making", "steps", "stages", "chat"},
    "plan": {"plan_evaluation", "making", "steps", "recipe", "stages", "errors"},
    "launch": set(),
    "capacity": {"launch", "files", "errors"},
    "estimate": {"plan", "recipe", "stages", "store", "benchmarks", "chat", "capacity", "errors"},
    "plan_capacity": {"plan", "recipe", "stages", "backends", "estimate", "capacity", "errors"},
    "preflight": {"steps", "stages", "store", "backends", "errors"},
    "engines": {"backends"},
    "events": {"records"},
    "step": {"events", "engines", "plan", "stages", "store", "backends", "records", "errors"},
    "worker": {"events", "engines", "step", "plan", "store", "backends", "child", "errors"},
    "runs": {"plan", "recipe", "store", "records", "errors"},
    "report": {
        "runs",
        "stages",
        "store",
        "records",
        "stats",
        "text",
        "verify",
        "trial",
        "chat",
        "benchmarks",
        "lamb",
        "files",
        "errors",
    },
    "web": {"report", "errors"},
    "look": {"web", "report", "runs", "stages", "store", "records", "text", "files", "view", "errors"},
    "compare": {"report", "runs", "store", "records", "stats", "errors"},
    "trackers": {"events", "recipe_sections", "report", "runs", "records", "store", "errors"},
    "walk": {
        "trackers",
        "errors",
        "events",
        "engines",
        "stages",
        "preflight",
        "worker",
        "step",
        "report",
        "runs",
        "plan",
        "recipe",
        "recipe_sections",
        "store",
        "backends",
    },
    "evaluation": {
        "walk",
        "preflight",
        "events",
        "report",
        "runs",
        "plan_evaluation",
        "making",
        "steps",
        "recipe",
        "benchmarks",
        "store",
        "files",
        "errors",
    },
    "show": {"report", "runs", "records", "view"},
    "sweep": {
        "walk",
        "child",
        "events",
        "runs",
        "plan",
        "recipe",
        "recipe_text",
        "recipe_mistakes",
        "stages",
        "store",
        "files",
        "errors",
    },
    "view": set(),
    "watch": {"events"},
    "view_live": {"view", "watch", "events", "errors"},
    "view_plan": {"view", "report"},
    "export": {
        "report",
        "runs",
        "store",
        "records",
        "text",
        "backends",
        "files",
        "errors",
    },
    "cli_export": {"cli_sweep", "errors", "export", "view", "__init__"},
    "talk": {
        "evaluation",
        "step",
        "runs",
        "report",
        "backends",
        "records",
        "stats",
        "store",
        "web",
        "files",
        "child",
        "errors",
    },
    "cli_talk": {"talk", "web", "view", "cli_sweep", "__init__"},
    "cli_look": {"look", "web", "view", "cli_sweep", "__init__"},
    "cli_store": {"cli_sweep", "runs", "__init__"},
    "cli_plan": {
        "errors",
        "plan_capacity",
        "estimate",
        "runs",
        "report",
        "view",
        "view_plan",
        "cli_sweep",
        "__init__",
    },
    "view_eval": {"view", "report", "stats"},
    "view_sweep": {"view", "sweep", "compare", "estimate", "recipe_text", "report", "store"},
    "child": set(),
    "doctor": {"sandbox"},
    "cli_sweep": {"errors", "sweep", "compare", "runs", "view", "view_sweep"},
    "cli_eval": {"errors", "evaluation", "report", "stats", "view", "view_eval", "view_live", "cli_sweep"},
    "cli": {
        "cli_plan",
        "cli_store",
        "cli_look",
        "cli_talk",
        "cli_sweep",
        "cli_eval",
        "cli_export",
        "view_eval",
        "view_live",
        "errors",
        "recipe",
        "runs",
        "view",
        "show",
        "doctor",
        "lamb",
        "__init__",
    },
    "__init__": {"plan", "recipe", "report", "walk", "runs", "events", "store"},
    "__main__": {"cli"},
}

#: Named for annotations only, under TYPE_CHECKING: the one is handed what the other makes.
ONLY_TYPES = {("recipe_checks", "recipe")}

#: What stages share, in stages/ but no stage itself.
SHARED = {"stage", "described", "sieves", "tuning"}

#: Libraries only backends/ may import (and lamb's builder, which pre-trains).
HEAVY = {
    "torch",
    "transformers",
    "vllm",
    "trl",
    "peft",
    "lm_eval",
    "ray",
    "httpx",
    "accelerate",
    "tokenizers",
}
MAY_BE_HEAVY = {"backends", "lamb"}
#: Any room may use these, but inside a function: they take a second to import.
LATE = {"scipy", "sklearn", "datasets", "requests", "langdetect", "pyarrow", "starlette", "uvicorn"}
#: Looks for a device, inside a function.
HEAVY_EXCEPTIONS = {("doctor", "torch")}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield parts[0], path


def imported(path: Path) -> Iterator[str]:
    """Absolute names of everything a file imports, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            if node.module == "isheep":
                # `from isheep import errors` is the module; any other name is the public face.
                for alias in node.names:
                    yield f"isheep.{alias.name}" if alias.name in MAY_IMPORT else "isheep.__init__"
            else:
                yield node.module


def test_every_room_is_in_the_table() -> None:
    assert {room for room, _ in modules()} == set(MAY_IMPORT)


def test_the_table_has_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(MAY_IMPORT):
        free = {room for room, allowed in MAY_IMPORT.items() if room not in done and allowed <= done}
        assert free, f"these import one another in a circle: {set(MAY_IMPORT) - done}"
        done |= free


@pytest.mark.parametrize(
    ("room", "path"), [pytest.param(r, p, id=str(p.relative_to(ROOT))) for r, p in modules()]
)
def test_imports_follow_the_table(room: str, path: Path) -> None:
    for name in imported(path):
        head, _, rest = name.partition(".")
        if head == "isheep":
            other = rest.split(".")[0] or "__init__"
            allowed = other == room or other in MAY_IMPORT[room] or (room, other) in ONLY_TYPES
            assert allowed, f"{path.name} imports isheep.{rest}"
        elif head in HEAVY:
            assert room in MAY_BE_HEAVY or (room, head) in HEAVY_EXCEPTIONS, f"{path.name} imports {head}"


def test_a_stage_imports_no_other_stage() -> None:
    files = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"}
    assert files == SHARED | {stage.name for stage in STAGES}
    for name in sorted(files):
        for other in imported(ROOT / "stages" / f"{name}.py"):
            if other.startswith("isheep.stages."):
                allowed = {"stage"} if name in SHARED else SHARED
                assert other.removeprefix("isheep.stages.") in allowed, f"stages/{name}.py imports {other}"


def test_what_is_named_for_annotations_is_never_imported() -> None:
    for room, other in ONLY_TYPES:
        code = f"import isheep.{room}, sys; assert 'isheep.{other}' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True)


def test_modules_stay_short() -> None:
    long = {p.name: n for _, p in modules() if (n := len(p.read_text(encoding="utf-8").splitlines())) > 330}
    assert not long


@pytest.mark.parametrize(
    "what", ["import isheep", "from isheep import make_plan, load_recipe, run, open_run", "import isheep.cli"]
)
def test_light_imports_bring_no_torch(what: str) -> None:
    late = HEAVY | LATE
    code = f"{what}\nimport sys\nassert not set(sys.modules) & {late!r}, set(sys.modules) & {late!r}"
    subprocess.run([sys.executable, "-c", code], check=True)
