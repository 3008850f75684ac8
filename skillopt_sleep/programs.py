"""Finding and asking programs of this machine: never one of the current folder, never for long."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_MOST_BYTES = 4096


def find_program(name: str, env: Mapping[str, str]) -> Path | None:
    """The program of this name on the PATH of `env`; what is relative there is left out, for a repository
    could put a program of its own in its way."""
    folders = (env.get("PATH") or os.defpath).split(os.pathsep)
    absolute = [folder for folder in folders if Path(folder).is_absolute()]
    found = shutil.which(name, path=os.pathsep.join(absolute)) if absolute else None
    return Path(found) if found else None


def version_of(program: Path, env: Mapping[str, str], timeout_s: float) -> str | None:
    """The first line that `program --version` says, None when it does not answer in time.

    It is run in an empty folder that is its home too, so that it neither finds nor leaves anything.
    """
    with tempfile.TemporaryDirectory(prefix="skillopt-doctor-", ignore_cleanup_errors=True) as nowhere:
        kept = {key: env[key] for key in ("PATH", "SYSTEMROOT") if key in env}
        clean = {**kept, "HOME": nowhere, "LANG": "C.UTF-8", "NO_COLOR": "1", "DISABLE_AUTOUPDATER": "1"}
        try:
            process = subprocess.Popen(  # noqa: S603  (no shell; the program is the user's own)
                [program, "--version"],
                cwd=nowhere,
                env=clean,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            return None
        with process:
            timer = threading.Timer(timeout_s, _kill, (process.pid,))
            timer.start()
            # It ends when the program has closed its output, has said enough, or was killed.
            told = process.stdout.read(_MOST_BYTES) if process.stdout else b""
            if len(told) == _MOST_BYTES:
                _kill(process.pid)
            code = process.wait()
            timer.cancel()
    lines = told.decode("utf-8", "replace").strip().splitlines()
    return lines[0].strip()[:80] if lines and code == 0 else None


def _kill(group: int) -> None:
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)
