from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from skillopt.errors import StorageError
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_rows import FileState, FoundSession
from skillopt_sleep.migrations import MIGRATIONS, VERSION
from skillopt_sleep.session import Session

STATE = FileState(inode=1, size=10, mtime_ns=100, reader=1)


def test_every_file_of_the_ledger_is_private(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.put_value("k", "v")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}

    assert modes == {"ledger.sqlite": 0o600, "ledger.sqlite-wal": 0o600, "ledger.sqlite-shm": 0o600}


def test_what_was_stored_is_there_when_opened_again(
    tmp_path: Path, make_session: Callable[..., Session]
) -> None:
    session = make_session("a")
    with Ledger.open(tmp_path / "l") as ledger:
        ledger.put_reading("claude", session.path, state=STATE, sessions=[FoundSession(session)])

    with Ledger.open(tmp_path / "l") as ledger:
        assert ledger.sessions() == (session,)


def _newer(path: Path) -> None:
    Ledger.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")


def _not_sqlite(path: Path) -> None:
    path.write_bytes(b"not a database at all, but long enough to have a header" * 20)


def _torn(path: Path) -> None:
    Ledger.open(path).close()
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_newer, "newer"),
        (_foreign, "not a ledger"),
        (_not_sqlite, "damaged"),
        (_torn, "damaged"),
        (Path.mkdir, "not a regular file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    path = tmp_path / "ledger.sqlite"
    spoil(path)
    before = path.read_bytes() if path.is_file() else None

    with pytest.raises(StorageError, match=says) as caught:
        Ledger.open(path)

    assert caught.value.why
    assert caught.value.next
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_ledger_damaged_in_one_table_takes_nothing_in_another(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'lessons'").fetchone()
    whole = path.read_bytes()
    damaged = whole[: 4096 * (page - 1)] + b"\xff" * 4096 + whole[4096 * page :]
    path.write_bytes(damaged)

    with Ledger.open(path) as ledger, pytest.raises(StorageError, match="is damaged"):
        ledger.put_value("k", "v")

    assert path.read_bytes() == damaged


def test_a_copy_is_private_whole_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        for value in ("one", "two"):
            ledger.put_value("k", value)
            ledger.file.keep_copy()
            copy = tmp_path / "ledger.backup.sqlite"
            assert stat.S_IMODE(copy.stat().st_mode) == 0o600
            with Ledger.open(copy) as kept:
                assert kept.value("k") == value
        ledger.file.drop_copy()
        assert sorted(file.name for file in tmp_path.iterdir() if "backup" in file.name) == []


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        Ledger.open(tmp_path / "nowhere" / "ledger.sqlite")


def test_a_damaged_body_is_told(tmp_path: Path, make_session: Callable[..., Session]) -> None:
    session = make_session("a")
    with Ledger.open(tmp_path / "l") as ledger:
        ledger.put_reading("claude", session.path, state=STATE, sessions=[FoundSession(session)])
        with closing(sqlite3.connect(tmp_path / "l", isolation_level=None)) as other:
            other.execute("UPDATE sessions SET body = '{}'")

        with pytest.raises(StorageError, match="damaged"):
            ledger.sessions()


@pytest.mark.parametrize(
    ("table", "column", "read"),
    [
        ("files", "inode", lambda ledger: ledger.known_files("claude")),
        ("files", "skipped", lambda ledger: ledger.skipped("claude", ["/p"])),
        ("sessions", "driver", lambda ledger: ledger.summaries()),
        ("sessions", "started_at", lambda ledger: ledger.summaries()),
        ("sessions", "skills", lambda ledger: ledger.summaries()),
        ("sessions", "ended_at", lambda ledger: ledger.projects()),
        ("sessions", "record_ids", lambda ledger: ledger.relatives("claude", "r")),
        ("splits", "split", lambda ledger: ledger.splits("/p")),
        ("nights", "started_at", lambda ledger: ledger.nights()),
        ("lessons", "sessions", lambda ledger: ledger.lessons()),
        ("lessons", "adopted_at", lambda ledger: ledger.lessons()),
        ("rejected_lessons", "evidence", lambda ledger: ledger.rejected_lessons("/p")),
    ],
)
@pytest.mark.parametrize("value", ["'\x01{'", "CAST(x'ff80' AS TEXT)", "x'00'"])
def test_a_value_that_cannot_be_read_is_told(
    tmp_path: Path, table: str, column: str, read: Callable[[Ledger], object], value: str
) -> None:
    path = tmp_path / "l"
    with Ledger.open(path) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as other:
        for statement in (
            """INSERT INTO files (source, path, inode, size, mtime_ns, reader, skipped)
               VALUES ('claude', '/p', '1', 1, 1, 1, '{}')""",
            """INSERT INTO sessions VALUES (1, 'claude', 's', '/p', '', '/p', NULL, 'human', NULL, NULL, 1, 1,
               1, '[]', NULL, 1, 'r', '[]', '{}', '/p')""",
            "INSERT INTO splits VALUES ('s', '/p', 'train')",
            "INSERT INTO nights VALUES ('n', '2026-11-01T00:00:00', '2026-11-01T00:00:00', 'x', 1.0, '{}')",
            """INSERT INTO lessons (project, lesson_id, text, sessions, status)
               VALUES ('/p', 'l', 'text', '[]', 'proposed')""",
            """INSERT INTO rejected_lessons (project, lesson_id, evidence_sha, text, reason)
               VALUES ('/p', 'l', 'e', 'text', 'no')""",
            f"UPDATE {table} SET {column} = {value}",  # noqa: S608
        ):
            other.execute(statement)
        with pytest.raises(StorageError, match="damaged"):
            read(ledger)


@pytest.mark.parametrize("version", range(len(MIGRATIONS)))
def test_a_ledger_of_every_older_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    path = tmp_path / "l"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for step in MIGRATIONS[:version]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {version}")

    with Ledger.open(path) as ledger:
        assert ledger.counts().sessions == 0
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_many_processes_may_make_the_same_ledger_at_once(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from skillopt_sleep.ledger import Ledger\n"
        "with Ledger.open(pathlib.Path(sys.argv[1])) as ledger:\n"
        "    for n in range(50): ledger.put_value(f'{sys.argv[2]}-{n}', 'x')\n"
    )
    path = tmp_path / "l"
    processes = [subprocess.Popen([sys.executable, "-c", program, path, str(n)]) for n in range(4)]

    assert [process.wait() for process in processes] == [0] * 4
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM kv").fetchone() == (200,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
