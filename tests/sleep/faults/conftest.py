"""Machines before a night, after one, and after an adopt; built once, given back as they were."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from machine import Machine, build


@pytest.fixture(scope="package")
def built(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Saved as `fresh` (nothing was run), `slept` (two proposals wait) and `adopted`."""
    machine = build(tmp_path_factory.mktemp("built") / "machine")
    machine.save("fresh")
    assert len(machine.ok("run", "--all-projects")["proposals"]) == 2
    machine.save("slept")
    machine.ok("adopt", "--all")
    machine.save("adopted")
    return machine


@pytest.fixture
def fresh(built: Machine) -> Machine:
    built.back_to("fresh")
    return built


@pytest.fixture
def slept(built: Machine) -> Machine:
    built.back_to("slept")
    return built


@pytest.fixture
def adopted(built: Machine) -> Machine:
    built.back_to("adopted")
    return built
