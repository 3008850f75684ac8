from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from schedule_desk import HOSTILE, Desk, make_entry

from skillopt.errors import ConfigError, SkillOptError, StorageError
from skillopt_sleep.schedule.scheduler import Found
from skillopt_sleep.schedule.systemd import Systemd, service, timer, units_dir

ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not there")


def systemd(desk: Desk) -> Systemd:
    return Systemd(desk.run, desk.units)


def test_everything_is_as_before_when_the_entry_is_removed(desk: Desk, program: Path) -> None:
    desk.units.mkdir(parents=True)
    (desk.units / "backup.timer").write_text("[Timer]\nOnCalendar=daily\n")
    before, entry = desk.kept(), make_entry(program)

    assert systemd(desk).install(entry)
    found = systemd(desk).find(entry.name)
    assert systemd(desk).remove(entry.name)

    assert found == Found(entry, is_whole=True, is_active=True)
    assert desk.kept() == before
    assert not systemd(desk).remove(entry.name)


def test_installed_twice_is_installed_once(desk: Desk, program: Path) -> None:
    entry = make_entry(program)

    assert systemd(desk).install(entry)
    kept, calls = desk.kept(), len(desk.calls)
    assert not systemd(desk).install(entry)

    assert desk.kept() == kept
    assert {call.split()[2] for call in desk.calls[calls:]} == {"is-active", "is-enabled"}


def test_a_timer_that_was_stopped_is_begun_again(desk: Desk, program: Path) -> None:
    entry = make_entry(program)
    systemd(desk).install(entry)
    (desk.state / f"active-{entry.name}.timer").unlink()

    assert systemd(desk).find(entry.name) == Found(entry, is_whole=True, is_active=False)
    assert systemd(desk).install(entry)
    assert systemd(desk).find(entry.name) == Found(entry, is_whole=True, is_active=True)


@pytest.mark.parametrize("was_there", [False, True])
@pytest.mark.parametrize("failing", ["daemon-reload", "enable", "restart"])
def test_what_fails_half_way_is_taken_back(desk: Desk, program: Path, failing: str, was_there: bool) -> None:
    if was_there:
        systemd(desk).install(make_entry(program, minute=1))
    before = desk.kept()
    refusal = desk.refuse(failing, "Failed to connect to bus: No medium found")

    with pytest.raises(StorageError, match=f"systemctl --user {failing}") as told:
        systemd(desk).install(make_entry(program, minute=2))

    refusal.unlink()
    assert desk.kept() == before
    assert told.value.why == "Failed to connect to bus: No medium found"
    is_restored = "everything is as it was before" in told.value.what
    assert is_restored == (failing != "daemon-reload")  # (which is asked again at the end)


def test_an_entry_that_cannot_be_stopped_stays(desk: Desk, program: Path) -> None:
    entry = make_entry(program)
    systemd(desk).install(entry)
    before = desk.kept()
    refusal = desk.refuse("disable")

    with pytest.raises(StorageError, match="everything is as it was before"):
        systemd(desk).remove(entry.name)

    refusal.unlink()
    assert desk.kept() == before


@pytest.mark.parametrize("suffix", ["service", "timer"])
@pytest.mark.parametrize("what", ["foreign", "link", "folder"])
def test_a_unit_that_is_not_ours_is_left_alone(desk: Desk, program: Path, suffix: str, what: str) -> None:
    entry = make_entry(program)
    desk.units.mkdir(parents=True)
    path = desk.units / f"{entry.name}.{suffix}"
    if what == "foreign":
        path.write_text("[Unit]\nDescription=mine\n")
    elif what == "link":
        path.symlink_to("/dev/null")  # as `systemctl mask` does
    else:
        path.mkdir()
    before = desk.kept()

    for act in (lambda: systemd(desk).install(entry), lambda: systemd(desk).remove(entry.name)):
        with pytest.raises(ConfigError, match="it was left alone"):
            act()

    assert desk.kept() == before
    assert path.is_symlink() == (what == "link")


def test_units_that_were_changed_are_told_from_whole_ones(desk: Desk, program: Path) -> None:
    entry = make_entry(program)
    systemd(desk).install(entry)
    path = desk.units / f"{entry.name}.timer"
    path.write_text(path.read_text().replace("Persistent=true\n", ""))

    assert systemd(desk).find(entry.name) == Found(entry, is_whole=False, is_active=True)
    path.unlink()
    assert systemd(desk).find(entry.name) == Found(entry, is_whole=False, is_active=True)
    assert systemd(desk).install(entry)
    assert systemd(desk).find(entry.name) == Found(entry, is_whole=True, is_active=True)


def test_without_a_manager_it_cannot_be_used(desk: Desk) -> None:
    assert systemd(desk).unusable() == ""
    desk.refuse("show-environment", "Failed to connect to bus: No medium found")
    assert "No medium found" in systemd(desk).unusable()
    (desk.bin / "systemctl").unlink()
    assert "there is no program systemctl" in systemd(desk).unusable()


def test_units_are_where_the_user_has_them(tmp_path: Path) -> None:
    assert units_dir({}, tmp_path) == tmp_path / ".config/systemd/user"
    assert units_dir({"XDG_CONFIG_HOME": "/c"}, tmp_path) == Path("/c/systemd/user")
    assert units_dir({"XDG_CONFIG_HOME": "relative"}, tmp_path) == tmp_path / ".config/systemd/user"


@needs_systemd
def test_systemd_reads_every_word_as_it_was_meant(desk: Desk, program: Path, tmp_path: Path) -> None:
    folders = [
        tmp_path / "tools" / str(n) / home.strip("/-").replace("/", "_") for n, home in enumerate(HOSTILE)
    ]
    entries = []
    for folder, home in zip(folders, HOSTILE, strict=True):
        folder.mkdir(parents=True)
        shutil.copy(program, folder)
        entries.append(make_entry(folder / program.name, home))
    for entry in entries:
        (tmp_path / f"{entry.name}.service").write_text(service(entry))
        (tmp_path / f"{entry.name}.timer").write_text(timer(entry))

    done = subprocess.run(
        [
            str(ANALYZE),
            "--user",
            "verify",
            *(str(path) for path in sorted(tmp_path.glob("skillopt-sleep-*"))),
        ],
        capture_output=True,
        text=True,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "SYSTEMD_LOG_LEVEL": "debug"},
    )

    assert done.returncode == 0, done.stderr[-2000:]
    for entry in entries:
        # It shows the words of a command in quotes of its own, dollars still doubled.
        shown = entry.command[-1].replace("$", "$$")
        for char in '\\"$`':
            shown = shown.replace(char, f"\\{char}")
        assert f"{shown}" in done.stdout, entry.command
        assert f"Environment: CODEX_HOME={entry.environment[0][1]}\n" in done.stdout


@needs_systemd
def test_the_timer_comes_every_hour(program: Path) -> None:
    (line,) = (each for each in timer(make_entry(program)).splitlines() if each.startswith("OnCalendar="))

    done = subprocess.run(
        [str(ANALYZE), "calendar", "--iterations=3", line.removeprefix("OnCalendar=")],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0
    assert done.stdout.count(":07:00") >= 4


def test_every_refusal_says_what_to_do(desk: Desk, program: Path) -> None:
    desk.refuse("enable")

    with pytest.raises(SkillOptError) as told:
        systemd(desk).install(make_entry(program))

    assert told.value.next == "skillopt-sleep schedule status"
