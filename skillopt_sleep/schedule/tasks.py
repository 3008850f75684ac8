"""A task of the Windows Task Scheduler."""

from __future__ import annotations

import csv
import io
import re
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from skillopt_sleep.schedule.commands import Runner
from skillopt_sleep.schedule.entry import Entry, from_record, to_record
from skillopt_sleep.schedule.scheduler import (
    MANAGED,
    Found,
    Plan,
    Written,
    foreign,
    taken_back,
    unreadable,
)

_SPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
_SHELL = "powershell.exe"
_FLAGS = "-NoProfile -NonInteractive -WindowStyle Hidden -Command "


def task(entry: Entry) -> str:
    """The task as XML: every hour, made up for as soon as the machine is awake, never two at once."""
    root = ET.Element("Task", {"version": "1.2", "xmlns": _SPACE})
    about = ET.SubElement(root, "RegistrationInfo")
    _put(about, "Source", "skillopt-sleep schedule")
    _put(about, "Description", MANAGED)
    _put(about, "Documentation", to_record(entry))
    trigger = ET.SubElement(ET.SubElement(root, "Triggers"), "CalendarTrigger")
    repetition = ET.SubElement(trigger, "Repetition")
    _put(repetition, "Interval", "PT1H")
    _put(repetition, "Duration", "P1D")
    _put(trigger, "StartBoundary", f"2026-01-01T00:{entry.minute:02}:00")
    _put(ET.SubElement(trigger, "ScheduleByDay"), "DaysInterval", "1")
    principal = ET.SubElement(ET.SubElement(root, "Principals"), "Principal", {"id": "Author"})
    _put(principal, "LogonType", "InteractiveToken")
    _put(principal, "RunLevel", "LeastPrivilege")
    settings = ET.SubElement(root, "Settings")
    for name, value in (
        ("MultipleInstancesPolicy", "IgnoreNew"),
        ("DisallowStartIfOnBatteries", "false"),  # --power decides
        ("StopIfGoingOnBatteries", "false"),
        ("StartWhenAvailable", "true"),
        ("ExecutionTimeLimit", "PT12H"),
        ("Priority", "7"),
    ):
        _put(settings, name, value)
    action = ET.SubElement(ET.SubElement(root, "Actions", {"Context": "Author"}), "Exec")
    _put(action, "Command", _SHELL)
    _put(action, "Arguments", _FLAGS + _argument(_script(entry)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-16"?>\n{ET.tostring(root, encoding="unicode")}\n'


def read_task(text: str) -> tuple[Entry | None, bool]:
    """The entry of a task as the scheduler tells it, and whether it is as we wrote it: the scheduler orders
    and adds things, so what is run and when is compared."""
    there = _parts(text)
    entry = from_record(there["Documentation"]) if there else None
    return entry, entry is not None and there == _parts(task(entry))


def _parts(text: str) -> dict[str, str]:
    try:
        # The declaration tells how the file was written, which the text no longer is.
        root = ET.fromstring(text[text.index("<Task") :])  # noqa: S314  (the scheduler of this user keeps it)
    except (ValueError, ET.ParseError):
        return {}
    names = ("Documentation", "Command", "Arguments", "Interval", "StartBoundary", "StartWhenAvailable")
    found = {name: root.find(f".//{{{_SPACE}}}{name}") for name in names}
    return {name: (each.text or "") if each is not None else "" for name, each in found.items()}


def _put(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _script(entry: Entry) -> str:
    """The command for PowerShell: tasks have no environment of their own."""
    assigned = [f"$env:{name}={_literal(value)}" for name, value in entry.environment]
    command = "& " + " ".join(map(_literal, entry.command))
    return "; ".join([*assigned, command, "exit $LASTEXITCODE"])


def _literal(text: str) -> str:
    """A text for PowerShell. The scheduler itself would put something in the place of `%NAME%` and `$(Arg0)`,
    so these signs come as numbers."""
    pieces = re.split(r"([%$])", text)
    told = [f"[char]{ord(piece)}" if piece in ("%", "$") else _between_quotes(piece) for piece in pieces]
    return told[0] if len(told) == 1 else f"({'+'.join(told)})"


def _between_quotes(text: str) -> str:
    # PowerShell takes typographic quotes for its own.
    for quote in "'\u2018\u2019\u201a\u201b":
        text = text.replace(quote, quote * 2)
    return f"'{text}'"


def _argument(text: str) -> str:
    """One argument as programs of Windows take their command line apart."""
    out, n = [], 0
    for char in text:
        if char == "\\":
            n += 1
            continue
        out.append("\\" * (2 * n + 1 if char == '"' else n) + char)
        n = 0
    return '"' + "".join(out) + "\\" * (2 * n) + '"'


@dataclass(frozen=True, slots=True)
class Tasks:
    """The scheduler; `scratch` is a private folder for the file a task is made from."""

    run: Runner
    scratch: Path
    name: str = "tasks"

    def unusable(self) -> str:
        """Whether the program that keeps tasks is there."""
        return "" if self.run.has("schtasks") else "there is no program schtasks here"

    def find(self, name: str) -> Found | None:
        """Our task, if it is there."""
        if self.unusable():
            return None
        text = self._read(name)
        if text is None:
            return None
        entry, is_whole = read_task(text)
        if entry is None and MANAGED not in text:
            raise foreign(Path(name), "the task of that name was not made by this program")
        return Found(entry, is_whole, is_active="<Enabled>false</Enabled>" not in text)

    def plan(self, entry: Entry) -> Plan:
        """The task, and how it is made."""
        written = Written(f"task {entry.name}", task(entry))
        creating = self._creating(entry.name, "task.xml")
        return Plan((written,), (creating,), "it is started while you are logged in")

    def install(self, entry: Entry) -> bool:
        """Make the task in the place of the one before; the scheduler makes it whole or not at all."""
        if self.find(entry.name) == Found(entry, is_whole=True, is_active=True):
            return False
        with tempfile.TemporaryDirectory(prefix="task-", dir=self.scratch) as folder:
            path = Path(folder, "task.xml")
            path.write_bytes(task(entry).encode("utf-16"))
            done = self.run(self._creating(entry.name, str(path)))
        if not done.is_ok:
            raise taken_back("the task could not be made", done.said, is_restored=True)
        return True

    def remove(self, name: str) -> bool:
        """Delete the task."""
        if self.find(name) is None:
            return False
        done = self.run(("schtasks", "/Delete", "/TN", name, "/F"))
        if not done.is_ok:
            raise taken_back("the task could not be deleted", done.said, is_restored=True)
        return True

    @staticmethod
    def _creating(name: str, path: str) -> tuple[str, ...]:
        return "schtasks", "/Create", "/TN", name, "/XML", path, "/F"

    def _read(self, name: str) -> str | None:
        """The task as XML, None when there is none: that is told by the list of all, in every language."""
        listed = self.run(("schtasks", "/Query", "/FO", "CSV", "/NH"))
        if not listed.is_ok:
            raise unreadable("the list of tasks", listed.said)
        rows = csv.reader(io.StringIO(_text(listed.out)))
        if not any(row and row[0].lstrip("\\") == name for row in rows):
            return None
        told = self.run(("schtasks", "/Query", "/TN", name, "/XML"))
        if not told.is_ok:
            raise unreadable(f"the task {name}", told.said)
        return _text(told.out)


def _text(data: bytes) -> str:
    """What a program of Windows says, which may be in two bytes a letter."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-8", "replace")
