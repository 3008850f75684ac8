"""The lines of a file are those that reading it plainly gives, wherever a read ends in it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skillopt_sleep.sources import base
from skillopt_sleep.sources.base import JsonLines

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def _written(value: Any, as_ascii: bool, spaced: bool) -> bytes:
    text = json.dumps(value, ensure_ascii=as_ascii, separators=(" , ", " : ") if spaced else (",", ":"))
    return text.encode("utf-8", "surrogatepass")


LINES = st.one_of(
    st.builds(
        _written, st.dictionaries(st.text(max_size=5), VALUES, max_size=5), st.booleans(), st.booleans()
    ),
    st.builds(_written, VALUES, st.booleans(), st.booleans()),
    st.binary(max_size=40).map(lambda data: data.replace(b"\n", b" ")),
    st.sampled_from(
        [
            b"",
            b"\r",
            b" \t",
            b"null",
            b"NaN",
            b"\xef\xbb\xbf{}",
            b'\xef\xbb\xbf{"a":1}\r',
            b'{"a":1}\x0c',
            b'{"type":"user","type":"api-request"}',
            b'{"type":"api-request","type":"user"}',
            b'{"\\u0074ype":"user"}',
            b'{"a":"\xff"}',
            b'{"a":"\\ud800"}',
            b'{"a":"\\udc00\\ud800"}',
            b'{"a":Infinity,"b":-Infinity}',
            b'{"a":1e400}',
            b'{"a":01}',
            b'{"a":"\x01"}',
            b'{"a":"\\q"}',
            b'{"a":1}{"b":2}',
            b'{"a":' + b"9" * 5000 + b"}",
            '{"a":"x\u2028y\u0085z"}'.encode(),
            b"[" * 2000,
            b'{"a":' * 300 + b"1" + b"}" * 300,
            b"x" * 300,
        ]
    ),
)


def _plainly(content: bytes, longest: int) -> tuple[list[Any], dict[str, int]]:
    """Every line through the standard parser, one after the other."""
    records: list[Any] = []
    counts: Counter[str] = Counter()
    *whole, last = content.split(b"\n")
    for line, is_torn in [*((line, False) for line in whole), (last, True)]:
        body = line.strip().removeprefix(b"\xef\xbb\xbf")
        if len(line) + (not is_torn) > longest or (is_torn and len(line) == longest):
            counts["line_too_long"] += 1
        elif body:
            try:
                text = body.decode()
            except UnicodeDecodeError:
                counts["invalid_utf8"] += 1
                text = body.decode(errors="replace")
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                counts["torn_line" if is_torn else "bad_json"] += 1
                continue
            if isinstance(value, dict):
                records.append(value)
            else:
                counts["not_an_object"] += 1
    return records, dict(counts)


@given(
    lines=st.lists(LINES, max_size=12),
    torn=st.booleans(),
    n_buffer=st.integers(4, 200),
    longest=st.sampled_from([250, 6000, base.MAX_LINE_BYTES]),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_fast_way_gives_what_the_plain_one_gives(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[bytes],
    torn: bool,
    n_buffer: int,
    longest: int,
) -> None:
    content = b"\n".join(lines) + (b"" if torn else b"\n")
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    counts: Counter[str] = Counter()
    with monkeypatch.context() as patch:
        patch.setattr(base, "_BUFFER_BYTES", n_buffer)
        patch.setattr(base, "MAX_LINE_BYTES", longest)
        read = JsonLines(path, counts)
        records = list(read)

    expected, expected_counts = _plainly(content, longest)
    assert repr(records) == repr(expected)  # as texts, because NaN equals nothing
    assert dict(counts) == expected_counts
    end = content.rfind(b"\n") + 1
    assert (read.n_bytes, read.offset) == (len(content), end)
    assert read.sha == hashlib.sha256(content).hexdigest()
    assert read.prefix_sha == hashlib.sha256(content[:end]).hexdigest()
