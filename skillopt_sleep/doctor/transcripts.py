"""Where each client keeps its transcripts: there or not, how much, readable or not. None is opened."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from skillopt_sleep.amounts import counted, size
from skillopt_sleep.doctor.check import Check, Patient, exists
from skillopt_sleep.sources.base import Source
from skillopt_sleep.sources.registry import SOURCES

VARIABLES: Mapping[str, str] = {
    "claude": "CLAUDE_CONFIG_DIR",
    "codex": "CODEX_HOME",
    "copilot": "COPILOT_HOME",
}


def examine_transcripts(patient: Patient) -> Iterator[Check]:
    """A check for each folder that is there or should be, and one for those that are not."""
    if patient.user_home is None:
        yield Check("home", "fail", "your home folder is not known", "set HOME to it")
        return
    absent: list[str] = []
    for name, make in SOURCES.items():
        source = make((patient.home.path,))
        variable = VARIABLES.get(name)
        given = patient.env.get(variable, "") if variable else ""
        roots = source.roots(patient.env, patient.user_home)
        present = [root for root in roots if os.path.lexists(root)]
        yield from (_folder(name, root, source, given and variable) for root in present)
        if not present and given:
            told = f"{variable} is {given}, but {roots[0]} is not there"
            yield Check(f"transcripts {name}", "warn", told, f"mend or unset {variable}")
        elif not present:
            absent.append(f"{name} ({roots[0]})" if roots else name)
    if len(absent) == len(SOURCES):
        told = f"no client has left any: {', '.join(absent)}"
        yield Check("transcripts", "warn", told, "work with one of them, or name its folder by its variable")
    elif absent:
        yield Check("transcripts", "ok", f"not there, which is fine: {', '.join(absent)}")


def _folder(name: str, root: Path, source: Source, variable: str | None) -> Check:
    check = f"transcripts {name}"
    by = f" (by {variable})" if variable else ""
    if not exists(root):
        return Check(check, "fail", f"{root}{by} is a link to nothing", f"mend or remove it: ls -l '{root}'")
    if not root.is_dir():
        return Check(check, "fail", f"{root}{by} is not a folder", "see what put it there")
    if not os.access(root, os.R_OK | os.X_OK):
        return Check(check, "fail", f"{root}{by} may not be read by you", f"chmod u+rx '{root}'")
    skipped: Counter[str] = Counter()
    files, n_bytes, newest, closed = 0, 0, 0.0, []
    for path in source.files(root, skipped):
        try:
            info = path.stat()
        except OSError:
            skipped["unreadable"] += 1
            continue
        files, n_bytes, newest = files + 1, n_bytes + info.st_size, max(newest, info.st_mtime)
        if not os.access(path, os.R_OK):
            closed.append(path)
    told = f"{root}{by}: {counted(files, 'file')}, {size(n_bytes)}"
    if files:
        told += f", the newest of {_day(newest)}"
    if closed:
        more = f" and {len(closed) - 1} more" if len(closed) > 1 else ""
        return Check(check, "warn", f"{told}; {closed[0]}{more} may not be read", f"chmod u+r '{closed[0]}'")
    if skipped:
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(skipped.items()))
        return Check(check, "warn", f"{told}; passed over: {reasons}", f"ls -lR '{root}'")
    return Check(check, "ok", told)


def _day(timestamp: float) -> str:
    try:
        return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "no known day"
