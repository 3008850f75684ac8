"""The `skillopt` command."""

from __future__ import annotations

import sys

import click

from skillopt import __version__
from skillopt.cli.output import LazyGroup, run_command

cli = LazyGroup(
    "skillopt",
    help="Train the skill documents of coding agents behind a held-out gate.",
    lazy={"skill": ("skillopt.cli.skill", "skill", "Check a skill file, or edit it by hand.")},
)
cli = click.version_option(__version__, prog_name="skillopt")(cli)


def main() -> None:
    """The console script."""
    sys.exit(run_command(cli, "skillopt"))


if __name__ == "__main__":
    main()
