"""VS Code chats that are damaged, huge or made up: counted, survived, without effect on those beside them."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vscode_files import Record, ask, read, reading, words, write

from skillopt_sleep.session import Action, AgentText, Session, UserTurn
from skillopt_sleep.sources.base import Reading
from skillopt_sleep.sources.vscode_chat import VsCodeChat
from skillopt_sleep.sources.vscode_requests import MAX_ITEMS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "transcripts" / "vscode"
FILES = sorted(path for path in FIXTURES.rglob("*.json*") if path.name != "workspace.json")
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["file", "\0", "/"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "value", "uri"]), inner)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("request_", "counts"),
    [
        (ask("go", {"kind": "hologram"}), {"unknown_type:part:hologram": 1}),
        (ask("go", {"kind": ["thinking"]}, 5), {"wrong_type": 2}),
        (ask("[VS Code: value truncated for persistence; original 2097152 chars]"), {"truncated_value": 1}),
        (ask("go", {"value": "[VS Code: value truncated for persistence; x]"}), {"truncated_value": 1}),
        (ask(5), {"wrong_type": 1}),
        (ask("go") | {"message": [1]}, {"wrong_type": 1}),
        (ask("go", result=[], editedFileEvents={}), {"wrong_type": 2}),
        ([], {"wrong_type": 1}),
    ],
)
def test_what_is_not_understood_is_counted(
    tmp_path: Path, form: str, request_: Any, counts: dict[str, int]
) -> None:
    if isinstance(request_, list) and form == "jsonl":
        path = write(tmp_path, form, {"requests": [ask("first")]})
        path.write_text(path.read_text() + '{"kind":2,"k":["requests"],"v":[[]]}\n')
        found = VsCodeChat().read(path)
    else:
        found = reading(tmp_path, form, ask("first"), request_)
    assert dict(found.skipped) == counts
    assert found.sessions[0].user_turns[0].text == "first"


@pytest.mark.parametrize(
    ("content", "counts"),
    [
        ("", {}),
        ('{"requests": []}', {}),
        ('{"version": 9, "turns": ["hello"]}', {"no_user_turns": 1, "unknown_type:version:9": 1}),
        ('{"requests": [{"message": {"text": "x"}, "isSystemInitiated": true}]}', {"no_user_turns": 1}),
        ('{"requests": 5}', {"no_user_turns": 1, "wrong_type": 1}),
        ('{"requests": [', {"bad_json": 1, "no_user_turns": 1}),
        ("[1]", {"no_user_turns": 1, "not_an_object": 1}),
        ("[" * 100_000, {"bad_json": 1, "no_user_turns": 1}),
    ],
)
def test_a_file_without_words(tmp_path: Path, content: str, counts: dict[str, int]) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    found = VsCodeChat().read(path)
    assert (dict(found.skipped), found.sessions, found.bytes_read) == (counts, (), len(content))
    if content.startswith("{") and "bad_json" not in counts:
        log = tmp_path / "a.jsonl"
        log.write_text(f'{{"kind":0,"v":{content}}}\n')
        assert dict(VsCodeChat().read(log).skipped) == counts


def test_bytes_that_are_not_text_and_a_file_that_is_no_chat(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"requests":[{"message":{"text":"caf\xff"}}]}')
    found = VsCodeChat().read(path)
    assert (words(found.sessions[0]), dict(found.skipped)) == ([("prompt", "caf�")], {"invalid_utf8": 1})
    with path.open("wb") as stream:
        stream.truncate(65 * 1024**2)
    assert dict(VsCodeChat().read(path).skipped) == {"file_too_large": 1}
    assert dict(VsCodeChat().read(tmp_path / "none.json").skipped) == {"unreadable": 1}


def test_millions_of_nothings_do_not_take_the_night(tmp_path: Path) -> None:
    nothings: list[Record] = [{}] * (MAX_ITEMS + 5)
    for requests in (
        [ask("first", *nothings)],
        [ask("first", *nothings), ask("second")],
        [ask("first"), *nothings],
    ):
        found = reading(tmp_path, "json", *requests)
        assert (words(found.sessions[0]), dict(found.skipped)) == (
            [("prompt", "first")],
            {"file_too_large": 1},
        )


def test_a_log_that_is_torn_or_begins_in_the_middle(tmp_path: Path) -> None:
    path = write(tmp_path, "jsonl", {"requests": [ask("go"), ask("on")]})
    whole = path.read_text()
    path.write_text('{"kind":1,"k":["customTitle"],"v":"x"}\n' + whole + '{"kind":1,"k":["reque')
    found = VsCodeChat().read(path)
    assert words(found.sessions[0]) == [("prompt", "go"), ("prompt", "on")]
    assert dict(found.skipped) == {"before_initial_state": 1, "torn_line": 1}
    path.write_text(whole.replace('"kind": 2', '"kind": 7', 1))
    assert dict(VsCodeChat().read(path).skipped)["unknown_type:kind:7"] == 1


def test_words_hold_no_secret_and_no_control_character(tmp_path: Path, form: str) -> None:
    session = read(
        tmp_path,
        form,
        ask("key \x1b[31mghp_abcdefghij0123456789abcdefghij012345\x07 first\u2028second\ud800"),
    )
    assert words(session) == [("prompt", "key [redacted:github] first\u2028second�")]


def _check(found: Reading) -> None:
    assert all(isinstance(n, int) and n > 0 for n in found.skipped.values())
    for session, ids in zip(found.sessions, found.event_ids, strict=True):
        assert len(ids) == len(session.events)
        for event in session.events:
            texts: tuple[str, ...] = ()
            if isinstance(event, Action):
                texts = (event.command, event.text, event.tool, *event.files)
            elif isinstance(event, UserTurn | AgentText):
                texts = (event.text,)
            for text in (*texts, session.cwd or "", session.id):
                text.encode()
                assert not any(ord(char) < 32 and char not in "\n\t" for char in text)


def _spoil(value: Any, rng: random.Random, odd: Any) -> Any:
    """The value with one random place replaced."""
    if isinstance(value, dict) and value and rng.random() < 0.93:
        key = rng.choice(list(value))
        return {**value, key: _spoil(value[key], rng, odd)}
    if isinstance(value, list) and value and rng.random() < 0.93:
        place = rng.randrange(len(value))
        return [*value[:place], _spoil(value[place], rng, odd), *value[place + 1 :]]
    return copy.deepcopy(odd)


@given(seed=st.integers(0, 2**32), odd=ODD)
@SLOW
def test_a_wrong_value_anywhere_is_survived(tmp_path: Path, seed: int, odd: Any) -> None:
    rng = random.Random(seed)
    origin = rng.choice(FILES)
    records = [json.loads(line) for line in origin.read_text().split("\n") if line]
    for _ in range(6):
        place = rng.randrange(len(records))
        records[place] = _spoil(records[place], rng, odd)
    path = tmp_path.joinpath(*origin.relative_to(FIXTURES).parts[:-1], f"x{origin.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    path.parent.parent.joinpath("workspace.json").write_text(json.dumps(odd))
    _check(VsCodeChat().read(path))


def _sessions(user: Path) -> dict[str, Session]:
    source = VsCodeChat()
    readings = {path: source.read(path) for path in source.files(user)}
    for found in readings.values():
        _check(found)
    return {path.stem: session for path, found in readings.items() for session in found.sessions}


@given(seed=st.integers(0, 2**32), content=st.binary(max_size=80))
@settings(SLOW, max_examples=60)
def test_damaged_bytes_change_nothing_for_the_healthy_files(
    tmp_path: Path, seed: int, content: bytes
) -> None:
    rng = random.Random(seed)
    for path in (*FILES, *FIXTURES.rglob("workspace.json")):
        to = tmp_path / path.relative_to(FIXTURES)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(path.read_bytes())
    healthy = _sessions(tmp_path)
    victim = tmp_path / rng.choice(FILES).relative_to(FIXTURES)
    body = victim.read_bytes()
    place = rng.randrange(len(body))
    victim.write_bytes(body[:place] + content + body[place + rng.randrange(200) :])
    now = _sessions(tmp_path)
    assert {k: v for k, v in now.items() if k != victim.stem} == {
        k: v for k, v in healthy.items() if k != victim.stem
    }
