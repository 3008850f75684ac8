from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from skillopt_sleep.harvest import (
    READER,
    HarvestProgress,
    SourceHarvest,
    harvest,
    select_sessions,
    source_reports,
)
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_rows import Skipped
from skillopt_sleep.session import Driver
from skillopt_sleep.sources.base import Source


class Notes(Source, Protocol):
    opened: Counter[str]
    tells_records: bool


Write = Callable[[str, str], Path]
Run = Callable[[], SourceHarvest]


def words(ledger: Ledger) -> dict[str, list[str]]:
    return {session.id: [turn.text for turn in session.user_turns] for session in ledger.sessions()}


def test_a_second_harvest_opens_nothing(ledger: Ledger, notes: Notes, write: Write, run: Run) -> None:
    write("a", "r1: hello\n")
    write("b", "r2: again\n")

    first, second = run(), run()

    assert (first.files, first.new, first.bytes_read) == (2, 2, 20)
    assert (second.files, second.new, second.bytes_read) == (2, 0, 0)
    assert notes.opened == {"a.note": 1, "b.note": 1}
    assert words(ledger) == {"a": ["hello"], "b": ["again"]}


@pytest.mark.parametrize("text", ["r1: hello\nr2: more\n", "r1: h\n", "r1: HELLO\n"])
def test_a_changed_file_is_read_again_whole(
    ledger: Ledger, notes: Notes, write: Write, run: Run, text: str
) -> None:
    path = write("a", "r1: hello\n")
    run()

    path.write_text(text)
    os.utime(path, ns=(0, 1))
    found = run()

    assert (found.bytes_read, found.new) == (len(text), 0)
    assert words(ledger) == {"a": [line.split(": ")[1] for line in text.splitlines()]}


def test_a_file_in_place_of_another_is_read(ledger: Ledger, write: Write, run: Run, tmp_path: Path) -> None:
    path = write("a", "r1: hello\n")
    run()
    before = path.stat()

    other = tmp_path / "other"
    other.write_text("r1: HELLO\n")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    run()

    assert words(ledger) == {"a": ["HELLO"]}


def test_a_removed_file_keeps_its_session(ledger: Ledger, write: Write, run: Run) -> None:
    write("a", "r1: hello\n").unlink()
    path = write("b", "r2: kept\n")
    run()

    path.unlink()
    found = run()

    assert found.files == 0
    assert words(ledger) == {"b": ["kept"]}


def test_a_newer_reader_reads_known_files_again(ledger: Ledger, notes: Notes, write: Write, run: Run) -> None:
    path = write("a", "r1: hello\n")
    run()
    older = replace(ledger.known_files("notes")[str(path)], reader=READER - 1)
    ledger.put_reading("notes", str(path), state=older, sessions=[])

    run()

    assert notes.opened["a.note"] == 2
    assert words(ledger) == {"a": ["hello"]}


def test_a_file_that_fails_stops_nothing_and_is_tried_again(
    ledger: Ledger, notes: Notes, write: Write, run: Run
) -> None:
    bad, closed = write("bad", "! x\n"), write("closed", "? x\n")
    write("good", "r1: fine\n")

    for _ in range(2):
        found = run()
        assert found.skipped == (Skipped("reader_failed:ValueError", 1), Skipped("unreadable", 1))
        assert words(ledger) == {"good": ["fine"]}
    assert (notes.opened["bad.note"], notes.opened["closed.note"], notes.opened["good.note"]) == (2, 2, 1)

    bad.write_text("r2: repaired\n")
    closed.write_text("r3: open\n")
    assert run().skipped == ()
    assert words(ledger) == {"bad": ["repaired"], "closed": ["open"], "good": ["fine"]}


def test_what_was_known_of_a_file_survives_that_it_cannot_be_read(
    ledger: Ledger, write: Write, run: Run
) -> None:
    path = write("a", "r1: hello\n")
    run()

    path.write_text("? closed for now")
    run()

    assert words(ledger) == {"a": ["hello"]}


def test_a_file_without_a_persons_words_is_reported_every_time(write: Write, run: Run) -> None:
    write("silent", "project: /p\n")

    assert run().skipped == (Skipped("no_user_turns", 1),)
    assert run().skipped == (Skipped("no_user_turns", 1),)


@pytest.mark.parametrize("together", [True, False])
def test_a_fork_counts_once(ledger: Ledger, write: Write, run: Run, together: bool) -> None:
    source = "r1: first\nr2: second\n"
    write("source", source)
    if not together:
        run()
    write("copy", source)
    os.utime(write("newer", source + "r3: third\n"))
    run()

    drivers = {summary.id: summary.driver for summary in ledger.summaries()}
    assert Counter(drivers.values()) == {Driver.HUMAN: 2, Driver.FORK: 1}
    assert drivers["newer"] is Driver.HUMAN
    assert words(ledger)["newer"] == ["third"]
    assert sorted(text for said in words(ledger).values() for text in said) == ["first", "second", "third"]
    if not together:
        assert drivers["source"] is Driver.HUMAN


