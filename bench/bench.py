"""Time and peak memory of what people wait for, as a table: `make bench`, or `python bench/bench.py [N]`."""

from __future__ import annotations

import os
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skillopt_sleep.demo.scratch import make_scratch

SCRIPTS = Path(sysconfig.get_path("scripts"))
_DEFAULT_RUNS = 7
_PER_MB = 1_000_000 if sys.platform == "darwin" else 1_000
"""Units of `ru_maxrss` in a megabyte: bytes on macOS, about kilobytes elsewhere."""


@dataclass(frozen=True)
class Measured:
    """Wall seconds of each run, and the most memory any of them held, in megabytes."""

    seconds: list[float]
    peak_mb: float


def main() -> None:
    """Measure on a scratch home and print one line a command."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else _DEFAULT_RUNS
    night = [str(SCRIPTS / "skillopt-sleep")]
    print(f"  {'what':<34} {'median':>8} {'slowest':>8} {'peak':>8}")
    with tempfile.TemporaryDirectory(prefix="skillopt-bench-") as folder:
        scratch = make_scratch(Path(folder))
        env, home = scratch.env, scratch.home
        show("skillopt --help", measure([str(SCRIPTS / "skillopt"), "--help"], env, home, runs))
        show("skillopt-sleep --help", measure([*night, "--help"], env, home, runs))
        first = [[*night, "run", "--all-projects", "--home", str(home / f".state-{n}")] for n in range(runs)]
        show("a night on 52 transcripts", measured([once(words, env, home) for words in first]))
        again = measure([*night, "run", "--all-projects", "--home", str(home / ".state-0")], env, home, runs)
        show("the same again, nothing new", again)
        show("status", measure([*night, "status", "--home", str(home / ".state-0")], env, home, runs))
        show("show", measure([*night, "show", "--home", str(home / ".state-0")], env, home, runs))
    demo = [sys.executable, "-m", "skillopt_sleep.demo"]
    show("the demo", measure(demo, dict(os.environ), Path.cwd(), max(1, runs // 2)))


def measure(words: list[str], env: Mapping[str, str], cwd: Path, runs: int) -> Measured:
    """Run a command `runs` times, once before that to warm the caches."""
    once(words, env, cwd)
    return measured([once(words, env, cwd) for _ in range(runs)])


def measured(each: list[tuple[float, float]]) -> Measured:
    """What several runs took together."""
    return Measured([seconds for seconds, _ in each], max(peak for _, peak in each))


def once(words: list[str], env: Mapping[str, str], cwd: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of one run; the peak is that of the command, or of a child if larger."""
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
    return time.perf_counter() - began, usage.ru_maxrss / _PER_MB


def show(name: str, found: Measured) -> None:
    """One line of the table."""
    median, slowest = statistics.median(found.seconds), max(found.seconds)
    print(f"  {name:<34} {median:>6.2f} s {slowest:>6.2f} s {found.peak_mb:>5.0f} MB", flush=True)


if __name__ == "__main__":
    main()
