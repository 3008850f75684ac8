"""`harvest`: read what is new, say what is known. It records into the ledger and consumes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

from skillopt.cli.output import print_json, say
from skillopt.errors import LockHeldError
from skillopt_sleep.amounts import counted, size
from skillopt_sleep.cli.left_out import detail_lines, left_out_lines, silent_files
from skillopt_sleep.cli.options import (
    Caller,
    Common,
    Scope,
    common,
    common_options,
    progress_options,
    scope,
    scope_options,
)
from skillopt_sleep.cli.progress import harvest_progress, timed
from skillopt_sleep.cli.text import table
from skillopt_sleep.harvest import (
    HarvestReport,
    Listener,
    SourceReport,
    source_reports,
)
from skillopt_sleep.harvest import (
    harvest as harvest_sources,
)
from skillopt_sleep.home import StateHome
from skillopt_sleep.keeping_out import after_reading, before_reading
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_look import FileLeftOut, files_left_out
from skillopt_sleep.ledger_purge import Selection
from skillopt_sleep.ledger_rows import ProjectCount, SessionSummary
from skillopt_sleep.nightly.hints import drop, waiting_hints
from skillopt_sleep.session import Driver
from skillopt_sleep.sources.registry import SOURCES

SCHEMA = "skillopt-sleep/harvest/1"

_SHOWN_PROJECTS = 8
_ELSEWHERE = (
    "Work with one of these clients first, or name its folder with CLAUDE_CONFIG_DIR, CODEX_HOME "
    "or COPILOT_HOME."
)


@click.command()
@click.option("--sessions", "with_sessions", is_flag=True, help="List every session too.")
@scope_options
@common_options
@progress_options
def harvest(with_sessions: bool, **options: Any) -> None:
    """Read transcripts that are new or changed, and report all that is known in scope.

    Transcripts are only read. The result goes into the ledger; nothing is consumed.
    """
    caller = Caller.from_process()
    given = common(caller, options)
    chosen = scope(caller, given.home, options)
    given.home.make()
    with Ledger.open(given.home.ledger) as ledger:
        report = read_sources(ledger, caller, given, chosen)
        in_scope = ledger.summaries(chosen.folders, chosen.sources, since=chosen.since)
        has_human = any(session.driver is Driver.HUMAN for session in in_scope)
        elsewhere = () if has_human else tuple(one for one in ledger.projects() if one.human)
        files = left_out(ledger, given, chosen)
    reports = source_reports(report, in_scope)
    if given.as_json:
        payload: dict[str, object] = {
            "project": chosen.project,
            "sources": sources_json(reports, files),
            "elsewhere": [
                {"project": one.project, "sessions": one.sessions, "human": one.human} for one in elsewhere
            ],
        }
        if with_sessions:
            payload["sessions"] = [_session_json(session) for session in in_scope]
        print_json(SCHEMA, payload)
        return
    say(*sources_lines(reports, chosen, files), "")
    if with_sessions and in_scope:
        say(*_sessions_table(in_scope), "")
    say(*_next(reports, elsewhere, chosen))


def read_sources(
    ledger: Ledger,
    caller: Caller,
    given: Common,
    chosen: Scope,
    told: Listener | None = None,
    *,
    holds_lock: bool = False,
) -> HarvestReport:
    """Harvest the sources in scope; its progress is `told`, or goes to stderr. What hooks had announced of
    them is read then. What is kept out is forgotten; without the run lock that waits while another has it."""
    announced = waiting_hints(given.home).hints
    forgotten = partial(_forget, caller, given.home, holds_lock=holds_lock)
    known = before_reading(ledger, forgotten)
    sources = [SOURCES[name](own_dirs(given.home)) for name in chosen.sources]
    shown = harvest_progress(quiet=given.quiet) if told is None else nullcontext(told)
    with timed("reading", given), shown as listener:
        found = harvest_sources(ledger, sources, env=caller.env, home=caller.user_home, listener=listener)
    after_reading(ledger, known, forgotten)
    drop(announced, chosen.sources)
    return found


def _forget(caller: Caller, home: StateHome, selection: Selection, *, holds_lock: bool) -> bool:
    from skillopt_sleep.purge import Request, forget, purge  # seldom needed

    if holds_lock:
        forget(home, selection)
        return True
    try:
        purge(home, Request(selection), now=caller.now)
    except LockHeldError:
        return False
    return True


def left_out(ledger: Ledger, given: Common, chosen: Scope) -> tuple[FileLeftOut, ...]:
    """The files in which something was left out; with `--verbose` each is named on stderr."""
    files = files_left_out(ledger.file, chosen.sources)
    if given.verbose:
        say(*detail_lines(files), err=True)
    return files


def own_dirs(home: StateHome) -> tuple[Path, ...]:
    """The folders our own runs work in; sessions there are never a person's."""
    return (home.path,)


