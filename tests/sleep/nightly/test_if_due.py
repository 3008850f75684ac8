"""`run --if-due`: whose nights run by themselves, what holds one back, and what two at once come to."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from slept_home import SleptHome

from skillopt.errors import ConfigError, LockHeldError, StorageError
from skillopt_sleep.cli.main import cli
from skillopt_sleep.cli.night_if_due import Held
from skillopt_sleep.cli.whole_night import Slept
from skillopt_sleep.nightly.due import Attempts, Kept, due
from skillopt_sleep.nightly.kept import NotDueError, claimed, kept, read_attempts
from skillopt_sleep.nightly.power import from_pmset, from_supplies
from skillopt_sleep.runlock import run_lock
from skillopt_sleep.settings import load_settings, time_of_day

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SLOT = datetime(2026, 11, 21, 3, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path) -> SleptHome:
    home = SleptHome(tmp_path)
    home.opt_in()
    return home


def why(found: Slept | Held) -> str:
    assert isinstance(found, Held), found
    return found.why


def test_only_projects_that_were_opted_in(home: SleptHome) -> None:
    home.work(NOW - DAY)
    home.settle()
    held = home.night(NOW)
    assert "no project was opted in" in why(held)
    assert isinstance(held, Held)
    assert held.next.startswith("skillopt-sleep config set projects")
    assert not home.state.has_ledger()
    home.settle(projects=str(home.root / "code" / "other"))
    assert isinstance(home.night(NOW), Slept)
    assert list(home.consumed().values()) == [None]


def test_one_night_a_slot(home: SleptHome) -> None:
    session = home.work(NOW - DAY)
    assert isinstance(home.night(NOW), Slept)
    assert home.consumed() == {session: home.nights()[0].id}
    held = home.night(NOW + HOUR)
    assert why(held) == "the night of 2026-11-21 03:00 has finished"
    assert isinstance(held, Held)
    assert held.next_at == SLOT + DAY
    assert isinstance(home.night(SLOT + DAY), Slept)
    assert len(home.nights()) == 2
    assert not home.state.attempts.exists()


def test_a_night_somebody_asked_for_takes_no_slot(home: SleptHome) -> None:
    home.work(NOW - DAY)
    code, _, told = home.run("run", "--all-projects")
    assert code == 0, told
    assert isinstance(home.night(datetime.now(UTC)), Slept)


def test_on_the_battery(home: SleptHome, capsys: pytest.CaptureFixture[str]) -> None:
    home.settle(projects=str(home.project), power="ac")
    assert "battery" in why(home.night(NOW, on_battery=lambda: True))
    assert isinstance(home.night(NOW, on_battery=lambda: None, verbose=True), Slept)
    assert "cannot be told" in capsys.readouterr().err
    assert isinstance(home.night(NOW + DAY, on_battery=lambda: True, power="any"), Slept)


def test_while_somebody_is_at_work(home: SleptHome) -> None:
    home.settle(projects=str(home.project), quiet="10m")
    home.work(NOW - DAY)
    (transcript,) = home.home.rglob("*.jsonl")

    def changed(at: datetime) -> None:
        os.utime(transcript, (at.timestamp(), at.timestamp()))

    changed(SLOT - timedelta(minutes=9))
    held = home.night(SLOT)
    assert "a session is going on" in why(held)
    assert isinstance(held, Held)
    assert held.next_at == SLOT + timedelta(minutes=1)
    changed(SLOT + HOUR)
    assert isinstance(home.night(SLOT + timedelta(minutes=1)), Slept)  # that is the future
    # Who works day and night has nights too.
    changed(SLOT + DAY + 13 * HOUR)
    assert isinstance(home.night(SLOT + DAY + 13 * HOUR), Slept)


def test_the_lock_is_held(home: SleptHome) -> None:
    with run_lock(home.state, NOW), pytest.raises(LockHeldError):
        home.night(NOW)
    assert read_attempts(home.state) is None
    assert isinstance(home.night(NOW), Slept)


def test_the_rule_is_asked_again_under_the_lock(home: SleptHome) -> None:
    """Two see that a night is due; the second one gets the lock when the first has finished."""
    from skillopt_sleep.ledger import Ledger

    home.state.make()
    known = Kept()
    assert isinstance(home.night(NOW), Slept)
    at = time_of_day("03:00")
    assert due(NOW, at, UTC, known).is_due
    with (
        Ledger.open(home.state.ledger) as ledger,
        pytest.raises(NotDueError),
        claimed(home.state, ledger, lambda k: due(NOW, at, UTC, k), lambda: NOW),
    ):
        raise AssertionError


def test_a_night_that_fails_waits_an_hour(home: SleptHome) -> None:
    home.work(NOW - DAY)
    home.state.delivery_lock.mkdir(parents=True)
    with pytest.raises(StorageError):
        home.night(NOW)
    assert read_attempts(home.state) == Attempts(SLOT, 1, NOW, failed=True)
    assert "tried again at 2026-11-21 13:00" in why(home.night(NOW + HOUR / 2))
    home.state.delivery_lock.rmdir()
    assert isinstance(home.night(NOW + HOUR), Slept)
    assert not home.state.attempts.exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": "attempts/1"}', '{"schema": "attempts/9"}', "\xff"]
)
def test_attempts_that_cannot_be_read_hold_nothing_back(home: SleptHome, text: str) -> None:
    home.state.attempts.write_bytes(text.encode("latin-1"))
    assert read_attempts(home.state) is None
    assert isinstance(home.night(NOW), Slept)


def test_a_slot_that_cannot_be_read_is_none(home: SleptHome) -> None:
    from skillopt_sleep.ledger import Ledger

    with Ledger.open(home.state.ledger) as ledger:
        for told in ("soon", "2026-11-21T03:00"):
            ledger.put_value("nightly:slot", told)
            assert kept(home.state, ledger) == Kept()


def test_by_the_command(home: SleptHome) -> None:
    home.work(datetime.now(UTC) - DAY)
    code, out, err = home.run("run", "--if-due", "--json", "--quiet")
    told = json.loads(out)
    assert (code, told["schema"], told["due"], told["consumed"]) == (0, "skillopt-sleep/run/1", True, 1), err
    code, out, err = home.run("run", "--if-due", "--json", "--quiet")
    told = json.loads(out)
    assert (code, told["ok"], told["due"], told["night"], err) == (0, True, False, None, "")
    assert "has finished" in told["why"]
    assert told["next_at"]
    code, out, _ = home.run("run", "--if-due")
    assert code == 0
    assert out.startswith("Not due: the night of ")
    assert out.splitlines()[-1] == "Next: skillopt-sleep status"
    assert len(home.nights()) == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--if-due", "--all-projects"), "--if-due"),
        (("--if-due", "--project", "."), "--if-due"),
        (("--if-due", "--dry-run"), "--if-due"),
        (("--at", "03:00"), "--if-due"),
        (("--quiet-for", "10m"), "--if-due"),
        (("--if-due", "--at", "25:00"), "--at"),
        (("--if-due", "--power", "mains"), "--power"),
        (("--if-due", "--quiet-for", "long"), "--quiet-for"),
    ],
)
def test_options_that_cannot_be_meant(
    home: SleptHome, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], named: str
) -> None:
    monkeypatch.setenv("HOME", str(home.home))
    with pytest.raises((click.UsageError, ConfigError)) as caught:
        cli.main(["run", *arguments], standalone_mode=False)
    assert named in str(caught.value)


def test_timers_that_fire_at_once(home: SleptHome) -> None:
    for day in range(1, 4):
        home.work(datetime.now(UTC) - day * DAY)
    running = [home.start("run", "--if-due", "--json", "--quiet") for _ in range(4)]
    ended = [(process.communicate(timeout=60), process.returncode) for process in running]
    assert {code for _, code in ended} <= {0, 5}, ended
    told = [json.loads(out) for (out, _), _ in ended]
    assert [each["due"] for each in told if each["ok"]].count(True) == 1
    assert len(home.nights()) == 1
    assert set(home.consumed().values()) == {home.nights()[0].id}


@pytest.mark.parametrize(
    ("written", "value"),
    [("03:00", "03:00"), ("3:05", "03:05"), ("22:30", "22:30"), ('"22:30"', "22:30"), ("1:00", "01:00")],
)
def test_a_time_as_people_write_it(home: SleptHome, written: str, value: str) -> None:
    home.state.config.write_text(f"at: {written}\nquiet: off\n")
    found = load_settings(home.state.config, {}, source_names=())
    assert (found.at, found.power, found.quiet) == (value, "any", "off")


@pytest.mark.parametrize("value", ["24:00", "3", "3h", "03:60", "-1:00", "1970", "", "03:00:00", "true"])
def test_what_is_no_time(home: SleptHome, value: str) -> None:
    home.state.config.write_text(f"at: {value}\n")
    with pytest.raises(ConfigError, match="value of at"):
        home.night(NOW)


SUPPLIES = {
    "AC": {"type": "Mains", "online": "0"},
    "BAT0": {"type": "Battery", "status": "Discharging"},
    "mouse": {"type": "Battery", "status": "Discharging", "scope": "Device"},
}


@pytest.mark.parametrize(
    ("supplies", "answer"),
    [
        ({}, None),
        ({"AC": {"type": "Mains", "online": "1"}, "BAT0": SUPPLIES["BAT0"]}, False),
        (SUPPLIES, True),
        ({"BAT0": SUPPLIES["BAT0"]}, True),
        ({"BAT0": {"type": "Battery", "status": "Full"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Not charging"}, "AC": SUPPLIES["AC"]}, True),
        ({"AC": SUPPLIES["AC"], "usb": {"type": "USB", "online": "1"}, "BAT0": SUPPLIES["BAT0"]}, False),
        ({"mouse": SUPPLIES["mouse"]}, None),
        ({"AC": SUPPLIES["AC"]}, None),
        ({"odd": {}}, None),
    ],
)
def test_power_as_linux_tells_it(
    tmp_path: Path, supplies: dict[str, dict[str, str]], answer: bool | None
) -> None:
    for name, files in supplies.items():
        (tmp_path / name).mkdir()
        for file, line in files.items():
            (tmp_path / name / file).write_text(f"{line}\n")
    assert from_supplies(tmp_path) is answer
    assert from_supplies(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ("Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t88%; discharging;\n", True),
        ("Now drawing from 'AC Power'\n", False),
        ("", None),
    ],
)
def test_power_as_macos_tells_it(told: str, answer: bool | None) -> None:
    assert from_pmset(told) is answer
