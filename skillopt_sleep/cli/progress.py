"""One line on stderr that says how far a long step is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from skillopt.cli.output import say
from skillopt_sleep.amounts import size
from skillopt_sleep.cli.options import Common
from skillopt_sleep.harvest import HarvestProgress, Listener, ignore

_TERMINAL_EVERY_S = 0.1
_LOG_EVERY_S = 2.0


@contextmanager
def harvest_progress(*, quiet: bool) -> Iterator[Listener]:
    """A listener that shows progress: redrawn in place on a terminal, a line now and then elsewhere."""
    # None when it was closed before the program began.
    if quiet or sys.stderr is None:
        yield ignore
        return
    is_terminal = sys.stderr.isatty()
    every_s = _TERMINAL_EVERY_S if is_terminal else _LOG_EVERY_S
    shown_at = time.monotonic()

    def show(progress: HarvestProgress) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at < every_s:
            return
        shown_at = time.monotonic()
        done, n_bytes = f"{progress.done} of {progress.total} files", size(progress.bytes_read)
        line = f"reading {progress.source}: {done}, {n_bytes}"
        _show(f"\r\x1b[K{line}" if is_terminal else f"{line}\n")

    try:
        yield show
    finally:
        if is_terminal:
            _show("\r\x1b[K")


@contextmanager
def timed(stage: str, given: Common) -> Iterator[None]:
    """With `--verbose`, say on stderr how long a stage took."""
    began = time.monotonic()
    yield
    if given.verbose:
        say(f"{stage} took {time.monotonic() - began:.2f} s", err=True)


def _show(text: str) -> None:
    # That nobody looks any more is no reason to stop the work.
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()
