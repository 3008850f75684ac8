"""Whether somebody is at work: when a transcript changed last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from skillopt_sleep.sources.base import Source


def last_change(
    sources: Sequence[Source], env: Mapping[str, str], home: Path, now: datetime
) -> datetime | None:
    """When the newest transcript was written to, None when there is none. What lies in the future was
    written under another clock and says nothing."""
    newest = 0.0
    until = now.timestamp()
    for source in sources:
        for root in source.roots(env, home):
            for path in source.files(root):
                try:
                    changed_at = path.stat().st_mtime
                except OSError:
                    continue
                if newest < changed_at <= until:
                    newest = changed_at
    return datetime.fromtimestamp(newest, UTC) if newest else None
