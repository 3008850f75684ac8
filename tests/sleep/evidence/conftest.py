"""Puts this folder and the session scripts of the miner's tests on the path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "mine"))
sys.path.insert(0, str(HERE))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
