"""What reading transcripts takes, beside a plain loop that only parses the same lines."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from homes import make_home, transcripts
from measuring import Measured, command, once, quiet_environment

SIZES = {"claude": (200.0, 400), "codex": (100.0, 400), "copilot": (100.0, 400)}
"""Megabytes and files of each source."""


@dataclass(frozen=True)
class Reading:
    """One source: bytes, seconds of the plain loop, and of harvesting it cold (a new state folder) and warm
    (nothing new)."""

    source: str
    n_bytes: int
    loop_s: float
    cold: Measured
    warm: Measured

    @property
    def mb_per_s(self) -> float:
        """Of the cold harvest, start-up and ledger included."""
        return self.n_bytes / 1e6 / min(self.cold.seconds)

    @property
    def ratio(self) -> float:
        """Seconds of the cold harvest for one second of the plain loop."""
        return min(self.cold.seconds) / self.loop_s


def plain_loop(home: Path) -> float:
    """Seconds to parse every line with the json module, and keep nothing."""
    began = time.perf_counter()
    for path in transcripts(home):
        with path.open("rb") as stream:
            for line in stream:
                json.loads(line)
    return time.perf_counter() - began


def measure_source(source: str, folder: Path, runs: int, share: float = 1.0) -> Reading:
    """Make a home of one source (`share` of its full size) and harvest it."""
    megabytes, files = SIZES[source]
    home = folder / source
    n_bytes = make_home(home, source, megabytes=megabytes * share, files=max(1, round(files * share)))
    env = quiet_environment(home)
    words = command("harvest", "--all-projects", "--json", "--home")
    loop_s = min(plain_loop(home) for _ in range(runs))
    states = [folder / f"state-{source}-{n}" for n in range(runs)]
    cold = Measured.of(once([*words, str(state)], env, home) for state in states)
    warm = Measured.of(once([*words, str(states[0])], env, home) for _ in range(runs))
    shutil.rmtree(home)
    return Reading(source, n_bytes, loop_s, cold, warm)


def giant_line(folder: Path, megabytes: int = 200) -> tuple[Measured, float]:
    """A transcript with one line of that size among others; and the peak without that line, in megabytes."""
    home = folder / "giant"
    make_home(home, "claude", megabytes=0.5, files=1)
    (path,) = transcripts(home)
    env = quiet_environment(home)
    words = command("harvest", "--all-projects", "--json", "--home")
    before = once([*words, str(folder / "state-small")], env, home)
    with path.open("ab") as stream:
        stream.writelines(_giant(megabytes))
    after = Measured.of([once([*words, str(folder / "state-giant")], env, home)])
    shutil.rmtree(home)
    return after, before.peak_mb


def _giant(megabytes: int) -> Iterator[bytes]:
    yield b'{"type":"user","message":{"role":"user","content":[{"type":"tool_result","content":"'
    for _ in range(megabytes):
        yield b"x" * 1_000_000
    yield b'"}]}}\n'
