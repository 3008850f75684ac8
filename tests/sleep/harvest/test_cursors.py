"""What of a file is read again, and when: real transcripts that grow, shrink, move and change while read."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from skillopt_sleep.file_reading import look_at_rest
from skillopt_sleep.harvest import READER, SourceHarvest, harvest
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.migrations import MIGRATIONS
from skillopt_sleep.sources.base import Reading
from skillopt_sleep.sources.claude_code import ClaudeCode


def line(n: int, text: str) -> bytes:
    at = f"2026-11-20T10:{n // 60:02}:{n % 60:02}.000Z"
    record = {"type": "user", "uuid": f"u{n}", "timestamp": at, "cwd": "/p", "message": {"content": text}}
    return json.dumps(record).encode() + b"\n"


@dataclass
class Place:
    """A ledger and the transcripts of one person."""

    home: Path

    @property
    def ledger(self) -> Path:
        return self.home / "ledger.sqlite"

    def path(self, name: str = "s") -> Path:
        return self.home / ".claude" / "projects" / "-p" / f"{name}.jsonl"

    def run(self, source: ClaudeCode | None = None) -> SourceHarvest:
        with Ledger.open(self.ledger) as ledger:
            return harvest(ledger, [source or ClaudeCode()], env={}, home=self.home).sources[0]

    def words(self) -> dict[str, list[str]]:
        with Ledger.open(self.ledger) as ledger:
            return {one.id: [turn.text for turn in one.user_turns] for one in ledger.sessions()}

    def row_numbers(self) -> list[int]:
        """A session that was written again has another number."""
        with closing(sqlite3.connect(self.ledger)) as connection:
            return [n for (n,) in connection.execute("SELECT number FROM sessions ORDER BY number")]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.path().parent.mkdir(parents=True)
    return place


def test_nothing_new_opens_no_file(place: Place) -> None:
    place.path().write_bytes(line(1, "hello"))
    place.run()

    class Closed(ClaudeCode):
        def read(self, path: Path) -> Reading:
            raise AssertionError(f"{path} was read")

    found = place.run(Closed())

    assert (found.bytes_read, found.new, found.skipped) == (0, 0, ())


@pytest.mark.parametrize("step", range(1, 5))
def test_a_file_that_grows_loses_and_doubles_nothing(place: Place, step: int) -> None:
    """Written in steps that end within a line, at its end and after its line end, in any order."""
    whole = b"".join(line(n, f"words {n} \u2028 end") for n in range(12))
    cuts = range(0, len(whole), len(whole) // (5 * step) + step)
    for cut in (*cuts, len(whole)):
        place.path().write_bytes(whole[:cut]) if cut == 0 else _append(place.path(), whole[:cut])
        place.run()

    assert place.words() == {"s": [f"words {n}  end".replace("  ", " \u2028 ") for n in range(12)]}
    with Ledger.open(place.ledger) as ledger:
        (state,) = ledger.known_files("claude").values()
    assert (state.size, state.offset) == (len(whole), len(whole))


def _append(path: Path, whole: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(whole[path.stat().st_size :])


def test_a_torn_last_line_is_taken_when_it_is_complete(place: Place) -> None:
    first, second = line(1, "one"), line(2, "two")
    place.path().write_bytes(first + second[:30])

    torn = place.run()
    assert place.words() == {"s": ["one"]}
    assert [entry.reason for entry in torn.skipped] == ["torn_line"]
    with Ledger.open(place.ledger) as ledger:
        (state,) = ledger.known_files("claude").values()
    assert (state.offset, state.size) == (len(first), len(first) + 30)

    _append(place.path(), first + second)
    assert place.run().skipped == ()
    assert place.words() == {"s": ["one", "two"]}


def test_a_touched_file_is_compared_and_not_written_again(place: Place) -> None:
    for n in range(3):
        place.path(f"s{n}").write_bytes(line(n, f"hello {n}"))
    place.run()
    before = place.row_numbers()

    for n in range(3):
        os.utime(place.path(f"s{n}"), ns=(0, n))
    touched, after = place.run(), place.run()

    assert (touched.bytes_read, touched.new) == (sum(len(line(n, f"hello {n}")) for n in range(3)), 0)
    assert after.bytes_read == 0
    assert place.row_numbers() == before


def test_a_file_that_was_copied_back_is_known(place: Place) -> None:
    place.path().write_bytes(line(1, "hello"))
    place.run()
    before = place.row_numbers()

    copy = place.home / "copy"
    copy.write_bytes(place.path().read_bytes())
    copy.replace(place.path())
    place.run()

    assert place.row_numbers() == before
    assert place.run().bytes_read == 0


REWRITES: dict[str, Callable[[bytes], bytes]] = {
    "same size": lambda whole: whole.replace(b"second", b"SECOND"),
    "shorter": lambda whole: whole[: whole.index(b"\n") + 1],
    "changed and longer": lambda whole: whole.replace(b"second", b"SECOND") + line(9, "third"),
    "shorter by a bit": lambda whole: whole[:-3],
    "emptied": lambda whole: b"",
}


@pytest.mark.parametrize("how", REWRITES)
@pytest.mark.parametrize("keeps_times", [True, False])
def test_a_file_that_was_rewritten_is_read_again_whole(place: Place, how: str, keeps_times: bool) -> None:
    place.path().write_bytes(line(1, "first") + line(2, "second"))
    place.run()
    before = place.path().stat()

    place.path().write_bytes(REWRITES[how](place.path().read_bytes()))
    if keeps_times:
        os.utime(place.path(), ns=(before.st_atime_ns, before.st_mtime_ns))
    place.run()

    fresh = Place(place.home / "fresh")
    fresh.path().parent.mkdir(parents=True)
    fresh.path().write_bytes(place.path().read_bytes())
    fresh.run()
    assert place.words() == fresh.words()


@pytest.mark.parametrize("at_s", [0, -1, 4_070_908_800, 2**33])
def test_no_time_is_too_old_or_too_new(place: Place, at_s: int) -> None:
    place.path().write_bytes(line(1, "hello"))
    os.utime(place.path(), (at_s, at_s))

    assert place.run().new == 1
    assert place.run().bytes_read == 0
    _append(place.path(), line(1, "hello") + line(2, "again"))
    os.utime(place.path(), (at_s, at_s))
    place.run()

    assert place.words() == {"s": ["hello", "again"]}


def test_what_is_written_while_a_file_is_read_is_read_next_time(place: Place) -> None:
    place.path().write_bytes(line(1, "one"))

    class Overtaken(ClaudeCode):
        def read(self, path: Path) -> Reading:
            reading = super().read(path)
            _append(path, line(1, "one") + line(2, "two"))
            return reading

    place.run(Overtaken())
    assert place.words() == {"s": ["one"]}
    place.run()
    assert place.words() == {"s": ["one", "two"]}
    assert place.run().bytes_read == 0


def test_what_changes_in_place_while_a_file_is_read_is_read_next_time(place: Place) -> None:
    """The same size and the same modification time, within the same moment."""
    place.path().write_bytes(line(1, "one"))
    at = place.path().stat()

    class Overtaken(ClaudeCode):
        def read(self, path: Path) -> Reading:
            reading = super().read(path)
            path.write_bytes(line(1, "eno"))
            os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
            return reading

    place.run(Overtaken())
    place.run()

    assert place.words() == {"s": ["eno"]}


def test_a_file_that_goes_while_it_is_read_keeps_its_session(place: Place) -> None:
    place.path().write_bytes(line(1, "one"))
    place.run()
    _append(place.path(), line(1, "one") + line(2, "two"))

    class Removing(ClaudeCode):
        def read(self, path: Path) -> Reading:
            path.unlink()
            return super().read(path)

    found = place.run(Removing())

    assert [entry.reason for entry in found.skipped] == ["unreadable"]
    assert place.words() == {"s": ["one"]}


def test_a_ledger_without_cursors_is_brought_forward(place: Place) -> None:
    place.path().write_bytes(line(1, "hello"))
    (place.home / "gone.jsonl").write_bytes(line(1, "gone"))
    with closing(sqlite3.connect(place.ledger, isolation_level=None)) as connection:
        MIGRATIONS[0](connection)
        connection.execute("PRAGMA user_version = 1")
        for path in (place.path(), place.path("gone")):
            info = place.path().stat()
            connection.execute(
                "INSERT INTO files VALUES ('claude', ?, ?, ?, ?, ?, '{}')",
                (str(path), str(info.st_ino), info.st_size, info.st_mtime_ns, READER),
            )
            connection.execute(
                """INSERT INTO sessions VALUES (NULL, 'claude', ?, ?, 'sha', '/p', NULL, 'human', NULL, NULL,
                   1, 0, 1, '[]', NULL, 1, '', '[]', ?)""",
                (
                    path.stem,
                    str(path),
                    json.dumps(
                        {
                            "id": path.stem,
                            "driver": "human",
                            "events": [{"is": "user", "text": "as it was stored", "via": "prompt"}],
                        }
                    ),
                ),
            )

    assert place.run().bytes_read == len(line(1, "hello"))
    assert place.words() == {"s": ["hello"], "gone": ["as it was stored"]}
    assert place.run().bytes_read == 0


def test_a_newer_reader_parses_what_did_not_change(place: Place) -> None:
    place.path().write_bytes(line(1, "hello"))
    place.run()
    before = place.row_numbers()
    with Ledger.open(place.ledger) as ledger:
        ((path, state),) = ledger.known_files("claude").items()
        ledger.put_states("claude", {path: replace(state, reader=READER - 1)})

    place.run()

    assert place.row_numbers() != before


@pytest.mark.parametrize(
    ("later_ns", "waits"),
    [(0, True), (1_000_000, True), (-1_000_000, True), (10**9, False), (-(10**18), False)],
)
def test_a_file_written_a_moment_ago_is_looked_at_after_the_clock_has_ticked(
    tmp_path: Path, later_ns: int, waits: bool
) -> None:
    """Whatever changes it within that tick is seen now; what comes later gives it another time."""
    path = tmp_path / "s"
    path.write_bytes(b"one")
    now_ns = path.stat().st_ctime_ns + later_ns

    def sleep(_seconds: float) -> None:
        path.write_bytes(b"one, two")

    state = look_at_rest(path, now_ns=lambda: now_ns, sleep=sleep)

    assert state.size == (8 if waits else 3)