def sources_json(reports: Sequence[SourceReport], files: Sequence[FileLeftOut]) -> list[dict[str, object]]:
    """`sources[]` of every `--json` object that has it."""
    return [
        {
            "name": report.harvest.name,
            "folders": list(report.harvest.roots),
            "files": report.harvest.files,
            "sessions": report.sessions,
            "human": report.human,
            "drivers": {
                "human": report.human,
                "headless": report.headless,
                "subagent": report.subagent,
                "fork": report.fork,
                "own": report.own,
            },
            "new": report.harvest.new,
            "skipped": {entry.reason: entry.n for entry in report.harvest.skipped},
            "silent_files": silent_files(files, report.harvest.name),
            "bytes_read": report.harvest.bytes_read,
        }
        for report in reports
    ]


def sources_lines(reports: Sequence[SourceReport], chosen: Scope, files: Sequence[FileLeftOut]) -> list[str]:
    """What was read and what is known of it, as sentences and a table."""
    n_bytes = sum(report.harvest.bytes_read for report in reports)
    n_files = sum(report.harvest.files for report in reports)
    new = sum(report.harvest.new for report in reports)
    looked_at, found = counted(n_files, "transcript file"), counted(new, "new session")
    lines = [f"Looked at {looked_at}, read {size(n_bytes)}, found {found}."]
    present = [report for report in reports if report.harvest.files or report.sessions]
    if present:
        lines += [
            f"Sessions of {chosen.title}:",
            "",
            *table(
                ("source", "files", "sessions", "yours", "headless", "subagents", "forks", "own runs"),
                [
                    (
                        r.harvest.name,
                        r.harvest.files,
                        r.sessions,
                        r.human,
                        r.headless,
                        r.subagent,
                        r.fork,
                        r.own,
                    )
                    for r in present
                ],
            ),
        ]
    return [*lines, *left_out_lines(reports, files)]


def _session_json(session: SessionSummary) -> dict[str, object]:
    return {
        "id": session.id,
        "source": session.source,
        "path": session.path,
        "project": session.project,
        "branch": session.branch,
        "started_at": session.started_at and session.started_at.isoformat(),
        "ended_at": session.ended_at and session.ended_at.isoformat(),
        "driver": session.driver.value,
        "user_turns": session.user_turns,
        "tool_calls": session.tool_calls,
        "skills": list(session.skills),
    }


def _sessions_table(sessions: Sequence[SessionSummary]) -> list[str]:
    return table(
        ("started", "source", "driver", "turns", "calls", "project", "id"),
        [
            (
                f"{session.started_at:%Y-%m-%d %H:%M}" if session.started_at else "-",
                session.source,
                session.driver.value,
                session.user_turns,
                session.tool_calls,
                session.project or "-",
                session.id,
            )
            for session in sessions
        ],
    )


def _next(reports: Sequence[SourceReport], elsewhere: Sequence[ProjectCount], chosen: Scope) -> list[str]:
    """Why there is nothing, where there is something, and always the next command."""
    all_projects = " --all-projects" if chosen.project is None else ""
    if any(report.human for report in reports):
        return [f"Next: skillopt-sleep run{all_projects}"]
    if elsewhere:
        since = " --since all" if chosen.since else ""
        return [*elsewhere_lines(elsewhere, chosen), f"Next: skillopt-sleep harvest --all-projects{since}"]
    if any(report.sessions for report in reports):
        return [
            "None of these sessions was driven by you, so there is nothing to learn from yet.",
            f"Work with one of these clients, then: skillopt-sleep harvest{all_projects}",
        ]
    return ["No sessions were found.", *where_looked(reports), f"Next: skillopt-sleep harvest{all_projects}"]


def where_looked(reports: Sequence[SourceReport]) -> list[str]:
    """The folders that were looked in, and how to name others."""
    return [
        "This is where I looked:",
        *(f"  {folder}" for report in reports for folder in report.harvest.roots),
        _ELSEWHERE,
    ]


def elsewhere_lines(elsewhere: Sequence[ProjectCount], chosen: Scope) -> list[str]:
    """Which projects have sessions, told where the scope has none."""
    lines = [
        f"{chosen.title} has no sessions of yours in this scope. These projects have some:",
        *(f"  {one.project} ({one.human})" for one in elsewhere[:_SHOWN_PROJECTS]),
    ]
    if len(elsewhere) > _SHOWN_PROJECTS:
        lines.append(f"  and {len(elsewhere) - _SHOWN_PROJECTS} more")
    return lines
