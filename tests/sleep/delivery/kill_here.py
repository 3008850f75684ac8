"""Adopts, undoes or recovers in a process of its own, ended by SIGKILL before a step of a write.

Arguments: the root of the desk; `adopt`, `undo` or `recover`; the name of the first step to die before.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from skillopt_sleep.adopt import Adopter, Choice, adopt
from skillopt_sleep.disk import Disk
from skillopt_sleep.home import StateHome
from skillopt_sleep.journal import recover
from skillopt_sleep.stage import delivery_lock, waiting
from skillopt_sleep.undo import undo


def main(root: Path, act: str, fatal_step: str) -> None:
    def end(step: str) -> None:
        if step == fatal_step:
            os.kill(os.getpid(), signal.SIGKILL)

    home, disk, now = StateHome(root / "state"), Disk(end), datetime.now(UTC)
    if act == "adopt":
        choices = [Choice(proposal) for proposal in waiting(home)]
        adopt(home, choices, Adopter(root / "dev"), now=now, disk=disk)
    elif act == "undo":
        undo(home, now=now, disk=disk)
    else:
        with delivery_lock(home):
            recover(home.path, disk)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
