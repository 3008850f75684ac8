"""A session belongs to the git root it ran in, real repositories and worktrees included."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from skillopt_sleep.scope import git_root, project_of


def git(folder: Path, *args: str) -> None:
    identity = ["-c", "user.email=a@b.c", "-c", "user.name=a", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *identity, *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "src" / "a.txt").touch()
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def test_root_and_subfolders(repo: Path) -> None:
    assert git_root(repo) == git_root(repo / "src" / "deep") == repo
    assert project_of(str(repo / "src" / "deep")) == str(repo)


def test_worktrees_belong_to_the_main_repository(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", str(tmp_path / "elsewhere" / "tree"))
    assert git_root(tmp_path / "elsewhere" / "tree" / "src") == repo


def test_worktrees_of_a_bare_repository_share_it(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    for name in ("one", "two"):
        git(tmp_path / "bare.git", "worktree", "add", "-q", str(tmp_path / name), "-b", name)
    assert git_root(tmp_path / "one") == git_root(tmp_path / "two") == tmp_path / "bare.git"


def test_submodules_are_their_own(repo: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(repo), "inner")
    assert git_root(outer / "inner" / "src") == outer / "inner"
    assert git_root(outer) == outer


def test_links_lead_to_the_same_project(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repo / "src")
    assert project_of(str(tmp_path / "link")) == str(repo)


def test_outside_git_the_folder_itself(tmp_path: Path) -> None:
    folder = tmp_path / "notes" / "today"
    folder.mkdir(parents=True)
    (tmp_path / ".git").mkdir()  # an empty folder of that name is no repository
    assert git_root(folder) is None
    assert project_of(str(folder)) == str(folder)


@pytest.mark.parametrize("pointer", [b"", b"gitdir: nowhere", b"\xff\xfe", b"x" * 10_000])
def test_odd_pointers_keep_the_folder(tmp_path: Path, pointer: bytes) -> None:
    (tmp_path / ".git").write_bytes(pointer)
    assert git_root(tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("cwd", "recorded", "project"),
    [
        ("/gone/repo/sub", None, "/gone/repo/sub"),
        ("/gone/repo/sub", "/gone/repo", "/gone/repo"),
        ("/gone/repo/sub", "/gone/other", "/gone/repo/sub"),
        (None, "/gone/repo", None),
        ("", None, None),
        ("relative", None, None),
        ("/nul\0byte", None, None),
        ("/" + "a" * 300, None, None),
        ("/" + "a/" * 3000, None, None),
        ("/" + "é" * 128, None, None),
        ("/gone/repo/sub", "/gone/" + "a/" * 3000, "/gone/repo/sub"),
        ("/proc/1/cwd/inside", None, "/proc/1/cwd/inside"),
    ],
)
def test_folders_that_are_gone_keep_their_path(
    cwd: str | None, recorded: str | None, project: str | None
) -> None:
    assert project_of(cwd, recorded) == project


def test_a_removed_subfolder_keeps_the_recorded_root(repo: Path) -> None:
    assert project_of(str(repo / "removed"), str(repo)) == str(repo)
