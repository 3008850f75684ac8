"""Full disks, closed folders, odd homes, odd locks, any umask: told in words, and nothing half-written."""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from machine import Machine, Outcome, build

if sys.platform != "linux":
    pytest.skip("these need /dev/full, /proc and modes as Linux has them", allow_module_level=True)

NIGHT = ("run", "--all-projects")
NOBODY = 65534


def told(done: Outcome, code: int, *names: str) -> None:
    """An error in words, with a way out, and no traceback."""
    assert done.code == code, done.told
    assert "Traceback" not in done.told
    error = json.loads(done.out)["error"]
    assert error["what"]
    assert error["why"]
    assert error["next"]
    for name in names:
        assert name in " ".join(error.values()), error


# --- a full disk -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("adopt", "--all"), ("--help",)])
def test_an_answer_that_cannot_be_written(slept: Machine, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = slept.run(*arguments, stdout=full)
    assert done.code == 1
    assert done.err.startswith("error: the answer could not be written\n  why: ")
    assert "Traceback" not in done.err
    # What the command did is done.
    assert len(slept.ok("status")["waiting"]) == (0 if "adopt" in arguments else 2)


def test_progress_that_cannot_be_written_ends_nothing(fresh: Machine) -> None:
    with Path("/dev/full").open("w") as full:
        assert fresh.run(*NIGHT, stderr=full).code == 0
    assert len(fresh.ok("status")["waiting"]) == 2


def test_files_that_may_not_grow(built: Machine) -> None:
    """As on a full disk, every write may fail; each time all is as it was, and works when there is room."""
    # Without the measuring of coverage, which could not write its own file either.
    plain = {name: value for name, value in built.environment().items() if not name.startswith("COVERAGE_")}
    for size in (0, 700, 4096, 30_000):

        def limit(size: int = size) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        built.back_to("slept")
        first = built.ok("status")["waiting"][0]["id"]
        before = built.live()
        for command in (("adopt", "--all"), ("discard", first, "--why", "no")):
            done = built.run(*command, "--json", preexec_fn=limit, env=plain)
            if done.code == 0:
                break
            told(done, 1)
            assert built.live() == before
            assert len(built.ok("status")["waiting"]) == 2
        else:
            assert len(built.ok("adopt", "--all")["receipts"]) == 2
        built.ok("undo") if built.live() != before else None
        built.back_to("fresh")
        done = built.run(*NIGHT, "--json", preexec_fn=limit, env=plain)
        told(done, 1)
        assert built.is_whole()
        assert len(built.ok(*NIGHT)["proposals"]) == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only the superuser can mount a small disk")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", folder], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("left", [0, 150_000, 400_000])
def test_a_disk_that_is_full_of_state(fresh: Machine, small_disk: Path, left: int) -> None:
    home = small_disk / "state"
    filler = small_disk / "filler"
    room = os.statvfs(small_disk)
    filler.write_bytes(b"x" * max(0, room.f_bavail * room.f_frsize - left))
    first = fresh.run(*NIGHT, "--home", str(home), "--json")
    filler.unlink()
    if first.code == 0:  # there was room for all but the copy of the ledger
        assert "the ledger was not copied" in first.err
        assert len(fresh.ok("status", "--home", str(home))["waiting"]) == 2
    else:
        told(first, 1)
        assert len(fresh.ok(*NIGHT, "--home", str(home))["proposals"]) == 2
    filler.write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * room.f_frsize))
    before = fresh.live()
    told(fresh.run("adopt", "--all", "--home", str(home), "--json"), 1)
    assert fresh.live() == before
    filler.unlink()
    assert len(fresh.ok("adopt", "--all", "--home", str(home))["receipts"]) == 2
    fresh.ok("undo", "--home", str(home))
    assert fresh.live() == before


