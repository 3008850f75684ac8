"""The patch text agents write (`*** Begin Patch` ...): which files it touches and what it adds."""

from __future__ import annotations

import re
from collections.abc import Mapping

BEGIN = "*** Begin Patch"
_FILE = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.{1,1000})$", re.MULTILINE)


def find_in(given: Mapping[str, object]) -> str:
    """The patch among the arguments of a call, "" when there is none."""
    return next((value for value in given.values() if isinstance(value, str) and BEGIN in value), "")


def files_of(patch: str) -> list[str]:
    """The paths a patch names, as written, in order."""
    return [found.strip() for found in _FILE.findall(patch.replace("\r\n", "\n"))]


def new_text_of(patch: str) -> str:
    """The lines a patch or a unified diff adds."""
    lines = patch.split("\n")
    return "\n".join(line[1:] for line in lines if line.startswith("+") and not line.startswith("+++ "))
