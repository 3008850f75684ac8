"""Puts this folder and that of the judge on the path; homes before and after a night."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "homes"))
sys.path.insert(0, str(Path(__file__).parent))

from labelled_home import Developer, Json, build


@pytest.fixture
def developer(tmp_path: Path) -> Developer:
    """Nothing has been run yet."""
    return build(tmp_path / "dev")


@pytest.fixture(scope="package")
def slept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Developer, Json]:
    """After one night over all projects, with its object. Tests may read here, and change nothing."""
    there = build(tmp_path_factory.mktemp("slept") / "dev")
    return there, there.night()


@pytest.fixture
def after_night(
    slept: tuple[Developer, Json], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Developer, Json]]:
    """The same, to be changed: all is put back at the end, under the same paths."""
    there, night = slept
    saved = tmp_path_factory.mktemp("saved") / "dev"
    shutil.copytree(there.root, saved, symlinks=True)
    try:
        yield there, night
    finally:
        shutil.rmtree(there.root)
        shutil.move(saved, there.root)
