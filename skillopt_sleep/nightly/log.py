"""The log of the daemon: a file of bounded size that only its owner reads, without secrets."""

from __future__ import annotations

import io
import logging
import os
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from skillopt.cli.output import printable
from skillopt.store.files import make_private_dir
from skillopt_sleep.redact import redact

MOST_BYTES = 512 * 1024
OLD_FILES = 3
_LIBRARIES = ("apscheduler", "watchdog", "tzlocal")


class PrivateFile(RotatingFileHandler):
    """A file that is put aside when it has grown. That it cannot be written, the disk being full, say, is
    not worth a daemon."""

    def _open(self) -> io.TextIOWrapper:
        make_private_dir(Path(self.baseFilename).parent)

        def private(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=private)

    def handleError(self, _record: logging.LogRecord) -> None:  # noqa: N802  (the name of the library)
        if self.stream is not None:
            # What could not be written is kept by the stream, and would be tried again for ever.
            stream, self.stream = self.stream, None
            try:
                stream.close()
            except OSError:
                return


class _Lines(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, _datefmt: str | None = None) -> str:  # noqa: N802
        return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def format(self, record: logging.LogRecord) -> str:
        return printable(redact(super().format(record)))


def daemon_log(file: Path, *, also: logging.Handler | None = None) -> logging.Logger:
    """The logger of one daemon, which writes to `file` and to `also`; what the libraries warn of too."""
    log = logging.Logger("skillopt-sleep", logging.INFO)
    lines = _Lines("%(asctime)s %(levelname)s %(message)s")
    handlers: list[logging.Handler] = [
        PrivateFile(file, maxBytes=MOST_BYTES, backupCount=OLD_FILES, encoding="utf-8", delay=True)
    ]
    if also is not None:
        handlers.append(also)
    for handler in handlers:
        handler.setFormatter(lines)
        log.addHandler(handler)
        for name in _LIBRARIES:
            logging.getLogger(name).addHandler(handler)
    return log
