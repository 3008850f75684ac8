"""The command `skillopt-sleep`. Commands are imported when they are called, so that help stays fast."""

from __future__ import annotations

import sys

import click

from skillopt.cli.output import LazyGroup, run_command, say_text
from skillopt_sleep.cli.start import PROTOCOL

PROGRAM = "skillopt-sleep"

_REVIEW = "skillopt_sleep.cli.review_commands"

COMMANDS: dict[str, tuple[str, str, str]] = {
    "run": ("skillopt_sleep.cli.run_commands", "run_command", "One night: learn, and stage what held."),
    "harvest": (
        "skillopt_sleep.cli.harvest_commands",
        "harvest",
        "Read new transcripts; say what is known of them.",
    ),
    "tasks": ("skillopt_sleep.cli.task_commands", "tasks_command", "What recurs, and what you said of it."),
    "status": ("skillopt_sleep.cli.state_commands", "status", "What is known, what waits, what to do next."),
    "show": (_REVIEW, "show_command", "A proposal, or all that wait: each lesson and its proof."),
    "diff": (_REVIEW, "diff_command", "What adopting would change."),
    "adopt": (_REVIEW, "adopt_command", "Write proposals to the live skill files."),
    "discard": (_REVIEW, "discard_command", "Turn a proposal down, and say why."),
    "undo": (_REVIEW, "undo_command", "Take back the last adopt, or one receipt."),
    "recover": (_REVIEW, "recover_command", "Finish or reverse what a crash interrupted."),
    "blame": (
        "skillopt_sleep.cli.blame_command",
        "blame_command",
        "Where each learned line of a skill file comes from.",
    ),
    "impact": (
        "skillopt_sleep.cli.impact_command",
        "impact_command",
        "Whether you correct less since a lesson was adopted.",
    ),
    "nights": ("skillopt_sleep.cli.state_commands", "nights", "Every night that finished."),
    "schedule": (
        "skillopt_sleep.cli.schedule_commands",
        "schedule",
        "Let the system start nights: systemd, cron, launchd, Task Scheduler.",
    ),
    "doctor": (
        "skillopt_sleep.cli.doctor_command",
        "doctor_command",
        "What is there, what is wrong, what to do about it.",
    ),
    "daemon": (
        "skillopt_sleep.cli.daemon_command",
        "daemon_command",
        "Run the night by itself, and read sessions as they end.",
    ),
    "mcp": (
        "skillopt_sleep.cli.mcp_command",
        "mcp_command",
        "The same for agents: an MCP server on stdio, or over HTTP on this machine.",
    ),
    "install": (
        "skillopt_sleep.cli.install_commands",
        "install_command",
        "Wire a client: claude, codex, copilot or vscode.",
    ),
    "uninstall": (
        "skillopt_sleep.cli.install_commands",
        "uninstall_command",
        "Take that out again, to the byte.",
    ),
    "purge": (
        "skillopt_sleep.cli.purge_commands",
        "purge_command",
        "Forget sessions, and every word of them that was kept.",
    ),
    "config": ("skillopt_sleep.cli.state_commands", "config", "Show or change the settings."),
    "prove": (
        "skillopt_sleep.cli.prove_command",
        "prove_command",
        "Prove it all on made-up weeks, without a key.",
    ),
}
"""Name: the module, the command in it, and its line in the help; in the order of the help."""


@click.pass_context
def _help_without_a_command(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        say_text(context.get_help())


def _say_protocol(context: click.Context, _option: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        say_text(PROTOCOL)
        context.exit()


_PROTOCOL_OPTION = click.Option(
    ["--protocol"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_say_protocol,
    help="Say which program and version this is, for the plugins that start it, and exit.",
)


cli = LazyGroup(
    PROGRAM,
    lazy=COMMANDS,
    params=[_PROTOCOL_OPTION],
    callback=_help_without_a_command,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Learn lessons from your own agent transcripts while you sleep, and review them before they count.",
)


def _redacted(text: str) -> str:
    from skillopt_sleep.redact import redact  # only a failure needs it

    return redact(text)


def main() -> None:
    """Run the command line of this process and end it."""
    sys.exit(run_command(cli, PROGRAM, clean=_redacted))
