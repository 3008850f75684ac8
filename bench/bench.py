"""Time and peak memory of what people wait for: `python bench/bench.py [--quick] [--write]`.

Prints tables; `--write` also keeps them in `bench/results.md`, with what machine they are from. `--quick`
takes smaller homes and fewer runs, to see that all of it works.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from harvest import SIZES, giant_line, measure_source
from measuring import SCRIPTS, Measured, command, measure, once
from mining import measure as measure_mining
from redaction import measure_redaction
from training import measure_training

from skillopt_sleep.demo.scratch import make_scratch

HERE = Path(__file__).parent
RESULTS = HERE / "results.md"


class Table:
    """Rows of text, printed as they come and kept for the file."""

    def __init__(self, title: str, *columns: str) -> None:
        self.lines = ["", f"## {title}", "", _row(columns), _row(["---", *["---:"] * (len(columns) - 1)])]
        print("\n".join(self.lines), flush=True)

    def add(self, *cells: str) -> None:
        """One more row."""
        self.lines.append(_row(cells))
        print(self.lines[-1], flush=True)


def main() -> None:
    """Measure everything, one table after another."""
    quick, write = "--quick" in sys.argv, "--write" in sys.argv
    runs = 2 if quick else 5
    parts: list[Callable[[Path], Table]] = [
        lambda folder: commands(folder, runs),
        lambda folder: harvesting(folder, 2 if quick else 3, 0.05 if quick else 1.0),
        lambda folder: one_giant_line(folder, 20 if quick else 200),
        lambda _: redaction(25_000 if quick else 250_000),
        lambda _: mining([200] if quick else [1_000, 10_000]),
        lambda _: recall(5_000 if quick else 50_000),
        lambda folder: training(folder, quick=quick),
    ]
    print("\n".join(lines := ["# Measured", "", *machine()]))
    for part in parts:
        with tempfile.TemporaryDirectory(prefix="skillopt-bench-") as folder:
            lines += part(Path(folder)).lines
    if write:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def machine() -> list[str]:
    """What the numbers are from."""
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return [
        f"{os.cpu_count()} processors ({_processor()}), {system}, {datetime.now(UTC):%Y-%m-%d}.",
        "`make bench` makes these tables. Peaks are of the largest process; files are in the page cache.",
    ]


def commands(folder: Path, runs: int) -> Table:
    """The commands a person waits for, on the home of the demo."""
    table = Table("Commands", "what", "median", "slowest", "peak")

    def add(name: str, found: Measured) -> None:
        table.add(name, f"{found.median_s:.2f} s", f"{max(found.seconds):.2f} s", f"{found.peak_mb:.0f} MB")

    scratch = make_scratch(folder)
    env, home = scratch.env, scratch.home
    add("`skillopt --help`", measure([str(SCRIPTS / "skillopt"), "--help"], env, home, runs))
    add("`skillopt-sleep --help`", measure(command("--help"), env, home, runs))
    states = [str(home / f".state-{n}") for n in range(runs)]
    night = command("run", "--all-projects", "--home")
    add("a night on 52 transcripts", Measured.of(once([*night, state], env, home) for state in states))
    add("the same again, nothing new", measure([*night, states[0]], env, home, runs))
    for name in ("status", "show", "doctor"):
        add(f"`{name}`", measure(command(name, "--home", states[0]), env, home, runs))
    demo = [sys.executable, "-m", "skillopt_sleep.demo"]
    add("the demo", measure(demo, dict(os.environ), Path.cwd(), max(1, runs // 2)))
    return table


def harvesting(folder: Path, runs: int, share: float) -> Table:
    """Reading every transcript of a source, beside a loop that only parses the lines."""
    table = Table(
        "Harvest", "source", "size", "plain json loop", "cold", "of the loop", "speed", "nothing new", "peak"
    )
    for source in SIZES:
        found = measure_source(source, folder, runs, share)
        table.add(
            source,
            f"{found.n_bytes / 1e6:.0f} MB, {round(SIZES[source][1] * share)} files",
            f"{found.loop_s:.2f} s",
            f"{min(found.cold.seconds):.2f} s",
            f"{found.ratio:.2f}",
            f"{found.mb_per_s:.0f} MB/s",
            f"{min(found.warm.seconds):.2f} s",
            f"{found.cold.peak_mb:.0f} MB",
        )
    return table


def one_giant_line(folder: Path, megabytes: int) -> Table:
    """Memory beside a line nobody should hold."""
    table = Table("One giant line", "line", "seconds", "peak", "above the same without it")
    found, without_mb = giant_line(folder, megabytes)
    above = f"{found.peak_mb - without_mb:.0f} MB"
    table.add(f"{megabytes} MB", f"{found.median_s:.2f} s", f"{found.peak_mb:.0f} MB", above)
    return table


def redaction(length: int) -> Table:
    """Secrets out of texts of every kind; the slowest, the median and real texts."""
    table = Table("Redaction", "text", "speed", "time for four times the text")
    # In a process of its own: what is started later is told the most that this one ever held as its own peak.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        rows = sorted(apart.submit(measure_redaction, length).result(), key=lambda row: row.mb_per_s)
    chosen = [
        *rows[:5],
        rows[len(rows) // 2],
        *(r for r in rows if r.name in ("code", "prose", "transcripts")),
    ]
    for row in dict.fromkeys(chosen):
        growth = "" if row.growth is None else f"{row.growth:.1f}"
        table.add(f"`{row.name[:60]}`", f"{row.mb_per_s:.0f} MB/s", growth)
    table.add(f"the worst growth of {len(rows)} kinds", "", f"{max(r.growth or 0 for r in rows):.1f}")
    return table


def mining(sizes: list[int]) -> Table:
    """Homes of thousands of sessions: read, mined, a whole night, and the same with nothing new."""
    table = Table("Mining", "home", "command", "processor", "peak", "episodes", "tasks")
    for n in sizes:
        for shape in ("20 projects", "one project"):
            for row in measure_mining(shape, n):
                cells = (
                    f"{row.seconds:.1f} s",
                    f"{row.peak_mb:.0f} MB",
                    f"{row.episodes:,}",
                    f"{row.tasks:,}",
                )
                table.add(row.home, f"`{row.command}`", *cells)
    return table


def recall(n: int) -> Table:
    """The nearest of many requests."""
    table = Table("Recall", "vectors", "embedding all", "one query, 20 nearest", "peak")
    words = [sys.executable, str(HERE / "recall.py"), str(n)]
    embed_s, query_ms, peak_mb = subprocess.run(
        words, check=True, capture_output=True, text=True
    ).stdout.split()
    table.add(f"{n:,}", f"{float(embed_s):.1f} s", f"{float(query_ms):.1f} ms", f"{peak_mb} MB")
    return table


def training(folder: Path, *, quick: bool) -> Table:
    """A run of the trainer against toy models on loopback, beside a loop that only sends the requests."""
    table = Table(
        "Training", "tasks", "latency", "calls", "wall", "critical path", "of it",
        "processor a call", "of a plain loop", "files", "peak",
    )  # fmt: skip
    rows = [((24, 12, 12), 8, "0")]
    rows += [] if quick else [((200, 100, 200), 24, "0"), ((200, 100, 200), 24, "0.2-0.4")]
    for place, (sizes, workers, latency) in enumerate(rows):
        found = measure_training(folder / str(place), sizes, workers, latency)
        table.add(
            f"{'/'.join(map(str, sizes))}, {workers} workers",
            f"{latency} s",
            str(found.n_calls),
            f"{found.run.seconds:.1f} s",
            f"{found.critical_s:.1f} s",
            f"{found.wall_s / found.critical_s:.2f}",
            f"{found.ms_a_call:.1f} ms",
            f"{found.run.cpu_s / found.loop.cpu_s:.1f}",
            str(found.n_files),
            f"{found.run.peak_mb:.0f} MB",
        )
    return table


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
