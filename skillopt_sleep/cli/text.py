"""Words on a terminal: plain sentences and columns, with nothing in them that a terminal would obey."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from skillopt.cli.output import printable


def table(header: Sequence[str], rows: Sequence[Sequence[str | int]]) -> list[str]:
    """Lines of columns two spaces apart, numbers to the right; every cell made printable."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(_width(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    to_right = [all(isinstance(row[i], int) for row in rows) for i in range(len(header))]
    lines = []
    for row in [list(header), *cells]:
        padded = (
            " " * (width - _width(cell)) + cell if right else cell + " " * (width - _width(cell))
            for cell, width, right in zip(row, widths, to_right, strict=True)
        )
        lines.append("  " + "  ".join(padded).rstrip())
    return lines


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
