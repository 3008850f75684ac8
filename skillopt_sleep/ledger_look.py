"""What only a person who looks closely asks of the ledger: which file held what could not be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from skillopt_sleep.ledger_columns import array_column
from skillopt_sleep.ledger_file import LedgerFile
from skillopt_sleep.ledger_rows import Skipped


@dataclass(frozen=True, slots=True)
class FileLeftOut:
    """A transcript file in which something was not kept."""

    source: str
    path: str
    skipped: tuple[Skipped, ...]


def files_left_out(file: LedgerFile, sources: Sequence[str]) -> tuple[FileLeftOut, ...]:
    """Every known file of these sources in which something was left out, by source and path."""
    rows = file.rows(
        """SELECT source, path, skipped FROM files WHERE skipped != '{}'
           AND source IN (SELECT value FROM json_each(?)) ORDER BY source, path""",
        (array_column(sources),),
    )
    return tuple(
        FileLeftOut(source, path, tuple(Skipped(*pair) for pair in sorted(json.loads(skipped).items())))
        for source, path, skipped in rows
    )