def test_of_files_that_are_new_together_the_source_is_read_before_its_fork(
    ledger: Ledger, write: Write, run: Run
) -> None:
    write("a-fork", "r1: first\nr2: second\n")
    write("z-source", "r1: first\n")

    run()

    assert words(ledger) == {"z-source": ["first"], "a-fork": ["second"]}


def test_what_the_client_calls_a_fork_is_one_however_its_source_grew(
    ledger: Ledger, write: Write, run: Run
) -> None:
    write("a-fork", "fork of: z-source\nr1: first\n")
    write("z-source", "r1: first\nr2: and very much more than that\n")

    run()

    assert words(ledger) == {"z-source": ["first", "and very much more than that"], "a-fork": []}


def test_a_subagent_is_no_source_of_a_fork(ledger: Ledger, write: Write, run: Run) -> None:
    write("agent", "driver: subagent\nr1: first\n")
    run()
    write("person", "r1: first\nr2: second\n")
    run()

    assert words(ledger) == {"agent": ["first"], "person": ["first", "second"]}


def test_a_source_that_tells_no_records_has_no_forks(
    ledger: Ledger, notes: Notes, write: Write, run: Run
) -> None:
    notes.tells_records = False
    write("a", "r1: first\n")
    write("b", "r1: first\n")

    run()

    assert words(ledger) == {"a": ["first"], "b": ["first"]}


def test_a_source_that_is_resumed_keeps_its_words_from_its_fork(
    ledger: Ledger, write: Write, run: Run
) -> None:
    path = write("source", "r1: first\n")
    run()
    write("fork", "r1: first\nr2: other way\n")
    run()

    path.write_text("r1: first\nr3: on and on\n")
    run()

    assert words(ledger) == {"source": ["first", "on and on"], "fork": ["other way"]}


def test_a_fork_of_a_fork_counts_once(ledger: Ledger, write: Write, run: Run) -> None:
    for name, text in (("a", "r1: 1\n"), ("b", "r1: 1\nr2: 2\n"), ("c", "r1: 1\nr2: 2\nr3: 3\n")):
        write(name, text)
        run()

    assert words(ledger) == {"a": ["1"], "b": ["2"], "c": ["3"]}


def test_an_archived_copy_counts_once(ledger: Ledger, write: Write, run: Run) -> None:
    write("live/a", "r1: hello\n")
    run()
    write("archived/a", "r1: hello\nr2: more\n")

    found = run()

    assert (found.files, found.new) == (2, 0)
    assert words(ledger) == {"a": ["hello", "more"]}


def test_progress_is_told_and_changes_nothing(
    ledger: Ledger, notes: Notes, write: Write, tmp_path: Path
) -> None:
    write("a", "r1: x\n")
    write("b", "r2: xyz\n")
    told: list[HarvestProgress] = []

    harvest(ledger, [notes], env={}, home=tmp_path, listener=told.append)

    assert told == [HarvestProgress("notes", 1, 2, 6), HarvestProgress("notes", 2, 2, 14)]


def test_a_report_counts_who_drove_what_is_in_scope(
    ledger: Ledger, notes: Notes, write: Write, tmp_path: Path
) -> None:
    write("a", "project: /web\nr1: x\n")
    write("b", "project: /api\nr2: y\n")
    write("c", "project: /web\nr1: x\n")
    report = harvest(ledger, [notes], env={}, home=tmp_path)

    (web,) = source_reports(report, ledger.summaries(["/web"]))
    (everything,) = source_reports(report, ledger.summaries())

    assert (web.sessions, web.human, web.fork, web.headless) == (2, 1, 1, 0)
    assert (everything.sessions, everything.human, everything.harvest.files) == (3, 2, 3)


def test_sessions_are_selected_by_project_each_apart(ledger: Ledger, write: Write, run: Run) -> None:
    for name, project in (("a", "/web"), ("b", "/api"), ("c", "/web"), ("d", "/web/sub")):
        write(name, f"project: {project}\n{name}1: x\n")
    write("fork", "project: /web\na1: x\n")
    run()

    def selected(project: str | None, **options: list[str]) -> dict[str, str]:
        found = select_sessions(ledger, project, **options)  # type: ignore[arg-type]
        return {one.project: "".join(session.id for session in one.sessions) for one in found}

    assert selected(None) == {"/api": "b", "/web": "ac", "/web/sub": "d"}
    assert selected(None, projects=["/web", "/nowhere"]) == {"/web": "ac"}
    assert selected("/web") == {"/web": "ac"}
    assert selected("/nowhere") == {"/nowhere": ""}
    assert selected("/web", sources=["other"]) == {"/web": ""}
