"""The work of the daemon, each piece in a process of its own: what it needs goes back when it ends, and a
daemon of weeks stays small."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from skillopt_sleep.schedule.entry import OWN_RUN

Kind: TypeAlias = Literal["harvest", "night"]

_GRACE_S = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A piece of work with its exit code, negative when a signal ended it, and what it printed."""

    kind: Kind
    code: int
    out: str
    err: str


class Job:
    """A running piece of work, which is `told` when it has ended, from a thread of its own."""

    def __init__(
        self,
        kind: Kind,
        command: Sequence[str],
        env: Mapping[str, str],
        told: Callable[[Ended], object],
    ) -> None:
        """Raises OSError when it cannot be started."""
        self.kind = kind
        self._process = subprocess.Popen(  # noqa: S603  (ourselves)
            command,
            cwd=Path(os.sep),
            env={**env, OWN_RUN: "1", "PYTHONSAFEPATH": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._wait, args=(told,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it: it is asked, and soon after killed with all it has started. What it had not finished is as
        if it had never begun."""
        for sent, grace_s in ((signal.SIGINT, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, sent)
            self._thread.join(grace_s)
            if not self._thread.is_alive():
                return

    def _wait(self, told: Callable[[Ended], object]) -> None:
        out, err = self._process.communicate()
        told(Ended(self.kind, self._process.returncode, out, err))