def test_a_disk_that_is_full_of_projects(slept: Machine, small_disk: Path) -> None:
    before = slept.live()
    waiting = slept.ok("status")["waiting"]
    shutil.copytree(slept.code / "api", small_disk / "api")
    shutil.rmtree(slept.code / "api")
    (slept.code / "api").mkdir()
    subprocess.run(["mount", "--bind", small_disk / "api", slept.code / "api"], check=True)
    try:
        filler = small_disk / "filler"
        room = os.statvfs(small_disk)
        filler.write_bytes(b"x" * (room.f_bavail * room.f_frsize))
        told(slept.run("adopt", "--all", "--json"), 1)
        assert slept.live() == before
        filler.unlink()
        assert len(slept.ok("adopt", "--all")["receipts"]) == len(waiting)
        slept.ok("undo")
        assert slept.live() == before
    finally:
        subprocess.run(["umount", "-l", slept.code / "api"], check=True)


# --- somebody else's, and read-only ----------------------------------------------------------------------


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose person has no powers over others' files."""
    machine = replace(build(tmp_path / "machine"), is_plain=True)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    done = machine.run("harvest", "--home", str(closed / "state"))
    if done.code == 0:
        pytest.skip("the powers of the superuser cannot be given up here")
    yield machine
    subprocess.run(["chmod", "-R", "u+rwX", tmp_path], check=True)


def test_folders_and_files_that_are_closed(plain: Machine) -> None:
    plain.ok(*NIGHT)
    before = plain.live()

    # A project that may only be read.
    (plain.code / "api").chmod(0o555)
    done = plain.run("adopt", "--all", "--json")
    assert (done.code, len(done.json["receipts"]), len(done.json["refused"])) == (6, 1, 1)
    assert "read-only" in done.json["refused"][0]["reason"]
    (plain.code / "api").chmod(0o755)
    plain.ok("undo")
    assert plain.live() == before

    # Locks that may only be read.
    for name in ("run.lock", "delivery.lock"):
        (plain.state / name).chmod(0o000)
        command = NIGHT if name == "run.lock" else ("adopt", "--all")
        told(plain.run(*command, "--json"), 1, str(plain.state / name), "mv ")
        (plain.state / name).rename(plain.state / f"{name}.old")
        plain.ok(*command)
    plain.ok("undo")

    # A state folder that may only be read.
    plain.state.chmod(0o500)
    for command in (("adopt", "--all"), NIGHT, ("config", "set", "since", "1d")):
        done = plain.run(*command, "--json")
        # The folder is the person's own, so it is opened again; somebody else's would be told.
        assert done.code == 0 or "Traceback" not in done.told
        assert plain.live() == before or command[0] == "adopt"
    plain.state.chmod(0o700)
    plain.ok("status")


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give a folder to somebody else")
def test_a_state_folder_of_somebody_else(plain: Machine) -> None:
    plain.state.mkdir(mode=0o755)
    os.chown(plain.state, NOBODY, NOBODY)
    for command in (NIGHT, ("harvest",), ("config", "set", "since", "1d"), ("recover",)):
        told(plain.run(*command, "--json"), 1, str(plain.state))
    assert list(plain.state.iterdir()) == []


# --- odd homes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "dangling", "loop", "below-a-file", "pipe"])
def test_a_home_that_is_no_folder(fresh: Machine, kind: str) -> None:
    home = fresh.root / "odd"
    if kind == "file":
        home.write_text("mine")
    elif kind == "dangling":
        home.symlink_to("nowhere")
    elif kind == "loop":
        home.symlink_to("odd")
    elif kind == "pipe":
        os.mkfifo(home)
    else:
        (fresh.root / "file").write_text("mine")
        home = fresh.root / "file" / "state"
    for command in (NIGHT, ("harvest",), ("config", "set", "since", "1d"), ("undo",)):
        done = fresh.run(*command, "--home", str(home), "--json")
        assert done.code in (1, 2)
        told(done, done.code, str(home))
    assert kind != "file" or home.read_text() == "mine"
    assert not (fresh.root / "nowhere").exists()


