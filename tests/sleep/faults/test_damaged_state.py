"""Files of the state home that are damaged: named with a way out, never changed, and nothing else suffers."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from machine import Machine, Outcome, tree

READING = (("status",), ("nights",), ("show", "night-1"))
WRITING = (("harvest", "--all-projects"), ("tasks", "--all-projects"), ("run", "--all-projects"))


def refused(done: Outcome, *names: str) -> None:
    """An error with what, why and next, and no traceback."""
    assert done.code == 1, done.told
    assert "Traceback" not in done.told
    error = json.loads(done.out)["error"]
    assert all(error.values()), error
    for name in names:
        assert name in " ".join(error.values()), error


def all_bytes(folder: Path) -> dict[str, object]:
    return {n: f for n, f in tree(folder).items() if n.startswith("ledger.sqlite")}


# --- the ledger ------------------------------------------------------------------------------------------


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _headless(path: Path) -> None:
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


def _words(path: Path) -> None:
    path.write_text("this was never a database\n" * 400)


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere/at/all")


@pytest.mark.parametrize("spoil", [_newer, _foreign, _folder, _pipe, _headless, _words, _dangling])
def test_a_ledger_that_cannot_be_used_is_refused_and_left_as_it_is(
    slept: Machine, spoil: Callable[[Path], None]
) -> None:
    spoil(slept.ledger)
    before = all_bytes(slept.state)
    for command in (*READING[:2], *WRITING[::2]):
        refused(slept.run(*command, "--json"), str(slept.ledger), "ledger.sqlite")
        assert all_bytes(slept.state) == before, command
    # What does not need the ledger goes on.
    assert len(slept.ok("show")["proposals"]) == 2
    assert len(slept.ok("adopt", "--all")["receipts"]) == 2
    assert len(slept.ok("undo")["receipts"]) == 2
    assert all_bytes(slept.state) == before


def test_a_ledger_cut_at_any_page_is_refused_or_whole_and_left_as_it_is(slept: Machine) -> None:
    whole = slept.ledger.read_bytes()
    pages = range(0, len(whole), 4096)
    for size in {4096, pages[len(pages) // 2], pages[-1]}:
        slept.ledger.write_bytes(whole[:size])
        for command in (READING[0], WRITING[2]):
            refused(slept.run(*command, "--json"), str(slept.ledger))
        assert slept.ledger.read_bytes() == whole[:size]


def test_a_ledger_damaged_anywhere_is_never_written_to(slept: Machine) -> None:
    slept.said(50, "web", ("look at the logs", "tail app.log"))  # so that there is something to write
    whole = slept.ledger.read_bytes()
    rng = random.Random(5)
    refusals = 0
    for _ in range(6):
        at = 4096 * rng.randrange(1, len(whole) // 4096)
        hole = bytes(rng.randrange(256) for _ in range(600))
        slept.ledger.write_bytes(whole[:at] + hole + whole[at + 600 :])
        before = all_bytes(slept.state)
        done = slept.run("run", "--all-projects", "--json")
        assert "Traceback" not in done.told
        if done.code:
            refusals += 1
            refused(done, str(slept.ledger))
            assert all_bytes(slept.state) == before
    assert refusals > 2


@pytest.mark.parametrize("name", ["ledger.sqlite-wal", "ledger.sqlite-shm"])
def test_garbage_beside_the_ledger_is_not_believed(slept: Machine, name: str) -> None:
    known = slept.ok("nights")["nights"]
    (slept.state / name).write_bytes(random.Random(1).randbytes(40_000))
    assert slept.ok("nights")["nights"] == known
    slept.ok("run", "--all-projects")
    assert slept.is_whole()


def test_the_way_out_of_a_damaged_ledger_works_as_it_is_told(slept: Machine) -> None:
    """The copy kept by the last night is put back, or without one all is read anew."""
    known = slept.ok("nights")["nights"]
    slept.ledger.write_bytes(b"\0" * 5000)
    told = slept.run("status", "--json").json["error"]["next"]
    copy = slept.state / "ledger.backup.sqlite"
    assert str(copy) in told
    moved = slept.root / "damaged"
    moved.mkdir()
    for file in slept.state.glob("ledger.sqlite*"):
        file.rename(moved / file.name)
    shutil.copy(copy, slept.ledger)
    assert slept.ok("nights")["nights"] == known
    assert slept.ok("run", "--all-projects")["consumed"] == 0
    for file in slept.state.glob("ledger.*sqlite*"):
        file.unlink()
    assert slept.ok("run", "--all-projects")["consumed"] == 20
    assert len(slept.ok("status")["waiting"]) == 2


# --- records ---------------------------------------------------------------------------------------------

DAMAGE = (b"", b"{}", b"\xff\xfe", b'{"schema": "proposal/99"}', b"[" * 100_000)


@pytest.fixture
def damaged_proposal(slept: Machine) -> tuple[Machine, str, str]:
    """The machine, the id of the proposal whose record is damaged, and that of the other one."""
    bad, good = (each["id"] for each in slept.ok("status")["waiting"])
    return slept, bad, good


@pytest.mark.parametrize("data", DAMAGE)
def test_a_damaged_proposal_blocks_nothing_else(
    damaged_proposal: tuple[Machine, str, str], data: bytes
) -> None:
    machine, bad, good = damaged_proposal
    file = machine.state / "proposals" / bad / "proposal.json"
    file.write_bytes(data)
    status = machine.ok("status")
    assert [each["id"] for each in status["waiting"]] == [good]
    assert [(each["id"], each["path"]) for each in status["unreadable"]] == [(bad, str(file))]
    assert f"discard {bad}" in machine.run("status").out
    assert [each["id"] for each in machine.ok("show")["proposals"]] == [good]
    assert [each["id"] for each in machine.ok("diff")["diffs"]] == [good]
    refused(machine.run("show", bad, "--json"), str(file), f"discard {bad}")
    both = machine.run("adopt", "--all", "--json")
    assert both.code == 6
    assert [each["id"] for each in both.json["refused"]] == [bad]
    assert [each["proposal"] for each in both.json["receipts"]] == [good]
    assert machine.ok("undo")["receipts"]
    machine.ok("run", "--all-projects")
    machine.ok("discard", bad, "--why", "damaged")
    assert machine.ok("status")["unreadable"] == []
    assert [p.read_bytes() for p in (machine.state / "discarded").rglob("proposal.json")] == [data]


def test_damaged_bytes_of_a_proposal_are_not_written(damaged_proposal: tuple[Machine, str, str]) -> None:
    machine, bad, good = damaged_proposal
    file = machine.state / "proposals" / bad / "new.md"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    before = machine.live()
    assert {each["id"] for each in machine.ok("show")["proposals"]} == {bad, good}
    assert [each["id"] for each in machine.ok("diff")["diffs"]] == [good]
    alone = machine.run("adopt", bad, "--json")
    assert (alone.code, alone.json["receipts"]) == (6, [])
    assert str(file) in alone.json["refused"][0]["reason"]
    assert machine.live() == before
    assert [each["proposal"] for each in machine.ok("adopt", good)["receipts"]] == [good]
    machine.ok("discard", bad, "--why", "damaged")


def test_a_damaged_receipt_blocks_nothing_else(adopted: Machine) -> None:
    bad, good = sorted((adopted.state / "receipts").iterdir())
    (bad / "receipt.json").write_bytes(b"{")
    assert [each["id"] for each in adopted.ok("status")["unreadable"]] == [bad.name]
    adopted.ok("run", "--all-projects")
    done = adopted.run("undo", "--json")  # which adopt was the last cannot be known
    assert done.code == 6
    assert str(bad) in " ".join(done.json["error"].values())
    assert [each["id"] for each in adopted.ok("undo", good.name)["receipts"]] == [good.name]


def test_a_damaged_backup_is_not_restored(adopted: Machine) -> None:
    bad = sorted((adopted.state / "receipts").iterdir())[0]
    live = adopted.live()
    path = Path(json.loads((bad / "receipt.json").read_bytes())["path"])
    path.write_text(path.read_text() + "\nmine\n")
    (bad / "after").write_bytes(b"other")
    done = adopted.run("undo", "--json")
    assert (done.code, len(done.json["receipts"])) == (6, 1)
    assert str(bad / "after") in done.json["refused"][0]["reason"]
    assert path.read_text().endswith("\nmine\n")
    assert live


@pytest.mark.parametrize("what", ["plan", "bytes"])
def test_a_damaged_plan_is_told_and_blocks_nothing_else(slept: Machine, what: str) -> None:
    writes = slept.writes("adopt", "--all", "--json")
    slept.back_to("slept")
    middle = next(n for n, write in enumerate(writes, 1) if "/web/" in write and "SKILL.md" in write)
    assert slept.killed_at(middle, "adopt", "--all", "--json")
    (folder,) = (slept.state / "journal").iterdir()
    if what == "plan":
        (folder / "plan.json").write_bytes(b'{"schema": "plan/99"}')
        told = slept.run("status")
        assert told.code == 0
        assert str(folder) in told.err
        refused(slept.run("recover", "--json"), str(folder))
        assert len(slept.ok("show")["proposals"]) == 2
        first = slept.run("adopt", "--all", "--json")  # one was written already, the other was not
        assert first.code == 6
        assert len(first.json["receipts"]) == 1
        shutil.move(folder, slept.root)
    else:
        for blob in folder.iterdir():
            if blob.read_bytes().startswith(b"---"):
                blob.write_bytes(b"damaged")
        told = slept.ok("recover")
        assert [each["outcome"] for each in told["recovered"]] == ["reversed"]
        assert len(slept.ok("adopt", "--all")["receipts"]) == 2
    assert slept.ok("recover")["recovered"] == []
    assert b"damaged" not in b"".join(found[-1] for found in slept.live().values() if found[0] == "file")


@pytest.mark.parametrize("text", ["since: [", "- a\n", "surprise: 1\n", "since: 1d\nsince: 2d\n", "\0"])
def test_a_damaged_config_is_named_and_blocks_only_what_reads_it(slept: Machine, text: str) -> None:
    config = slept.state / "config.yaml"
    config.write_text(text)
    for command in (("run", "--all-projects"), ("config", "show"), ("config", "set", "since", "1d")):
        done = slept.run(*command, "--json")
        assert done.code == 2, command
        assert str(config) in " ".join(done.json["error"].values())
    assert config.read_text() == text
    slept.ok("status")
    slept.ok("adopt", "--all")
    slept.ok("undo")
