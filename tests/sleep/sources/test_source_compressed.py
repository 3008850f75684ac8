"""Compressed transcripts: the same bytes come out, and nothing in the file stops or fills the reader."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skillopt_sleep.sources.compressed import open_transcript

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LINES = b"".join(b'{"n": %d, "text": "line\xe2\x80\xa8%d"}\n' % (i, i * 7919) for i in range(40_000))
PACKED = zstd.compress(LINES)
SKIPPABLE = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def unpack(path: Path, content: bytes, **bounds: int) -> tuple[bytes, dict[str, int]]:
    path.write_bytes(content)
    counts: Counter[str] = Counter()
    with open_transcript(path, counts, **bounds) as stream:
        return stream.read(), dict(counts)


@pytest.mark.parametrize(
    ("content", "expected", "counts"),
    [
        pytest.param(PACKED, LINES, {}, id="whole"),
        pytest.param(b"", b"", {}, id="empty"),
        pytest.param(zstd.compress(b""), b"", {}, id="empty frame"),
        pytest.param(zstd.compress(b"one\n") + zstd.compress(b"two\n"), b"one\ntwo\n", {}, id="two frames"),
        pytest.param(SKIPPABLE + zstd.compress(b"one\n") + SKIPPABLE, b"one\n", {}, id="skippable frames"),
        pytest.param(b"\x00" * 40, b"", {"bad_compression": 1}, id="zeros"),
        pytest.param(b'{"type": "session_meta"}\n', b"", {"bad_compression": 1}, id="not compressed"),
        pytest.param(PACKED + b"rubbish", LINES, {"bad_compression": 1}, id="rubbish after a frame"),
        pytest.param(b"\x28\xb5\x2f", b"", {"bad_compression": 1}, id="cut in the first bytes"),
    ],
)
def test_what_comes_out(tmp_path: Path, content: bytes, expected: bytes, counts: dict[str, int]) -> None:
    assert unpack(tmp_path / "r.jsonl.zst", content) == (expected, counts)


def test_a_frame_that_is_still_written_gives_its_beginning(tmp_path: Path) -> None:
    body, counts = unpack(tmp_path / "r.jsonl.zst", PACKED[: len(PACKED) // 2])
    assert counts == {"bad_compression": 1}
    assert 0 < len(body) < len(LINES)
    assert LINES.startswith(body)


def test_a_plain_file_is_read_as_it_is(tmp_path: Path) -> None:
    assert unpack(tmp_path / "r.jsonl", PACKED) == (PACKED, {})


def test_lines_come_one_by_one_and_the_file_can_be_asked_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.zst"
    path.write_bytes(PACKED)
    with open_transcript(path, Counter()) as stream:
        assert stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
        assert b"".join(iter(lambda: stream.readline(1000), b"")) == LINES
    with pytest.raises(FileNotFoundError):
        open_transcript(tmp_path / "none.jsonl.zst", Counter())


def test_what_would_fill_the_machine_stops(tmp_path: Path) -> None:
    content = zstd.compress(b"\0" * 4_000_000)
    assert len(content) * 1000 < 4_000_000
    body, counts = unpack(tmp_path / "r.jsonl.zst", content, free_bytes=100_000)
    assert counts == {"compressed_too_large": 1}
    assert len(body) <= len(content) * 1000
    body, counts = unpack(tmp_path / "r.jsonl.zst", PACKED, max_bytes=500_000)
    assert counts == {"compressed_too_large": 1}
    assert len(body) <= 500_000
    assert unpack(tmp_path / "r.jsonl.zst", content) == (b"\0" * 4_000_000, {})


def test_a_huge_window_is_not_given_its_memory(tmp_path: Path) -> None:
    parameter = zstd.CompressionParameter
    options = {parameter.window_log: 28, parameter.enable_long_distance_matching: 1}
    packer = zstd.ZstdCompressor(options=options)
    content = packer.compress(b"x" * 1000) + packer.flush(zstd.ZstdCompressor.FLUSH_FRAME)
    assert unpack(tmp_path / "r.jsonl.zst", content)[1] == {"bad_compression": 1}


@given(content=st.binary(max_size=300), at=st.integers(0, 2**32))
@FAST
def test_any_bytes_are_survived(tmp_path: Path, content: bytes, at: int) -> None:
    path = tmp_path / "r.jsonl.zst"
    unpack(path, content)
    place = at % len(PACKED)
    unpack(path, PACKED[:place] + content + PACKED[place + random.Random(at).randrange(300) :])


def test_the_library_is_loaded_only_for_a_compressed_file(tmp_path: Path) -> None:
    plain, packed = tmp_path / "r.jsonl", tmp_path / "r.jsonl.zst"
    plain.write_bytes(LINES)
    packed.write_bytes(PACKED)
    script = f"""
import sys
from skillopt_sleep.sources.compressed import open_transcript
from pathlib import Path
for name in ({str(plain)!r}, {str(packed)!r}):
    open_transcript(Path(name), {{}}).close()
    print(any(m in sys.modules for m in ("backports.zstd", "compression.zstd")))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]
