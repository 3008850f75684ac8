"""What else the state holds: settings, the lock, what was interrupted, proposals, receipts, live skills."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from skillopt.core.skill import Skill
from skillopt.errors import SkillOptError
from skillopt_sleep.amounts import counted
from skillopt_sleep.doctor.check import Check, Patient, exists
from skillopt_sleep.journal import is_pending, read_live
from skillopt_sleep.proposal import file_sha
from skillopt_sleep.receipt import Receipt, bytes_after, bytes_before, receipts, unreadable_receipts
from skillopt_sleep.settings import load_settings
from skillopt_sleep.skillfile import REGION
from skillopt_sleep.sources.registry import SOURCES
from skillopt_sleep.stage import PUT_ASIDE, staged_bytes, unreadable, unreadable_discards, waiting


def examine_settings(patient: Patient) -> Iterator[Check]:
    """Whether they can be used, where each comes from, and whether its folders are there."""
    settings = load_settings(patient.home.config, patient.env, source_names=tuple(SOURCES))
    told = [
        f"{key} {', '.join(value) or 'all' if isinstance(value, tuple) else value} ({settings.origins[key]})"
        for key, value in settings.values.items()
        if settings.origins[key] != "default"
    ]
    missing = [folder for folder in settings.projects if not exists(Path(folder))]
    if missing:
        what = f"no folder is at {', '.join(missing)} ({settings.origins['projects']})"
        yield Check("settings", "warn", what, "skillopt-sleep config set projects DIR...")
    yield Check("settings", "ok", "; ".join(told) or "all are the defaults")


def examine_lock(patient: Patient) -> Iterator[Check]:
    """Who holds the run lock, as far as can be told without trying to take it."""
    try:
        who = json.loads(patient.home.lock_holder.read_bytes())
        pid, since = int(who["pid"]), datetime.fromisoformat(who["since"])
    except FileNotFoundError:
        yield Check("lock", "ok", "no run is going on")
        return
    except (ValueError, KeyError, TypeError):
        yield Check("lock", "warn", f"{patient.home.lock_holder} cannot be read", "the next run mends it")
        return
    if _is_alive(pid):
        yield Check("lock", "ok", f"process {pid} is at work since {since}")
    else:
        yield Check("lock", "ok", f"free; process {pid}, which held it since {since}, has ended")


def examine_interruptions(patient: Patient) -> Iterator[Check]:
    """What a crash left for the next command."""
    if is_pending(patient.home.path):
        told = "an adopt, undo or discard was interrupted, or is going on"
        yield Check("journal", "fail", told, "skillopt-sleep recover")
    else:
        yield Check("journal", "ok", "nothing was interrupted")
    if exists(patient.home.purge):
        told = "a purge was interrupted, or is going on: words to be forgotten may be there still"
        yield Check("purge", "fail", told, "skillopt-sleep purge")


def examine_records(patient: Patient) -> Iterator[Check]:
    """Whether proposals, discards and receipts can be read, bytes included."""
    home, is_good = patient.home, True
    for each in unreadable(home):
        is_good = False
        yield Check("proposals", "fail", f"{each.path} cannot be read: {each.why}", PUT_ASIDE.format(each.id))
    for each in (*unreadable_discards(home), *unreadable_receipts(home)):
        is_good = False
        told = f"{each.path} cannot be read: {each.why}"
        yield Check("records", "fail", told, f"put back a copy, or: mv '{each.path}' '{each.path}.damaged'")
    proposals, adopted = waiting(home), receipts(home)
    standing = [receipt for receipt in adopted if receipt.undone_at is None]
    for proposal in proposals:
        problems = _problems("proposals", partial(staged_bytes, home, proposal))
        is_good = is_good and not problems
        yield from problems
    for receipt in standing:
        problems = _problems("receipts", partial(bytes_before, home, receipt))
        problems = problems or _problems("receipts", partial(bytes_after, home, receipt))
        is_good = is_good and not problems
        yield from problems
    if is_good:
        told = (
            f"{counted(len(proposals), 'proposal')} to review, {counted(len(standing), 'receipt')} to undo by"
        )
        yield Check("records", "ok", told)
    yield from _skills(patient, standing)


def _skills(patient: Patient, standing: list[Receipt]) -> Iterator[Check]:
    """The learned block of every live skill, beside what was adopted last."""
    last = {receipt.real_path: receipt for receipt in standing}
    found = [check for receipt in last.values() for check in _skill(patient, receipt)]
    yield from found
    if last and not found:
        yield Check(
            "skills", "ok", f"{counted(len(last), 'live skill')} with the lessons as they were adopted"
        )


def _skill(patient: Patient, receipt: Receipt) -> list[Check]:
    try:
        told = _changed_since(patient, receipt)
    except (SkillOptError, OSError) as error:
        told = f"{receipt.path} cannot be compared with what was adopted: {' '.join(str(error).split())}"
    return [Check("skills", "warn", told, f"skillopt-sleep show {receipt.id}")] if told else []


def _problems(name: str, look: Callable[[], object]) -> list[Check]:
    try:
        look()
    except SkillOptError as error:
        return [Check(name, "fail", f"{error.what} {error.why}".strip(), error.next)]
    return []


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return pid > 0
    return pid > 0


def _changed_since(patient: Patient, receipt: Receipt) -> str:
    live = read_live(Path(receipt.real_path))
    if live is None:
        return f"{receipt.path} is gone since it was adopted"
    if file_sha(live) == receipt.after_sha:
        return ""
    if _block(live) != _block(bytes_after(patient.home, receipt)):
        return f"the learned block of {receipt.path} was changed since it was adopted: undo will refuse"
    return ""


def _block(data: bytes) -> str | None:
    skill = Skill.from_bytes(data)
    region = skill.region(REGION)
    return None if region is None else skill.text[region.start : region.end]
