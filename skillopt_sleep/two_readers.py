"""Many files read by two processes: results come in order, and none is lost when the second one dies.

The second process is a fork and only reads. Both take the next file from one pipe of tickets, so neither
waits for the other.
"""

from __future__ import annotations

import marshal
import os
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

Plain: TypeAlias = tuple[Any, ...]
Read: TypeAlias = Callable[[int], Plain]

MIN_BYTES = 4 * 1024 * 1024
"""Below this a second process costs more than it saves."""

_MAX_TICKETS = 8_192
_TICKET = struct.Struct("=I")
_HEAD = struct.Struct("=IQ")
_PIPE_BYTES = 1024 * 1024


def read_all(sizes: Sequence[int], read: Read) -> Iterator[Plain]:
    """`read(place)` for every place of `sizes`, in order. The values must be what `marshal` takes."""
    helper = _start(len(sizes), read) if _is_worth_it(sizes) else None
    if helper is None:
        for place in range(len(sizes)):
            yield read(place)
        return
    try:
        yield from _merged(len(sizes), read, helper)
    finally:
        helper.end()


def _is_worth_it(sizes: Sequence[int]) -> bool:
    return (
        len(sizes) > 1
        and sum(sizes) >= MIN_BYTES
        and sys.platform == "linux"
        # a fork of one thread among several may find a lock held for ever
        and sum(1 for _ in os.scandir("/proc/self/task")) == 1
        and len(os.sched_getaffinity(0)) > 1
    )


class _Helper:
    """The second process, as the first one sees it: its results, and the tickets both take from."""

    def __init__(self, pid: int, tickets: int, results: int, per_ticket: int, total: int) -> None:
        self._pid = pid
        self._tickets = tickets
        self._results = results
        self._per_ticket = per_ticket
        self._total = total

    def next_ticket(self) -> range:
        """The places to read next, none when all are taken."""
        return _take(self._tickets, self._per_ticket, self._total)

    def received(self, *, wait: bool) -> Iterator[tuple[int, Plain]]:
        """What the second process has read: all there is now or, with `wait`, all until it ends."""
        import select

        while wait or select.select([self._results], [], [], 0)[0]:
            head = _read_exactly(self._results, _HEAD.size)
            if head is None:
                return
            place, size = _HEAD.unpack(head)
            body = _read_exactly(self._results, size)
            if body is None:
                return
            yield place, marshal.loads(body)  # noqa: S302  (written by our own fork)

    def end(self) -> None:
        os.close(self._tickets)
        os.close(self._results)  # a process that still writes ends of it
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _merged(total: int, read: Read, helper: _Helper) -> Iterator[Plain]:
    """What both read, in order; what neither gave in the end is read here."""
    waiting: dict[int, Plain] = {}
    place = 0
    is_all_taken = False
    while place < total:
        if not is_all_taken:
            places = helper.next_ticket()
            is_all_taken = not places
            waiting.update((one, read(one)) for one in places)
        waiting.update(helper.received(wait=is_all_taken))
        while place in waiting or (is_all_taken and place < total):
            yield waiting.pop(place) if place in waiting else read(place)
            place += 1


def _start(total: int, read: Read) -> _Helper | None:
    """Fork. None when the system has no room for it."""
    per_ticket = -(-total // _MAX_TICKETS)
    tickets, ticket_end = os.pipe()
    results, result_end = os.pipe()
    try:
        _fill(ticket_end, b"".join(_TICKET.pack(n) for n in range(-(-total // per_ticket))))
        pid = os.fork()
    except OSError:
        for end in (tickets, ticket_end, results, result_end):
            os.close(end)
        return None
    os.close(ticket_end)
    if pid:
        os.close(result_end)
        return _Helper(pid, tickets, results, per_ticket, total)
    # Here is the second process. Nothing of the first one may run in it: no clean-up, no traceback.
    try:
        os.close(results)
        _serve(total, read, tickets, result_end, per_ticket)
    finally:
        os._exit(0)


def _fill(stream: int, data: bytes) -> None:
    """Write all at once, or raise OSError: a user with many pipes gets small ones."""
    os.set_blocking(stream, False)
    if os.write(stream, data) < len(data):
        raise OSError("the pipe is too small")


def _serve(total: int, read: Read, tickets: int, results: int, per_ticket: int) -> None:
    import fcntl
    import gc

    gc.disable()  # nothing a reader makes refers to itself, and a pass would copy what both processes share
    with suppress(OSError):
        fcntl.fcntl(results, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    while places := _take(tickets, per_ticket, total):
        for place in places:
            body = marshal.dumps(read(place))
            _write_all(results, _HEAD.pack(place, len(body)) + body)


def _take(tickets: int, per_ticket: int, total: int) -> range:
    data = os.read(tickets, _TICKET.size)
    if len(data) < _TICKET.size:
        return range(0)
    (number,) = _TICKET.unpack(data)
    return range(number * per_ticket, min((number + 1) * per_ticket, total))


def _write_all(stream: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(stream, view) :]


def _read_exactly(stream: int, size: int) -> bytes | None:
    parts: list[bytes] = []
    while size:
        part = os.read(stream, min(size, _PIPE_BYTES))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
