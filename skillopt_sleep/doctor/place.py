"""Where the state is kept: whether it is private, ours, outside repositories, and has room."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from skillopt import __version__
from skillopt_sleep.doctor.check import Check, Patient, exists
from skillopt_sleep.git_view import git_state
from skillopt_sleep.scope import git_root

_LITTLE_BYTES = 500_000_000
_TOO_LITTLE_BYTES = 20_000_000
_SHOWN = 3


def examine_python(_patient: Patient) -> Iterator[Check]:
    """The versions a report needs."""
    told = f"skillopt {__version__}, Python {platform.python_version()} ({sys.executable})"
    yield Check("versions", "ok", f"{told}, SQLite {sqlite3.sqlite_version}, {platform.system()}")


def examine_state(patient: Patient) -> Iterator[Check]:
    """The folder of the state itself."""
    path = patient.home.path
    if path.is_symlink() and not exists(path):
        yield Check("state", "fail", f"{path} is a link to nothing: {path.readlink()}", f"rm '{path}'")
        return
    if not exists(path):
        yield Check("state", "ok", f"{path} is not there yet")
        yield from _room(path)
        return
    real = path.resolve()
    if not real.is_dir():
        yield Check("state", "fail", f"{path} is not a folder", "move it away, or choose another with --home")
        return
    told = f"{path}" if real == path else f"{path}, which is really {real}"
    if not os.access(real, os.R_OK | os.W_OK | os.X_OK):
        yield Check("state", "fail", f"{told}: you may not use it", f"sudo chown -R $USER '{real}'")
        return
    yield Check("state", "ok", told)
    yield from _private(real)
    yield from _shared_way(real)
    yield from _repository(real)
    yield from _room(real)


def _private(folder: Path) -> Iterator[Check]:
    """Nobody else may read anything of it, and all of it is ours."""
    open_ones, foreign, links = [], [], []
    for parent, folders, files in os.walk(folder):
        for name in ("", *folders, *files) if parent == str(folder) else (*folders, *files):
            path = Path(parent, name)
            try:
                info = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISLNK(info.st_mode):
                links.append(path)
            elif info.st_mode & 0o077:
                open_ones.append(path)
            if hasattr(os, "geteuid") and info.st_uid != os.geteuid():
                foreign.append(path)
    if open_ones:
        told = f"others may look into {_some(open_ones)}"
        yield Check("permissions", "fail", told, f"chmod -R go= '{folder}'")
    if foreign:
        yield Check("owner", "fail", f"{_some(foreign)} is not yours", f"sudo chown -R $USER '{folder}'")
    if links:
        yield Check("links", "warn", f"{_some(links)}: links have no place in the state", "rm them")
    if not (open_ones or foreign or links):
        yield Check("permissions", "ok", "only you can read the state")


def _shared_way(folder: Path) -> Iterator[Check]:
    """Who may write in a folder above could put another state in the place of this one."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if mode & 0o022 and not mode & stat.S_ISVTX:
            told = f"others may replace what is in {parent}"
            yield Check("way", "warn", told, f"chmod go-w '{parent}', or choose another place with --home")
            return


def _repository(folder: Path) -> Iterator[Check]:
    root = git_root(folder)
    if root is None:
        yield Check("repository", "ok", "the state is in no git repository")
    elif git_state(root, folder / "ledger.sqlite") == "ignored":
        yield Check("repository", "warn", f"the state is in the repository {root}, which ignores it",
                    "better choose a place outside, with SKILLOPT_SLEEP_HOME")  # fmt: skip
    else:
        told = f"the state is in the repository {root}: your sessions could be committed"
        yield Check("repository", "fail", told, "move it outside, and name it with SKILLOPT_SLEEP_HOME")


def _room(path: Path) -> Iterator[Check]:
    nearest = next(folder for folder in (path, *path.parents) if exists(folder))
    free = shutil.disk_usage(nearest).free
    told = f"{free / 1e9:.1f} GB free"
    if free < _TOO_LITTLE_BYTES:
        yield Check("room", "fail", f"{told}: a night cannot be kept", f"df -h '{nearest}'")
    elif free < _LITTLE_BYTES:
        yield Check("room", "warn", told, f"df -h '{nearest}'")
    else:
        yield Check("room", "ok", told)


def _some(paths: list[Path]) -> str:
    shown = ", ".join(str(path) for path in paths[:_SHOWN])
    return shown if len(paths) <= _SHOWN else f"{shown} and {len(paths) - _SHOWN} more"
