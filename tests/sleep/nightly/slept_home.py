"""A home with a project that was opted in, whose nights run by themselves at a moment that is passed in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from random import Random
from typing import Any

from skillopt_sleep.cli.night_if_due import Held, Outside, night_if_due
from skillopt_sleep.cli.options import Caller, Common, nightly_settings, scope
from skillopt_sleep.cli.whole_night import Slept
from skillopt_sleep.experiments.writers import Prompt, Script, Tool, write_claude_code
from skillopt_sleep.experiments.writers.record import new_uuid
from skillopt_sleep.home import StateHome
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_rows import Night

PROGRAM = Path(sys.executable).with_name("skillopt-sleep")
NO_OPTIONS = {"at": None, "power": None, "quiet_for": None, "source": None, "since": None, "project": None}


@dataclass
class SleptHome:
    """`root/home` is HOME, `root/code/web` the project."""

    root: Path
    rng: Random = field(default_factory=lambda: Random(7))
    n_sessions: int = 0

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def state(self) -> StateHome:
        return StateHome(self.home / ".skillopt-sleep", is_default=True)

    @property
    def project(self) -> Path:
        return self.root / "code" / "web"

    @property
    def environment(self) -> dict[str, str]:
        measured = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}
        return {"HOME": str(self.home), "PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC", **measured}

    def settle(self, **settings: str) -> None:
        """Write the settings as a person would."""
        self.state.make()
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in settings.items()]
        self.state.config.write_text("".join(lines))

    def opt_in(self) -> None:
        subprocess.run(["git", "init", "-q", "--template=", "-b", "main", str(self.project)], check=True)
        self.settle(projects=str(self.project))

    def work(self, at: datetime) -> str:
        """A session at some time. Gives its id."""
        self.n_sessions += 1
        name = ("chalk", "zod", "luxon", "ky", "vite")[self.n_sessions % 5]
        steps = (
            Prompt(f"add {name} to the project"),
            Tool("run", f"npm install {name}", exit_code=0),
            Prompt("use pnpm, npm is not for this repo"),
            Tool("run", f"pnpm add {name}", exit_code=0),
        )
        folder = str(self.project)
        script = Script(new_uuid(self.rng), folder, at, steps, git_root=folder)
        write_claude_code(script, self.home, self.rng)
        return script.session_id

    def night(
        self,
        now: datetime,
        zone: tzinfo = UTC,
        *,
        on_battery: Callable[[], bool | None] = lambda: None,
        clock: Callable[[], datetime] | None = None,
        verbose: bool = False,
        **options: str,
    ) -> Slept | Held:
        """What `run --if-due` does at `now`."""
        caller = Caller({"HOME": str(self.home)}, self.home, now)
        given = Common(self.state, as_json=True, quiet=True, verbose=verbose)
        named = {**NO_OPTIONS, "all_projects": True, **options}
        settings = nightly_settings(caller, self.state, named)
        chosen = scope(caller, self.state, named)
        outside = Outside(zone, on_battery, clock or (lambda: now))
        return night_if_due(caller, given, chosen, settings, outside)

    def nights(self) -> tuple[Night, ...]:
        if not self.state.has_ledger():
            return ()
        with Ledger.open(self.state.ledger) as ledger:
            return ledger.nights()

    def consumed(self) -> dict[str, str | None]:
        """The night that used each session."""
        with Ledger.open(self.state.ledger) as ledger:
            found = ledger.summaries()
        assert max(Counter(s.id for s in found).values(), default=1) == 1
        return {session.id: session.consumed_by for session in found}

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        given = {"env": self.environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen(
            [PROGRAM, *arguments], cwd=self.root, stdin=subprocess.DEVNULL, text=True, **given
        )

    def run(self, *arguments: str, **more: Any) -> tuple[int, str, str]:
        with self.start(*arguments, **more) as process:
            try:
                out, err = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()  # (or leaving would wait for ever)
                raise
        return process.returncode, out, err


def ran(found: Sequence[Slept | Held]) -> list[bool]:
    """Which of them were nights."""
    return [isinstance(each, Slept) for each in found]
