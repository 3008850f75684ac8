"""A fork and its source count once, under either id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skillopt_sleep.session import Driver
from skillopt_sleep.sources.base import Reading
from skillopt_sleep.sources.claude_code import ClaudeCode
from skillopt_sleep.sources.codex import Codex
from skillopt_sleep.sources.forks import mark_forks


def _turn(i: int, text: str) -> list[dict[str, Any]]:
    stamp = f"2026-01-01T00:{i:02}:00Z"
    ids = [f"00000000-0000-4000-8000-{i:010}{k:02}" for k in range(2)]
    return [
        {"type": "user", "uuid": ids[0], "timestamp": stamp, "message": {"content": text}},
        {
            "type": "assistant",
            "uuid": ids[1],
            "timestamp": stamp,
            "message": {"content": [{"type": "text", "text": f"done {text}"}]},
        },
    ]


def _reading(tmp_path: Path, name: str, *turns: list[dict[str, Any]]) -> Reading:
    path = tmp_path / f"{name}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for turn in turns for record in turn))
    return ClaudeCode().read(path)


def _brief(readings: tuple[Reading, ...]) -> list[tuple[str, str, str | None, list[str]]]:
    return [
        (session.id, str(session.driver), session.fork_of, [turn.text for turn in session.user_turns])
        for reading in readings
        for session in reading.sessions
    ]


ONE, TWO, THREE = _turn(1, "one"), _turn(2, "two"), _turn(3, "three")


def test_a_pure_copy_is_a_fork(tmp_path: Path) -> None:
    readings = (_reading(tmp_path, "b", ONE, TWO), _reading(tmp_path, "a", ONE, TWO))
    assert _brief(mark_forks(readings)) == [("b", "fork", "a", []), ("a", "human", None, ["one", "two"])]


def test_a_fork_that_goes_on_keeps_what_is_new(tmp_path: Path) -> None:
    readings = (_reading(tmp_path, "a", ONE, TWO, THREE), _reading(tmp_path, "b", ONE, TWO))
    marked = mark_forks(readings)
    assert _brief(marked) == [("a", "human", "b", ["three"]), ("b", "human", None, ["one", "two"])]
    (session,) = marked[0].sessions
    assert len(session.events) == len(marked[0].event_ids[0]) == 2
    assert session.started_at is not None
    assert session.started_at.minute == 3
    assert marked[0].record_ids == readings[0].record_ids


def test_both_may_go_on(tmp_path: Path) -> None:
    readings = (_reading(tmp_path, "a", ONE, TWO), _reading(tmp_path, "b", ONE, THREE))
    assert _brief(mark_forks(readings)) == [
        ("a", "human", None, ["one", "two"]),
        ("b", "human", "a", ["three"]),
    ]


def test_a_fork_of_a_session_read_on_an_earlier_night(tmp_path: Path) -> None:
    earlier = _reading(tmp_path, "z", ONE, TWO)
    fork = _reading(tmp_path, "a", ONE, TWO)
    assert _brief(mark_forks([fork], {"z": earlier.record_ids})) == [("a", "fork", "z", [])]


def test_a_session_that_grew_is_not_its_own_fork(tmp_path: Path) -> None:
    before = _reading(tmp_path, "a", ONE)
    after = _reading(tmp_path, "a", ONE, TWO)
    assert _brief(mark_forks([after], {"a": before.record_ids})) == [("a", "human", None, ["one", "two"])]


def test_alike_words_are_no_fork(tmp_path: Path) -> None:
    same = [{"type": "user", "message": {"content": "run the tests"}}]
    short = [{"type": "user", "uuid": "u1", "timestamp": "2026-01-01T00:00:00Z", "message": {"content": "x"}}]
    later = [short[0] | {"timestamp": "2026-01-02T00:00:00Z"}]
    readings = (_reading(tmp_path, "a", same, short), _reading(tmp_path, "b", same, later))
    assert [driver for _, driver, _, _ in _brief(mark_forks(readings))] == ["human", "human"]


def test_a_source_without_record_ids_has_no_forks(tmp_path: Path) -> None:
    bare = [Reading(_reading(tmp_path, name, ONE).sessions) for name in ("a", "b")]
    assert [driver for _, driver, _, _ in _brief(mark_forks(bare))] == ["human", "human"]


def test_real_forks(transcripts: Path) -> None:
    for version, source, fork in (
        ("2.1.329", "86374cd9-03b9-4c58-82b8-9250a92a844a", "bd0ca267-0f5a-4284-92a8-5f2b4a0f2f39"),
        ("2.0.31", "d8f0c3db-8340-4fce-b385-be97625e83be", "e273af89-549d-42e6-b63b-a4577c6d136f"),
    ):
        folder = transcripts / "claude" / version / "projects" / "-home-dev-web"
        readings = [ClaudeCode().read(folder / f"{name}.jsonl") for name in (fork, source)]
        (copy,), (original,) = (reading.sessions for reading in mark_forks(readings))
        assert (copy.fork_of, copy.driver) == (source, Driver.HEADLESS)
        assert [turn.text for turn in copy.user_turns] == ["continue elsewhere"]
        assert len(original.user_turns) == 3


@pytest.mark.parametrize("goes_on", [False, True])
def test_codex_forks(tmp_path: Path, goes_on: bool) -> None:
    def line(kind: str, **payload: object) -> dict[str, object]:
        return {"timestamp": "2026-01-01T00:00:00Z", "type": kind, "payload": payload}

    source = line("session_meta", id="t1", cwd="/r", source="cli")
    talk = [
        line("event_msg", type="user_message", message="a"),
        line("event_msg", type="agent_message", message="b"),
    ]
    new = [line("event_msg", type="user_message", message="c")] if goes_on else []
    fork = [line("session_meta", id="t0", cwd="/r", source="cli", forked_from_id="t1"), source, *talk, *new]
    readings = []
    for name, lines in (("rollout-1.jsonl", [source, *talk]), ("rollout-2.jsonl", fork)):
        (tmp_path / name).write_text("".join(json.dumps(record) + "\n" for record in lines))
        readings.append(Codex().read(tmp_path / name))
    told = _brief(mark_forks(readings))
    assert told[0] == ("t1", "human", None, ["a"])
    assert told[1] == ("t0", *(("human", "t1", ["c"]) if goes_on else ("fork", "t1", [])))
