"""Whether nights run by themselves, and whether somebody starts them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from skillopt_sleep.doctor.check import Check, Patient, exists
from skillopt_sleep.doctor.ledger import looking
from skillopt_sleep.nightly.due import Kept
from skillopt_sleep.nightly.kept import SLOT_KEY, read_attempts, slot_of
from skillopt_sleep.nightly.standing import standing
from skillopt_sleep.nightly.zone import local_zone
from skillopt_sleep.settings import load_settings
from skillopt_sleep.sources.registry import SOURCES


def examine_nights(patient: Patient) -> Iterator[Check]:
    """One check: for which projects, when the last and the next one, and by what daemon."""
    settings = load_settings(patient.home.config, patient.env, source_names=tuple(SOURCES))
    zone = local_zone()
    found = standing(patient.home, settings, _known(patient), patient.now, zone)
    told = found.words(zone)
    if found.is_late(patient.now):
        what = f"{told}, and nothing seems to start them"
        yield Check("nights", "warn", what, "skillopt-sleep schedule status")
    elif found.failed:
        yield Check("nights", "warn", f"{told}: {found.failed}", "skillopt-sleep run --all-projects")
    else:
        yield Check("nights", "ok", told)


def _known(patient: Patient) -> Kept:
    """What is known of earlier nights, without a change of the ledger; one that fails is told elsewhere."""
    text = None
    if exists(patient.home.ledger):
        try:
            with looking(patient.home.ledger) as connection:
                rows = connection.execute("SELECT value FROM kv WHERE key = ?", (SLOT_KEY,)).fetchall()
            text = str(rows[0][0]) if rows else None
        except (sqlite3.Error, OSError):
            text = None
    return Kept(slot_of(text), read_attempts(patient.home))
