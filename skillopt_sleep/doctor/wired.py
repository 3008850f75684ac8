"""Which clients the night was wired into, and whether what they were told still holds."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from skillopt import __version__
from skillopt_sleep.doctor.check import Check, Patient, exists
from skillopt_sleep.install.config_text import find
from skillopt_sleep.install.engine import recorded_program
from skillopt_sleep.install.record import Installed, WiredClient, read_installed


def examine_wiring(patient: Patient) -> Iterator[Check]:
    """One check a client that was wired from this state, and one for the program that launchers look up."""
    installed = read_installed(patient.home)
    place = "" if patient.home.is_default else f" --home {shlex.quote(str(patient.home.path))}"
    for client in installed.clients:
        again = f"skillopt-sleep install {client.name}{place}"
        found = _wrong(installed, client)
        told = found or f"wired on {client.at:%Y-%m-%d}; it runs {client.program}"
        yield Check(f"wired {client.name}", "warn" if found else "ok", told, again if found else "")
    if not installed.clients:
        yield Check("wired", "ok", "no client is wired from here: `skillopt-sleep install` does it")
    program = recorded_program(patient.home)
    if program is not None and not _runs(program):
        again = (
            f"skillopt-sleep install {installed.clients[0].name if installed.clients else 'claude'}{place}"
        )
        yield Check("engine", "warn", f"the recorded program {program} is not there any more", again)


def _wrong(installed: Installed, client: WiredClient) -> str:
    """What of the wiring no longer holds, empty when all does."""
    if not _runs(Path(client.program)):
        return f"it was told to run {client.program}, which is not there any more"
    for text in installed.texts:
        for entry in text.entries if text.client == client.name else ():
            try:
                is_there = find(Path(text.path).read_text(encoding="utf-8"), entry.syntax, entry.keys)[0]
            except (OSError, ValueError):
                is_there = False
            if not is_there:
                return f"{'.'.join(entry.keys)} is no longer in {text.path}"
    for file in installed.files:
        if client.name in file.clients and not exists(Path(file.path)):
            return f"{file.path} is gone"
    if client.version != __version__:
        return f"it was wired by version {client.version}, this is {__version__}"
    return ""


def _runs(program: Path) -> bool:
    return program.is_file() and os.access(program, os.X_OK)
