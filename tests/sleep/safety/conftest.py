"""Puts the tables of this folder, and the workshop of the evidence tests, on the path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "evidence", HERE.parent / "mine"):
    sys.path.insert(0, str(folder))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
