"""Words on a terminal: plain sentences and columns, with nothing in them that a terminal would obey."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from skillopt.cli.output import printable

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


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


def size(n_bytes: int) -> str:
    """A number of bytes as a person says it: `262 kB`."""
    amount, unit = float(n_bytes), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}" if unit and amount < 10 else f"{amount:.0f} {_UNITS[unit]}"


def counted(n: int, noun: str) -> str:
    """`1 session`, `2 sessions`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
