"""Two processes read what one would: in the same order, and all of it even when the second one is killed.

Each case runs in a process of its own, because a fork is only made where there is one thread.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_START = """
import json, os, signal, sys, time
from skillopt_sleep import two_readers
first = os.getpid()
os.sched_getaffinity = lambda _: {0, 1}

def read(place):
    in_second = os.getpid() != first
    return act(place, in_second)
"""


def _run(program: str) -> object:
    done = subprocess.run(
        [sys.executable, "-c", _START + program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="there is a second process only on Linux")


@linux_only
def test_both_read_and_the_order_stays() -> None:
    seconds = _run("""
def act(place, in_second):
    time.sleep(0.01)
    return (place, in_second, "x" * (3_000_000 if place % 10 == 0 else 1))
found = list(two_readers.read_all([two_readers.MIN_BYTES] * 40, read))
assert [place for place, _, _ in found] == list(range(40))
assert all(len(text) == (3_000_000 if place % 10 == 0 else 1) for place, _, text in found)
print(json.dumps(sum(in_second for _, in_second, _ in found)))
""")
    assert isinstance(seconds, int)
    assert 0 < seconds < 40


@linux_only
@pytest.mark.parametrize("how", ["os.kill(os.getpid(), signal.SIGKILL)", "raise MemoryError", "os._exit(3)"])
def test_what_a_second_process_that_died_had_taken_is_read_all_the_same(how: str) -> None:
    found = _run(f"""
def act(place, in_second):
    time.sleep(0.005)
    if in_second and place > 10:
        {how}
    return (place, in_second)
found = list(two_readers.read_all([two_readers.MIN_BYTES] * 30, read))
print(json.dumps(found))
""")
    assert isinstance(found, list)
    assert [place for place, _ in found] == list(range(30))


@linux_only
def test_one_that_stops_early_leaves_no_process_behind() -> None:
    assert (
        _run("""
def act(place, in_second):
    return (place, "x" * 2_000_000)
readings = two_readers.read_all([two_readers.MIN_BYTES] * 30, read)
next(readings)
readings.close()
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print(json.dumps("none"))
""")
        == "none"
    )


@linux_only
def test_more_files_than_tickets() -> None:
    assert _run("""
two_readers._MAX_TICKETS = 7
def act(place, in_second):
    return (place,)
print(json.dumps([place for (place,) in two_readers.read_all([two_readers.MIN_BYTES] * 100, read)]))
""") == list(range(100))


@linux_only
@pytest.mark.parametrize(
    "sizes", ["[]", "[two_readers.MIN_BYTES]", "[1] * 50"], ids=["nothing", "one file", "little"]
)
def test_little_is_read_by_one_process(sizes: str) -> None:
    assert (
        _run(f"""
def act(place, in_second):
    return (in_second,)
print(json.dumps([second for (second,) in two_readers.read_all({sizes}, read) if second]))
""")
        == []
    )


@linux_only
def test_the_ledger_is_the_same_whoever_reads(tmp_path: Path) -> None:
    """The labelled home, read by one process and by two."""
    corpus = Path(__file__).parents[2] / "fixtures" / "corpus" / "home"
    program = """
import sqlite3
from contextlib import closing
from pathlib import Path
from skillopt_sleep.harvest import harvest
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.sources.registry import SOURCES
forked = 0
fork = os.fork
def counted():
    global forked
    forked += 1
    return fork()
os.fork = counted
found = []
for n, least in enumerate((1 << 60, 0)):
    two_readers.MIN_BYTES = least
    path = Path(STATE, f"ledger{n}")
    sources = [build(()) for build in SOURCES.values()]
    with Ledger.open(path) as ledger:
        report = harvest(ledger, sources, env={}, home=Path(CORPUS))
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM sessions ORDER BY number").fetchall()
        files = connection.execute("SELECT * FROM files ORDER BY source, path").fetchall()
    found.append((repr(report), repr(rows), repr(files), len(rows)))
print(json.dumps([found[0] == found[1], forked >= 3, found[0][3] > 20]))
"""
    told = _run(f"STATE, CORPUS = {str(tmp_path)!r}, {str(corpus)!r}\n{program}")
    assert told == [True, True, True]
