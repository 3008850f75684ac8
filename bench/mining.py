"""Homes of thousands of sessions, and what mining them takes: `python bench/mining.py [N]`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from uuid import UUID

from skillopt_sleep.experiments.writers import (
    Prompt,
    Queued,
    Said,
    Script,
    Step,
    Tool,
    write_claude_code,
)
from skillopt_sleep.harvest import harvest, select_sessions
from skillopt_sleep.home import StateHome
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.session import Action, AgentText, Driver, Event, Interruption, Outcome, Session, UserTurn
from skillopt_sleep.sources.registry import SOURCES

_HOMES = Path(__file__).resolve().parents[1] / "tests" / "homes"
_START = datetime(2026, 1, 5, 8, tzinfo=UTC)
_PROJECTS = 20
_PER_MB = 1_000_000 if sys.platform == "darwin" else 1_000

# What a person says otherwise the next time, word for word.
_OTHERWISE = {
    "the": ("the", "the", "our", "that"),
    "add": ("add", "put in", "add"),
    "make": ("make", "create", "make"),
    "please": ("please", "pls", ""),
    "run": ("run", "run", "start"),
    "now": ("now", "", "now"),
    "fix": ("fix", "repair", "fix"),
    "update": ("update", "change", "update"),
}
_BEFORE = ("", "", "", "", "ok, ", "hey ", "next: ", "one more: ", "now ")
_AFTER = ("", "", "", "", " thanks", " please", " today", " again", " when you can")

_VERBS = (
    "explain",
    "move",
    "rename",
    "trace",
    "split",
    "merge",
    "drop",
    "wrap",
    "compare",
    "measure",
    "port",
)
_WHYS = (
    "why {a} loses {b} after {c}",
    "how {a} ends up in {b}",
    "{a} out of {b} into {c}",
    "{a} so that {b} can be tested without {c}",
    "what happens to {a} when {b} is empty",
    "{a} and {b}, they differ by {c}",
    "{a} to {b}",
    "{a} {b}",
    "the {a} half of {b}, then {c}",
    "whatever {a} needs from {b}",
    "{a} until {b} fits {c}",
    "each {a} against its {b}",
)
_SYLLABLES = tuple(
    re.findall("[^aeiou]*[aeiou][klmnr]?", "bacodifengorhulamkitloremeknaviprisoltamuvekyarzen")
)
_WAYS = (
    ("rg -n {a} src/{b}", "python scripts/{a}_{b}.py --{c}"),
    ("cat src/{a}/{b}.py", "pytest tests/test_{b}.py -k {c}"),
    ("git log --oneline -- src/{a}", "git diff {a}..{b} -- {c}.md"),
    ("ls src/{a}", "make {b} TARGET={c}"),
    ("sqlite3 {a}.db '.schema {b}'", "psql -c 'select {b} from {c}'"),
    ("curl -s localhost:8000/{a}/{b}", "node tools/{a}.js {c}"),
    ("head -40 {a}/{b}.log", "{a}ctl {b} --only {c}"),
    ("ls {a}", "{b} {c}"),
    ("rg {a}", "./{b}.sh {c}"),
    ("cat {a}.toml", "{c} --{a} {b}"),
)


@dataclass(frozen=True)
class Row:
    """One measured command on one home: `seconds` of the processor, the most memory held, what was found."""

    home: str
    command: str
    sessions: int
    seconds: float
    peak_mb: float
    episodes: int
    tasks: int


def main() -> None:
    """Measure each shape of home from outside and print one line a command."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    shapes = sys.argv[2:] or list(SHAPES)
    print(f"  {'home':<26} {'command':<20} {'cpu':>8} {'peak':>8} {'episodes':>9} {'tasks':>6}")
    for shape in shapes:
        for row in measure(shape, n):
            print(
                f"  {row.home:<26} {row.command:<20} {row.seconds:>6.1f} s {row.peak_mb:>5.0f} MB"
                f" {row.episodes:>9} {row.tasks:>6}",
                flush=True,
            )


