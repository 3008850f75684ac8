"""The night runs unattended for weeks: every day has one, never two, and no session is lost."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from slept_home import SleptHome
from weeks import DAY, HOUR, Fired, Machine, problems, too_late, twice

BERLIN, NEW_YORK, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")


def machine_at(tmp_path: Path, start: str, zone: ZoneInfo = BERLIN, at: str = "03:00") -> Machine:
    home = SleptHome(tmp_path)
    home.opt_in()
    return Machine(home, datetime.fromisoformat(start).replace(tzinfo=UTC), zone, time.fromisoformat(at))


def in_the_end(machine: Machine) -> None:
    """One more day, so that what was written last is read too."""
    machine.is_awake = True
    machine.live(30, Random(0), sessions_a_day=0)
    assert problems(machine) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_two_weeks_in_which_anything_happens(tmp_path: Path, seed: int) -> None:
    rng = Random(seed)
    machine = machine_at(tmp_path, "2026-11-02T12:00")
    for day in range(14):
        match rng.choice(
            ["sleeps", "sleeps", "is off", "is on", "is full", "is killed", "is busy", "runs wrong"]
        ):
            case "sleeps":  # over the hour of the night, until late
                machine.live(rng.randint(8, 13), rng)
                machine.is_awake = False
                machine.live(rng.randint(4, 20), rng)
                machine.wake()
            case "is off":
                machine.is_awake = False
                machine.live(rng.randint(20, 60), rng)
                machine.wake()
            case "is full":
                machine.is_full = True
                machine.live(rng.randint(2, 3), rng)
                machine.is_full = False
                machine.live(20, rng)
            case "is killed":
                machine.live(6, rng)
                machine.is_awake = False
                machine.live(20, rng)
                for _ in range(2):
                    machine.dies_at = rng.randint(1, 26)
                    machine.wake()
            case "is busy":
                machine.is_busy = True
                machine.live(3, rng)
                machine.is_busy = False
                machine.live(21, rng)
            case "runs wrong":  # and is put right again
                machine.ahead = rng.choice([HOUR, -HOUR, 5 * HOUR, -11 * HOUR])
                machine.live(12, rng)
                machine.ahead = timedelta()
                machine.live(12, rng)
            case _:
                machine.live(24, rng)
        assert [each for each in problems(machine) if "is lost" not in each] == [], day
    in_the_end(machine)


@pytest.mark.parametrize(
    ("start", "zone", "at"),
    [
        ("2026-03-27T12:00", BERLIN, "02:30"),
        ("2026-10-23T12:00", BERLIN, "02:30"),
        ("2027-03-12T12:00", NEW_YORK, "02:30"),
        ("2026-10-30T12:00", NEW_YORK, "01:30"),
    ],
)
def test_days_of_23_and_of_25_hours(tmp_path: Path, start: str, zone: ZoneInfo, at: str) -> None:
    machine = machine_at(tmp_path, start, zone, at)
    machine.true += timedelta(minutes=45)  # it is asked between the half hours, the hour that comes twice too
    machine.live(4 * 24, Random(3))
    in_the_end(machine)
    assert len({fired.label for fired in machine.fired}) == len(machine.home.nights())


def test_a_journey_around_the_world(tmp_path: Path) -> None:
    rng = Random(4)
    machine = machine_at(tmp_path, "2026-11-02T12:00")
    for zone in (
        NEW_YORK,
        TOKYO,
        BERLIN,
        ZoneInfo("Pacific/Kiritimati"),
        ZoneInfo("Pacific/Honolulu"),
        BERLIN,
    ):
        machine.live(rng.randint(20, 40), rng)
        machine.is_awake = False
        machine.live(rng.randint(6, 14), rng)
        machine.zone = zone
        machine.wake()
    in_the_end(machine)


def test_a_clock_that_was_far_ahead(tmp_path: Path) -> None:
    rng = Random(5)
    machine = machine_at(tmp_path, "2026-11-02T12:00")
    machine.live(30, rng)
    machine.ahead = 200 * DAY
    machine.live(50, rng)
    machine.ahead = timedelta()
    machine.live(5 * 24, rng)
    in_the_end(machine)


def test_the_judge_is_awake() -> None:
    """What must never be is seen when it is."""
    day = datetime(2026, 11, 2, 3, tzinfo=UTC)
    one, two = ("UTC", "2026-11-02"), ("UTC", "2026-11-03")
    good = [
        Fired(day, one, "a", False),
        Fired(day + HOUR, one, None, False),
        Fired(day + DAY, two, "b", False),
    ]
    assert (twice(good), too_late(good)) == ([], [])
    assert twice([*good, Fired(day + 30 * HOUR, two, "c", False)]) == [f"2 nights for {two}"]
    assert len(too_late([*good[:2], Fired(day + 2 * DAY, two, None, False)])) == 1
    assert len(too_late([Fired(day, one, None, False)])) == 1
    # What is hindered may be late by an hour and no more.
    late = [*good[:2], Fired(day + 26 * HOUR, two, None, True), Fired(day + 27 * HOUR, two, None, False)]
    assert len(too_late(late)) == 1
