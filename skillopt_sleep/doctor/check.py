"""One finding of the doctor: what was looked at, how it is, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from skillopt.errors import SkillOptError
from skillopt_sleep.home import StateHome

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """`what` says how it is, `next` the command or act that mends it ("" when there is nothing to mend)."""

    name: str
    status: Status
    what: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What the doctor looks at; `user_home` is None when nobody knows it."""

    home: StateHome
    env: Mapping[str, str]
    user_home: Path | None
    now: datetime


Examination = Callable[[Patient], Iterator[Check]]


def examined(name: str, examine: Examination, patient: Patient) -> list[Check]:
    """All that one examination finds. What makes it fail is a finding too, and stops no other."""
    found: list[Check] = []
    try:
        found += examine(patient)
    except SkillOptError as error:
        what = f"{error.what}: {error.why}" if error.why else error.what
        found.append(Check(name, "fail", what, error.next))
    except OSError as error:
        told = f"{error.filename or 'something'} cannot be looked at: {error.strerror or error}"
        found.append(Check(name, "fail", told, "check who owns it and its permissions"))
    except Exception as error:  # noqa: BLE001  (the doctor must not fall ill with the patient)
        told = f"it could not be looked at: {type(error).__name__}: {error}"
        found.append(Check(name, "fail", told, "report this line"))
    return found


def exists(path: Path) -> bool:
    """Whether something is there, as far as we may look."""
    return os.path.exists(path)  # noqa: PTH110  (`Path.exists` raises for a folder one may not enter)
