"""`purge`: what was kept of a person's sessions is forgotten when they say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from skillopt.cli.output import is_terminal, print_json, say
from skillopt.errors import ConfigError
from skillopt_sleep.amounts import counted, size
from skillopt_sleep.cli.options import Caller, Common, common, common_options, project_at, source_names
from skillopt_sleep.home import StateHome
from skillopt_sleep.ledger_purge import Selection
from skillopt_sleep.purge import Purged, Request, is_state, preview, purge, size_of, unfinished
from skillopt_sleep.settings import since_time

SCHEMA = "skillopt-sleep/purge/1"
_NEXT = "skillopt-sleep status"
_UNTOUCHED = "The transcripts of the clients and the skill files are not touched."


@click.command("purge")
@click.option("--older-than", metavar="AGE", help="Sessions that ended before then: 90d, 12w or 2026-06-01.")
@click.option("--session", "sessions", metavar="ID", multiple=True, help="This session; repeat for more.")
@click.option("--project", type=click.Path(path_type=Path), metavar="DIR", help="Sessions of this project.")
@click.option("--source", metavar="NAME", help="Sessions of this client.")
@click.option("--all", "everything", is_flag=True, help="Everything but the settings, as if never installed.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
def purge_command(dry_run: bool, yes: bool, **options: Any) -> None:
    """Forget sessions, and every word of them that was kept. Several conditions narrow each other.

    A purged session stays out when its transcript is read again or grows; `--all` forgets that too. Adopted
    skills stay as they are.
    """
    caller = Caller.from_process()
    given = common(caller, options)
    left = unfinished(given.home)
    request = _request(caller, options)
    if request is None and left is None:
        raise click.UsageError("say what to forget: --older-than, --session, --project, --source or --all")
    if not is_state(given.home):
        _report_nothing(given, dry_run=dry_run)
        return
    wanted = request or left
    assert wanted is not None  # noqa: S101  (one of the two is there; this is for the type checker)
    found = _found(given.home, wanted)
    if not (dry_run or yes):
        _ask(given, wanted, found)
    if not dry_run:
        if left is not None and left != wanted:
            purge(given.home, left, now=caller.now)
        found = purge(given.home, wanted, now=caller.now)
    _report(given, wanted, found, dry_run=dry_run)


def _request(caller: Caller, options: dict[str, Any]) -> Request | None:
    selection = Selection(
        sessions=tuple(dict.fromkeys(options["sessions"])),
        project=None if options["project"] is None else project_at(caller, options["project"]),
        source=options["source"],
    )
    if options["older_than"] is not None:
        try:
            before = since_time(options["older_than"], caller.now)
        except ValueError as error:
            raise click.UsageError(f"--older-than: {error}") from error
        if before is None:
            raise click.UsageError(
                "--older-than: 'all' is neither an age nor a date; --all forgets everything"
            )
        selection = replace(selection, before=before)
    if selection.source is not None and selection.source not in source_names():
        raise click.UsageError(f"{selection.source!r} is not a source; valid: {', '.join(source_names())}")
    if options["everything"]:
        if not selection.is_empty:
            raise click.UsageError("--all already means everything; leave out the conditions")
        return Request(selection, everything=True)
    return None if selection.is_empty else Request(selection)


def _found(home: StateHome, request: Request) -> Purged:
    if not request.everything and not home.ledger.exists():
        return Purged(n_bytes=size_of(home), unknown=request.selection.sessions)
    found = preview(home, request)
    if found.unknown:
        raise ConfigError(
            f"no session is called {found.unknown[0]}",
            why=f"{home.ledger} does not know it",
            next="skillopt-sleep harvest --all-projects --sessions",
        )
    return found


def _ask(given: Common, request: Request, found: Purged) -> None:
    if given.as_json or not is_terminal():
        raise click.UsageError("nobody can be asked here; add --yes to forget, or --dry-run to only look")
    say(*_lines(request, found, "This would remove"), *_warnings(request, found))
    if not click.confirm("Forget it for good?"):
        raise click.Abort


def _report(given: Common, request: Request, found: Purged, *, dry_run: bool) -> None:
    n_bytes = size_of(given.home)
    if given.as_json:
        print_json(SCHEMA, _payload(request, found, n_bytes, dry_run=dry_run))
        return
    say(*_lines(request, found, "Would remove" if dry_run else "Removed"))
    if dry_run or not request.everything:
        say(*_warnings(request, found))
    if dry_run:
        say("Dry run: nothing was removed.", "Next: the same with --yes")
        return
    say(f"The state takes {size(n_bytes)} now, {size(found.n_bytes)} before.", f"Next: {_NEXT}")


def _report_nothing(given: Common, *, dry_run: bool) -> None:
    if given.as_json:
        print_json(SCHEMA, _payload(Request(Selection()), Purged(), 0, dry_run=dry_run))
    else:
        say(f"Nothing is kept in {given.home.path}.", f"Next: {_NEXT}")


def _payload(request: Request, found: Purged, n_bytes: int, *, dry_run: bool) -> dict[str, object]:
    removed = {
        "sessions": found.sessions,
        "projects": found.projects,
        "proposals": found.proposals,
        "discarded": found.discarded,
        "undone_receipts": found.undone,
        "unquoted_receipts": found.unquoted,
    }
    return {
        "dry_run": dry_run,
        "all": request.everything,
        "removed": removed,
        "receipts": found.standing,
        "bytes_before": found.n_bytes,
        "bytes_after": n_bytes,
        "next": _NEXT,
    }


def _lines(request: Request, found: Purged, done: str) -> list[str]:
    sessions = (
        "an unknown number of sessions" if found.sessions is None else counted(found.sessions, "session")
    )
    projects = "" if not found.projects else f" of {counted(found.projects, 'project')}"
    also = [f"{counted(found.proposals, 'proposal')} that waited"] if found.proposals else []
    also += [f"{counted(found.undone, 'receipt')} of what was undone"] if found.undone else []
    lines = [f"{done} {', '.join([sessions + projects, *also])}."]
    if found.discarded or found.unquoted:
        lines.append(
            f"Their words also leave {counted(found.discarded, 'discarded proposal')} "
            f"and {counted(found.unquoted, 'receipt')}."
        )
    if request.everything:
        return [*lines, f"Only config.yaml and the locks stay. {_UNTOUCHED}"]
    stays = "Ids and splits of the sessions stay, so that they are not read again and no score is spoiled."
    return [*lines, stays, _UNTOUCHED]


def _warnings(request: Request, found: Purged) -> list[str]:
    if found.standing == 0:
        return []
    n = "an unknown number of receipts" if found.standing is None else counted(found.standing, "receipt")
    if not request.everything:
        return [f"Kept: {n}, so that undo works."]
    return [f"Warning: {n} would be lost, and with it the way back.", "To undo first: skillopt-sleep undo"]