def measure(shape: str, n: int) -> Iterator[Row]:
    """The rows of one home of `n` sessions in real transcripts: harvest alone, tasks, a night, the next."""
    with tempfile.TemporaryDirectory(prefix="skillopt-mining-") as folder:
        home = Path(folder) / "home"
        write_home(SHAPES[shape](n, Path(folder) / "code"), home)
        for command in ("harvest", "tasks", "run", "run again"):
            seconds, peak, found = _once(command.split()[0], home)
            tasks = found.get("recurring_tasks", found.get("tasks", 0))
            yield Row(
                f"{n} sessions, {shape}",
                command,
                n,
                seconds,
                peak,
                int(str(found.get("episodes", 0))),
                len(tasks) if isinstance(tasks, list) else int(str(tasks)),
            )


def _once(command: str, home: Path) -> tuple[float, float, Mapping[str, object]]:
    program = str(Path(sysconfig.get_path("scripts")) / "skillopt-sleep")
    words = [program, command, *(() if command == "harvest" else ("--all-projects",)), "--json", "--quiet"]
    env = {"HOME": str(home), "PATH": os.defpath}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, env=env, cwd=home, stdout=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(words)}: ended with status {process.returncode}")
        said.seek(0)
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _PER_MB, json.load(said)


# --- homes


def spread(n: int, code: Path) -> Iterator[Session]:
    """Labelled work with small rewordings and one-offs beside it, in twenty projects."""
    for i, session in enumerate(_mixed(n)):
        yield _placed(session, code / f"project{i % _PROJECTS}")


def one_project(n: int, code: Path) -> Iterator[Session]:
    """The same in one project."""
    for session in _mixed(n):
        yield _placed(session, code / "project")


def copies(n: int, code: Path) -> Iterator[Session]:
    """One labelled project over and over, with small rewordings."""
    for session in islice(_reworded(_labelled()[:1]), n):
        yield _placed(session, code / "project")


def one_offs(n: int, code: Path) -> Iterator[Session]:
    """Requests that are never made again."""
    for number in range(n):
        yield _placed(unique_session(number), code / "project")


SHAPES: Mapping[str, Callable[[int, Path], Iterator[Session]]] = {
    "20 projects": spread,
    "one project": one_project,
    "copies": copies,
    "one-offs": one_offs,
}


def write_home(sessions: Iterator[Session], home: Path) -> None:
    """Write sessions as the transcripts of Claude Code they could have come from."""
    home.mkdir(parents=True)
    rng = Random(1)
    for session in sessions:
        Path(session.project or "").mkdir(parents=True, exist_ok=True)
        write_claude_code(script_of(session), home, rng)


def script_of(session: Session) -> Script:
    """A session as what happened in it, to be written as another transcript."""
    steps: list[Step] = []
    for event in session.events:
        last = steps[-1] if steps else None
        if isinstance(event, UserTurn) and event.via == "rejection" and isinstance(last, Tool):
            steps[-1] = replace(last, fate="rejected", words=event.text, output="", exit_code=0)
        elif isinstance(event, UserTurn):
            steps.append(Queued(event.text) if event.via == "queued" else Prompt(event.text))
        elif isinstance(event, AgentText):
            steps.append(Said(event.text))
        elif isinstance(event, Action) and (tool := _tool(event)) is not None:
            steps.append(tool)
        elif isinstance(event, Interruption) and isinstance(last, Tool):
            steps[-1] = replace(last, fate="interrupted", output="", exit_code=0)
    return Script(
        session_id=session.id,
        cwd=session.cwd or "",
        started_at=session.started_at or _START,
        steps=tuple(steps),
    )


def _tool(action: Action) -> Tool | None:
    failed = action.outcome is Outcome.FAILED
    if action.kind == "command":
        return Tool("run", action.command, output="ok", exit_code=int(failed))
    if action.kind == "edit" and action.files:
        return Tool("edit", action.files[0], text=action.text)
    return Tool("read", "README.md", output="1\t...") if action.kind == "read" else None


