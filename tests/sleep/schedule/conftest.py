from __future__ import annotations

from pathlib import Path

import pytest
from schedule_desk import Desk, furnish


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path / "home", tmp_path / "state", tmp_path / "bin")
    furnish(made)
    return made


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Tells its arguments and two variables, each on a line of its own."""
    path = tmp_path / "tool" / "skillopt-sleep"
    path.parent.mkdir()
    path.write_text('#!/bin/sh\nprintf "%s\\n" "$CODEX_HOME" "$SKILLOPT_SLEEP_OWN" "$@"\n')
    path.chmod(0o755)
    return path
