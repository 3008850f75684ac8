"""Sessions their person keeps out: by a marker file in the folder, or by saying so in the session.

Nothing that was said in such a session is kept, and once kept out it stays out. What asks for it is looked
for generously: a session too many that is left alone does no harm.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from skillopt_sleep.own_words import outside_marked_pastes
from skillopt_sleep.session import Driver, Session

MARKER = ".skillopt-sleep-ignore"
"""A file, or anything else, of this name in the folder of a session or above it in its repository."""

BY_MARKER = "kept_out:marker"
BY_WORDS = "kept_out:words"

_NAME = "skillopt-sleep"
_ASKED = re.compile(
    r"^(?:[^\w\n]|_)*skillopt-sleep[ \t]{0,9}[:=]?[ \t]{0,9}off\b(?:[^\w\n]|_)*$"
    r"|\bkeep this (?:session|chat) out of skillopt-sleep\b",
    re.IGNORECASE | re.MULTILINE,
)


def asks_out(text: str) -> bool:
    """Whether these words of a person keep their session out: a line `skillopt-sleep: off`, or "keep this
    session out of skillopt-sleep". In a block that is marked as pasted they are somebody else's."""
    return _NAME in text.lower() and _ASKED.search(outside_marked_pastes(text)) is not None


def is_marked(cwd: str | None, project: str | None) -> bool:
    """Whether a marker keeps out what ran in this folder. Looked for from the folder up to the root of its
    repository or worktree, and in the project; never above. Of a folder that is gone those above it count."""
    if not cwd or not os.path.isabs(cwd):  # noqa: PTH117  (asked for each session of each harvest)
        return False
    folders = [Path(cwd)]
    for folder in (Path(cwd), *Path(cwd).parents):
        if str(folder) == project or _is_there(folder / ".git"):
            folders = [each for each in (Path(cwd), *Path(cwd).parents) if each.is_relative_to(folder)]
            break
    return any(_is_there(folder / MARKER) for folder in (*folders, Path(project or cwd)))


def without_words(session: Session) -> Session:
    """What is kept of a session that is kept out, until it is forgotten: which one it is, where and when."""
    return replace(session, driver=Driver.KEPT_OUT, events=(), skills=(), branch=None, notes=())


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)
