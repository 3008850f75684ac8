"""Running a command and saying what it took."""

from __future__ import annotations

import os
import statistics
import sys
import sysconfig
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(sysconfig.get_path("scripts"))
_PER_MB = 1_000_000 if sys.platform == "darwin" else 1_000
"""Units of `ru_maxrss` in a megabyte: bytes on macOS, about kilobytes elsewhere."""


class Run(NamedTuple):
    """Wall seconds, processor seconds and peak megabytes of one run (of its largest process)."""

    seconds: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True)
class Measured:
    """What several runs of the same took; `peak_mb` is the most any of them held."""

    seconds: list[float]
    cpu_s: float
    peak_mb: float

    @classmethod
    def of(cls, runs: Iterable[Run]) -> Measured:
        """All of them together."""
        each = list(runs)
        return cls([r.seconds for r in each], min(r.cpu_s for r in each), max(r.peak_mb for r in each))

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)


def command(*words: str) -> list[str]:
    """The words of a `skillopt-sleep` command of this environment."""
    return [str(SCRIPTS / "skillopt-sleep"), *words]


def quiet_environment(home: Path) -> dict[str, str]:
    """An environment that holds HOME and nothing of the person who measures."""
    return {"HOME": str(home), "PATH": os.defpath, "LANG": "C.UTF-8"}


def measure(words: list[str], env: Mapping[str, str], cwd: Path, runs: int) -> Measured:
    """Run a command `runs` times, once before that to warm the caches."""
    once(words, env, cwd)
    return Measured.of(once(words, env, cwd) for _ in range(runs))


def once(words: list[str], env: Mapping[str, str], cwd: Path) -> Run:
    """One run. Raises SystemExit when the command fails."""
    began = time.perf_counter()
    process = os.fork()
    if process == 0:
        os.chdir(cwd)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        os.execvpe(words[0], words, dict(env))
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(words)}: ended with status {os.waitstatus_to_exitcode(status)}")
    return Run(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _PER_MB)
