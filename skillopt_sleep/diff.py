"""The change of a proposal as a unified diff, new files and links included."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from skillopt_sleep.proposal import Proposal


def unified_diff(proposal: Proposal, live: bytes | None, staged: bytes) -> str:
    """What adopting would change, from the live file to the staged bytes; empty when nothing would."""
    base = Path(proposal.project) if proposal.project else None
    name = _shown(Path(proposal.target.path), base)
    parts = [*file_diff(name, live, staged)]
    for link in proposal.links:
        if not Path(link.path).is_symlink():
            shown = _shown(Path(link.path), base)
            parts += [f"--- /dev/null\n+++ {shown}\n", f"+link {shown} -> {link.target}\n"]
    return "".join(parts)


def file_diff(name: str, old: bytes | None, new: bytes | None) -> Iterator[str]:
    """The lines of a unified diff, each with its line break; None means there is no file."""
    lines = difflib.unified_diff(
        _lines(old),
        _lines(new),
        fromfile="/dev/null" if old is None else f"a/{name}",
        tofile="/dev/null" if new is None else f"b/{name}",
    )
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(data: bytes | None) -> list[str]:
    # Only line feeds part lines: a form feed or a lone carriage return belongs to the text of its line.
    text = (data or b"").decode("utf-8", "replace")
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _shown(path: Path, base: Path | None) -> str:
    return path.relative_to(base).as_posix() if base is not None and path.is_relative_to(base) else str(path)
