"""`isheep push`: what would be uploaded, to whom it is shown, and that no token is ever said."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import httpx
import pytest
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from isheep.errors import ExportError
from isheep.export import export_data, export_model, plan_push, push
from isheep.runs import Run

TOKEN = "hf_secretsecretsecret"


class Hub:
    """What HfApi has, and remembers. `private`: the repository is there, and is or is not; None: it is not there."""

    def __init__(self, private: bool | None = None, refuses: str = "") -> None:
        self.private, self.refuses = private, refuses
        self.made: list[dict[str, Any]] = []
        self.uploads: list[dict[str, Any]] = []

    def repo_info(self, repo: str, *, repo_type: str) -> Any:
        if self.private is None:
            raise RepositoryNotFoundError("404", response=answer(404))
        return SimpleNamespace(private=self.private)

    def create_repo(self, repo: str, *, repo_type: str, private: bool) -> None:
        self.made.append({"repo": repo, "type": repo_type, "private": private})

    def upload_folder(self, **given: Any) -> Any:
        if self.refuses:
            raise HfHubHTTPError(self.refuses, response=answer(403))
        self.uploads.append(given)
        return SimpleNamespace(commit_url="https://huggingface.co/commit")


def answer(status: int) -> httpx.Response:
    return httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co"))


@pytest.fixture
def folder(talked: Run, tmp_path: Path) -> Path:
    return export_data(talked, "hub", tmp_path / "out")


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def test_it_is_private_unless_told_otherwise(folder: Path) -> None:
    for public in (False, True):
        hub = Hub()
        url = push(plan_push(folder, "me/data", public), hub)
        assert hub.made == [{"repo": "me/data", "type": "dataset", "private": not public}]
        assert url == "https://huggingface.co/commit"


def test_exactly_what_was_listed_is_uploaded(folder: Path) -> None:
    for hidden in (".git/config", ".env"):
        (folder / hidden).parent.mkdir(exist_ok=True)
        (folder / hidden).write_text(TOKEN)
    plan = plan_push(folder, "me/data")
    assert set(plan.files) == {
        "README.md", "dataset_info.json", "isheep.json", "recipe.yaml", "preferences/train.parquet",
        "data/iteration-000.parquet", "data/iteration-001.parquet",
    }  # fmt: skip
    assert plan.files["README.md"] == (folder / "README.md").stat().st_size
    (folder / "later.txt").write_text("came between")
    hub = Hub()
    push(plan, hub)
    (upload,) = hub.uploads
    from huggingface_hub.utils import filter_repo_objects

    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert set(filter_repo_objects(names, allow_patterns=upload["allow_patterns"])) == set(plan.files)


def test_a_public_repository_gets_nothing_that_was_to_be_private(folder: Path) -> None:
    hub = Hub(private=False)
    with pytest.raises(ExportError, match="public"):
        push(plan_push(folder, "me/data"), hub)
    assert not hub.uploads
    push(plan_push(folder, "me/data", public=True), hub)
    said: list[str] = []
    push(plan_push(folder, "me/data", public=True), Hub(private=True), said.append)
    assert "stays private" in said[0]
    assert hub.uploads
    assert not hub.made


def test_no_token_is_ever_said(folder: Path) -> None:
    hub = Hub(refuses=f"403 Forbidden: authorization: Bearer {TOKEN}")
    with pytest.raises(ExportError) as error:
        push(plan_push(folder, "me/data"), hub)
    shown = error.getrepr(chain=True)
    assert TOKEN not in f"{error.value}"
    assert "403 Forbidden" in f"{error.value}"
    assert error.value.__suppress_context__
    assert TOKEN not in str(shown.reprcrash)


def test_without_a_token_it_says_where_one_comes_from(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(ExportError, match="no token") as error:
        push(plan_push(folder, "me/data"))
    assert "HF_TOKEN" in error.value.hint


def test_a_plan_asks_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert plan_push(folder, "me/data").url == "https://huggingface.co/datasets/me/data"


@pytest.mark.parametrize(
    "repo", ["data", "me/a/b", "../x", "me/", "me/a b", "me/a--b", "-/x", f"me/{'x' * 100}"]
)
def test_what_is_no_name_on_the_hub_is_refused(folder: Path, repo: str) -> None:
    with pytest.raises(ExportError, match="no repository"):
        plan_push(folder, repo)


def test_only_exports_are_pushed_and_no_links(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no export"):
        plan_push(tmp_path, "me/data")
    (folder / "secrets").symlink_to("/etc/passwd")
    with pytest.raises(ExportError, match="is a link"):
        plan_push(folder, "me/data")


def test_an_adapter_on_a_base_of_this_machine_stays_here(trained: Run, merged: Path, tmp_path: Path) -> None:
    adapter = export_model(trained, tmp_path / "adapter")
    with pytest.raises(ExportError, match="of this machine") as error:
        plan_push(adapter, "me/model")
    assert "--merge" in error.value.hint
    assert plan_push(merged, "me/model").kind == "model"
