"""What `status` and `doctor` tell of nights that run by themselves."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from slept_home import SleptHome

from skillopt_sleep.doctor.check import Patient
from skillopt_sleep.doctor.nights import examine_nights
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.nightly.due import due
from skillopt_sleep.nightly.holder import only_daemon
from skillopt_sleep.nightly.kept import SLOT_KEY, claimed
from skillopt_sleep.runlock import run_lock

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SLOT = datetime(2026, 11, 21, 3, tzinfo=UTC)
DAY = timedelta(days=1)
DAILY = "1 project, each day at 03:00; the last was that of"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SleptHome:
    monkeypatch.setenv("TZ", "UTC")
    return SleptHome(tmp_path)


def doctor(home: SleptHome, now: datetime = NOW) -> tuple[str, str]:
    (check,) = examine_nights(Patient(home.state, {"HOME": str(home.home)}, home.home, now))
    assert bool(check.next) is (check.status != "ok")
    return check.status, check.what


def finished(home: SleptHome, slot: datetime) -> None:
    with Ledger.open(home.state.ledger) as ledger:
        ledger.put_value(SLOT_KEY, slot.isoformat())


def test_a_note_that_cannot_be_taken_away_spoils_nothing(home: SleptHome) -> None:
    # As where the disk has become read-only meanwhile; what has been done is done.
    def spoil(note: Path) -> None:
        note.unlink()
        note.mkdir()

    with only_daemon(home.state, NOW):
        spoil(home.state.daemon_holder)
    with run_lock(home.state, NOW):
        spoil(home.state.lock_holder)
    at = time(3)
    with Ledger.open(home.state.ledger) as ledger:
        with claimed(home.state, ledger, lambda kept: due(NOW, at, UTC, kept), lambda: NOW) as told:
            spoil(home.state.attempts)
        assert told == {SLOT_KEY: SLOT.isoformat()}


def test_the_doctor_says_whose_and_when(home: SleptHome) -> None:
    assert doctor(home) == ("ok", "no project has nights by itself")
    home.opt_in()
    status, told = doctor(home)
    assert (status, "nothing seems to start them" in told) == ("warn", True)
    finished(home, SLOT)
    assert doctor(home) == (
        "ok",
        f"{DAILY} 2026-11-21 03:00; the next is due 2026-11-22 03:00; no daemon runs",
    )
    finished(home, SLOT - DAY)
    assert doctor(home)[0] == "ok"
    finished(home, SLOT - 4 * DAY)
    assert doctor(home)[0] == "warn"
    with only_daemon(home.state, NOW):
        assert doctor(home) == (
            "ok",
            f"{DAILY} 2026-11-17 03:00; one is due now; daemon process {os.getpid()}",
        )


def test_the_doctor_tells_of_a_night_that_failed(home: SleptHome) -> None:
    home.opt_in()
    finished(home, SLOT - DAY)
    told: dict[str, Any] = {"schema": "attempts/1", "slot": SLOT.isoformat(), "begun": 1, "failed": True}
    home.state.attempts.write_text(json.dumps({**told, "last_at": NOW.isoformat()}))
    status, what = doctor(home)
    assert status == "warn"
    assert what.endswith("the night of 2026-11-21 03:00 failed; it is tried again at 2026-11-21 13:00")
    # A ledger that cannot be read is told by another check.
    home.state.ledger.write_bytes(b"x" * 5000)
    assert doctor(home)[0] == "warn"


def test_status(home: SleptHome) -> None:
    code, out, _ = home.run("status", "--json")
    nightly = json.loads(out)["nightly"]
    assert (code, nightly["projects"], nightly["next_at"], nightly["daemon"]) == (0, [], None, None)
    home.opt_in()
    assert home.run("run", "--if-due", "--at", "00:00")[0] == 0
    nightly = json.loads(home.run("status", "--json")[1])["nightly"]
    assert nightly["projects"] == [str(home.project)]
    assert nightly["last_at"].endswith("T00:00:00+00:00")
    assert "Nights by themselves: 1 project, each day at 03:00" in home.run("status")[1]
    home.state.config.write_text("at: [\n")
    code, out, err = home.run("status", "--json")
    assert (code, "cannot be used" in json.loads(out)["nightly"]["error"]["what"]) == (0, True), err
