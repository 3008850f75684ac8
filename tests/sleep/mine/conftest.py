"""Puts this folder on the path, whatever import mode pytest runs in, and gives the cue tables."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from skillopt_sleep.mine.cues import Cues, load_cues


@pytest.fixture(scope="session")
def english() -> Cues:
    return load_cues(frozenset({"en"}))


@pytest.fixture(scope="session")
def all_languages() -> Cues:
    return load_cues()
