"""Writes down the mode of every file below a folder as soon as this process has made it.

Python runs this when the folder is on PYTHONPATH. WATCH names the folder, WATCH_LOG the file to write to.
Whatever the process does next is the moment to look at what it did last.
"""

# ruff: noqa: PTH118

from __future__ import annotations

import os
import sys
from typing import Any


def watch(below: str, log: str) -> None:
    log_file = os.open(log, os.O_WRONLY | os.O_APPEND)
    known: set[str] = set()
    busy = False

    def look() -> None:
        for folder, folders, files in os.walk(below):
            for name in (".", *folders, *files):
                path = os.path.join(folder, name)
                if path not in known:
                    known.add(path)
                    try:
                        mode = os.lstat(path).st_mode & 0o7777
                    except OSError:
                        continue
                    os.write(log_file, f"{mode:o} {path}\n".encode())

    def hook(event: str, _: tuple[Any, ...]) -> None:
        nonlocal busy
        if not busy and event.startswith(("open", "os.", "sqlite3.", "fcntl.", "tempfile.")):
            busy = True
            try:
                look()
            finally:
                busy = False

    sys.addaudithook(hook)


if os.environ.get("WATCH"):
    watch(os.environ["WATCH"], os.environ["WATCH_LOG"])
