"""`isheep push`: an export to the Hugging Face Hub, private unless told otherwise.

The token is the hub library's own affair (HF_TOKEN, or its login); it is never asked for, passed on or printed. Knows:
what lies in an export. Does not know: how it was made.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from isheep.errors import ExportError
from isheep.export.aside import mark_of
from isheep.export.card import HUB_ID
from isheep.store.disk import tree_files


@dataclass(frozen=True)
class Push:
    """What would be uploaded, and where to."""

    folder: Path
    repo: str
    #: "dataset" or "model", as the export says of itself.
    kind: str
    private: bool
    #: Name -> bytes.
    files: dict[str, int]

    @property
    def url(self) -> str:
        return f"https://huggingface.co/{'datasets/' if self.kind == 'dataset' else ''}{self.repo}"


def plan_push(folder: Path, repo: str, public: bool = False) -> Push:
    """What `push` would do; asks no server. Raises ExportError for what is no export, or cannot be one of the hub's."""
    told = mark_of(folder)
    if told is None:
        raise ExportError(
            f"{folder} is no export", "push uploads what `isheep export data` or `isheep export model` wrote"
        )
    if not HUB_ID.fullmatch(repo) or repo.count("/") != 1 or len(repo) > 96:
        raise ExportError(f"{repo!r} is no repository of the hub", "--repo is OWNER/NAME")
    there = tree_files(folder)
    links = [name for name, path in there.items() if path.is_symlink()]
    if links:
        raise ExportError(f"{folder / links[0]} is a link", "an upload must stand alone: remove it")
    _check_base(folder)
    # Hidden files are no part of an export: git's, an editor's, a desktop's.
    named = {n: p for n, p in there.items() if not any(part.startswith(".") for part in n.split("/"))}
    files = {name: path.stat().st_size for name, path in named.items()}
    return Push(folder, repo, told["isheep_export"], not public, files)


def _check_base(folder: Path) -> None:
    """An adapter on a base that only this machine has is of no use to others, and tells them where it lies."""
    path = folder / "adapter_config.json"
    if path.is_file():
        base = str(json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path", ""))
        if Path(base).is_absolute() or PureWindowsPath(base).is_absolute():
            raise ExportError(
                f"the adapter names a base model of this machine ({base})",
                "export it with --merge, which holds everything; or write the base's id on the hub into "
                "adapter_config.json",
            )


def push(plan: Push, api: Any = None, tell: Callable[[str], None] = lambda text: None) -> str:
    """Upload it; the address of what was made. `api` is huggingface_hub's HfApi, which knows the token.

    A repository that is there already is added to; one that is public is not, unless the plan says so.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if api is None:
        if not get_token():
            raise ExportError("no token for the hub", "set HF_TOKEN, or log in with `hf auth login`")
        api = HfApi()
    try:
        _make(plan, api, tell)
        done = api.upload_folder(
            repo_id=plan.repo,
            repo_type=plan.kind,
            folder_path=str(plan.folder),
            # Those that were listed, and nothing that came to lie beside them since.
            allow_patterns=[glob.escape(name) for name in plan.files],
            commit_message=f"isheep: {plan.folder.name}",
        )
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError) as error:
        raise ExportError(
            f"the hub refused: {_without_token(str(error))}",
            "does the token allow to write there? nothing is lost; push again",
        ) from None  # the chain would print a request with its headers
    return str(getattr(done, "commit_url", None) or plan.url)


def _make(plan: Push, api: Any, tell: Callable[[str], None]) -> None:
    """Have a repository to upload to, as private as was promised."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        found = api.repo_info(plan.repo, repo_type=plan.kind)
    except RepositoryNotFoundError:
        api.create_repo(plan.repo, repo_type=plan.kind, private=plan.private)
        tell(f"made {plan.url}, {'private' if plan.private else 'public'}")
        return
    if plan.private and not found.private:
        raise ExportError(
            f"{plan.repo} is there already, and public: everybody would see this",
            "name another --repo, or say --public",
        )
    if not plan.private and found.private:
        tell(f"{plan.repo} is there already, and stays private; its settings on the hub make it public")


def _without_token(text: str) -> str:
    from huggingface_hub import get_token

    token = get_token()
    return text.replace(token, "***") if token else text
