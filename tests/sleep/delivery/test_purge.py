"""What a person wants forgotten is in no byte of the state, whatever moment the purge was killed at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skillopt.errors import LockHeldError
from skillopt_sleep.disk import Disk
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_purge import Selection
from skillopt_sleep.proposal import Lesson, Quote
from skillopt_sleep.purge import Request, preview, purge, unfinished
from skillopt_sleep.receipt import receipts
from skillopt_sleep.runlock import run_lock
from skillopt_sleep.stage import discard, discarded, waiting

PROGRAM = Path(sys.executable).with_name("skillopt-sleep")
GONE, KEPT = "canary-gone", "canary-kept"
THIS = Request(Selection(sessions=("gone",)))
EVERYTHING = Request(Selection(), everything=True)


def lesson(desk: Any, text: str, *sessions: str) -> Lesson:
    quotes = tuple(Quote(name, f"canary-{name}", desk.clock) for name in sessions)
    found: Lesson = desk.lesson(text, train=quotes, held_out=quotes[:1], occasions=())
    return found


def transcripts(desk: Any) -> None:
    """Two sessions of the project, `gone` and `kept`, as a client wrote them."""
    for name in ("gone", "kept"):
        path = desk.user_home / ".claude" / "projects" / "p" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {"type": "user", "uuid": name, "sessionId": name, "cwd": str(desk.project),
                  "userType": "external", "entrypoint": "cli", "promptSource": "typed",
                  "timestamp": "2026-11-01T10:00:00.000Z",
                  "message": {"role": "user", "content": f"canary-{name}"}}  # fmt: skip
        path.write_text(json.dumps(record) + "\n")


def leave_free_pages(desk: Any) -> None:
    """What was replaced long ago still lies in free pages, unless SQLite was built to clear them."""
    with Ledger.open(desk.home.ledger) as ledger:
        ledger.file.rows("PRAGMA secure_delete = OFF")
        for value in (f"{GONE} " * 5000, ""):
            ledger.put_value("long", value)


def run(desk: Any, *words: str) -> subprocess.CompletedProcess[str]:
    measured = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}
    env = {"HOME": str(desk.user_home), "PATH": os.defpath, "SKILLOPT_SLEEP_HOME": str(desk.home.path)}
    return subprocess.run(
        [PROGRAM, *words],
        env=measured | env,
        cwd=desk.project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def holding(desk: Any, words: str) -> list[str]:
    files = [path for path in desk.home.path.rglob("*") if path.is_file()]
    return sorted(
        str(path.relative_to(desk.home.path)) for path in files if words.encode() in path.read_bytes()
    )


@pytest.fixture
def used(desk: Any) -> Any:
    """A state that repeats both sessions in a proposal, a discard, an undone and a standing receipt."""
    transcripts(desk)
    assert run(desk, "harvest", "--all-projects").returncode == 0
    leave_free_pages(desk)
    standing = desk.write(".claude/skills/standing/SKILL.md")
    undone = desk.write(".claude/skills/undone/SKILL.md")
    for path, text in ((standing, "Use pnpm."), (undone, "Use uv.")):
        proposal = desk.existing(path, lesson(desk, text, "gone", "kept"))
        desk.adopt(proposal)
    desk.undo()
    turned_down = lesson(desk, "canary-gone must never be said.", "gone", "kept")
    path = desk.write(".claude/skills/discarded/SKILL.md")
    proposal = desk.existing(path, turned_down, lesson(desk, "canary-kept stays.", "kept"))
    discard(desk.home, proposal.id, why="no", now=desk.tick())
    for name, sessions in (("both", ("gone", "kept")), ("other", ("kept",))):
        path = desk.write(f".claude/skills/{name}/SKILL.md")
        desk.existing(path, lesson(desk, "Use rg.", *sessions))
    assert len(holding(desk, GONE)) == 5, "ledger, discard, two receipts, proposal"
    return desk


def check_forgotten(desk: Any) -> None:
    assert holding(desk, GONE) == []
    assert "ledger.sqlite" in holding(desk, KEPT)
    assert unfinished(desk.home) is None
    assert [p.skill for p in waiting(desk.home)] == ["other"]
    assert [(r.skill, r.undone_at) for r in receipts(desk.home)] == [("standing", None)]
    (record,) = discarded(desk.home)
    first, second = record.proposal.lessons
    assert (first.text, [quote.session for quote in first.train]) == ("(purged)", ["kept"])
    assert second.text == "canary-kept stays."
    with Ledger.open(desk.home.ledger) as ledger:
        assert [session.id for session in ledger.sessions()] == ["kept"]


def test_a_session_leaves_no_byte_and_undo_still_works(used: Any) -> None:
    before = used.snapshot()
    foreseen = preview(used.home, THIS)
    found = purge(used.home, THIS, now=used.tick())

    assert replace(foreseen, n_bytes=0) == replace(found, n_bytes=0)

    check_forgotten(used)
    assert (found.sessions, found.proposals, found.discarded) == (1, 1, 1)
    assert (found.undone, found.unquoted, found.standing) == (1, 1, 1)
    assert used.snapshot() == before, "neither transcripts nor skill files are touched"
    assert len(used.undo().reversals) == 1

    grown = used.user_home / ".claude/projects/p/gone.jsonl"
    grown.write_text(grown.read_text() + '{"type": "summary"}\n')
    assert run(used, "harvest", "--all-projects").returncode == 0
    assert holding(used, GONE) == [], "a transcript that grows does not bring it back"


def killed(act: Callable[[Disk], object], fatal_step: int) -> bool:
    """Whether `act` reached that step, and died there."""
    with warnings.catch_warnings():
        # Newer Pythons warn of a fork beside threads; those of a parallel test run hold no lock of ours.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        steps = iter(range(1, fatal_step + 1))

        def count(_step: str) -> None:
            if next(steps) == fatal_step:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            act(Disk(count))
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_kill_at_every_step_is_finished_by_the_next_purge(used: Any) -> None:
    steps = 0
    while killed(lambda disk: purge(used.home, THIS, now=used.tick(), disk=disk), steps + 1):
        steps += 1
        if steps > 1:
            assert unfinished(used.home) == THIS
    assert steps > 1
    check_forgotten(used)


def test_a_killed_purge_is_told_and_finished_without_saying_it_again(used: Any) -> None:
    assert killed(lambda disk: purge(used.home, THIS, now=used.tick(), disk=disk), 3)
    assert holding(used, GONE) != []
    assert "A purge was interrupted" in run(used, "status").stdout
    assert json.loads(run(used, "status", "--json").stdout)["interrupted"] == ["purge"]

    done = run(used, "purge", "--yes")

    assert done.returncode == 0, done.stderr
    check_forgotten(used)
    assert run(used, "purge", "--yes").returncode == 2, "nothing is left to finish"


def test_everything_goes_but_the_settings_and_the_live_files(used: Any) -> None:
    used.home.config.write_text("since: 30d\n")
    live = {path: data for path, data in used.snapshot().items() if "state" not in path}

    dry = run(used, "purge", "--all", "--dry-run")
    assert "Warning: 1 receipt would be lost" in dry.stdout
    assert holding(used, GONE) != []
    done = run(used, "purge", "--all", "--yes", "--json")

    assert json.loads(done.stdout)["removed"]["sessions"] == 2
    assert {p.name for p in used.home.path.iterdir()} <= {"config.yaml", "run.lock", "delivery.lock"}
    assert used.home.config.read_text() == "since: 30d\n"
    assert {path: data for path, data in used.snapshot().items() if "state" not in path} == live


@pytest.mark.parametrize("fatal_step", range(1, 9))
def test_a_killed_purge_of_everything_is_finished_too(used: Any, fatal_step: int) -> None:
    assert killed(lambda disk: purge(used.home, EVERYTHING, now=used.tick(), disk=disk), fatal_step)

    assert run(used, "purge", *(["--all"] if fatal_step == 1 else []), "--yes").returncode == 0

    assert holding(used, "canary") == []


@pytest.mark.parametrize("content", [b"not a ledger", b""])
def test_a_damaged_ledger_can_be_purged_whole_and_only_so(used: Any, content: bytes) -> None:
    for path in used.home.path.glob("ledger.sqlite*"):
        path.unlink()
    used.home.ledger.write_bytes(content or b"SQLite format 3\0" + bytes(4000))

    assert run(used, "purge", "--session", "gone", "--yes").returncode == 1
    assert run(used, "purge", "--all", "--yes").returncode == 0
    assert holding(used, "canary") == []


def test_damaged_records_go_when_they_name_a_purged_session(used: Any) -> None:
    folder = used.home.proposals / "torn"
    folder.mkdir()
    (folder / "proposal.json").write_text('{"session": "gone", "words": "canary-gone')
    (used.home.discarded / "torn.json").write_text('{"session": "gone", "words": "canary-gone')
    (used.home.receipts / "torn").mkdir()
    (used.home.receipts / "torn" / "proposal.json").write_text('{"session": "gone", "words": "canary-gone')
    (used.home.receipts / "torn" / "receipt.json").write_text("{")
    (used.home.discarded / "x").mkdir()
    (used.home.discarded / "x" / "new.md").write_text("of session gone: canary-gone")
    (used.home.discarded / "y.json").write_text("{")

    purge(used.home, THIS, now=used.tick())

    assert holding(used, GONE) == []
    assert (used.home.discarded / "y.json").exists()


def test_purge_waits_for_no_run(used: Any) -> None:
    with run_lock(used.home, used.tick()):
        with pytest.raises(LockHeldError):
            purge(used.home, THIS, now=used.tick())
        assert run(used, "purge", "--all", "--yes", "--json").returncode == 5
    assert holding(used, GONE) != []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "say what to forget"),
        (["--session", "gone"], "nobody can be asked here"),
        (["--session", "gone", "--json"], "nobody can be asked here"),
        (["--all", "--source", "claude", "--yes"], "--all already means everything"),
        (["--session", "nobody", "--yes"], "no session is called nobody"),
        (["--source", "gemini", "--yes"], "is not a source"),
        (["--older-than", "all", "--yes"], "neither an age nor a date"),
        (["--older-than", "soon", "--yes"], "neither an age nor a date"),
    ],
)
def test_what_cannot_be_meant_removes_nothing(used: Any, words: list[str], says: str) -> None:
    done = run(used, "purge", *words)

    assert done.returncode == 2
    assert says in (json.loads(done.stdout)["error"]["what"] if "--json" in words else done.stderr)
    assert len(holding(used, GONE)) == 5


def test_other_ways_to_choose(used: Any) -> None:
    assert "Removed 0 sessions" in run(used, "purge", "--older-than", "2026-10-01", "--yes").stdout
    assert (
        "Would remove 2 sessions of 1 project" in run(used, "purge", "--source", "claude", "--dry-run").stdout
    )
    by_project = run(used, "purge", "--project", str(used.project), "--older-than", "2026-11-02", "--yes")
    assert "Removed 2 sessions of 1 project, 2 proposals that waited" in by_project.stdout
    assert "Kept: 1 receipt, so that undo works." in by_project.stdout
    assert holding(used, "canary-gone") == holding(used, KEPT) == []
    assert run(used, "purge", "--session", "gone", "--yes").returncode == 0, "a purged one is still known"


def test_nothing_of_a_folder_that_is_not_ours_is_removed(desk: Any) -> None:
    other = desk.root / "dev" / "logs-of-mine"
    (other / "logs").mkdir(parents=True)
    (other / "logs" / "x").write_text("mine")

    done = run(desk, "purge", "--all", "--yes", "--home", str(other))

    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"Nothing is kept in {other}.")
    assert (other / "logs" / "x").read_text() == "mine"
    assert [path.name for path in other.iterdir()] == ["logs"]


def test_a_changed_or_missing_learned_block_is_seen_by_the_doctor(used: Any) -> None:
    def skills() -> list[dict[str, str]]:
        found = json.loads(run(used, "doctor", "--json").stdout)["checks"]
        return [check for check in found if check["name"] == "skills"]

    live = used.project / ".claude/skills/standing/SKILL.md"
    adopted = live.read_text()
    assert [check["status"] for check in skills()] == ["ok"]
    live.write_text(adopted + "\nMine.\n")
    assert [check["status"] for check in skills()] == ["ok"], "a person may write beside it"
    live.write_text(adopted.replace("Use pnpm.", "Use npm."))
    assert "undo will refuse" in skills()[0]["what"]
    live.unlink()
    assert "is gone" in skills()[0]["what"]
