"""`install` and `uninstall`: the night wired into a client, and taken out of it again."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from skillopt.cli.output import print_json, say
from skillopt_sleep.amounts import counted
from skillopt_sleep.cli.options import Caller, Common, common, common_options
from skillopt_sleep.cli.recovering import say_recovered

if TYPE_CHECKING:
    from skillopt_sleep.install.carry_out import Outcome  # only needed where something is done

INSTALL_SCHEMA = "skillopt-sleep/install/1"
UNINSTALL_SCHEMA = "skillopt-sleep/uninstall/1"

_CLIENTS = ("claude", "codex", "copilot", "vscode")

_TRY: Mapping[str, str] = MappingProxyType(
    {
        "claude": "start claude and type /skillopt-sleep status",
        "codex": "start codex and ask: $skillopt-sleep status",
        "copilot": "start copilot and ask: /skillopt-sleep status",
        "vscode": "open a chat in VS Code and ask: /skillopt-sleep status",
    }
)

_WORDS: Mapping[str, str] = MappingProxyType(
    {"add": "add", "change": "change", "remove": "remove", "there": "there already", "keep": "leave"}
)

_client = click.argument("client", type=click.Choice(_CLIENTS))
_dry_run = click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")


@click.command("install")
@_client
@click.option(
    "--hook",
    "has_hooks",
    is_flag=True,
    help="Codex, Copilot: also note when sessions end and say when a proposal waits.",
)
@_dry_run
@common_options
def install_command(client: str, has_hooks: bool, dry_run: bool, **options: Any) -> None:
    """Wire a client: the tools of the night, the skill that explains them, and hooks where it has them.

    Only entries and files of our own name are added, everything else in the client's files keeps its bytes,
    and an entry of that name that is not ours is refused. Twice is the same as once.
    """
    if has_hooks and client not in ("codex", "copilot"):
        raise click.UsageError(f"--hook is for codex and copilot, not for {client}")
    _do("install", client, dry_run, options, has_hooks=has_hooks)


@click.command("uninstall")
@_client
@_dry_run
@common_options
def uninstall_command(client: str, dry_run: bool, **options: Any) -> None:
    """Take out what `install` put into a client: to the byte where nothing else changed since."""
    _do("uninstall", client, dry_run, options)


def _do(
    kind: str, client: str, dry_run: bool, options: Mapping[str, Any], *, has_hooks: bool = False
) -> None:
    from skillopt_sleep.disk import Disk
    from skillopt_sleep.install import carry_out
    from skillopt_sleep.install.clients import Surroundings
    from skillopt_sleep.install.engine import own_program
    from skillopt_sleep.stage import delivery_lock

    caller = Caller.from_process()
    given = common(caller, options)
    program = own_program(sys.argv[0], sys.executable)
    around = Surroundings(given.home, program, caller.env, caller.user_home, has_hooks)
    act = carry_out.install if kind == "install" else carry_out.uninstall
    if dry_run:
        outcome = act(around, client, caller.now, disk=None)
    else:
        say_recovered(given.home, must_recover=True)
        with delivery_lock(given.home):
            outcome = act(around, client, caller.now, disk=Disk())
    again = ["skillopt-sleep", kind, client, *(["--hook"] if has_hooks else [])]
    if options["home"] is not None:
        again += ["--home", str(given.home.path)]
    _report(kind, given, outcome, shlex.join(again) if dry_run else "")


def _report(kind: str, given: Common, outcome: Outcome, to_do_it: str) -> None:
    """`to_do_it` is the command that does what was only looked at, empty when it is done."""
    following = _next(kind, outcome, to_do_it)
    if given.as_json:
        steps = [
            {"action": each.action, "path": each.path, "what": each.what, "why": each.why}
            for each in outcome.planned.steps
        ]
        print_json(
            INSTALL_SCHEMA if kind == "install" else UNINSTALL_SCHEMA,
            {
                "client": outcome.client,
                "dry_run": bool(to_do_it),
                "changed": outcome.is_changed,
                "steps": steps,
                "notes": list(outcome.notes),
                "next": following,
            },
        )
        return
    plugin = given.home.path / "plugin"
    say(*_lines(kind, outcome, plugin, is_done=not to_do_it), f"Next: {following}")


def _lines(kind: str, outcome: Outcome, plugin: Path, *, is_done: bool) -> Iterator[str]:
    steps = outcome.planned.steps
    width = max((len(_WORDS[each.action]) for each in steps), default=0)
    copied = Counter(each.action for each in steps if Path(each.path).is_relative_to(plugin))
    for each in steps:
        if not Path(each.path).is_relative_to(plugin):
            what = f"{each.what} in " if each.what else ""
            why = f" ({each.why})" if each.why else ""
            yield f"  {_WORDS[each.action]:<{width}}  {what}{each.path}{why}"
    for action, n_files in copied.items():
        yield f"  {_WORDS[action]:<{width}}  {plugin} ({counted(n_files, 'file')} of the plugin)"
    client = outcome.client
    if not outcome.is_changed:
        done = "is wired already" if kind == "install" else "is not wired from here"
        yield f"{client} {done}; nothing to change."
    elif not is_done:
        yield "Nothing was changed; without --dry-run it is."
    else:
        is_left = any(each.action == "keep" and each.is_theirs for each in steps)
        gone = f"{client} is as it was{', but for what is left above' if is_left else ''}."
        yield f"{client} is wired." if kind == "install" else gone
    yield from outcome.notes


def _next(kind: str, outcome: Outcome, to_do_it: str) -> str:
    if to_do_it and outcome.is_changed:
        return to_do_it
    return _TRY[outcome.client] if kind == "install" else f"skillopt-sleep install {outcome.client}"
