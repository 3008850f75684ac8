from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from schedule_desk import HOSTILE, Desk, make_entry

from skillopt.errors import ConfigError, StorageError
from skillopt_sleep.schedule.scheduler import Found
from skillopt_sleep.schedule.tasks import Tasks, read_task, task

SPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def tasks(desk: Desk) -> Tasks:
    return Tasks(desk.run, desk.home)


def script_of(text: str) -> str:
    """What PowerShell is handed, taken from the XML as Windows takes command lines apart."""
    arguments = ET.fromstring(text[text.index("<Task") :]).findtext(f".//{SPACE}Arguments") or ""  # noqa: S314
    quoted = arguments.split(" -Command ", 1)[1]
    assert (quoted[0], quoted[-1]) == ('"', '"')
    words = re.sub(
        r'(\\*)"', lambda m: "\\" * (len(m[1]) // 2) + ('"' if len(m[1]) % 2 else "\0"), quoted[1:-1]
    )
    assert "\0" not in words
    return words


def literals(script: str) -> list[str]:
    """The texts of a script of ours, in order: quoted pieces and numbered characters, joined."""
    found = []
    for each in re.finditer(
        r"\(?(?:'(?:[^'‘’‚‛]|([‘’‚‛'])\1)*'|\[char\]\d+)(?:\+(?:'(?:[^'‘’‚‛]|([‘’‚‛'])\2)*'|\[char\]\d+))*\)?",
        script,
    ):
        pieces = re.findall(r"'((?:[^']|'')*)'|\[char\](\d+)", each[0])
        found.append("".join(chr(int(n)) if n else re.sub(r"(['‘’‚‛])\1", r"\1", t) for t, n in pieces))
    return found


@pytest.mark.parametrize("home", HOSTILE)
def test_every_word_reaches_the_program(program: Path, home: str) -> None:
    entry = make_entry(program, home)

    script = script_of(task(entry))

    assert literals(script) == [home, "1", str(program), "run", "--if-due", "--home", home]
    assert "%" not in script
    assert read_task(task(entry)) == (entry, True)


def test_a_missed_hour_is_made_up_for(program: Path) -> None:
    root = ET.fromstring(task(make_entry(program)).split("\n", 1)[1])  # noqa: S314
    told = {each.tag.removeprefix(SPACE): each.text for each in root.iter()}

    assert (told["Interval"], told["StartWhenAvailable"]) == ("PT1H", "true")
    assert (told["StartBoundary"], told["DisallowStartIfOnBatteries"]) == ("2026-01-01T00:07:00", "false")


def test_everything_is_as_before_when_the_entry_is_removed(desk: Desk, program: Path) -> None:
    (desk.state / "Other.task").write_text("<Task/>")
    before, entry = desk.kept(), make_entry(program)

    assert tasks(desk).install(entry)
    found = tasks(desk).find(entry.name)
    assert not tasks(desk).install(entry)
    assert tasks(desk).install(make_entry(program, minute=8))
    assert tasks(desk).remove(entry.name)

    assert found == Found(entry, is_whole=True, is_active=True)
    assert desk.kept() == before
    assert not tasks(desk).remove(entry.name)


def test_a_task_that_is_not_ours_is_left_alone(desk: Desk, program: Path) -> None:
    entry = make_entry(program)
    (desk.state / f"{entry.name}.task").write_text("<Task xmlns='x'><Actions/></Task>")
    before = desk.kept()

    for act in (lambda: tasks(desk).install(entry), lambda: tasks(desk).remove(entry.name)):
        with pytest.raises(ConfigError, match="it was left alone"):
            act()

    assert desk.kept() == before


@pytest.mark.parametrize(("failing", "kind"), [("/Query", ConfigError), ("/Create", StorageError)])
def test_nothing_is_made_when_something_fails(
    desk: Desk, program: Path, failing: str, kind: type[Exception]
) -> None:
    before = desk.kept()
    (desk.state / f"refuse-{failing[1:]}").write_text("ERROR: Access is denied.\n")

    with pytest.raises(kind) as told:
        tasks(desk).install(make_entry(program))

    (desk.state / f"refuse-{failing[1:]}").unlink()
    assert "Access is denied" in str(told.value)
    assert desk.kept() == before


def test_a_task_that_was_changed_is_told_from_a_whole_one(program: Path) -> None:
    entry = make_entry(program)

    assert read_task(task(entry).replace("PT1H", "PT5H")) == (entry, False)
    assert read_task(task(entry).replace("--if-due", "--dry-run")) != (entry, True)
    assert read_task("nothing") == (None, False)
    # The scheduler says things in an order of its own, and more of them.
    assert read_task("\ufeff" + task(entry).replace("<Triggers>", "<Data>x</Data><Triggers>")) == (
        entry,
        True,
    )
