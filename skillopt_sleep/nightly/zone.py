"""The zone this machine is in now: a person travels, and a program that runs for weeks with them."""

from __future__ import annotations

import warnings
from datetime import datetime, tzinfo


def local_zone() -> tzinfo:
    """The zone with its daylight saving; where the system does not name one, today's distance from UTC."""
    import tzlocal  # asked once a minute at most

    with warnings.catch_warnings():
        # (of a system that names none, which is UTC then)
        warnings.simplefilter("ignore")
        try:
            return tzlocal.reload_localzone()
        except (LookupError, OSError, ValueError):
            zone = datetime.now().astimezone().tzinfo
            assert zone is not None  # noqa: S101  (an aware time has one)
            return zone