def _placed(session: Session, project: Path) -> Session:
    return replace(session, cwd=str(project), project=str(project), path=f"/transcripts/{session.id}.jsonl")


def _mixed(n: int) -> Iterator[Session]:
    labelled = _reworded(_labelled())
    for number in range(n):
        yield next(labelled) if number % 2 else unique_session(number)


@cache
def _labelled() -> tuple[tuple[Session, ...], ...]:
    """The sessions of every project of the labelled homes that are written in English."""
    sys.path.insert(0, str(_HOMES))
    from build import build_home

    out: list[tuple[Session, ...]] = []
    for world in ("storefront", "platform", "mobile"):
        with tempfile.TemporaryDirectory(prefix="skillopt-labelled-") as folder:
            home, state = Path(folder) / "home", StateHome(Path(folder) / "state")
            home.mkdir()
            state.make()
            build_home(world, home, 1, Path(folder) / "code")
            with Ledger.open(state.ledger) as ledger:
                harvest(ledger, [SOURCES[name]((state.path,)) for name in SOURCES], env={}, home=home)
                out += [found.sessions for found in select_sessions(ledger, None)]
    return tuple(out)


def _reworded(projects: tuple[tuple[Session, ...], ...]) -> Iterator[Session]:
    """The sessions over and over, each time with another id, another day and a few other words."""
    number = 0
    while True:
        for sessions in projects:
            for session in sessions:
                rng = Random(f"{session.id}-{number}")
                number += 1
                moved = timedelta(minutes=20 * number) + (_START - (session.started_at or _START))
                yield replace(
                    session,
                    id=str(UUID(int=rng.getrandbits(128), version=4)),
                    started_at=(session.started_at or _START) + moved,
                    ended_at=(session.ended_at or _START) + moved,
                    events=tuple(
                        _said_otherwise(event, rng, moved, asked=i == 0)
                        for i, event in enumerate(session.events)
                    ),
                )


def _said_otherwise(event: Event, rng: Random, moved: timedelta, *, asked: bool) -> Event:
    at = event.at + moved if event.at else None
    if not isinstance(event, UserTurn):
        return replace(event, at=at)
    words = " ".join(rng.choice(_OTHERWISE.get(word, (word,))) for word in event.text.split(" "))
    if asked:
        words = rng.choice(_BEFORE) + words + rng.choice(_AFTER)
    return replace(event, text=words, at=at)


def unique_session(number: int) -> Session:
    """A session of one or two requests that no other session makes; now and then the person objects."""
    rng = Random(f"one-off {number}")
    at = _START + timedelta(minutes=20 * number)
    events: list[Event] = []
    for _ in range(rng.choice((1, 1, 2))):
        names = {key: _name(rng) for key in "abc"}
        asked = rng.choice(_WHYS).format(**names)
        events.append(UserTurn(f"{rng.choice(_VERBS)} {asked}", at))
        events += [_ran(way.format(**names), at) for way in rng.choice(_WAYS)]
        if rng.random() < 0.3:
            events.append(Action("edit", "Edit", files=(f"src/{_name(rng)}.py",), text=_name(rng), at=at))
        if rng.random() < 0.2:
            names["c"] = _name(rng)
            events.append(UserTurn(f"no, {names['c']} {_name(rng)}", at))
            events.append(_ran(rng.choice(_WAYS)[1].format(**names), at))
    identity = UUID(int=rng.getrandbits(128), version=4)
    return Session(
        id=str(identity),
        source="claude",
        path="",
        content_sha=identity.hex,
        cwd=None,
        project=None,
        branch="main",
        started_at=at,
        ended_at=at + timedelta(minutes=15),
        driver=Driver.HUMAN,
        events=tuple(events),
    )


def _ran(command: str, at: datetime) -> Action:
    return Action("command", "Bash", command=command, outcome=Outcome.OK, exit_code=0, at=at)


def _name(rng: Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((2, 3, 3))))


if __name__ == "__main__":
    main()
