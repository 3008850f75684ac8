"""No file content makes a reader raise, and nothing unclean leaves one."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skillopt_sleep.session import Action, AgentText, UserTurn
from skillopt_sleep.sources.base import Reading
from skillopt_sleep.sources.forks import mark_forks
from skillopt_sleep.sources.registry import SOURCES

FIXTURES = Path(__file__).parents[2] / "fixtures"
FILES = {
    "claude": sorted((FIXTURES / "transcripts/claude/2.1.329/interactive_projects").rglob("*.jsonl")),
    "codex": sorted((FIXTURES / "transcripts/codex").rglob("rollout-*.jsonl")),
    "copilot": sorted((FIXTURES / "transcripts/copilot").rglob("events.jsonl")),
    "vscode": sorted((FIXTURES / "transcripts/vscode").rglob("chatSessions/*.jsonl")),
}
KEYS = st.sampled_from(
    [
        "type",
        "message",
        "content",
        "role",
        "uuid",
        "timestamp",
        "cwd",
        "payload",
        "item",
        "id",
        "data",
        "attachment",
        "toolUseResult",
        "answers",
        "text",
        "name",
        "input",
        "call_id",
        "output",
        "changes",
        "arguments",
        "toolCallId",
        "result",
        "error",
        "fileEdits",
        "context",
        "git",
        "source",
        "origin",
        "kind",
        "k",
        "v",
        "i",
        "requests",
        "response",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=20),
    st.sampled_from(
        [
            "user",
            "assistant",
            "tool_use",
            "tool_result",
            "text",
            "attachment",
            "queued_command",
            "event_msg",
            "response_item",
            "item_completed",
            "UserMessage",
            "CommandExecution",
            "FileChange",
            "function_call",
            "function_call_output",
            "message",
            "session_meta",
            "user.message",
            "tool.execution_start",
            "tool.execution_complete",
            "permission.completed",
            "session.start",
            "toolInvocationSerialized",
            "textEditGroup",
            "requests",
            0,
            1,
            2,
            3,
        ]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(KEYS, st.text(max_size=5)), inner, max_size=6)
    ),
    max_leaves=25,
)
RECORDS = st.dictionaries(KEYS, VALUES, max_size=8)
FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _check(reading: Reading) -> None:
    assert all(isinstance(n, int) and n > 0 for n in reading.skipped.values())
    for session, ids in zip(reading.sessions, reading.event_ids, strict=True):
        assert len(ids) == len(session.events)
        for event in session.events:
            texts = (
                (event.command, event.text, *event.files)
                if isinstance(event, Action)
                else (event.text,)
                if isinstance(event, UserTurn | AgentText)
                else ()
            )
            for text in texts:
                text.encode()
                assert not any(ord(char) < 32 and char not in "\n\t" for char in text)
    assert len(mark_forks([reading, reading])) == 2


@pytest.mark.parametrize("name", sorted(SOURCES))
@given(lines=st.lists(st.one_of(VALUES, RECORDS), max_size=8))
@FAST
def test_any_json_is_survived(tmp_path: Path, name: str, lines: list[Any]) -> None:
    path = tmp_path / "rollout-x.jsonl"
    path.write_bytes("".join(json.dumps(line) + "\n" for line in lines).encode())
    _check(SOURCES[name](()).read(path))


@pytest.mark.parametrize("name", sorted(SOURCES))
@given(content=st.binary(max_size=200))
@FAST
def test_any_bytes_are_survived(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "rollout-x.jsonl"
    path.write_bytes(content)
    _check(SOURCES[name](()).read(path))


def _mutate(value: Any, rng: random.Random, odd: Any) -> Any:
    """The value with one random place replaced by something of another type."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        value[key] = _mutate(value[key], rng, odd)
        return value
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        value[place] = _mutate(value[place], rng, odd)
        return value
    return odd


@pytest.mark.parametrize("name", sorted(SOURCES))
@given(seed=st.integers(0, 2**32), odd=SCALARS | VALUES)
@settings(FAST, max_examples=120)
def test_real_records_with_a_wrong_type_anywhere_are_survived(
    tmp_path: Path, name: str, seed: int, odd: Any
) -> None:
    rng = random.Random(seed)
    records = [json.loads(line) for line in rng.choice(FILES[name]).read_text().split("\n") if line]
    for _ in range(8):
        place = rng.randrange(len(records))
        records[place] = _mutate(copy.deepcopy(records[place]), rng, odd)
    rng.shuffle(records) if rng.random() < 0.3 else None
    text = "".join(json.dumps(record) + "\n" for record in records)
    if rng.random() < 0.5:
        text = text[: rng.randrange(len(text))]
    path = tmp_path / "rollout-x.jsonl"
    path.write_text(text)
    _check(SOURCES[name](()).read(path))
