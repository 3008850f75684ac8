"""Compressed transcripts (`.jsonl.zst`) as a stream of plain bytes, whatever the file holds.

What is read is bounded: a small file that would unpack to gigabytes stops early and is counted.
"""

from __future__ import annotations

import io
import sys
from collections.abc import MutableMapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Counts: TypeAlias = MutableMapping[str, int]

SUFFIX = ".zst"
MAX_BYTES = 2 * 1024**3
"""No rollout is longer than this when unpacked."""

MAX_RATIO = 1000
FREE_BYTES = 64 * 1024**2
"""Beyond this much, what came out may be at most `MAX_RATIO` times what went in."""

_WINDOW_LOG = 27  # 128 MiB, what the `zstd` command itself accepts by default
_CHUNK_BYTES = 128 * 1024


def open_transcript(
    path: Path, counts: Counts, *, max_bytes: int = MAX_BYTES, free_bytes: int = FREE_BYTES
) -> BinaryIO:
    """The bytes of a transcript, unpacked when its name ends in `.zst`. Raises OSError like `Path.open`.

    Reading never raises for what a compressed file holds: what can be unpacked is given, then
    `bad_compression` (no such data, a damaged or unfinished frame) or `compressed_too_large` is counted.
    `fileno` is that of the file itself.
    """
    stream = path.open("rb")
    if not path.name.endswith(SUFFIX):
        return stream
    return io.BufferedReader(_Unpacked(stream, counts, max_bytes, free_bytes), _CHUNK_BYTES)


class _Unpacked(io.RawIOBase):
    """The frames of a zstd file, one after the other, as one stream."""

    def __init__(self, stream: BinaryIO, counts: Counts, max_bytes: int, free_bytes: int) -> None:
        # made here: the library is wanted only where a compressed file is met
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd

        self._stream = stream
        self._counts = counts
        self._max_bytes = max_bytes
        self._free_bytes = free_bytes
        self._error = zstd.ZstdError
        self._new_frame = partial(
            zstd.ZstdDecompressor, options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        )
        self._frame = self._new_frame()
        self._is_in_frame = False
        self._has_ended = False
        self._n_in = 0
        self._n_out = 0

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def close(self) -> None:
        self._stream.close()
        super().close()

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        body = b"" if self._has_ended else self._unpack(len(view))
        view[: len(body)] = body
        return len(body)

    def _unpack(self, limit: int) -> bytes:
        """At least one more byte, or none at the end of what can be given."""
        while True:
            try:
                body = self._step(limit)
            except (self._error, EOFError, MemoryError):
                return self._end("bad_compression")
            if self._has_ended:
                return b""
            self._n_out += len(body)
            most = min(self._max_bytes, max(self._free_bytes, self._n_in * MAX_RATIO))
            if self._n_out > most:
                return self._end("compressed_too_large")
            if body:
                return body

    def _step(self, limit: int) -> bytes:
        """What one more piece of the file gives, which may be nothing."""
        given = b""
        if self._frame.eof:
            given = self._frame.unused_data
            self._frame = self._new_frame()
            self._is_in_frame = False
        if not given and self._frame.needs_input:
            given = self._stream.read(_CHUNK_BYTES)
            self._n_in += len(given)
            if not given:
                return self._end("bad_compression" if self._is_in_frame else "")
        self._is_in_frame = True
        return self._frame.decompress(given, limit)

    def _end(self, reason: str) -> bytes:
        if reason:
            self._counts[reason] = self._counts.get(reason, 0) + 1
        self._has_ended = True
        return b""
