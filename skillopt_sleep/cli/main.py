"""The command `skillopt-sleep`. Commands are imported when they are called, so that help stays fast."""

from __future__ import annotations

import sys

import click

from skillopt.cli.output import LazyGroup, run_command

PROGRAM = "skillopt-sleep"

COMMANDS: dict[str, tuple[str, str, str]] = {
    "harvest": (
        "skillopt_sleep.cli.harvest_commands",
        "harvest",
        "Read new transcripts; say what is known of them.",
    ),
    "status": ("skillopt_sleep.cli.state_commands", "status", "What is known, what waits, what to do next."),
    "nights": ("skillopt_sleep.cli.state_commands", "nights", "Every night that finished."),
    "config": ("skillopt_sleep.cli.state_commands", "config", "Show or change the settings."),
}
"""Name: the module, the command in it, and its line in the help; in the order of the help."""


@click.pass_context
def _help_without_a_command(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


cli = LazyGroup(
    PROGRAM,
    lazy=COMMANDS,
    callback=_help_without_a_command,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Learn lessons from your own agent transcripts while you sleep, and review them before they count.",
)


def main() -> None:
    """Run the command line of this process and end it."""
    sys.exit(run_command(cli, PROGRAM))
