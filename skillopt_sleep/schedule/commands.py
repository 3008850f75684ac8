"""Runs the commands that schedulers are told things with."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skillopt_sleep.programs import find_program

_TIMEOUT_S = 60.0
_NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended. `said` is what a person would be told of it."""

    code: int
    out: bytes = b""
    err: bytes = b""

    @property
    def is_ok(self) -> bool:
        return self.code == 0

    @property
    def said(self) -> str:
        lines = (self.err or self.out).decode("utf-8", "replace").strip().splitlines()
        return "; ".join(line.strip() for line in lines[:3]) or f"it ended with code {self.code}"


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs a program of the PATH of `env`, in English, never for long."""

    env: Mapping[str, str] = field(repr=False)

    def has(self, program: str) -> bool:
        """Whether there is such a program."""
        return find_program(program, self.env) is not None

    def __call__(self, command: Sequence[str], *, stdin: bytes = b"") -> Done:
        """Run it to its end. Never raises for how it ends."""
        program = find_program(command[0], self.env)
        if program is None:
            return Done(_NOT_FOUND, err=f"there is no program {command[0]} here".encode())
        env = {**self.env, "LC_ALL": "C", "LANGUAGE": "C"}
        try:
            done = subprocess.run(  # noqa: S603  (no shell; a program of the system)
                [program, *command[1:]],
                input=stdin,
                capture_output=True,
                timeout=_TIMEOUT_S,
                env=env,
                check=False,
            )
        except (OSError, ValueError) as error:
            return Done(_NOT_FOUND, err=str(error).encode())
        except subprocess.TimeoutExpired:
            return Done(_NOT_FOUND, err=f"{command[0]} did not answer in {_TIMEOUT_S:.0f} s".encode())
        return Done(done.returncode, done.stdout, done.stderr)
