"""The ledger, looked at without writing a byte: neither brought up to date nor locked."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from skillopt_sleep.amounts import counted, size
from skillopt_sleep.doctor.check import Check, Patient, exists
from skillopt_sleep.ledger_file import copy_path, damaged
from skillopt_sleep.migrations import APPLICATION_ID, VERSION

_CHECKED_S = 1.0
_STEPS = 10_000
_LEFT_OUT = "unknown_type:"
_SILENT = "no_user_turns"


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as it is; what another process has written beside it is read too, if SQLite need not write."""
    log, index = Path(f"{path}-wal"), Path(f"{path}-shm")
    is_shared = log.exists() and log.stat().st_size and index.exists()
    how = "mode=ro&readonly_shm=1" if is_shared else "mode=ro&immutable=1"
    uri = f"file:{quote(bytes(path))}?{how}"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=1.0)) as connection:
        yield connection


def examine_ledger(patient: Patient) -> Iterator[Check]:
    """Whether it opens, is ours, of a version we know and sound, and what it knows."""
    path = patient.home.ledger
    if not exists(path):
        if path.is_symlink():
            yield Check("ledger", "fail", f"{path} is a link to nothing", f"rm '{path}'")
        else:
            yield Check("ledger", "ok", "there is none yet", "")
        return
    if not path.is_file():
        yield Check("ledger", "fail", f"{path} is not a file", f"mv '{path}' '{path}.old'")
        return
    try:
        with looking(path) as connection:
            yield from _opened(path, connection)
    except sqlite3.Error as error:
        told = damaged(path, str(error))
        yield Check("ledger", "fail", f"{told.what}: {told.why}", told.next)


def _opened(path: Path, connection: sqlite3.Connection) -> Iterator[Check]:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != APPLICATION_ID and (tables or path.stat().st_size):
        told = f"{path} is not a ledger of skillopt-sleep"
        yield Check("ledger", "fail", told, "move it away, or choose another folder with --home")
        return
    if version > VERSION:
        told = f"{path} was written by a newer skillopt-sleep (version {version}, known here: {VERSION})"
        yield Check("ledger", "fail", told, "update this program, or choose another folder with --home")
        return
    problem, is_whole = _integrity(connection)
    if problem:
        error = damaged(path, problem)
        yield Check("ledger", "fail", f"{error.what}: {error.why}", error.next)
        return
    copy = copy_path(path)
    told = (
        f"{size(path.stat().st_size)}, version {version}, {'sound' if is_whole else 'sound as far as seen'}"
    )
    yield Check("ledger", "ok", f"{told}{f', a copy in {copy.name}' if exists(copy) else ''}")
    if version < VERSION:
        yield Check("version", "ok", f"the next command brings it from version {version} to {VERSION}")
        return
    yield _sessions(connection)
    yield from _left_out(connection)


def _integrity(connection: sqlite3.Connection) -> tuple[str, bool]:
    """What is wrong with the file, and whether all of it was looked at in the moment a doctor has."""
    give_up_at = time.monotonic() + _CHECKED_S
    connection.set_progress_handler(lambda: time.monotonic() > give_up_at, _STEPS)
    try:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return "", False
        raise
    finally:
        connection.set_progress_handler(None, _STEPS)
    return ("", True) if found == "ok" else (str(found), True)


def _sessions(connection: sqlite3.Connection) -> Check:
    known, human, consumed = connection.execute(
        """SELECT count(*), total(driver = 'human'), total(driver = 'human' AND consumed_by IS NOT NULL)
           FROM sessions WHERE is_current"""
    ).fetchone()
    nights, last = connection.execute("SELECT count(*), max(started_at) FROM nights").fetchone()
    (purged,) = connection.execute("SELECT count(*) FROM purged").fetchone()
    when = f", the last {last[:16].replace('T', ' ')} UTC" if last else ""
    told = f"{counted(known, 'session')}, {human:.0f} yours, of those {consumed:.0f} used by a night and "
    told += f"{human - consumed:.0f} waiting; {counted(nights, 'night')}{when}"
    return Check("sessions", "ok", f"{told}; {purged} purged" if purged else told)


def _left_out(connection: sqlite3.Connection) -> Iterator[Check]:
    """What was read of each client, and loudly what nobody understood."""
    read = dict(connection.execute("SELECT source, count(*) FROM files GROUP BY source"))
    human = dict(
        connection.execute(
            "SELECT source, count(*) FROM sessions WHERE is_current AND driver = 'human' GROUP BY source"
        )
    )
    reasons: dict[str, Counter[str]] = {source: Counter() for source in read}
    silent: dict[str, list[str]] = {source: [] for source in read}
    for source, path, skipped in connection.execute(
        "SELECT source, path, skipped FROM files WHERE skipped != '{}' ORDER BY source, path"
    ):
        found = json.loads(skipped)
        reasons[source].update({str(reason): int(n) for reason, n in found.items()})
        if _SILENT in found and exists(Path(path)):
            silent[source].append(path)
    for source in sorted(read):
        yield _read_of(source, read[source], human.get(source, 0), reasons[source], silent[source])


def _read_of(source: str, files: int, human: int, reasons: Counter[str], silent: list[str]) -> Check:
    told = f"{counted(files, 'file')} read, {counted(human, 'session')} of yours"
    unknown = [f"{reason.removeprefix(_LEFT_OUT)} ({n})" for reason, n in sorted(reasons.items())
               if reason.startswith(_LEFT_OUT)]  # fmt: skip
    others = [f"{reason} {n}" for reason, n in sorted(reasons.items())
              if not reason.startswith(_LEFT_OUT) and reason != _SILENT]  # fmt: skip
    if others:
        told += f"; left out: {', '.join(others)}"
    if unknown:
        told += f"; records this version does not know: {', '.join(unknown)}"
    if silent:
        more = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
        told += f"; content, but no words of a person, in {silent[0]}{more}"
    if unknown or silent:
        return Check(f"read {source}", "warn", told, "report this line with the version of the client below")
    return Check(f"read {source}", "ok", told)
