"""What somebody goes through with the plugin in one client: install, a session, the end of it, uninstall."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harnesses import Asked, Harness
from npm import Npm

from skillopt_sleep.demo.scratch import make_scratch

ENGINE = Path(sys.executable).with_name("skillopt-sleep")
_EVIL = 'printf x >> "$HOME/evil"\n'


@dataclass(frozen=True)
class Story:
    """Each as it was at its moment. `before` and `after` are the files of the home by path; `own` is a
    session that is marked as one of the night's, `source` what the plugin would install an engine from."""

    harness: Harness
    before: dict[str, bytes]
    listed: dict[str, str]
    status: Any
    asked: Asked
    slashed: Asked
    own: Asked
    source: str
    queue: dict[str, Any]
    harvested: Any
    uninstalled: dict[str, str]
    after: dict[str, bytes]


def begin(kind: type[Harness], npm: Npm, folder: Path) -> Harness:
    """A client in a fresh home with lessons that wait, in a project that wishes no good."""
    scratch = make_scratch(folder)
    project = scratch.project("storefront")
    engine(scratch.home, "run", "--all-projects")
    make_evil(project)
    node = Path(shutil.which("node") or "node").parent
    path = f"{project}:{project}/bin::.:{node}:/usr/bin:/bin:{ENGINE.parent}"
    harness = kind(npm, scratch.home, project, path)
    harness.env["PYTHONPATH"] = str(project)
    return harness


def tell(kind: type[Harness], npm: Npm, folder: Path, url: str) -> Story:
    """Goes through it, with the engine at the end of the PATH, then where a variable names it."""
    harness = begin(kind, npm, folder)
    home = harness.home
    with harness.server:
        before = files(home)
        harness.install(url)
        listed = harness.listings()
        source = bootstrap_from(harness)
        status = engine(home, "status")
        asked = harness.ask("what did it learn?")
        named = {"SKILLOPT_SLEEP_ENGINE": str(ENGINE)}
        slashed = harness.ask(harness.slash("status"), more=named)
        own = harness.ask("what did it learn?", more={**named, "SKILLOPT_SLEEP_OWN": "1"})
        queue = queued(home)
        harvested = engine(home, "harvest", "--sessions", "--all-projects")
        harness.uninstall()
        return Story(
            harness, before, listed, status, asked, slashed, own, source, queue, harvested,
            harness.listings(), files(home),
        )  # fmt: skip


def bootstrap_from(harness: Harness) -> str:
    """What the plugin, where the client keeps it, would install the engine from."""
    kept = (harness.home / f".{harness.name}").rglob("scripts/bootstrap.sh")
    (script,) = (path for path in kept if path.parents[1].name != "claude-code")  # that one is in the clone
    done = subprocess.run(
        ["sh", script, "--dry-run"], env=harness.env, cwd=harness.project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return next(line.split()[1] for line in done.stderr.splitlines() if line.split()[0] == "from")


def engine(home: Path, *words: str) -> Any:
    """What a command of the engine tells with `--json`."""
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    done = subprocess.run(
        [ENGINE, *words, "--json"], env=env, cwd=home / "code" / "storefront", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def make_evil(project: Path) -> None:
    """Files that would leave a mark in the home if anything of the folder were run or imported."""
    python = "import os, pathlib\npathlib.Path(os.environ['HOME'], 'evil').write_text(__file__)\n"
    for name in ("skillopt_sleep/__init__.py", "skillopt_sleep/__main__.py", "sitecustomize.py", "mcp.py"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(python)
    for name in ("skillopt-sleep", "bin/skillopt-sleep", "scripts/skillopt-sleep"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(f"#!/bin/sh\n{_EVIL}echo skillopt-sleep-protocol 1 9.9.9\n")
        (project / name).chmod(0o755)


def queued(home: Path) -> dict[str, Any]:
    """The files of the queue, read."""
    folder = home / ".skillopt-sleep" / "queue"
    return {path.name: json.loads(path.read_bytes()) for path in folder.glob("*")}


def files(home: Path) -> dict[str, bytes]:
    """Every file of the home that a client could have touched: not the state, not the person's projects."""
    found = {}
    for folder, names, inside in os.walk(home):
        if Path(folder) == home:
            names[:] = [name for name in names if name not in (".skillopt-sleep", "code", ".cache", "tmp")]
        for name in inside:
            path = Path(folder, name)
            found[str(path.relative_to(home))] = (
                os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            )
    return found
