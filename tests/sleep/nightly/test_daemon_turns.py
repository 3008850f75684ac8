"""What the daemon begins, and when: decided from what it is told, with the time passed in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from skillopt.errors import StorageError
from skillopt_sleep.home import StateHome
from skillopt_sleep.nightly.daemon import ENDED_S, LONGEST_S, SETTLE_S, Daemon, Outlook, Stop, World
from skillopt_sleep.nightly.hints import Queue, drop, waiting_hints
from skillopt_sleep.nightly.jobs import Ended, Kind

WAITS = Outlook(works=True, is_due=False, why="the night has finished")
DUE = Outlook(works=True, is_due=True, why="")
HARVESTED = json.dumps({"sources": [{"new": 2}]})
SLEPT = json.dumps({"due": True, "night": "n1", "verdict": "proposed", "proposals": [{}]})


@dataclass
class Going:
    kind: Kind
    is_stopped: bool = False

    def stop(self) -> None:
        self.is_stopped = True


@dataclass
class Bench:
    """A daemon whose world is here: the time, the outlook, the queue, and what it has begun."""

    now: float = 1000.0
    outlook: Outlook | Exception = WAITS
    queue: Queue = field(default_factory=Queue)
    begun: list[Going] = field(default_factory=list)
    cannot_start: bool = False
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        log = logging.Logger("bench", logging.INFO)
        handler = logging.Handler()
        handler.emit = lambda record: self.lines.append(record.getMessage())  # type: ignore[method-assign]
        log.addHandler(handler)
        world = World(self._look, lambda: self.queue, self._start, lambda: None, lambda: self.now)
        self.daemon = Daemon(world, log)
        self.tell("tick")

    def _look(self) -> Outlook:
        if isinstance(self.outlook, Exception):
            raise self.outlook
        return self.outlook

    def _start(self, kind: Kind, _ended: Callable[[Ended], object]) -> Going:
        if self.cannot_start:
            raise OSError("no process")
        self.begun.append(Going(kind))
        return self.begun[-1]

    def tell(self, event: object = None, after: float = 0.0) -> list[str]:
        """What is begun when something happens `after` some seconds."""
        self.now += after
        before = len(self.begun)
        self.daemon.take(event)  # type: ignore[arg-type]
        self.daemon.begin_what_is_next()
        return [going.kind for going in self.begun[before:]]

    def ended(self, code: int = 0, out: str = HARVESTED, after: float = 1.0) -> list[str]:
        return self.tell(Ended(self.begun[-1].kind, code, out, "the last words"), after)


def test_a_session_is_read_when_it_rests() -> None:
    bench = Bench()
    assert bench.tell("changed") == []
    for _ in range(5):
        assert bench.tell("changed", 30) == []
    assert bench.daemon.wait_s() == pytest.approx(SETTLE_S)
    assert bench.tell(after=SETTLE_S - 1) == []
    assert bench.tell(after=1) == ["harvest"]
    assert bench.ended() == []
    assert bench.tell("tick", 500) == []
    assert "harvest has ended: 2 new sessions" in bench.lines


def test_a_session_that_never_rests_is_read_too() -> None:
    bench = Bench()
    begun = [kind for _ in range(int(LONGEST_S * 2 / 10)) for kind in bench.tell("changed", 10)]
    assert begun == ["harvest"]
    bench.ended()
    assert [kind for _ in range(int(LONGEST_S / 10) + 1) for kind in bench.tell("changed", 10)] == ["harvest"]


def test_a_storm_of_changes_is_one() -> None:
    bench = Bench()
    for _ in range(10_000):
        bench.daemon.changed()
    assert bench.daemon.inbox.qsize() == 2


def test_a_change_meanwhile_is_read_afterwards() -> None:
    bench = Bench()
    bench.tell("changed")
    assert bench.tell(after=SETTLE_S) == ["harvest"]
    bench.tell("changed", 1)
    assert bench.ended() == []
    assert bench.tell(after=SETTLE_S) == ["harvest"]


def test_the_night_comes_first_and_one_thing_at_a_time() -> None:
    bench = Bench(outlook=WAITS)
    bench.tell("changed")
    bench.outlook = DUE
    assert bench.tell("tick", SETTLE_S) == ["night"]
    assert bench.tell("tick", 60) == []
    bench.outlook = WAITS
    assert bench.ended(out=SLEPT) == []
    assert bench.daemon.nights == 1
    assert bench.lines[-1] == "night n1 has ended: proposed, 1 proposals; next: skillopt-sleep show"


def test_nothing_is_done_where_nobody_has_opted_in() -> None:
    bench = Bench(outlook=Outlook(works=False, is_due=False, why="nobody"))
    bench.tell("changed")
    assert bench.tell("tick", 1000) == []
    assert bench.daemon.wait_s() == 60


def test_a_night_that_goes_wrong_is_not_tried_in_a_circle() -> None:
    """Should nothing be recorded of it, the disk being full, the daemon rests longer each time."""
    bench = Bench(outlook=DUE)
    begun = 1  # the first tick
    for _ in range(24 * 60):
        if bench.daemon._job is not None:
            bench.ended(1, json.dumps({"error": {"what": "no room", "why": "", "next": "df"}}))
        begun += len(bench.tell("tick", 60))
    assert 24 <= begun <= 32
    assert "night failed: no room; next: df; it is tried again" in bench.lines
    bench.outlook = DUE
    bench.ended(out=SLEPT)
    assert bench.tell("tick", 59) == []
    assert bench.tell("tick", 1) == ["night"]


def test_a_night_that_says_it_is_not_due_is_asked_once_a_minute_at_most() -> None:
    bench = Bench(outlook=DUE)
    told = json.dumps({"due": False, "why": "someone else"})
    assert bench.ended(out=told) == []
    assert bench.tell(after=30) == []
    assert bench.tell("tick", 30) == ["night"]
    assert "no night: someone else" in bench.lines


def test_another_run_holds_the_lock() -> None:
    bench = Bench(outlook=DUE)
    busy = json.dumps({"error": {"what": "another run is going on", "why": "process 7", "next": ""}})
    assert bench.ended(5, busy) == []
    assert bench.tell("tick", 200) == []
    assert bench.tell("tick", 100) == ["night"]


@pytest.mark.parametrize(("code", "line"), [(-9, "night was ended by signal 9"), (1, "night ended with 1")])
def test_work_that_dies_says_how(code: int, line: str) -> None:
    bench = Bench(outlook=DUE)
    bench.ended(code, "")
    assert f"{line}: the last words; it is tried again" in bench.lines


def test_what_was_to_be_read_when_a_harvest_failed_is_read_again() -> None:
    bench = Bench()
    bench.tell("changed")
    assert bench.tell(after=SETTLE_S) == ["harvest"]
    assert bench.ended(1, "") == []
    assert bench.tell(after=SETTLE_S - 1) == []
    assert bench.tell(after=1) == ["harvest"]
    bench.cannot_start = True
    bench.ended(1, "")
    assert bench.tell("tick", 120) == []
    bench.cannot_start = False
    assert bench.tell("tick", 240) == ["harvest"]


def test_a_state_that_fails_is_told_now_and_then_and_looked_at_again() -> None:
    bench = Bench(outlook=StorageError("the ledger is damaged", why="by hand", next="mv"))
    for _ in range(59):
        bench.tell("tick", 60)
    assert bench.lines == ["the state cannot be used: the ledger is damaged; by hand; mv"]
    bench.tell("tick", 60)
    assert len(bench.lines) == 2
    bench.outlook = DUE
    assert bench.tell("tick", 60) == ["night"]


def test_a_minute_that_nobody_tells_is_noticed() -> None:
    # A clock that is put back by years silences who tells the minutes for as long.
    bench = Bench()
    bench.outlook = DUE
    assert bench.tell(after=60) == []
    assert bench.tell(after=60) == ["night"]


def test_enough() -> None:
    bench = Bench(outlook=DUE)
    bench.daemon.inbox.put(Stop("SIGTERM"))
    # What it begins with stands behind it.
    assert bench.daemon.run() == "SIGTERM"
    assert bench.begun[-1].is_stopped


def queued(home: StateHome, name: str, text: str | None = None) -> Path:
    home.queue.mkdir(parents=True, exist_ok=True)
    client, _, session = name.partition("-")
    told = {"schema": "queued/1", "client": client, "session": session, "ended_at": "2026-11-21T01:00:00Z"}
    path = home.queue / f"{name}.json"
    path.write_text(json.dumps(told) if text is None else text)
    return path


def test_the_end_of_a_session_is_followed_at_once_and_once(tmp_path: Path) -> None:
    home = StateHome(tmp_path)
    path = queued(home, "claude-1")
    bench = Bench(queue=waiting_hints(home))
    assert bench.tell(after=ENDED_S) == ["harvest"]
    # The queue cannot be emptied: it is read-only.
    assert bench.ended() == []
    assert bench.tell("tick", 600) == []
    path.unlink()
    queued(home, "claude-1")
    bench.queue = waiting_hints(home)
    assert bench.tell("tick", 60) == []
    assert bench.tell(after=ENDED_S) == ["harvest"]


def test_what_lies_in_the_queue(tmp_path: Path) -> None:
    home = StateHome(tmp_path)
    assert waiting_hints(home) == Queue()
    good, damaged = queued(home, "codex-a.b"), queued(home, "claude-2", "{")
    other = queued(home, "copilot-3", json.dumps({"schema": "queued/1", "client": "claude", "session": "3"}))
    queued(home, "copilot-4", "[" * 100_000)
    (home.queue / "readme.txt").write_text("mine")
    (home.queue / ".claude-9.tmp").write_text("{")
    (home.queue / "claude-link.json").symlink_to(good)
    (home.queue / "claude-folder.json").mkdir()
    found = waiting_hints(home)
    assert [(hint.path.name, hint.client) for hint in found.hints] == [
        (damaged.name, ""),
        (good.name, "codex"),
        (other.name, ""),
        ("copilot-4.json", ""),
    ]
    assert found.foreign == 3  # a text, a link and a folder
    # Nothing of codex was read: its hint stays. Damaged ones go.
    assert drop(found.hints, ["claude"]) == 3
    assert [hint.path for hint in waiting_hints(home).hints] == [good]
    # The session ended once more while it was read.
    before = waiting_hints(home).hints
    fresh = queued(home, "codex-new")
    fresh.replace(good)
    assert drop(before, ["codex"]) == 0
    assert drop(waiting_hints(home).hints, ["codex"]) == 1
    assert sorted(path.name for path in home.queue.iterdir()) == [
        ".claude-9.tmp", "claude-folder.json", "claude-link.json", "readme.txt"
    ]  # fmt: skip
