"""Files as they really lie on a disk: torn, huge, badly encoded, linked in circles, or not files at all."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from skillopt_sleep.sources.base import (
    MAX_LINE_BYTES,
    MAX_UNKNOWN_TYPES,
    JsonLines,
    as_int,
    count_unknown,
    find_files,
    parse_time,
    record_key,
)
from skillopt_sleep.sources.claude_code import ClaudeCode
from skillopt_sleep.sources.registry import SOURCES


def _lines(tmp_path: Path, content: bytes) -> tuple[list[dict[str, object]], dict[str, int]]:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    counts: Counter[str] = Counter()
    lines = JsonLines(path, counts)
    records = list(lines)
    assert lines.n_bytes == len(content)
    assert lines.sha == hashlib.sha256(content).hexdigest()
    return records, dict(counts)


@pytest.mark.parametrize(
    ("content", "n_records", "counts"),
    [
        (b"", 0, {}),
        (b"\n\r\n  \n", 0, {}),
        (b'{"a":1}\n{"a":2}', 2, {}),
        (b'\xef\xbb\xbf{"a":1}\r\n', 1, {}),
        (b'{"a":1}\n{"a":', 1, {"torn_line": 1}),
        (b'{"a":\n{"a":1}\n', 1, {"bad_json": 1}),
        (b'[1]\n"x"\n4\nnull\n', 0, {"not_an_object": 4}),
        (b'{"a":"\xff\xfe"}\n', 1, {"invalid_utf8": 1}),
        (b"\x00\x00\x00\n", 0, {"bad_json": 1}),
        (b"[" * 100_000 + b"\n", 0, {"bad_json": 1}),
        (b'{"a":' + b"9" * 5000 + b"}\n", 0, {"bad_json": 1}),
        ('{"a":"x\u2028y\u2029z\x85"}\n'.encode(), 1, {}),
    ],
)
def test_lines(tmp_path: Path, content: bytes, n_records: int, counts: dict[str, int]) -> None:
    records, counted = _lines(tmp_path, content)
    assert len(records) == n_records
    assert counted == counts


def test_unusual_line_separators_stay_inside_the_words(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    text = "first\u2028second\u0085third"
    path.write_text(json.dumps({"type": "user", "message": {"content": text}}, ensure_ascii=False) + "\n")
    (session,) = ClaudeCode().read(path).sessions
    assert [turn.text for turn in session.user_turns] == ["first\u2028secondthird"]


def test_a_giant_line_is_skipped_with_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with path.open("wb") as stream:
        stream.write(b'{"type":"user","message":{"content":"before"}}\n{"type":"user","x":"')
        for _ in range(160):
            stream.write(b"y" * (1024 * 1024))
        stream.write(b'"}\n{"type":"user","message":{"content":"after"}}\n')
    tracemalloc.start()
    reading = ClaudeCode().read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * MAX_LINE_BYTES
    assert dict(reading.skipped) == {"line_too_long": 1}
    assert [turn.text for turn in reading.sessions[0].user_turns] == ["before", "after"]


def test_a_line_just_within_the_limit_is_read(tmp_path: Path) -> None:
    frame = b'{"a":""}\n'
    content = b'{"a":"' + b"x" * (MAX_LINE_BYTES - len(frame)) + b'"}\n'
    assert len(content) == MAX_LINE_BYTES
    records, counts = _lines(tmp_path, content)
    assert (len(records), counts) == (1, {})


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_what_cannot_be_opened_is_counted(tmp_path: Path, name: str) -> None:
    source = SOURCES[name](())
    assert dict(source.read(tmp_path / "gone.jsonl").skipped) == {"unreadable": 1}
    assert dict(source.read(tmp_path).skipped) == {"unreadable": 1}


def test_finding_files(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "b").mkdir(parents=True)
    (root / "a").mkdir()
    for name in ("a/2.jsonl", "a/1.jsonl", "b/3.jsonl", "0.jsonl", "note.txt"):
        (root / name).touch()
    (root / "b" / "loop").symlink_to(root)
    (root / "c").symlink_to(tmp_path / "elsewhere")
    (root / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "4.jsonl").touch()
    os.mkfifo(root / "pipe.jsonl")
    skipped: Counter[str] = Counter()
    found = [str(p.relative_to(root)) for p in find_files(root, lambda n: n.endswith(".jsonl"), skipped)]
    assert found == ["0.jsonl", "a/1.jsonl", "a/2.jsonl", "b/3.jsonl", "c/4.jsonl"]
    assert skipped == {"dangling_link": 1, "not_a_file": 1}
    assert list(find_files(tmp_path / "missing", lambda _: True, skipped)) == []


def test_a_folder_that_cannot_be_listed_is_counted(tmp_path: Path) -> None:
    plain = tmp_path / "file"
    plain.touch()
    skipped: Counter[str] = Counter()
    assert list(find_files(plain, lambda _: True, skipped)) == []
    assert skipped == {"unreadable_folder": 1}


def test_unknown_types_are_bounded_and_harmless() -> None:
    counts: Counter[str] = Counter()
    for i in range(500):
        count_unknown(counts, f"t{i}")
    count_unknown(counts, "\x1b[2Jevil name")
    count_unknown(counts, None)
    assert len(counts) <= MAX_UNKNOWN_TYPES + 2
    assert sum(counts.values()) == 502
    assert not any("\x1b" in name for name in counts)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("2026-11-21T01:08:18.712Z", "2026-11-21T01:08:18.712000+00:00"),
        ("2026-11-21T03:08:18+02:00", "2026-11-21T01:08:18+00:00"),
        ("2026-11-21T01:08:18", "2026-11-21T01:08:18+00:00"),
        ("0001-01-01T00:00:00+23:00", None),
        ("yesterday", None),
        (5, None),
        (None, None),
    ],
)
def test_times(value: object, told: str | None) -> None:
    at = parse_time(value)
    assert (at.isoformat() if at else None) == told


def test_numbers_and_ids() -> None:
    assert [as_int(value) for value in (3, 3.0, 3.5, True, "3", None)] == [3, 3, None, None, None, None]
    uuid = "01a1fbb2-a5e1-76d1-b848-b3ac8f68eb14"
    assert record_key(uuid, "t") == uuid
    assert record_key("u1", "t") == "u1@t"
    assert record_key(None, "t") == ""


def test_a_run_of_our_own_without_a_prompt_is_no_surprise(tmp_path: Path) -> None:
    reply = {"type": "assistant", "uuid": "u", "cwd": str(tmp_path / "ours"), "message": {"content": "ok"}}
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(reply) + "\n")

    assert dict(ClaudeCode().read(path).skipped) == {"no_user_turns": 1}
    assert dict(ClaudeCode((tmp_path / "ours",)).read(path).skipped) == {}
