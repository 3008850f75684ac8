"""The doctor sees which clients are wired, and what of it somebody took away."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from skillopt_sleep.doctor.check import Check, Patient
from skillopt_sleep.doctor.wired import examine_wiring

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def look(person: Any) -> dict[str, Check]:
    return {
        check.name: check for check in examine_wiring(Patient(person.state, person.all_env, person.home, NOW))
    }


def test_what_is_wired_is_told(person: Any) -> None:
    assert look(person)["wired"].status == "ok"
    person.install("codex")
    person.install("claude")
    found = look(person)
    assert {name: check.status for name, check in found.items()} == {
        "wired codex": "ok",
        "wired claude": "ok",
    }
    assert "2026-11-21" in found["wired codex"].what
    assert str(person.program) in found["wired codex"].what


def _without(name: str) -> Callable[[Any], None]:
    return lambda person: (person.home / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda person: os.truncate(person.home / ".codex/config.toml", 0), "mcp_servers.skillopt-sleep"),
        (_without(".codex/config.toml"), "mcp_servers.skillopt-sleep"),
        (_without(".codex/skills/skillopt-sleep/SKILL.md"), "SKILL.md is gone"),
        (_without("bin/skillopt-sleep"), "not there any more"),
    ],
)
def test_what_is_gone_is_told_with_what_mends_it(
    person: Any, spoil: Callable[[Any], None], told: str
) -> None:
    person.program = person.write("bin/skillopt-sleep", "#!/bin/sh\n")
    Path(person.program).chmod(0o755)
    person.install("codex")
    assert look(person)["wired codex"].status == "ok"
    spoil(person)
    found = look(person)["wired codex"]
    assert (found.status, found.next) == ("warn", "skillopt-sleep install codex")
    assert told in found.what


def test_a_recorded_program_that_is_gone_is_told(person: Any) -> None:
    person.state.make()
    (person.state.path / "engine").write_text("/nowhere/skillopt-sleep\n")
    assert "/nowhere/skillopt-sleep" in look(person)["engine"].what
