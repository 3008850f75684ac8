"""Real transcripts and the labelled home, as paths."""

from __future__ import annotations

from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture
def transcripts() -> Path:
    return FIXTURES / "transcripts"


@pytest.fixture
def corpus() -> Path:
    return FIXTURES / "corpus"
