"""Where named files are: what ships inside the package, and what a user's path points to.

Knows: names and paths.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

PACKAGE: Path = Path(__file__).parent
#: The embedded base model (see docs/lamb.md).
LAMB_MODEL = PACKAGE / "lamb" / "model"


def shipped(folder: str, suffix: str) -> dict[str, Path]:
    """Name -> path of everything shipped in isheep/`folder` with `suffix` (".jsonl", "/quality.txt")."""
    root: Path = PACKAGE / folder
    return {str(p.relative_to(root))[: -len(suffix)]: p for p in sorted(root.glob(f"*{suffix}"))}


def locate(name: str, folder: str, suffix: str, beside: Sequence[Path] = ()) -> Path | str:
    """The file that `name` stands for, or a sentence that says why there is none.

    Tried in order: a shipped name, a path from the working directory, a path from the folders in `beside` (those of
    the recipe and of what it extends). A shipped name comes first, so that a file that happens to lie about and is
    called "lamb" does not change what a recipe means; "./lamb" names the file.
    """
    known = shipped(folder, suffix)
    if name in known:
        return known[name]
    try:
        path = Path(name).expanduser()
        for candidate in (path, *(place / path for place in beside)):
            if candidate.exists() and (candidate.is_file() or any(c in name for c in "./\\")):
                return candidate.resolve()
    except (OSError, RuntimeError) as error:  # a name too long for a path; a home nobody has
        return f"{name[:60]!r} is no path: {getattr(error, 'strerror', None) or error}"
    near = difflib.get_close_matches(name, known, 1)
    offer = f"did you mean {near[0]!r}?" if near else f"shipped names: {', '.join(known)}"
    if is_folder(name):
        offer = f"for the folder write {f'./{name}'!r}"
    return f"no file {name!r}; {offer}"


def model_path(base: str) -> str:
    """What to load for a `model.base`: the embedded model's folder for "lamb", else as given (folder or hub id)."""
    return str(LAMB_MODEL) if base == "lamb" else base


def is_folder(name: str) -> bool:
    """Whether a user's path is a folder."""
    try:
        return Path(name).expanduser().is_dir()
    except (OSError, RuntimeError):  # a name too long for a path; a home nobody has
        return False
