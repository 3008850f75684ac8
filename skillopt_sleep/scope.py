"""Which project a folder belongs to: its git root, found without running git.

Worktrees belong to the main repository, submodules are their own. Outside git the folder itself is the
project, never a parent of it.
"""

from __future__ import annotations

from pathlib import Path

_MAX_POINTER_BYTES = 4096
_MAX_PATH_BYTES = 4096
_MAX_NAME_BYTES = 255


def git_root(folder: Path) -> Path | None:
    """The root of the repository `folder` is in, or None outside git. A worktree gives the root of its main
    repository. Nothing is raised for what cannot be read."""
    try:
        here = folder.resolve()
    except (OSError, RuntimeError):
        return None
    for candidate in (here, *here.parents):
        marker = candidate / ".git"
        try:
            if marker.is_dir():
                # an empty folder of that name is not a repository; git itself looks for HEAD
                if (marker / "HEAD").exists():
                    return candidate
            elif marker.is_file():
                return _pointed_root(candidate, marker)
        except OSError:
            return None
    return None


def _pointed_root(folder: Path, marker: Path) -> Path:
    """Where a `.git` file leads. The git folder of a worktree has a `commondir`, a submodule's has none."""
    pointer = _read_pointer(marker)
    if not pointer.startswith("gitdir:"):
        return folder
    git_dir = (folder / pointer.removeprefix("gitdir:").strip()).resolve()
    common = _read_pointer(git_dir / "commondir")
    if not common:
        return folder
    main = (git_dir / common).resolve()
    # a bare repository with worktrees has no working root: the repository itself stands for the project
    return main.parent if main.name == ".git" else main


def _read_pointer(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAX_POINTER_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def is_folder(path: Path) -> bool:
    """Whether there is a folder that can be looked at. Never raises."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _can_exist(path: str) -> bool:
    """Whether a system could have a folder of this name: a longer one is no folder anybody worked in."""
    names = path.encode("utf-8", "replace")
    too_long = any(len(name) > _MAX_NAME_BYTES for name in names.split(b"/"))
    return b"\0" not in names and len(names) < _MAX_PATH_BYTES and not too_long


def project_of(cwd: str | None, recorded_git_root: str | None = None) -> str | None:
    """The project a session that ran in `cwd` belongs to, as an absolute path; None without a folder.

    While the folder exists its git root is asked, then the folder itself. A folder that is gone keeps the
    git root its client recorded, when that root contains it, else its own path.
    """
    if not cwd or "\0" in cwd or not _can_exist(cwd):
        return None
    folder = Path(cwd)
    if not folder.is_absolute():
        return None
    if is_folder(folder):
        root = git_root(folder)
        return str(root) if root else str(folder.resolve())
    if recorded_git_root and _can_exist(recorded_git_root) and folder.is_relative_to(recorded_git_root):
        recorded = Path(recorded_git_root)
        return str((git_root(recorded) if is_folder(recorded) else None) or recorded)
    return str(folder)
