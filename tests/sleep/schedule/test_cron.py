from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from schedule_desk import HOSTILE, Desk, make_entry

from skillopt.errors import ConfigError, StorageError
from skillopt_sleep.schedule.cron import Cron, block, read_block

THEIRS = [
    b"",
    b"MAILTO=robin\n# my jobs\n0 5 * * 1 tar -zcf /b.tgz /home # 100%\n",
    b"5 4 * * * no-final-newline",
    b"SHELL=/bin/fish\r\n1 2 3 4 5 with carriage returns\r\n",
    b"\n\n# caf\xe9 in latin-1\n\t* * * * * x\n",
    b"# skillopt-sleep-00000000: managed by somebody's imagination\n",
]


@pytest.mark.parametrize("table", [None, *THEIRS])
def test_a_crontab_is_as_before_when_the_entry_is_removed(
    desk: Desk, program: Path, table: bytes | None
) -> None:
    if table is not None:
        desk.crontab.write_bytes(table)
    cron, entry = Cron(desk.run), make_entry(program)

    assert cron.install(entry)
    within = desk.crontab.read_bytes()
    assert cron.remove(entry.name)

    assert within == block(entry, made=table is None) + (table or b"")
    assert (desk.crontab.read_bytes() if desk.crontab.exists() else None) == table
    assert not cron.remove(entry.name)


def test_installed_twice_is_installed_once(desk: Desk, program: Path) -> None:
    desk.crontab.write_bytes(THEIRS[1])
    cron = Cron(desk.run)

    assert cron.install(make_entry(program))
    calls = len(desk.calls)
    assert not cron.install(make_entry(program))

    assert [call for call in desk.calls[calls:] if call != "crontab -l"] == []
    assert desk.crontab.read_bytes().count(b"--if-due") == 2  # the record, and the line itself


def test_other_options_replace_the_entry_where_it_is(desk: Desk, program: Path) -> None:
    cron, first, second = Cron(desk.run), make_entry(program), make_entry(program, minute=30)
    desk.crontab.write_bytes(b"# above\n" + block(first) + b"# below")

    assert cron.install(second)

    assert desk.crontab.read_bytes() == b"# above\n" + block(second) + b"# below"


def test_two_homes_have_two_entries(desk: Desk, program: Path) -> None:
    cron, one, two = Cron(desk.run), make_entry(program, "/one"), make_entry(program, "/two")

    cron.install(one)
    cron.install(two)
    cron.remove(one.name)
    left = desk.crontab.read_bytes()
    cron.remove(two.name)

    assert left == block(two, made=True)
    assert not desk.crontab.exists()


@pytest.mark.parametrize("action", ["install", "remove", "find"])
@pytest.mark.parametrize(
    "words", ["must be privileged", "You (robin) are not allowed to use this program", ""]
)
def test_a_crontab_that_cannot_be_read_is_not_written(
    desk: Desk, program: Path, action: str, words: str
) -> None:
    entry = make_entry(program)
    desk.crontab.write_bytes(THEIRS[1])
    desk.refuse("crontab-l", words)
    before = desk.kept()

    with pytest.raises(ConfigError, match="the crontab cannot be read, so nothing was changed") as told:
        getattr(Cron(desk.run), action)(entry if action == "install" else entry.name)

    assert words in told.value.why
    assert "schedule install --dry-run" in told.value.next
    assert desk.kept() == before
    assert desk.calls == ["crontab -l"]


def test_a_crontab_that_is_shown_otherwise_than_it_is_stays(desk: Desk, program: Path) -> None:
    # The cron of Debian shows a carriage return as two characters.
    desk.crontab.write_bytes(b"0 1 * * * true\\r\n")
    before = desk.kept()

    with pytest.raises(ConfigError, match="the crontab cannot be read, so nothing was changed"):
        Cron(desk.run).install(make_entry(program))

    assert desk.kept() == before


@pytest.mark.parametrize("failing", ["crontab-w", "half"])
@pytest.mark.parametrize("table", [None, THEIRS[1]])
def test_a_crontab_that_cannot_be_written_is_as_before(
    desk: Desk, program: Path, table: bytes | None, failing: str
) -> None:
    if table is not None:
        desk.crontab.write_bytes(table)
    before = desk.kept()
    refusal = desk.refuse(failing)

    with pytest.raises(StorageError, match="everything is as it was before"):
        Cron(desk.run).install(make_entry(program))

    refusal.unlink(missing_ok=True)
    assert desk.kept() == before


