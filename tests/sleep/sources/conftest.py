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


@pytest.fixture(params=["json", "jsonl"])
def form(request: pytest.FixtureRequest) -> str:
    """A chat of VS Code as a whole object, and as a log."""
    return str(request.param)
