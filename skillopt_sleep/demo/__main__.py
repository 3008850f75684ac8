"""`python -m skillopt_sleep.demo`: run the installed commands on a made-up home, and tell what they do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import click

from skillopt.cli.output import run_command
from skillopt.errors import ConfigError, SkillOptError
from skillopt_sleep.demo.scratch import Scratch, make_scratch, snapshot
from skillopt_sleep.demo.story import CLOSING, OPENING, STEPS, Step


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--keep", is_flag=True, help="Leave the scratch folder in place.")
def demo(keep: bool) -> None:
    """One night on a made-up home: read, learn, review, adopt, undo.

    Runs the installed commands in a scratch folder with a home of its own. Nothing of yours is read or
    changed, nothing is sent anywhere.
    """
    program = _program()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="skillopt-demo-"))
    try:
        _tell(make_scratch(folder), program)
    finally:
        if not keep:
            shutil.rmtree(folder)
    took = f"The demo took {time.monotonic() - began:.0f} s."
    _say(f"{took} It is kept in {folder}" if keep else f"{took} Its folder has been removed.", dim=True)


def _program() -> str:
    """The installed `skillopt-sleep` of this interpreter; raises `ConfigError` when there is none."""
    beside = os.pathsep.join((sysconfig.get_path("scripts"), str(Path(sys.executable).parent)))
    found = shutil.which("skillopt-sleep", path=beside) or shutil.which("skillopt-sleep")
    if found is None:
        raise ConfigError(
            "skillopt-sleep is not installed.",
            why="The demo runs the real command.",
            next="pip install . in the repository, or make demo",
        )
    return found


def _tell(scratch: Scratch, program: str) -> None:
    _say(OPENING.format(home=scratch.home))
    before = snapshot(scratch)
    for number, step in enumerate(STEPS, start=1):
        _say(f"\n{number}. {step.title}", bold=True)
        _say(step.told)
        _do(step, scratch, program)
    same, n = snapshot(scratch) == before, sum(bool(content) for _, content in before.values())
    if not same:
        raise SkillOptError("undo did not restore every file.", next="report it with the text above")
    _say(f"\nChecked: all {n} files of this home, transcripts and repositories, are byte for byte as before.")
    _say(f"\n{CLOSING}\n")


def _do(step: Step, scratch: Scratch, program: str) -> None:
    """Show the command and run it; its output is its own. Raises `SkillOptError` when it fails."""
    words = [_proposal(scratch, program) if word == "{proposal}" else word for word in step.command]
    _say(f"\n$ {' '.join(words)}", colour="cyan")
    real = [word.replace("~", str(scratch.home), 1) if word.startswith("~") else word for word in words]
    if real[0] == "skillopt-sleep":
        real[0] = program
    done = subprocess.run(real, cwd=scratch.home, env=dict(scratch.env), check=False)  # noqa: S603
    if done.returncode:
        raise SkillOptError(f"{words[0]} ended with exit code {done.returncode}.", next="see its words above")


def _proposal(scratch: Scratch, program: str) -> str:
    asked = [program, "show", "--json"]
    done = subprocess.run(asked, cwd=scratch.home, env=dict(scratch.env), capture_output=True, check=True)  # noqa: S603
    proposals = json.loads(done.stdout)["proposals"]
    wanted = str(scratch.project("storefront"))
    return next((str(each["id"]) for each in proposals if each["project"] == wanted), "")


def _say(text: str, *, bold: bool = False, dim: bool = False, colour: str | None = None) -> None:
    styled = click.style(text, bold=bold or None, dim=dim or None, fg=colour)
    # Colours are for a terminal only, and not for those who do not want them.
    # Its own words only; what a command says is printed by the command.
    click.echo(styled, color=False if os.environ.get("NO_COLOR") else None)  # noqa: TID251
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(run_command(demo, "python -m skillopt_sleep.demo"))
