"""Series of like requests: each asks for the same work on the next thing, and none corrects anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from one_night import nights_of

from skillopt_sleep.experiments.writers import write_claude_code
from skillopt_sleep.experiments.writers.record import new_uuid
from skillopt_sleep.experiments.writers.script import Prompt, Said, Script, Step, Tool

THINGS = [
    *("users", "orders", "carts", "items", "plans", "teams"),
    *("roles", "tags", "files", "posts", "likes", "votes"),
]
# What is asked for, and what the agent runs for it, or the file it edits and the text.
SERIES: dict[str, tuple[Sequence[str], tuple[str, ...]]] = {
    "rows": (
        [
            "how many rows in {}?",
            "count the {} table",
            "rows of {} please",
            "now look at {}",
            "what is in {}",
        ],
        ('psql -c "select count(*) from {}"',),
    ),
    "queries": (
        ["run the {} query", "now for {}", "{} too", "the same with {}", "now {} instead", "not that, {}"],
        ('psql -c "select * from {}"',),
    ),
    "tests": (
        ["run the tests of {}", "test {}", "{} tests please", "now the {} tests", "check {} with pytest"],
        ("pytest tests/test_{}.py",),
    ),
    "logs": (
        ["logs of {}", "show the {} logs", "what does {} say", "{} logs please", "tail {}", "now {}"],
        ("kubectl logs deploy/{} --tail 50",),
    ),
    "deploy": (
        ["deploy {}", "ship {} please", "{} to prod", "deploy {} too", "release {}", "now deploy {}"],
        ("make deploy SERVICE={}",),
    ),
    "scale": (
        [
            "scale up {}",
            "more replicas for {}",
            "{} needs replicas",
            "give {} more",
            "replicas for {} please",
        ],
        ("kubectl scale deploy/{}-svc --replicas 4",),
    ),
    "hosts": (
        ["restart {}", "reboot {} please", "restart the {} host", "{} hangs, restart it", "bounce {}"],
        ("ssh {} sudo systemctl restart app",),
    ),
    "commits": (
        ["commit the {} change", "commit {} please", "now commit {}", "{} is done, commit"],
        ('git commit -m "{}"',),
    ),
    "routes": (
        ["add a route for {}", "route for {} please", "{} route", "now {}", "same for {}"],
        ("src/routes.py", 'route("/{}")'),
    ),
    "german": (
        ["starte {}", "{} neu starten bitte", "bitte {} starten", "jetzt {}", "und {} auch", "dann {}"],
        ("docker compose restart {}",),
    ),
    "russian": (
        ["перезапусти {}", "теперь {}", "и {} тоже", "{} пожалуйста", "потом {}"],
        ("docker compose restart {}",),
    ),
}


def write_series(home: Path, code: Path, random: Random) -> None:
    """A project for each series: ten sessions, four things in each."""
    for name, (asks, work) in SERIES.items():
        folder = code / name
        folder.mkdir(parents=True)
        for day in range(10):
            steps: list[Step] = []
            for thing in random.sample(THINGS, 4):
                target, *text = (part.format(thing) for part in work)
                tool = Tool("edit", target, text=text[0]) if text else Tool("run", target)
                steps += [Prompt(random.choice(asks).format(thing)), tool, Said("Done.")]
            at = datetime(2026, 10, 1, 9, tzinfo=UTC) + timedelta(days=day)
            write_claude_code(Script(new_uuid(random), str(folder), at, tuple(steps)), home, random)


@pytest.mark.parametrize("seed", [1, 2])
def test_like_requests_one_after_the_other_teach_nothing(tmp_path: Path, seed: int) -> None:
    write_series(tmp_path / "home", tmp_path / "code", Random(seed))
    nights = nights_of(tmp_path / "home", tmp_path / "state")
    assert len(nights) == len(SERIES)
    lessons = [(Path(n.project).name, le.text) for n in nights for p in n.proposals for le in p.lessons]
    assert lessons == []
    # What says "not that" may be a correction; of the others none is.
    corrected = {Path(n.project).name for n in nights if n.mined for e in n.mined.episodes if e.corrected}
    assert corrected <= {"queries"}
