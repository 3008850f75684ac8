"""When a night is due: days of 23 and 25 hours, travel, wrong clocks, missed, killed and failed nights."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from skillopt_sleep.nightly.due import (
    MOST_ATTEMPTS,
    RETRY_AFTER,
    Attempts,
    Kept,
    due,
    slot_after,
    slot_before,
)

BERLIN, NEW_YORK, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")
AT = time(3)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def is_due(now: datetime, finished: datetime | None, zone: ZoneInfo = BERLIN, at: time = AT) -> bool:
    return due(now, at, zone, Kept(finished)).is_due


@pytest.mark.parametrize(
    ("now", "zone", "at", "slot", "following"),
    [
        # an ordinary day
        ("2026-11-21T01:59:59", BERLIN, "03:00", "2026-11-20T02:00", "2026-11-21T02:00"),
        ("2026-11-21T02:00:00", BERLIN, "03:00", "2026-11-21T02:00", "2026-11-22T02:00"),
        # the hour from 02:00 to 03:00 is left out: half an hour after it began, the clock says 03:30
        ("2026-03-29T00:59:00", BERLIN, "02:30", "2026-03-28T01:30", "2026-03-29T01:30"),
        ("2026-03-29T01:30:00", BERLIN, "02:30", "2026-03-29T01:30", "2026-03-30T00:30"),
        ("2027-03-14T07:30:00", NEW_YORK, "02:30", "2027-03-14T07:30", "2027-03-15T06:30"),
        # an hour comes twice: the first time counts
        ("2026-10-25T00:30:00", BERLIN, "02:30", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("2026-10-25T01:30:00", BERLIN, "02:30", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("2026-11-01T06:15:00", NEW_YORK, "01:30", "2026-11-01T05:30", "2026-11-02T06:30"),
        # midnight, half-hour zones, and the day that an island left out
        ("2026-11-21T00:00:00", ZoneInfo("UTC"), "00:00", "2026-11-21T00:00", "2026-11-22T00:00"),
        ("2026-11-20T21:15:00", ZoneInfo("Asia/Kathmandu"), "03:00", "2026-11-20T21:15", "2026-11-21T21:15"),
        ("2011-12-30T12:00:00", ZoneInfo("Pacific/Apia"), "03:00", "2011-12-29T13:00", "2011-12-30T13:00"),
        ("2011-12-30T13:00:00", ZoneInfo("Pacific/Apia"), "03:00", "2011-12-30T13:00", "2011-12-31T13:00"),
    ],
)
def test_the_slots_of_a_zone(now: str, zone: ZoneInfo, at: str, slot: str, following: str) -> None:
    of_day = time.fromisoformat(at)
    assert slot_before(utc(now), of_day, zone) == utc(slot)
    assert slot_after(utc(now), of_day, zone) == utc(following)


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), timezone(9 * HOUR)])
@pytest.mark.parametrize("at", ["00:00", "01:30", "02:00", "02:30", "03:00", "23:59"])
def test_a_year_has_a_slot_for_each_day(zone: ZoneInfo, at: str) -> None:
    moment, found = utc("2026-01-05T12:00"), []
    while (moment := slot_after(moment, time.fromisoformat(at), zone)) < utc("2027-01-05T12:00"):
        found.append(moment)
    assert len(found) == 365
    assert {(after - before) // (HOUR / 2) for before, after in pairwise(found)} <= {
        46, 47, 48, 49, 50
    }  # fmt: skip


def test_one_night_for_a_slot_however_late_and_however_many_were_missed() -> None:
    slot = utc("2026-11-21T02:00")
    assert is_due(slot, slot - DAY)
    assert is_due(slot + 20 * HOUR, slot - 9 * DAY)
    assert is_due(slot, None)
    for later in (timedelta(), HOUR, 23 * HOUR):
        assert not is_due(slot + later, slot)
    assert is_due(slot + DAY, slot)


def test_a_clock_that_is_put_back_brings_no_slot_twice() -> None:
    slot = utc("2026-11-21T02:00")
    for back in (timedelta(seconds=1), HOUR, 5 * HOUR, 23 * HOUR):
        assert not is_due(slot + timedelta(minutes=1) - back, slot)
        assert not is_due(slot, slot)
    assert is_due(slot + DAY, slot)


def test_a_clock_that_was_far_ahead_silences_nothing() -> None:
    recorded = utc("2027-08-01T02:00")
    now = utc("2026-11-21T12:00")
    assert is_due(now, recorded)
    assert not is_due(now, slot_before(now, AT, BERLIN))
    # One that was ahead by a day at most is caught up with.
    assert not is_due(now, now + 20 * HOUR)
    assert is_due(now + 2 * DAY, now + 20 * HOUR)


def test_a_clock_that_was_not_set_yet() -> None:
    found = due(utc("1970-01-01T00:03"), AT, BERLIN, Kept())
    assert not found.is_due
    assert "not set" in found.why


def test_travel() -> None:
    in_berlin = slot_before(utc("2026-11-21T12:00"), AT, BERLIN)
    # 03:00 in New York comes six hours later, in Tokyo eight earlier on the next day.
    assert not is_due(in_berlin + 5 * HOUR, in_berlin, NEW_YORK)
    assert is_due(in_berlin + 6 * HOUR, in_berlin, NEW_YORK)
    assert not is_due(in_berlin + 15 * HOUR, in_berlin, TOKYO)
    assert is_due(in_berlin + 16 * HOUR, in_berlin, TOKYO)
    # Back again at once: a slot that lies before one that is done is done.
    assert not is_due(in_berlin + 17 * HOUR, in_berlin + 16 * HOUR, BERLIN)


def test_another_time_of_the_day() -> None:
    done = utc("2026-11-21T02:00")
    assert not is_due(done + 12 * HOUR, done, at=time(1))
    assert is_due(done + 12 * HOUR, done, at=time(13))


def test_a_night_that_failed_is_tried_again_each_hour_and_then_no_more() -> None:
    slot = utc("2026-11-21T02:00")
    for begun in range(1, MOST_ATTEMPTS):
        kept = Kept(slot - DAY, Attempts(slot, begun, slot + HOUR, failed=True))
        found = due(slot + HOUR + RETRY_AFTER - timedelta(seconds=1), AT, BERLIN, kept)
        assert not found.is_due
        assert found.next_at == slot + HOUR + RETRY_AFTER
        assert due(slot + HOUR + RETRY_AFTER, AT, BERLIN, kept).is_due
    kept = Kept(slot - DAY, Attempts(slot, MOST_ATTEMPTS, slot + HOUR, failed=True))
    found = due(slot + 20 * HOUR, AT, BERLIN, kept)
    assert not found.is_due
    assert found.next_at == slot + DAY
    assert due(slot + DAY, AT, BERLIN, kept).is_due


def test_a_night_that_was_killed_is_due_at_once_but_not_for_ever() -> None:
    slot = utc("2026-11-21T02:00")
    due_after = [
        due(slot + HOUR, AT, BERLIN, Kept(None, Attempts(slot, begun, slot + HOUR, failed=False))).is_due
        for begun in range(1, MOST_ATTEMPTS + 1)
    ]
    assert due_after == [True, True, False, False, False]


def test_attempts_under_a_wrong_clock_hold_nothing_back() -> None:
    slot = utc("2026-11-21T02:00")
    kept = Kept(None, Attempts(slot, 2, slot + 300 * DAY, failed=True))
    assert due(slot + HOUR, AT, BERLIN, kept).is_due
