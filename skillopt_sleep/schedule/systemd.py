"""A timer and a service of the systemd that runs for the user."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skillopt.errors import StorageError
from skillopt_sleep.schedule.commands import Runner
from skillopt_sleep.schedule.entry import Entry, from_record, to_record
from skillopt_sleep.schedule.files import Change, content
from skillopt_sleep.schedule.scheduler import MANAGED, Found, Plan, Written, foreign, taken_back

_PLAIN = re.compile(r"[A-Za-z0-9_/.:=+,@-]+")
_ODD = re.compile(r"[\"'\\$]")
_HEAD = f"# {MANAGED}\n"
_TOLD = "skillopt-sleep: a night, when one is due"
_HELD = 5
"""The exit code when another run holds the lock: the night is in good hands."""


def service(entry: Entry) -> str:
    """The unit that runs the command once."""
    program, *arguments = entry.command
    # It turns down a program with quotes in its name, and knows no way to write a dollar in it.
    if _ODD.search(program):
        program, arguments = "/bin/sh", ["-c", 'exec "$0" "$@"', *entry.command]
    words = [_quoted(program), *(_quoted(word.replace("$", "$$")) for word in arguments)]
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in entry.environment)
    return (
        f"{_HEAD}# entry: {to_record(entry)}\n"
        f"[Unit]\nDescription={_TOLD}\n\n"
        f"[Service]\nType=oneshot\n{environment}ExecStart={' '.join(words)}\n"
        f"SuccessExitStatus={_HELD}\nNice=10\nIOSchedulingClass=idle\nUMask=0077\n"
    )


def timer(entry: Entry) -> str:
    """The unit that starts it every hour, and at once when the hour was slept over or the machine was off."""
    return (
        f"{_HEAD}[Unit]\nDescription={_TOLD}\n\n"
        f"[Timer]\nOnCalendar=*-*-* *:{entry.minute:02}:00\nPersistent=true\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )


def _quoted(word: str) -> str:
    """A word of a unit file: quotes, backslashes and specifiers mean themselves."""
    escaped = word.replace("%", "%%")
    if _PLAIN.fullmatch(word):
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


def units_dir(env: Mapping[str, str], user_home: Path) -> Path:
    """Where the units of the user are."""
    config = env.get("XDG_CONFIG_HOME", "")
    base = Path(config) if config.startswith("/") else user_home / ".config"
    return base / "systemd" / "user"


@dataclass(frozen=True, slots=True)
class Systemd:
    """The scheduler; `units` is the folder of the user's units."""

    run: Runner
    units: Path
    name: str = "systemd"

    def unusable(self) -> str:
        """Whether a manager of the user answers."""
        done = self.run(("systemctl", "--user", "show-environment"))
        return "" if done.is_ok else f"no systemd answers for this user ({done.said})"

    def find(self, name: str) -> Found | None:
        """Our units, if they are there."""
        service_path, timer_path = self._paths(name)
        texts = {path: self._ours(path) for path in (service_path, timer_path)}
        if all(text is None for text in texts.values()):
            return None
        records = re.findall(r"^# entry: (.*)$", texts[service_path] or "", re.MULTILINE)
        entry = from_record(records[0]) if records else None
        is_whole = entry is not None and texts == {service_path: service(entry), timer_path: timer(entry)}
        active = self._systemctl("is-active", timer_path.name)
        enabled = self._systemctl("is-enabled", timer_path.name)
        return Found(entry, is_whole, is_active=active == "" and enabled == "")

    def plan(self, entry: Entry) -> Plan:
        """Both units, and how the timer is begun."""
        paths = self._paths(entry.name)
        texts = (service(entry), timer(entry))
        written = tuple(Written(str(path), text) for path, text in zip(paths, texts, strict=True))
        commands = tuple(("systemctl", "--user", *step) for step in self._begin(entry.name))
        note = "it is started while you are logged in; `loginctl enable-linger` lets it start without you"
        return Plan(written, commands, note)

    def install(self, entry: Entry) -> bool:
        """Write the units and begin the timer."""
        found = self.find(entry.name)
        if found == Found(entry, is_whole=True, is_active=True):
            return False
        paths = self._paths(entry.name)
        units = dict(zip(paths, (service(entry).encode(), timer(entry).encode()), strict=True))
        back = Change(units).carry_out()
        for step in self._begin(entry.name):
            if failed := self._systemctl(*step):
                # Taken out of use while its unit is still known, then as it was before.
                if found is None:
                    self._systemctl("disable", "--now", paths[1].name)
                is_restored = back.carry_out_as_far_as_possible() and not self._systemctl("daemon-reload")
                told = f"`systemctl --user {' '.join(step)}` failed"
                raise taken_back(told, failed, is_restored=is_restored)
        return True

    def remove(self, name: str) -> bool:
        """End the timer, and remove the units."""
        if self.find(name) is None:
            return False
        service_path, timer_path = self._paths(name)
        if failed := self._systemctl("disable", "--now", timer_path.name):
            raise StorageError(
                f"`systemctl --user disable --now {timer_path.name}` failed: everything is as it was before",
                why=failed,
                next="log in as this user (not through sudo), then run the same command again",
            )
        # When the timer last began is kept apart from the units; older ones know no way to forget it.
        self._systemctl("clean", "--what=state", timer_path.name)
        Change({service_path: None, timer_path: None}).carry_out()
        if failed := self._systemctl("daemon-reload"):
            raise StorageError(
                "the units were removed, but systemd was not told",
                why=failed,
                next="systemctl --user daemon-reload",
            )
        return True

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self.units / f"{name}.service", self.units / f"{name}.timer"

    @staticmethod
    def _begin(name: str) -> tuple[tuple[str, ...], ...]:
        # Restarted, so that one which runs already goes by what was written now.
        return ("daemon-reload",), ("enable", f"{name}.timer"), ("restart", f"{name}.timer")

    def _ours(self, path: Path) -> str | None:
        data = content(path)
        if data is None:
            return None
        text = data.decode("utf-8", "replace")
        if not text.startswith(_HEAD):
            raise foreign(path, "its first line is not ours")
        return text

    def _systemctl(self, *words: str) -> str:
        """Why it failed, "" when it did not."""
        done = self.run(("systemctl", "--user", *words))
        return "" if done.is_ok else done.said
