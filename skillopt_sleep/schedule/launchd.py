"""A launch agent of macOS."""

from __future__ import annotations

import plistlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from skillopt_sleep.schedule.commands import Runner
from skillopt_sleep.schedule.entry import OWN_RUN, Entry, entry_of
from skillopt_sleep.schedule.files import Change, content
from skillopt_sleep.schedule.scheduler import Found, Plan, Written, foreign, taken_back


def agent(entry: Entry) -> bytes:
    """The property list. It is started at its minute of every hour, once for all that were slept over, and
    when the user logs in, which makes up for hours when the machine was off."""
    told: dict[str, Any] = {
        "Label": entry.name,
        "ProgramArguments": list(entry.command),
        "EnvironmentVariables": dict(entry.environment),
        "StartCalendarInterval": {"Minute": entry.minute},
        "RunAtLoad": True,
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "Nice": 10,
        "Umask": 0o077,
    }
    return plistlib.dumps(told, sort_keys=False)


def read_agent(data: bytes) -> Entry | None:
    """The entry of a property list, None when it is not one of ours."""
    try:
        told = plistlib.loads(data)
    except (plistlib.InvalidFileException, ExpatError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    environment, when = told.get("EnvironmentVariables"), told.get("StartCalendarInterval")
    if not isinstance(environment, dict) or environment.get(OWN_RUN) != "1" or not isinstance(when, dict):
        return None
    return entry_of(
        {
            "name": told.get("Label"),
            "command": told.get("ProgramArguments"),
            "environment": environment,
            "minute": when.get("Minute"),
        }
    )


@dataclass(frozen=True, slots=True)
class Launchd:
    """The scheduler; `agents` is the folder of the user's agents, `uid` the user's number."""

    run: Runner
    agents: Path
    uid: int
    name: str = "launchd"

    def unusable(self) -> str:
        """Whether the program that talks to launchd is there."""
        return "" if self.run.has("launchctl") else "there is no program launchctl here"

    def find(self, name: str) -> Found | None:
        """Our agent, if it is there."""
        path = self._path(name)
        data = content(path)
        if data is None:
            return None
        entry = read_agent(data)
        if entry is None or entry.name != name:
            raise foreign(path, "it is not a launch agent that this program wrote")
        return Found(entry, is_whole=agent(entry) == data, is_active=self._is_loaded(name))

    def plan(self, entry: Entry) -> Plan:
        """The property list, and how it is loaded."""
        path = self._path(entry.name)
        written = Written(str(path), agent(entry).decode())
        return Plan((written,), (self._loading(path),), "it is started while you are logged in")

    def install(self, entry: Entry) -> bool:
        """Write the agent and load it in the place of the one before."""
        found = self.find(entry.name)
        if found == Found(entry, is_whole=True, is_active=True):
            return False
        path = self._path(entry.name)
        back = Change({path: agent(entry)}).carry_out()
        self._unload(entry.name)
        if failed := self._load(path):
            is_restored = back.carry_out_as_far_as_possible()
            if found is not None and found.is_active:
                is_restored = not self._load(path) and is_restored
            raise taken_back("launchd did not take the agent", failed, is_restored=is_restored)
        return True

    def remove(self, name: str) -> bool:
        """Unload the agent and remove its file."""
        found = self.find(name)
        if found is None:
            return False
        failed = self._unload(name)
        if failed and self._is_loaded(name):
            raise taken_back("launchd did not let go of the agent", failed, is_restored=True)
        Change({self._path(name): None}).carry_out()
        return True

    def _path(self, name: str) -> Path:
        return self.agents / f"{name}.plist"

    def _loading(self, path: Path) -> tuple[str, ...]:
        return "launchctl", "bootstrap", f"gui/{self.uid}", str(path)

    def _load(self, path: Path) -> str:
        done = self.run(self._loading(path))
        if not done.is_ok:
            # For a moment after one was unloaded the new way refuses the next; the old one waits.
            again = self.run(("launchctl", "load", "-w", str(path)))
            # (It says what is wrong and ends well all the same.)
            if not again.is_ok or not self._is_loaded(path.stem):
                return done.said
        return ""

    def _unload(self, name: str) -> str:
        if not self._is_loaded(name):
            return ""
        done = self.run(("launchctl", "bootout", f"gui/{self.uid}/{name}"))
        return "" if done.is_ok else done.said

    def _is_loaded(self, name: str) -> bool:
        return self.run(("launchctl", "print", f"gui/{self.uid}/{name}")).is_ok
