"""The daemon as a person starts it: it reads, sleeps, keeps others out, and ends when it is told to."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from slept_home import SleptHome
from watchdog.observers import Observer

from skillopt_sleep.nightly.holder import holder
from skillopt_sleep.nightly.log import daemon_log
from skillopt_sleep.nightly.watch import Watch, is_remote

if sys.platform == "win32":
    pytest.skip("Windows has no signals", allow_module_level=True)

DAY = timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path) -> SleptHome:
    home = SleptHome(tmp_path)
    home.opt_in()
    home.work(datetime.now(UTC) - DAY)
    return home


def until(what: Callable[[], object], seconds: float = 120.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.05)


def log_of(home: SleptHome) -> str:
    path = home.state.logs / "daemon.log"
    return path.read_text() if path.exists() else ""


@contextmanager
def going(home: SleptHome, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is killed in the end, should it still be there: nobody waits for a daemon."""
    process = home.start(*arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def daemon(home: SleptHome) -> Iterator[subprocess.Popen[str]]:
    with going(home, "daemon", "--json") as process:
        yield process


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> dict[str, Any]:
    """What it says in the end."""
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_life(home: SleptHome, daemon: subprocess.Popen[str]) -> None:
    until(lambda: "has ended: nothing_to_learn" in log_of(home))
    assert len(home.nights()) == 1
    assert set(home.consumed().values()) == {home.nights()[0].id}
    found = holder(home.state)
    assert found is not None
    assert found.pid == daemon.pid

    # A second one is refused, and the first one's papers stay.
    code, out, _ = home.run("daemon", "--json")
    error = json.loads(out)["error"]
    assert code == 5
    assert str(daemon.pid) in error["why"]
    assert error["next"]
    assert holder(home.state) == found

    # A hook tells of the end of a session.
    session = home.work(datetime.now(UTC))
    hint = home.state.queue / f"claude-{session}.json"
    told = {"schema": "queued/1", "client": "claude", "session": session, "ended_at": "2026-11-21T01:00:00Z"}
    temporary = hint.with_name(f".{hint.name}.tmp")
    temporary.write_text(json.dumps(told))
    temporary.replace(hint)
    until(lambda: session in home.consumed())
    until(lambda: "harvest has ended: 1 new sessions" in log_of(home))
    assert home.consumed()[session] is None
    assert not hint.exists()

    told = end(daemon)
    assert (told["stopped_by"], told["harvests"], told["nights"]) == ("SIGTERM", 1, 1)
    assert holder(home.state) is None
    for path in (home.state.logs, home.state.queue, *home.state.logs.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_ended_in_the_middle_of_a_night(home: SleptHome, daemon: subprocess.Popen[str]) -> None:
    until(lambda: "has ended: nothing_to_learn" in log_of(home))
    end(daemon)
    late = home.work(datetime.now(UTC))
    with closing(sqlite3.connect(home.state.ledger, isolation_level=None)) as other:
        other.execute("DELETE FROM kv WHERE key = 'nightly:slot'")
        # Another program is writing: the night has to wait, and that is when it is ended.
        other.execute("BEGIN IMMEDIATE")
        with going(home, "daemon", "--json") as process:
            until(home.state.attempts.exists)
            until(home.state.lock_holder.exists)
            pid = json.loads(home.state.lock_holder.read_text())["pid"]
            assert pid != process.pid
            told = end(process, signal.SIGINT)
        other.execute("ROLLBACK")
    assert told["stopped_by"] == "SIGINT"
    until(lambda: not _is_there(pid))
    assert len(home.nights()) == 1
    # Nothing of it is lost, and it is due again.
    code, out, err = home.run("run", "--if-due", "--json", "--quiet")
    assert (code, json.loads(out)["due"], json.loads(out)["consumed"]) == (0, True, 1), out + err
    assert len(home.nights()) == 2
    assert home.consumed()[late] == home.nights()[1].id


def test_a_daemon_and_timers_for_one_night(home: SleptHome) -> None:
    with going(home, "daemon", "--json") as process:
        timers = [home.start("run", "--if-due", "--json", "--quiet") for _ in range(2)]
        told = [json.loads(timer.communicate(timeout=60)[0]) for timer in timers]
        seen = ("no night", "night night-", "another run is going on")
        until(lambda: any(words in log_of(home) for words in seen))
        found = end(process)
    assert found["harvests"] == 0
    assert sum(each.get("due", False) for each in told) <= 1
    assert len(home.nights()) == 1
    assert set(home.consumed().values()) == {home.nights()[0].id}


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_without_a_project_nothing_is_read(home: SleptHome) -> None:
    home.settle()
    with going(home, "daemon") as process:
        until(lambda: "no night now" in log_of(home))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert "skillopt-sleep config set projects" in err
    assert out.splitlines() == ["Ended by SIGTERM.", "Next: skillopt-sleep status"]
    assert not home.state.has_ledger()


class _NoWatches(Observer):  # type: ignore[misc, valid-type]
    """As where the system has run out of watches."""

    def schedule(self, *_given: object, **_named: object) -> Any:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")


def _no_instance() -> Any:
    """As where other programs have all that a person may have of them."""
    raise OSError(errno.EMFILE, "inotify instance limit reached")


@pytest.mark.parametrize("make", [Observer, _NoWatches, _no_instance])
def test_what_is_watched(tmp_path: Path, make: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    here, later = tmp_path / "here", tmp_path / "later"
    (here / "deep").mkdir(parents=True)
    told = threading.Event()
    log = logging.getLogger("watched")
    watch = Watch([here, later, here], told.set, log, make_observer=make, poll_s=0.1)
    watch.start()
    try:
        assert watch.watched == {here: make is not Observer}
        assert ("looked through instead" in caplog.text) is (make is not Observer)
        (here / "deep" / "notes.txt").write_text("of no interest")
        (here / "deep" / "s.jsonl").write_text("{}\n")
        assert told.wait(60)
        # A folder that comes later, and one that goes and comes again.
        later.mkdir()
        (here / "deep" / "s.jsonl").unlink()
        (here / "deep" / "notes.txt").unlink()
        (here / "deep").rmdir()
        here.rmdir()
        until(lambda: watch.look_again() or watch.watched.keys() == {later})
        here.mkdir()
        watch.look_again()
        assert watch.watched.keys() == {here, later}
        told.clear()
        (later / "t.jsonl").write_text("{}\n")
        assert told.wait(60)
        told.clear()
        (here / "u.jsonl").write_text("{}\n")
        assert told.wait(60)
    finally:
        watch.stop()


@pytest.mark.parametrize(
    ("folder", "answer"),
    [("/home/me/.claude", False), ("/home/far/x", True), ("/home/far away/x", True), ("/far", False)],
)
def test_disks_of_other_machines(folder: str, answer: bool) -> None:
    mounts = [
        "/dev/sda1 / ext4 rw 0 0",
        "proc /proc proc rw 0 0",
        "server:/export /home/far nfs4 rw 0 0",
        "x: /home/far\\040away fuse.sshfs rw 0 0",
        "odd",
    ]
    assert is_remote(Path(folder), mounts) is answer


def test_the_log_is_private_small_and_without_secrets(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "daemon.log"
    log = daemon_log(file)
    log.info("token %s and \x1b[31mred\nline", "ghp_" + "a1B2" * 9)
    (line,) = file.read_text().splitlines()
    assert "ghp_a1B2" not in line
    assert "\x1b" not in line
    for number in range(6000):
        log.info("%d %s", number, "x" * 400)
    files = sorted(file.parent.iterdir())
    assert len(files) == 4
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert sum(path.stat().st_size for path in files) < 4 * 600 * 1024
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    log = daemon_log(tmp_path / "logs" / "daemon.log")
    log.info("lost")
    if sys.platform == "linux":
        full = tmp_path / "full.log"
        full.symlink_to("/dev/full")
        log = daemon_log(full)
        for _ in range(3):
            log.info("lost")
    (tmp_path / "logs").unlink()
