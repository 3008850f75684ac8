"""Write the bundled home of the demo from `sessions.txt`: the same bytes every time.

    python experiments/demo_home/build.py [FOLDER]

Without FOLDER it replaces `skillopt_sleep/demo/home`.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from skillopt_sleep.demo.scratch import CLIENT_FOLDERS, RECORDED_HOME
from skillopt_sleep.experiments.writers import (
    Prompt,
    Queued,
    Said,
    Script,
    Step,
    Subagent,
    Tool,
    fork_claude_code,
    write_claude_code,
    write_codex,
    write_copilot_cli,
)
from skillopt_sleep.experiments.writers.record import new_uuid

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
_SEED = 11
_FORKED = 2
"""The second Claude session was also forked, as people do to try another way; a copy counts once."""


def build(folder: Path) -> None:
    """Write the home into `folder`, which is made: `claude/`, `codex/`, `copilot/`."""
    rng = Random(_SEED)
    claude: list[Path] = []
    for block in blocks((HERE / "sessions.txt").read_text(encoding="utf-8")):
        client, script = parse(block, rng)
        if client == "claude":
            claude.append(write_claude_code(script, folder, rng))
        elif client == "codex":
            write_codex(script, folder, rng)
        else:
            write_copilot_cli(script, folder, rng)
    fork_claude_code(claude[_FORKED - 1], new_uuid(rng), rng)
    for hidden, plain in CLIENT_FOLDERS.items():
        (folder / hidden).rename(folder / plain)


def blocks(text: str) -> Iterator[list[str]]:
    """The lines of each session, its heading first; blank lines and comments left out."""
    block: list[str] = []
    for line in text.splitlines():
        if line.startswith("## ") and block:
            yield block
            block = []
        if line.startswith("## ") or (block and line.strip()):
            block.append(line)
    if block:
        yield block


def parse(block: list[str], rng: Random) -> tuple[str, Script]:
    """One session: its client and its script."""
    day, time, client, project, *marks = block[0].removeprefix("## ").split()
    script = Script(
        session_id=new_uuid(rng),
        cwd=f"{RECORDED_HOME}/code/{project}",
        started_at=datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC),
        steps=tuple(step(line) for line in block[1:]),
        headless="headless" in marks,
    )
    return client, script


def step(line: str) -> Step:
    """One line of a session, see the head of `sessions.txt`. Raises `ValueError` for any other."""
    mark, _, rest = line.partition(" ")
    match mark:
        case ">":
            return Prompt(rest)
        case ">>":
            return Queued(rest)
        case ".":
            return Said(rest)
        case "r":
            return Tool("read", rest, output="1\t...")
        case "e":
            path, _, text = rest.partition(" | ")
            return Tool("edit", path, text=text)
        case "a":
            question, _, answer = rest.partition(" | ")
            return Subagent(question, answer)
        case "$":
            command, _, result = rest.partition(" :: ")
            code, _, output = result.partition(": ")
            return Tool("run", command, output=output, exit_code=int(code or 0))
        case "$!":
            command, _, words = rest.partition(" => ")
            return Tool("run", command, fate="rejected", words=words)
        case "$x":
            return Tool("run", rest, fate="interrupted")
    raise ValueError(f"sessions.txt: cannot read {line!r}")


def main() -> None:
    """Write the home where it belongs, or into the folder named on the command line."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "skillopt_sleep" / "demo" / "home"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    build(folder)


if __name__ == "__main__":
    main()
