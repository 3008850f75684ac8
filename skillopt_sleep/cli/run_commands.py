"""`run`, one night, and `tasks`, what recurs: harvest, mine, and for a night also learn and stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skillopt.cli.output import print_json, say
from skillopt_sleep.amounts import counted
from skillopt_sleep.cli.harvest_commands import elsewhere_lines, sources_lines, where_looked
from skillopt_sleep.cli.options import (
    Caller,
    Common,
    Scope,
    common,
    common_options,
    nightly_given,
    nightly_options,
    nightly_settings,
    progress_options,
    scope,
    scope_options,
)
from skillopt_sleep.cli.recalling import recalled_lines
from skillopt_sleep.cli.task_lines import tasks_lines
from skillopt_sleep.cli.whole_night import RUN_SCHEMA, reviewed_rows, whole_night
from skillopt_sleep.describe import summary_lines
from skillopt_sleep.harvest import SourceReport
from skillopt_sleep.ledger_rows import ProjectCount
from skillopt_sleep.night import Idle, Pending, ProjectNight
from skillopt_sleep.task_view import task_views

if TYPE_CHECKING:
    from skillopt_sleep.task_file import TaskFile

_NAMED = 3
"""So many folders that are gone are named; the others are counted."""


@click.command("run")
@click.option("--dry-run", is_flag=True, help="Show what a night would propose; stage and consume nothing.")
@click.option(
    "--tasks",
    "tasks_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Learn from the tasks as you reviewed them (`skillopt-sleep tasks --output FILE`).",
)
@click.option(
    "--if-due",
    is_flag=True,
    help="For timers: only when a night is due, and only the projects of the settings.",
)
@click.option("--log", is_flag=True, help="For timers: tell it to logs/schedule.log of the home.")
@nightly_options
@scope_options
@common_options
@progress_options
def run_command(dry_run: bool, tasks_file: Path | None, if_due: bool, log: bool, **options: Any) -> None:
    """One night: read what is new, find what you keep correcting, and stage the lessons that held.

    Nothing live changes. Every lesson was checked on sessions it was not learned from.
    """
    caller = Caller.from_process()
    given = common(caller, options)
    if log and not if_due:
        raise click.UsageError("--log is for --if-due")
    if log:
        from skillopt_sleep.schedule.log import tell_to_log  # no other night needs it

        tell_to_log(given.home, caller.now)
    if if_due:
        _run_if_due(caller, given, options, others=dry_run or tasks_file is not None)
        return
    if nightly_given(options):
        raise click.UsageError("--at, --power and --quiet-for are for --if-due")
    chosen = scope(caller, given.home, options)
    reviewed = None if tasks_file is None else _reviewed(tasks_file)
    slept = whole_night(caller, given, chosen, dry_run=dry_run, reviewed=reviewed)
    if given.as_json:
        print_json(RUN_SCHEMA, slept.payload)
        return
    read = sources_lines(slept.reports, chosen, slept.files)
    if reviewed is not None:
        read += ["", f"Tasks as reviewed in {reviewed.path}:"]
        read += [f"  {row['change']}" for row in reviewed_rows(reviewed, slept.nights)]
    recalled = recalled_lines(slept.nights, slept.recalling)
    say(*read, "", *recalled, *_run_lines(slept.nights, slept.reports, slept.known, chosen, dry_run=dry_run))


def _run_if_due(caller: Caller, given: Common, options: Mapping[str, Any], *, others: bool) -> None:
    from skillopt_sleep.cli.night_if_due import Held, Outside, night_if_due
    from skillopt_sleep.nightly.power import on_battery
    from skillopt_sleep.nightly.zone import local_zone

    if others or options["project"] is not None or options["all_projects"]:
        raise click.UsageError("--if-due is for the projects of the settings, whole nights only")
    settings = nightly_settings(caller, given.home, options)
    chosen = scope(caller, given.home, {**options, "all_projects": True})
    outside = Outside(local_zone(), on_battery, lambda: Caller.from_process().now)
    slept = night_if_due(caller, given, chosen, settings, outside)
    if given.as_json:
        print_json(RUN_SCHEMA, slept.payload)
    elif isinstance(slept, Held):
        due_at = (
            f" Asked again {slept.next_at.astimezone(outside.zone):%Y-%m-%d %H:%M}." if slept.next_at else ""
        )
        say(f"Not due: {slept.why}.{due_at}", f"Next: {slept.next}")
    else:
        read = sources_lines(slept.reports, chosen, slept.files)
        say(*read, "", *_run_lines(slept.nights, slept.reports, slept.known, chosen, dry_run=False))


def _reviewed(file: Path) -> TaskFile:
    from skillopt_sleep.task_file import read_task_file  # no other night needs it

    return read_task_file(file)


def _run_lines(
    nights: Sequence[ProjectNight],
    reports: Sequence[SourceReport],
    known: Sequence[ProjectCount],
    chosen: Scope,
    *,
    dry_run: bool,
) -> list[str]:
    lines: list[str] = []
    proposals = [p for n in nights for p in n.proposals]
    if not any(n.found.episodes for n in nights):
        if known and chosen.project is not None:
            return [*lines, *elsewhere_lines(known, chosen), "Next: skillopt-sleep run --all-projects"]
        return [
            *lines,
            "No session of yours was found, so there is nothing to learn from yet.",
            *where_looked(reports),
            "Next: work with one of these clients, then run this again.",
        ]
    mined = [n.mined for n in nights if n.mined is not None]
    if mined:
        lines += [*tasks_lines([view for each in mined for view in task_views(each)]), ""]
    if same := [n.found for n in nights if n.mined is None]:
        n_tasks = counted(sum(found.tasks for found in same), "recurring task")
        lines += [f"Nothing is new in {counted(len(same), 'project')}: {n_tasks} there as before.", ""]
    for proposal in proposals:
        lines += [*summary_lines(proposal), ""]
    for night in nights:
        if left_out := night.controls_left_out:
            lines.append(
                f"Harm was looked for in a sample of what went well in {night.project}: "
                f"{counted(left_out, 'episode')} beyond it had no part, being so many."
            )
        lines += [
            f'Turned down: "{r.turned_down.lesson.text}" ({r.turned_down.decision.reason}).'
            for r in night.rejected
        ]
        lines += [f'No room for "{text}": lessons of more use fill the block.' for text in night.no_room]
        lines += [_pending_line(pending) for pending in night.pending]
        for blocked in night.blocked:
            lines.append(f"Nothing was learned for {blocked.path}: {blocked.what.rstrip('.')}.")
            lines += [f"  {text}" for text in (blocked.why, blocked.next) if text]
    if proposals and dry_run:
        return [*lines, "Dry run: nothing was staged or consumed.", "Next: skillopt-sleep run"]
    if proposals:
        staged = "Nothing live was changed. `skillopt-sleep show` has the sessions behind each lesson."
        return [*lines, staged, "Next: skillopt-sleep diff, then adopt"]
    if all(n.idle is Idle.USED for n in nights):
        lines.append("Every session in scope was already used by an earlier night.")
    else:
        lines += [*_idle_lines(nights), "No lesson was proposed tonight."]
    following = "skillopt-sleep tasks" + (" --all-projects" if chosen.project is None else "")
    return [*lines, f"Next: {following}"]


def _pending_line(pending: Pending) -> str:
    said = f'something like "{pending.said}" was said in {counted(pending.sessions, "session")}'
    if pending.missing:
        return f"Not enough yet: {said}; {pending.missing} more needed to learn it and to test it."
    return f"No lesson yet: {said}, but no whole sentence of yours says it; say it once as a sentence."


def _idle_lines(nights: Sequence[ProjectNight]) -> list[str]:
    """Why some projects had no night, but for want of something new."""
    lines = [
        f"{n.project} is your home: a lesson there would hold in every project, so none is learned."
        for n in nights
        if n.idle is Idle.HOME
    ]
    gone = [n.project for n in nights if n.idle is Idle.GONE]
    if gone:
        others = f" and {counted(len(gone) - _NAMED, 'other folder')}" if len(gone) > _NAMED else ""
        be = "are" if len(gone) > 1 else "is"
        lines.append(f"No longer there, and so not learned for, {be} {', '.join(gone[:_NAMED])}{others}.")
    return lines