def test_state_never_lies_inside_a_repository(fresh: Machine) -> None:
    inside = fresh.code / "web" / "state"
    for command in (NIGHT, ("harvest",), ("config", "set", "since", "1d")):
        told(fresh.run(*command, "--home", str(inside), "--json"), 2, str(fresh.code / "web"))
    assert not inside.exists()

    # A repository made around it later does not see it; nor does a home that is one itself.
    fresh.ok(*NIGHT)
    subprocess.run(["git", "init", "-q", "--template=", fresh.home], check=True)
    fresh.ok("harvest")
    status = ["git", "-C", fresh.home, "status", "--porcelain", "--untracked-files=all"]
    seen = subprocess.run(status, check=True, capture_output=True, text=True).stdout
    assert ".claude/projects" in seen
    assert ".skillopt-sleep" not in seen
    shutil.rmtree(fresh.state)
    fresh.ok(*NIGHT)
    assert ".skillopt-sleep" not in subprocess.run(status, check=True, capture_output=True, text=True).stdout


def test_recover_makes_no_home(fresh: Machine) -> None:
    assert fresh.ok("recover")["recovered"] == []
    assert not fresh.state.exists()


def test_a_folder_of_other_things_is_not_closed_to_others(fresh: Machine) -> None:
    shared = fresh.root / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "letters").write_text("x")
    told(fresh.run(*NIGHT, "--home", str(shared), "--json"), 2, str(shared))
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    assert [path.name for path in shared.iterdir()] == ["letters"]


# --- locks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run.lock", "delivery.lock"])
@pytest.mark.parametrize("kind", ["folder", "link"])
def test_something_else_in_place_of_a_lock(slept: Machine, name: str, kind: str) -> None:
    lock = slept.state / name
    precious = slept.root / "precious"
    precious.write_text("mine")
    lock.unlink()
    lock.mkdir() if kind == "folder" else lock.symlink_to(precious)
    command = NIGHT if name == "run.lock" else ("adopt", "--all")
    told(slept.run(*command, "--json"), 1, f"mv {lock} {lock}.old")
    slept.ok("status")
    lock.rename(f"{lock}.old")
    slept.ok(*command)
    assert precious.read_text() == "mine"


def test_what_a_dead_holder_left_is_no_lock(slept: Machine) -> None:
    (slept.state / "run.lock").write_text("1")
    # The process named here lives, and is another one.
    (slept.state / "run.holder.json").write_text(
        json.dumps({"pid": os.getpid(), "since": "2026-11-01T00:00:00+00:00"})
    )
    (slept.state / "delivery.lock").write_text("1")
    slept.ok(*NIGHT)
    slept.ok("adopt", "--all")
    assert not (slept.state / "run.holder.json").exists()


# --- umask -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o777, 0o277])
def test_state_is_private_from_the_first_moment_whatever_the_umask(plain: Machine, umask: int) -> None:
    """A watcher in the process sees every file it makes, at the moment it is made."""
    watcher = Path(__file__).parent / "watched_process"
    log = plain.root / "modes.log"
    log.touch()
    log.chmod(0o666)
    env = plain.environment(PYTHONPATH=str(watcher), WATCH=str(plain.state), WATCH_LOG=str(log))
    for command in (NIGHT, ("adopt", "--all"), ("undo",), ("config", "set", "since", "30d")):
        done = plain.run(*command, "--json", env=env, umask=umask)
        if command[0] != "adopt" or umask == 0o000:
            assert done.code == 0, (command, done.told)
    for path in (plain.state, *plain.state.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), (path, oct(mode))
    seen = [line.split(" ", 1) for line in log.read_text().splitlines()]
    assert len(seen) > 20
    assert not [(mode, path) for mode, path in seen if int(mode, 8) & 0o077]
