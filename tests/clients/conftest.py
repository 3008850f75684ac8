"""Programs from npm, a marketplace of the checkout, and a home with lessons that wait."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from git_server import ROOT, served, tracked_repository
from npm import CHECKERS, CLIENTS, Npm, npm_with


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of this test run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def clients(run_folder: Path) -> Npm:
    return npm_with(CLIENTS, run_folder)


@pytest.fixture(scope="session")
def checkers(run_folder: Path) -> Npm:
    """The inspector and the conformance suites of the protocol."""
    return npm_with(CHECKERS, run_folder)


@pytest.fixture(scope="session")
def marketplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a git repository with what is tracked here."""
    if not (ROOT / ".git").exists():
        pytest.skip("LEFT OUT, this is no checkout of git: nothing says which files the marketplace has")
    with served(tracked_repository(ROOT, tmp_path_factory.mktemp("market"))) as url:
        yield url
