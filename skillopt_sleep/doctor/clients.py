"""Which clients are installed, and in which version: asked of all at once, for some are slow to answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from skillopt_sleep.doctor.check import Check, Patient
from skillopt_sleep.programs import find_program, version_of

CLIENTS: Mapping[str, str] = {
    "claude": "claude",
    "codex": "codex",
    "copilot": "copilot",
    "vscode": "code",
}
"""The name of each client, and of its program."""

TIMEOUT_S = 2.0


def examine_clients(patient: Patient) -> Iterator[Check]:
    """One check a client. None has to be installed: what one wrote can be read without it."""
    found = {name: find_program(program, patient.env) for name, program in CLIENTS.items()}
    with ThreadPoolExecutor(len(found)) as pool:
        versions = pool.map(lambda path: _version(path, patient.env), found.values())
    for (name, path), version in zip(found.items(), versions, strict=True):
        if path is None:
            yield Check(f"client {name}", "ok", f"{CLIENTS[name]} is not on the PATH, which is fine")
        elif version is None:
            told = f"{path} did not say its version within {TIMEOUT_S:.0f} s in an empty home"
            yield Check(f"client {name}", "warn", told, f"{CLIENTS[name]} --version")
        else:
            yield Check(f"client {name}", "ok", f"{version} ({path})")


def _version(path: Path | None, env: Mapping[str, str]) -> str | None:
    return None if path is None else version_of(path, env, TIMEOUT_S)
