"""A look at everything the night relies on, that changes nothing and stops at nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from skillopt_sleep.doctor.check import Check, Examination, Patient, examined
from skillopt_sleep.doctor.clients import examine_clients
from skillopt_sleep.doctor.kept import (
    examine_interruptions,
    examine_lock,
    examine_records,
    examine_settings,
)
from skillopt_sleep.doctor.ledger import examine_ledger
from skillopt_sleep.doctor.nights import examine_nights
from skillopt_sleep.doctor.place import examine_python, examine_state
from skillopt_sleep.doctor.timers import examine_schedule
from skillopt_sleep.doctor.transcripts import examine_transcripts
from skillopt_sleep.doctor.wired import examine_wiring

_EXAMINATIONS: tuple[tuple[str, Examination], ...] = (
    ("versions", examine_python),
    ("state", examine_state),
    ("settings", examine_settings),
    ("lock", examine_lock),
    ("schedule", examine_schedule),
    ("journal", examine_interruptions),
    ("records", examine_records),
    ("ledger", examine_ledger),
    ("transcripts", examine_transcripts),
    ("nights", examine_nights),
    ("wired", examine_wiring),
)


def examine(patient: Patient) -> tuple[Check, ...]:
    """Every check, in the order a person reads them. The clients, which may be slow, answer meanwhile."""
    with ThreadPoolExecutor(1) as aside:
        clients = aside.submit(examined, "clients", examine_clients, patient)
        found = [check for name, look in _EXAMINATIONS for check in examined(name, look, patient)]
        return (*found, *clients.result())
