"""The files of clients as they lie there: their real place, their text, and refusing what is unexpected."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from skillopt.errors import ConfigError, RefusedError
from skillopt_sleep.install.config_text import as_line
from skillopt_sleep.install.wiring import Entry
from skillopt_sleep.journal import read_live
from skillopt_sleep.targets import check_writable


def real_path(path: Path) -> Path:
    """The file behind every link on the way, there or not: it is what changes, the links stay.

    Raises ConfigError for a link that leads nowhere.
    """
    real = Path(os.path.realpath(path))
    if path.is_symlink() and not real.exists():
        raise refused(path, f"it is a link that leads nowhere: {path.readlink()}", "Mend or remove the link.")
    return real


def read(path: Path) -> bytes | None:
    """The bytes at a real path, None when nothing is there.

    Raises ConfigError for what is no readable file.
    """
    try:
        return read_live(path)
    except RefusedError as error:
        raise refused(path, error.why or error.what, "Mend it, or move it away.") from error


def decoded(path: Path, data: bytes | None) -> str:
    """The text of a configuration file. Raises ConfigError when it is not UTF-8."""
    try:
        return (data or b"").decode()
    except UnicodeDecodeError as error:
        raise refused(path, f"it is not UTF-8: {error.reason} at byte {error.start}", "") from error


def check(path: Path) -> None:
    """Raises ConfigError when the file, there or not, cannot be replaced."""
    try:
        check_writable(path)
    except RefusedError as error:
        raise refused(path, error.what, error.next) from error


@contextmanager
def understood(path: Path, wanted: Iterable[Entry] = ()) -> Iterator[None]:
    """Around whatever reads or edits the text at `path`: a text that is not understood is refused, with what
    is `wanted` there for a person to put in."""
    try:
        yield
    except (ValueError, RecursionError) as error:
        lines = " and ".join(as_line(entry) for entry in wanted)
        by_hand = f", or put this into it yourself: {lines}" if lines else ""
        raise refused(path, str(error), f"Mend the file{by_hand}.") from error


def in_the_way(path: Path, entry: Entry) -> ConfigError:
    """That something else of the same name stands there."""
    return refused(
        path,
        f"{entry.name} is there already, and says something else than what would be written",
        entry.by_hand or "Take it out yourself.",
    )


def refused(path: Path, why: str, following: str) -> ConfigError:
    """That a file is left as it is."""
    is_told = "run this again" in following
    again = "" if is_told else "Then run the same command again."
    return ConfigError(f"{path} is left as it is.", why=why, next=f"{following} {again}".strip())
