"""A block in the user's crontab; every other byte of it stays as it is.

The block stands first: what a person sets for the lines below it (SHELL, PATH) does not reach it, and the
last line, which may lack its end, is not touched.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skillopt_sleep.schedule.commands import Done, Runner
from skillopt_sleep.schedule.entry import Entry, from_record, to_record
from skillopt_sleep.schedule.scheduler import MANAGED, Found, Plan, Written, taken_back, unreadable

_MADE = " (there was no crontab before)"
_NONE_YET = re.compile(rb"no crontab for|can't open '[^']*': No such file")
_SHOWN_RETURN = re.compile(rb"\\r$", re.MULTILINE)
_OURS = b" --if-due"
_READ = ("crontab", "-l")
_WRITE = ("crontab", "-")


def block(entry: Entry, *, made: bool = False) -> bytes:
    """The lines of an entry. `made` says that there is no crontab without it."""
    assigned = [f"{name}={_word(value)}" for name, value in entry.environment]
    line = " ".join([*assigned, *map(_word, entry.command)])
    return (
        f"# {entry.name}: {MANAGED}{_MADE if made else ''}\n"
        f"# entry: {to_record(entry)}\n"
        f"{entry.minute} * * * * {line}\n"
        f"# {entry.name}: end\n"
    ).encode()


def _word(text: str) -> str:
    """A word for the shell in which cron finds nothing to change: what it makes of a percent sign, and of a
    backslash before one, differs from cron to cron."""
    codes = {"%": "\"$(printf '\\045')\"", "\\": "\"$(printf '\\134')\""}
    pieces = re.split(r"([%\\])", text)
    return "".join(codes.get(piece) or shlex.quote(piece) for piece in pieces if piece) or "''"


def split(table: bytes, name: str) -> tuple[bytes, bytes, bytes]:
    """What stands before the block of this name, the block, and what stands after. The block is empty when
    there is none. Raises ConfigError when somebody has taken it apart."""
    mark = re.escape(name.encode())
    begins = list(re.finditer(rb"^# " + mark + rb": managed by [^\n]*\n", table, re.MULTILINE))
    ends = list(re.finditer(rb"^# " + mark + rb": end\r?(?:\n|\Z)", table, re.MULTILINE))
    if not begins and not ends:
        return b"", b"", table
    if len(begins) != 1 or len(ends) != 1 or ends[0].start() < begins[0].end():
        why = f"of the lines `# {name}: managed by ...` and `# {name}: end` there must be one each, in order"
        raise unreadable("our block in the crontab", why)
    inside = table[begins[0].end() : ends[0].start()].splitlines()
    theirs = [
        line for line in inside if line.strip() and not line.startswith(b"# entry: ") and _OURS not in line
    ]
    if theirs:
        why = "a line was put into it: " + theirs[0].decode("utf-8", "backslashreplace")
        raise unreadable("our block in the crontab", why)
    return table[: begins[0].start()], table[begins[0].start() : ends[0].end()], table[ends[0].end() :]


def with_entry(table: bytes | None, entry: Entry) -> bytes:
    """The crontab with the entry in the place of the one of its name, else before everything."""
    before, old, after = split(table or b"", entry.name)
    return before + block(entry, made=table is None or _made(old)) + after


def without_entry(table: bytes, name: str) -> bytes | None:
    """The crontab as it is without our block; None when there was none before."""
    before, old, after = split(table, name)
    rest = before + after
    if not _made(old):
        return rest
    # Another block of ours takes over that there was nothing before.
    other = re.search(rb"^# skillopt-sleep-[0-9a-f]{8}: managed by [^\n]*", rest, re.MULTILINE)
    if other is not None:
        return rest[: other.end()] + _MADE.encode() + rest[other.end() :]
    return rest or None


def _made(found: bytes) -> bool:
    return found.split(b"\n", 1)[0].rstrip(b"\r").endswith(_MADE.encode())


def read_block(found: bytes) -> tuple[Entry | None, bool]:
    """The entry of a block, and whether every byte is ours."""
    records = re.findall(rb"^# entry: ([^\n]*)$", found, re.MULTILINE)
    entry = from_record(records[0].decode("ascii", "replace")) if len(records) == 1 else None
    return entry, entry is not None and block(entry, made=_made(found)) == found


def _has_become(there: bytes | None, old: bytes | None, new: bytes | None) -> bool:
    """Whether all that tells `new` from `old` holds of a crontab, to which somebody may have added since."""
    if there == new:
        return True
    lines, before, after = ((table or b"").split(b"\n") for table in (there, old, new))
    return all(line in lines for line in after) and not any(
        line in lines for line in before if line not in after
    )


@contextmanager
def _alone(user_home: Path | None) -> Iterator[None]:
    """No other command of ours for this user between reading and writing: a crontab is replaced whole.

    The folder itself is locked, so that nothing is left in it. None, or one that cannot be: then without.
    """
    import fcntl  # not there on Windows, where there is no cron

    try:
        folder = os.open(user_home, os.O_RDONLY) if user_home else None
    except OSError:
        folder = None
    if folder is None:
        yield
        return
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@dataclass(frozen=True, slots=True)
class Cron:
    """The scheduler; a missed hour is made up for by the next one."""

    run: Runner
    user_home: Path | None = None
    name: str = "cron"

    def unusable(self) -> str:
        """Whether the program that writes crontabs is there."""
        return "" if self.run.has("crontab") else "there is no program crontab here"

    def find(self, name: str) -> Found | None:
        """Our block, if it is there."""
        if self.unusable():
            return None
        _, found, _ = split(self._read() or b"", name)
        if not found:
            return None
        entry, is_whole = read_block(found)
        return Found(entry, is_whole, is_active=True)

    def plan(self, entry: Entry) -> Plan:
        """The block, and how the crontab is written."""
        note = "cron starts it while the machine is awake and the cron service runs"
        return Plan((Written("crontab", block(entry).decode()),), (_READ, _WRITE), note)

    def install(self, entry: Entry) -> bool:
        """Write the crontab with our block in it."""
        with _alone(self.user_home):
            before = self._read()
            after = with_entry(before, entry)
            if after == before:
                return False
            self._write(before, after)
            return True

    def remove(self, name: str) -> bool:
        """Write the crontab without our block."""
        with _alone(self.user_home):
            before = self._read()
            if before is None or not split(before, name)[1]:
                return False
            self._write(before, without_entry(before, name))
            return True

    def _read(self) -> bytes | None:
        """The crontab, None when there is none. Any other failure must not be taken for an empty one."""
        done = self.run(_READ)
        if done.is_ok and _SHOWN_RETURN.search(done.out):
            why = (
                "a line ends with a backslash and an r, as which some crons show a carriage return: "
                "written back it would be another line"
            )
            raise unreadable("the crontab", why)
        if done.is_ok:
            return done.out
        if _NONE_YET.search(done.err):
            return None
        raise unreadable("the crontab", done.said)

    def _put(self, table: bytes | None) -> Done:
        return self.run(("crontab", "-r")) if table is None else self.run(_WRITE, stdin=table)

    def _write(self, before: bytes | None, after: bytes | None) -> None:
        done = self._put(after)
        there, is_read = self._again()
        if done.is_ok and is_read and _has_become(there, before, after):
            return
        why = "what was written reads back otherwise" if done.is_ok else done.said
        # (somebody who added to it meanwhile must not lose that)
        if not is_read or not _has_become(there, after, before):
            self._put(before)
            there, is_read = self._again()
        is_restored = is_read and _has_become(there, after, before)
        raise taken_back("the crontab could not be written", why, is_restored=is_restored)

    def _again(self) -> tuple[bytes | None, bool]:
        """The crontab as it is now, and whether that could be read."""
        done = self.run(_READ)
        if done.is_ok:
            return done.out, True
        return None, bool(_NONE_YET.search(done.err))
