"""Write the generated parts of the documentation, or with `--check` say what has drifted.

`docs/reference/cli.md` is the help of every command, `docs/reference/config.md` every key of a
configuration; the table of commands and the terminal transcript in `README.md`, and the lines of a report
in `docs/evidence.md`, come from the commands and the demo, run now. The version of `pyproject.toml` is
stamped on the plugin.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from config_page import config_reference
from stamps import stamped

from skillopt.cli.main import cli as engine_cli
from skillopt_sleep.cli.main import COMMANDS
from skillopt_sleep.cli.main import cli as night_cli

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 96
_CUT = "  ..."
_ABOUT = """\
The help of every command, written by `make docs`. Exit codes: 0 done, 1 unexpected, 2 usage or
configuration, 5 another run holds the lock, 6 refused, 8 a proof did not hold, 130 interrupted, 141
nobody reads the output.
`doctor` exits 1 when something failed, 0 with warnings. With `--json` a command prints one
object, with `schema` and `ok`, and nothing else on standard output."""
_EXPLAINED = ("verdict", "reason", "sealed", "proof", "held out", "in words")
"""Lines of a report that `docs/evidence.md` explains, by how they begin."""


def main() -> int:
    """Write or check; 1 when `--check` finds a difference."""
    is_check = "--check" in sys.argv[1:]
    drifted = False
    for path, wanted in pages():
        current = path.read_text(encoding="utf-8") if path.exists() else ""
        if current == wanted:
            continue
        drifted = True
        name = path.relative_to(ROOT)
        if is_check:
            lines = difflib.unified_diff(
                current.splitlines(), wanted.splitlines(), f"{name} as it is", "as it would be", lineterm=""
            )
            print("\n".join(lines))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
            print(f"wrote {name}")
    if is_check and drifted:
        print("The documentation has drifted from the commands. Next: make docs", file=sys.stderr)
    return int(is_check and drifted)


def pages() -> Iterator[tuple[Path, str]]:
    """Each page with generated parts, and what should stand in it."""
    yield from stamped(ROOT)
    yield ROOT / "docs" / "reference" / "cli.md", reference()
    yield ROOT / "docs" / "reference" / "config.md", config_reference()
    shown = demo_steps()
    evidence = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    for start in _EXPLAINED:
        lines = (line.strip() for line in shown["skillopt-sleep show"].splitlines())
        line = next(line for line in lines if line.startswith(start))
        evidence = between(evidence, start.replace(" ", "-"), f"```text\n{line}\n```")
    yield ROOT / "docs" / "evidence.md", evidence
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = between(readme, "demo", f"```console\n{picture(shown)}\n```")
    yield ROOT / "README.md", between(readme, "commands", command_table())


def between(text: str, name: str, generated: str) -> str:
    """`text` with what stands between `<!-- NAME:start -->` and `<!-- NAME:end -->` replaced.

    Raises `ValueError` when the markers are not there.
    """
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    head, found, rest = text.partition(start)
    _, found_end, tail = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"{start} and {end} are missing")
    return f"{head}{start}\n{generated}\n{end}{tail}"


def command_table() -> str:
    """The commands of `skillopt-sleep`, one line each."""
    rows = [f"| `skillopt-sleep {name}` | {line} |" for name, (_, _, line) in COMMANDS.items()]
    return "\n".join(("| command | does |", "|---|---|", *rows))


def reference() -> str:
    """The help of every command, as the commands print it."""
    parts = ["# The commands", _ABOUT]
    for group, name in ((night_cli, "skillopt-sleep"), (engine_cli, "skillopt")):
        parts += [f"## {name}", *_helps(group, name, None)]
    return "\n\n".join(parts) + "\n"


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH)
    context.max_content_width = WIDTH
    if parent is not None:
        yield f"### {context.command_path}"
    yield f"```text\n{command.get_help(context)}\n```"
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            if (inner := command.get_command(context, each)) is not None:
                yield from _helps(inner, each, context)


def demo_steps() -> dict[str, str]:
    """What the demo shows, by command line without its arguments: the command line and its output."""
    asked = [sys.executable, "-m", "skillopt_sleep.demo"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    steps: dict[str, str] = {}
    for block in re.split(r"\n(?=\$ )", stable(done.stdout))[1:]:
        told = re.split(r"\n\n(?:\d+\. |Checked: )", block)[0].rstrip()
        words = told.splitlines()[0].split()
        steps.setdefault(" ".join(words[1:3]) if words[1] == "skillopt-sleep" else words[1], told)
    return steps


def stable(text: str) -> str:
    """`text` with what differs from run to run made the same: the folder, the moment, the names of things."""
    home = re.search(r"~ = (\S+)", text)
    if home is None:
        raise ValueError("the demo does not say where its home is")
    text = text.replace(home[1], "~")
    text = re.sub(r"on 20\d\d-\d\d-\d\d \d\d:\d\d UTC", "on 2026-11-21 03:00 UTC", text)
    names: dict[str, str] = {}

    def renamed(found: re.Match[str]) -> str:
        number = len(names)
        made_up = hashlib.sha256(f"{number}".encode()).hexdigest()
        return names.setdefault(found[0], made_up[: len(found[0])])

    return re.sub(r"(?<![\w-])(?:[0-9a-f]{8}|[0-9a-f]{12})(?![\w-])", renamed, text)


def picture(steps: dict[str, str]) -> str:
    """The night in short: what was read, what recurs, one lesson, the skill, the way back."""
    night = steps["skillopt-sleep run"].split("\n\n")
    tasks = next(block for block in night if " recur:" in block.splitlines()[0])
    proposal = steps["skillopt-sleep show"].split("\n\n")
    adopted = steps["skillopt-sleep adopt"].splitlines()
    told = [
        "\n\n".join((*night[:2], tasks, _CUT, night[-1])),
        "\n\n".join((*proposal[:2], _CUT)),
        "\n".join(line for line in adopted if not line.endswith("share it.")),
        steps["cat"],
        steps["skillopt-sleep undo"],
    ]
    return "\n\n".join(told)


if __name__ == "__main__":
    sys.exit(main())
