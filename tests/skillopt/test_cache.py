"""What was paid for outlives the process; a file that cannot be trusted is left alone and named."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from skillopt.core.rollout import Rollout, Score, Step, Trajectory, Usage
from skillopt.errors import StorageError
from skillopt.protocols import Call, ModelReply
from skillopt.store.cache import Cache

STEP = Step("command", tool="sh", command="ls", files=("a",), exit_code=1)
ROLLOUT = Rollout(
    "t", "s", Trajectory((STEP,), "answer é\u2028", Usage(1, 2, 3, 4, 5)), Score(0.0, 0.5, "no")
)
KEY = ("s", "t", "agent", 0)
CALL = Call("target", "target", "m", ModelReply("yes", Usage(1, 2, 0, 3, 0), True), 0.25, 1.5)


def test_entries_come_back_as_they_went_in(tmp_path: Path) -> None:
    first = Cache(tmp_path / "run" / "cache.sqlite")
    first.rollouts[KEY] = ROLLOUT
    first.calls.put("k", CALL)
    first.calls.put("k", Call("judge", "judge", "other", ModelReply("no")))
    first.close()
    again = Cache(tmp_path / "run" / "cache.sqlite")
    assert dict(again.rollouts) == {KEY: ROLLOUT}
    assert again.calls.get("k") == CALL
    assert again.calls.get("other") is None
    again.calls.forget("k")
    assert again.calls.get("k") is None
    assert again.calls.calls() == (CALL,)
    del again.rollouts[KEY]
    assert len(Cache(tmp_path / "run" / "cache.sqlite").rollouts) == 0
    assert (tmp_path / "run" / "cache.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_killed_process_loses_nothing_it_kept(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from skillopt.store.cache import Cache
from skillopt.protocols import Call, ModelReply
cache = Cache(Path({str(tmp_path / "cache.sqlite")!r}))
for i in range(50):
    cache.calls.put(str(i), Call("target", "target", "m", ModelReply(str(i))))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGKILL
    assert [call.reply.text for call in Cache(tmp_path / "cache.sqlite").calls.calls()] == [
        str(i) for i in range(50)
    ]


@pytest.mark.parametrize("what", ["garbage", "foreign", "newer", "entry"])
def test_a_file_that_cannot_be_trusted_is_refused_and_stays(tmp_path: Path, what: str) -> None:
    path = tmp_path / "cache.sqlite"
    if what == "garbage":
        path.write_bytes(b"not a database" * 400)
    elif what == "foreign":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE theirs (a)")
    else:
        cache = Cache(path)
        cache.rollouts[KEY] = ROLLOUT
        cache.close()
        with sqlite3.connect(path) as connection:
            connection.execute(
                "PRAGMA user_version = 99" if what == "newer" else "UPDATE rollouts SET body = '{\"task_id\"'"
            )
    before = path.read_bytes()
    with pytest.raises(StorageError) as raised:
        Cache(path)
    assert raised.value.next
    assert path.read_bytes() == before
