"""Whether the machine runs on its battery."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

POWER_SUPPLIES = Path("/sys/class/power_supply")
_PMSET = "/usr/bin/pmset"
_MOST_BYTES = 64

OnBattery = Callable[[], bool | None]
"""None where there is no telling."""


def on_battery() -> bool | None:
    """As the system tells it, None when it does not."""
    if sys.platform == "darwin":
        return from_pmset(_asked_pmset())
    return from_supplies(POWER_SUPPLIES)


def from_supplies(folder: Path) -> bool | None:
    """As Linux tells it: a mains or USB supply that is online, or a battery that discharges."""
    try:
        supplies = sorted(folder.iterdir())
    except OSError:
        return None
    is_discharging = is_unplugged = has_battery = False
    for supply in supplies:
        kind = _line(supply / "type")
        # A mouse or a headset has a battery too, and is not the machine.
        if _line(supply / "scope") == "Device":
            continue
        if kind in ("Mains", "USB", "Wireless"):
            if _line(supply / "online") == "1":
                return False
            # Ports that nothing is plugged into say 0 as well, on machines that have no battery.
            is_unplugged |= kind == "Mains"
        elif kind in ("Battery", "UPS"):
            has_battery = True
            is_discharging |= _line(supply / "status") == "Discharging"
    if is_discharging or (is_unplugged and has_battery):
        return True
    return False if has_battery else None


def from_pmset(told: str) -> bool | None:
    """As macOS tells it, on the first line of `pmset -g batt`."""
    if "'Battery Power'" in told:
        return True
    return False if "'AC Power'" in told else None


def _asked_pmset() -> str:
    try:
        asked = [_PMSET, "-g", "batt"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace").strip()
    except OSError:
        return ""
