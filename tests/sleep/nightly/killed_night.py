"""A night that dies by SIGKILL before its write number STEP: `killed_night.py ROOT NOW ZONE STEP`."""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from slept_home import SleptHome

WRITES = ("os.rename", "os.remove", "os.mkdir", "os.chmod", "sqlite3.connect", "os.utime")


def main() -> None:
    """Ends with 0 when the night was over before."""
    root, now, zone, step = sys.argv[1:]
    left = int(step)

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in WRITES or (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
        ):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    home = SleptHome(Path(root))
    sys.addaudithook(watch)
    home.night(datetime.fromisoformat(now), ZoneInfo(zone))


if __name__ == "__main__":
    main()
