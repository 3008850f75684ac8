"""One dry night in each project of a home, in this process."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio

from skillopt_sleep.harvest import harvest, select_sessions
from skillopt_sleep.home import StateHome
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.mine.embed import HashedNgrams
from skillopt_sleep.night import ProjectNight, Surroundings, project_night
from skillopt_sleep.sources.registry import SOURCES


def nights_of(home: Path, state_folder: Path) -> list[ProjectNight]:
    """Harvest the home and let every project have its night; nothing is staged."""
    state = StateHome(state_folder)
    state.make()
    around = Surroundings(state, home, datetime(2026, 11, 21, tzinfo=UTC), "night", HashedNgrams())
    with Ledger.open(state.ledger) as ledger:
        harvest(ledger, [SOURCES[name]((state.path,)) for name in SOURCES], env={}, home=home)
        return [
            anyio.run(partial(project_night, found, ledger, around, dry_run=True))
            for found in select_sessions(ledger, None)
        ]
