"""A made-up developer's home in a folder of its own: transcripts of three clients and two git projects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skillopt.errors import ConfigError

RECORDED_HOME = "/home/robin"
"""The home that stands in the bundled transcripts."""

CLIENT_FOLDERS = {".claude": "claude", ".codex": "codex", ".copilot": "copilot"}
"""Folder of a client in a home: its name in the bundle."""

PROJECTS: dict[str, dict[str, str]] = {
    "storefront": {
        "README.md": "# Storefront\n\nThe web shop.\n",
        "package.json": '{\n  "name": "storefront",\n  "private": true,\n  "version": "1.11.1"\n}\n',
        "CHANGELOG.md": "# Changelog\n\n## 1.11.1\n\n- Fewer requests in tests\n",
    },
    "billing": {
        "README.md": "# Billing\n\nInvoices, taxes, dunning.\n",
        "dev": '#!/bin/sh\n# Starts the database, then: ./dev test [PYTEST ARGUMENTS]\nshift\npytest "$@"\n',
    },
}
"""The files of the two projects, by path."""

_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "COLUMNS", "TMPDIR", "NO_COLOR", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True)
class Scratch:
    """The scratch home: `home` holds everything, `env` is what the commands see."""

    home: Path
    env: Mapping[str, str]

    def project(self, name: str) -> Path:
        """The folder of one of `PROJECTS`."""
        return self.home / "code" / name

    def tilde(self, text: str) -> str:
        """`text` with the home written `~`, as a person would."""
        return text.replace(str(self.home), "~")


def make_scratch(home: Path) -> Scratch:
    """Put the bundled transcripts and the two projects into the empty folder `home`.

    Raises `ConfigError` when git is not installed.
    """
    if shutil.which("git") is None:
        raise ConfigError("git was not found.", why="The demo makes two repositories.", next="install git")
    home = home.resolve()
    scratch = Scratch(home, _environment(home))
    for name, files in PROJECTS.items():
        _make_project(scratch, scratch.project(name), files)
    for folder, bundled in CLIENT_FOLDERS.items():
        _copy_transcripts(Path(__file__).parent / "home" / bundled, home / folder, home)
    return scratch


def snapshot(scratch: Scratch) -> dict[str, tuple[int, bytes]]:
    """Mode and bytes of every file and link of the home, by path; the state of SkillOpt itself left out."""
    found = {}
    for folder, names, files in os.walk(scratch.home):
        if Path(folder) == scratch.home:
            names.remove(".skillopt-sleep") if ".skillopt-sleep" in names else None
        for name in (*names, *files):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if path.is_symlink():
                content = os.fsencode(path.readlink())
            else:
                content = b"" if path.is_dir() else path.read_bytes()
            # Git keeps the time of its last look at the files in its index.
            if not (path.name == "index" and path.parent.name == ".git"):
                found[str(path.relative_to(scratch.home))] = (mode, content)
    return found


def _environment(home: Path) -> dict[str, str]:
    """What little of the caller's environment the commands need, and a home of their own."""
    kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
    return {**kept, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}


def _make_project(scratch: Scratch, folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    as_robin = ("-c", "user.name=Robin", "-c", "user.email=robin@example.org")
    for arguments in (("init", "-q", "-b", "main"), ("add", "."), (*as_robin, "commit", "-qm", "Begin")):
        subprocess.run(("git", *arguments), cwd=folder, env=dict(scratch.env), check=True)  # noqa: S603, S607


def _copy_transcripts(bundle: Path, folder: Path, home: Path) -> None:
    """Copy a client's files; what was recorded in `RECORDED_HOME` is said to be in `home`."""
    here = json.dumps(str(home))[1:-1]
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        name = path.relative_to(bundle).as_posix().replace(_flat(RECORDED_HOME), _flat(str(home)))
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy.write_text(path.read_text(encoding="utf-8").replace(RECORDED_HOME, here), encoding="utf-8")


def _flat(path: str) -> str:
    """A path as Claude Code writes it in the names of its folders."""
    return "".join(char if char.isalnum() and char.isascii() else "-" for char in path)