@pytest.mark.parametrize("torn", [b"end", b"managed"])
def test_a_block_somebody_took_apart_is_left_alone(desk: Desk, program: Path, torn: bytes) -> None:
    entry = make_entry(program)
    lines = block(entry).splitlines(keepends=True)
    desk.crontab.write_bytes(b"".join(line for line in lines if torn not in line[: len(entry.name) + 14]))
    before = desk.kept()

    for act in (lambda: Cron(desk.run).install(entry), lambda: Cron(desk.run).remove(entry.name)):
        with pytest.raises(ConfigError, match="our block in the crontab"):
            act()

    assert desk.kept() == before


def test_a_job_that_somebody_put_into_our_block_is_left_alone(desk: Desk, program: Path) -> None:
    entry = make_entry(program)
    lines = block(entry).splitlines(keepends=True)
    desk.crontab.write_bytes(b"".join([*lines[:2], b"7 7 * * * theirs\n", *lines[2:]]))
    before = desk.kept()

    for act in (lambda: Cron(desk.run).install(entry), lambda: Cron(desk.run).remove(entry.name)):
        with pytest.raises(ConfigError, match="our block in the crontab") as told:
            act()
        assert "7 7 * * * theirs" in told.value.why

    assert desk.kept() == before


def test_what_somebody_adds_in_that_moment_stays(desk: Desk, program: Path) -> None:
    entry, theirs = make_entry(program), b"9 9 * * * theirs\n"
    desk.crontab.write_bytes(THEIRS[1])

    (desk.state / "meanwhile").write_bytes(theirs)
    assert Cron(desk.run).install(entry)
    within = desk.crontab.read_bytes()
    (desk.state / "meanwhile").write_bytes(theirs)
    assert Cron(desk.run).remove(entry.name)

    assert within == block(entry) + THEIRS[1] + theirs
    assert desk.crontab.read_bytes() == THEIRS[1] + theirs + theirs


def test_homes_that_install_at_once_all_have_their_entry(desk: Desk, program: Path) -> None:
    desk.crontab.write_bytes(THEIRS[1])
    entries = [make_entry(program, f"/home/{number}") for number in range(6)]

    with ThreadPoolExecutor(len(entries)) as pool:
        list(pool.map(Cron(desk.run, desk.home).install, entries))

    table = desk.crontab.read_bytes()
    assert all(block(entry) in table for entry in entries)
    assert table.endswith(THEIRS[1])


def test_a_block_that_was_changed_is_told_from_a_whole_one(program: Path) -> None:
    entry = make_entry(program)
    written = block(entry)

    assert read_block(written) == (entry, True)
    assert read_block(written.replace(b"\n7 ", b"\n* ")) == (entry, False)
    assert read_block(written.replace(b'"minute"', b'"hour"')) == (None, False)


def as_cron_takes_it(line: str, *, keeps_backslash: bool) -> str:
    """The command of a crontab line, as the crons of this world hand it to the shell: a percent sign ends it,
    a backslash before one goes, and in some before another backslash too."""
    command, escaped = "", False
    for char in line.split(" ", 5)[5]:
        if escaped and (char == "%" or (char == "\\" and not keeps_backslash)):
            command = command[:-1]
        elif char == "%" and not escaped:
            return command
        escaped = char == "\\" and not escaped
        command += char
    return command


@pytest.mark.parametrize("keeps_backslash", [True, False])
@pytest.mark.parametrize("home", HOSTILE)
def test_every_word_reaches_the_program(desk: Desk, program: Path, home: str, keeps_backslash: bool) -> None:
    folder = program.parent / home.strip("/-").replace("/", "_")
    folder.mkdir()
    moved = program.rename(folder / program.name)
    entry = make_entry(moved, home)

    (line,) = (each for each in block(entry).decode().splitlines() if not each.startswith("#"))
    command = as_cron_takes_it(line, keeps_backslash=keeps_backslash)
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [home, "1", "run", "--if-due", "--home", home]
    assert block(entry).decode().isprintable() or "\n" in block(entry).decode()


@pytest.mark.parametrize("bad", ["line\nbreak", "nul\0", "bell\a", "next\x85line", "not text \udce4"])
def test_what_has_no_line_is_refused(program: Path, bad: str) -> None:
    with pytest.raises(ConfigError, match="cannot be written into a schedule"):
        make_entry(program, "/home/robin", "--source", bad)
