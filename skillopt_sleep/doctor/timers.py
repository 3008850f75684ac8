"""Whether the system starts nights for this home, and whether what it starts is still there."""

from __future__ import annotations

from collections.abc import Iterator

from skillopt_sleep.doctor.check import Check, Patient
from skillopt_sleep.schedule.choose import schedulers
from skillopt_sleep.schedule.entry import name_of
from skillopt_sleep.schedule.keeping import install_again, look_for, wrong_with


def examine_schedule(patient: Patient) -> Iterator[Check]:
    """One check for each entry, or one that there is none."""
    if patient.user_home is None:
        return
    known = schedulers(patient.env, patient.user_home, patient.home.path)
    looked = look_for(name_of(patient.home.path), known.values())
    for scheduler, found in looked.kept:
        wrong = wrong_with(found)
        told = "; ".join(wrong) or "it looks every hour whether a night is due"
        following = install_again(found.entry, patient.home) if wrong else ""
        yield Check("schedule", "warn" if wrong else "ok", f"{scheduler.name}: {told}", following)
    if not looked.kept:
        told = "the system starts no nights: `skillopt-sleep schedule install` lets it"
        # (that a crontab may not be read is no fault of a home that has nothing in it)
        unasked = "".join(f"; {error.what}" for error in looked.failures)
        yield Check("schedule", "ok", told + unasked)
