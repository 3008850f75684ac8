from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from skillopt.errors import LockHeldError
from skillopt_sleep.home import StateHome
from skillopt_sleep.runlock import run_lock

AT = datetime(2026, 11, 1, 3, tzinfo=UTC)
HOLDER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from skillopt_sleep.home import StateHome
from skillopt_sleep.runlock import run_lock
with run_lock(StateHome(Path(sys.argv[1])), datetime(2026, 11, 1, 3, tzinfo=UTC)):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_and_told_who_has_the_lock(tmp_path: Path) -> None:
    home = StateHome(tmp_path / "home")
    with subprocess.Popen([sys.executable, "-c", HOLDER, home.path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()

        for _ in range(2):  # asking does not make the holder forgotten
            with pytest.raises(LockHeldError) as caught, run_lock(home, AT):
                pass
            assert f"process {holder.pid} " in caught.value.why
            assert "2026-11-01 03:00:00+00:00" in caught.value.why
            assert (caught.value.exit_code, bool(caught.value.next)) == (5, True)

        # The system gives the lock back when its holder is killed.
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with run_lock(home, AT):
            assert str(os.getpid()) in home.lock_holder.read_text()


def test_the_lock_is_free_again_after_a_run_even_one_that_failed(tmp_path: Path) -> None:
    home = StateHome(tmp_path / "home")
    with pytest.raises(RuntimeError), run_lock(home, AT):
        raise RuntimeError

    with run_lock(home, AT):
        pass

    assert not home.lock_holder.exists()
    assert {oct(path.stat().st_mode & 0o777) for path in home.path.iterdir()} <= {"0o600"}


def test_homes_do_not_share_a_lock(tmp_path: Path) -> None:
    with run_lock(StateHome(tmp_path / "a"), AT), run_lock(StateHome(tmp_path / "b"), AT):
        pass
