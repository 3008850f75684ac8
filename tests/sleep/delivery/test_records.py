"""Stored values come back equal, and a damaged file is told, not guessed at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from skillopt.errors import StorageError
from skillopt_sleep.proposal import PROPOSAL_SCHEMA, Proposal, SealedTest
from skillopt_sleep.records import from_bytes, read_record, to_bytes
from skillopt_sleep.stage import unreadable, waiting


def read(data: bytes) -> Proposal:
    return from_bytes(Proposal, data, schema=PROPOSAL_SCHEMA, where="there")


def test_a_proposal_comes_back_equal(desk: Any) -> None:
    proposal = desk.managed(desk.lesson("Ünïcode \ud800 and \x00"), test=SealedTest(0.0, 1.0, 2))
    assert read(to_bytes(proposal, schema=PROPOSAL_SCHEMA)) == proposal


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "proposal/2"},
        {"kind": "other"},
        {"lessons": "none"},
        {"lessons": [1]},
        {"created_at": "yesterday"},
        {"target": {"path": 1, "exists": True}},
        {"surprise": 1},
        {"night": None},
        {"decision": {"verdict": "accept", "reason": "", "interval": [1.0]}},
    ],
)
def test_anything_else_is_damage_and_names_the_file(desk: Any, change: dict[str, Any]) -> None:
    body = json.loads(to_bytes(desk.managed("Use pnpm."), schema=PROPOSAL_SCHEMA))
    with pytest.raises(StorageError, match="there cannot be read"):
        read(json.dumps(body | change).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_record_are_damage(desk: Any, data: bytes) -> None:
    proposal = desk.managed("Use pnpm.")
    file = desk.home.proposals / proposal.id / "proposal.json"
    file.write_bytes(data)
    with pytest.raises(StorageError, match=str(file)):
        read_record(Proposal, file, schema=PROPOSAL_SCHEMA)
    assert waiting(desk.home) == ()
    assert [(each.id, each.path) for each in unreadable(desk.home)] == [(proposal.id, str(file))]
