"""What was left out of the transcripts, said so loudly that a change of a client's format is not missed."""

from __future__ import annotations

import os
from collections.abc import Sequence

from skillopt_sleep.amounts import counted
from skillopt_sleep.cli.text import table
from skillopt_sleep.harvest import NO_USER_TURNS, SourceReport
from skillopt_sleep.kept_out import BY_MARKER, BY_WORDS, MARKER
from skillopt_sleep.ledger_look import FileLeftOut

_UNKNOWN_TYPE = "unknown_type:"
_KEPT_OUT = {
    BY_MARKER: f"in folders with a file {MARKER}",
    BY_WORDS: "in which you said so",
}
_SHOWN_FILES = 3
_REPORT = (
    "Report this line with the version of the client, which `skillopt-sleep doctor` tells: "
    "newer versions may write what you say in another place."
)


def silent_files(files: Sequence[FileLeftOut], source: str) -> list[str]:
    """The files of a source that are still there and hold content, but no words of a person."""
    return [
        each.path
        for each in files
        if each.source == source
        and any(entry.reason == NO_USER_TURNS for entry in each.skipped)
        and os.path.exists(each.path)  # noqa: PTH110  (`Path.exists` raises for a folder one may not enter)
    ]


def left_out_lines(reports: Sequence[SourceReport], files: Sequence[FileLeftOut]) -> list[str]:
    """Everything that was left out, as a table; files without a person and unknown records in words."""
    lines: list[str] = []
    found = [(r.harvest.name, entry.reason, entry.n) for r in reports for entry in r.harvest.skipped]
    told_apart = (NO_USER_TURNS, *_KEPT_OUT)
    plain = [row for row in found if row[1] not in told_apart and not row[1].startswith(_UNKNOWN_TYPE)]
    if plain:
        lines += ["", "Not understood, and left out:", "", *table(("source", "what", "times"), plain)]
    for reason, why in _KEPT_OUT.items():
        if n := sum(times for _, each, times in found if each == reason):
            lines.append(f"Kept out, and nothing of it stored: {counted(n, 'session')} {why}.")
    loud: list[str] = []
    for report in reports:
        name = report.harvest.name
        if unknown := [entry for entry in report.harvest.skipped if entry.reason.startswith(_UNKNOWN_TYPE)]:
            types = ", ".join(f"{e.reason.removeprefix(_UNKNOWN_TYPE)} ({e.n})" for e in unknown)
            loud.append(f"Formats change: {name} wrote records that this version does not know: {types}.")
        if n := sum(entry.n for entry in report.harvest.skipped if entry.reason == NO_USER_TURNS):
            loud.append(
                f"Warning: {counted(n, 'file')} of {name} with content and without any words of a person"
                f"{_named(silent_files(files, name))}."
            )
    return [*lines, "", *loud, _REPORT] if loud else lines


def detail_lines(files: Sequence[FileLeftOut]) -> list[str]:
    """Each file in which something was left out, and what."""
    return [
        f"{each.source}: {each.path}: {', '.join(f'{entry.reason} {entry.n}' for entry in each.skipped)}"
        for each in files
    ]


def _named(paths: Sequence[str]) -> str:
    if not paths:
        return ""
    more = f" and {len(paths) - _SHOWN_FILES} more (--verbose names all)" if len(paths) > _SHOWN_FILES else ""
    return f": {', '.join(paths[:_SHOWN_FILES])}{more}"
