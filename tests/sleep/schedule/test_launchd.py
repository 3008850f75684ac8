from __future__ import annotations

import plistlib
from pathlib import Path

import pytest
from schedule_desk import HOSTILE, Desk, make_entry

from skillopt.errors import ConfigError, StorageError
from skillopt_sleep.schedule.launchd import Launchd, agent, read_agent
from skillopt_sleep.schedule.scheduler import Found


def launchd(desk: Desk) -> Launchd:
    return Launchd(desk.run, desk.agents, 501)


@pytest.mark.parametrize("home", HOSTILE)
def test_every_word_reaches_the_program(program: Path, home: str) -> None:
    entry = make_entry(program, home)

    told = plistlib.loads(agent(entry))

    assert told["ProgramArguments"] == [str(program), "run", "--if-due", "--home", home]
    assert told["EnvironmentVariables"] == {"CODEX_HOME": home, "SKILLOPT_SLEEP_OWN": "1"}
    assert (told["StartCalendarInterval"], told["RunAtLoad"]) == ({"Minute": 7}, True)
    assert read_agent(agent(entry)) == entry


def test_everything_is_as_before_when_the_entry_is_removed(desk: Desk, program: Path) -> None:
    desk.agents.mkdir(parents=True)
    (desk.agents / "com.example.plist").write_bytes(plistlib.dumps({"Label": "com.example"}))
    before, entry = desk.kept(), make_entry(program)

    assert launchd(desk).install(entry)
    found = launchd(desk).find(entry.name)
    assert not launchd(desk).install(entry)
    assert launchd(desk).install(make_entry(program, minute=8))
    assert launchd(desk).remove(entry.name)

    assert found == Found(entry, is_whole=True, is_active=True)
    assert desk.kept() == before


@pytest.mark.parametrize("was_there", [False, True])
def test_what_fails_half_way_is_taken_back(desk: Desk, program: Path, was_there: bool) -> None:
    first = make_entry(program, minute=1)
    if was_there:
        launchd(desk).install(first)
    files = {name: data for name, data in desk.kept().items() if name.endswith(".plist")}
    refusal = desk.refuse("bootstrap", "Bootstrap failed: 125")

    with pytest.raises(StorageError) as told:
        launchd(desk).install(make_entry(program, minute=2))

    refusal.unlink()
    assert told.value.why == "Bootstrap failed: 125"
    assert {name: data for name, data in desk.kept().items() if name.endswith(".plist")} == files
    assert ("could not be put back" in told.value.what) == was_there  # (it does not load the old one either)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a plist",
        b"<plist><dict/></plist>",
        plistlib.dumps({"Label": "x", "ProgramArguments": ["/x"]}),
    ],
)
def test_an_agent_that_is_not_ours_is_left_alone(desk: Desk, program: Path, data: bytes) -> None:
    entry = make_entry(program)
    desk.agents.mkdir(parents=True)
    (desk.agents / f"{entry.name}.plist").write_bytes(data)
    before = desk.kept()

    for act in (lambda: launchd(desk).install(entry), lambda: launchd(desk).remove(entry.name)):
        with pytest.raises(ConfigError, match="it was left alone"):
            act()

    assert desk.kept() == before


def test_an_agent_that_cannot_be_unloaded_stays(desk: Desk, program: Path) -> None:
    entry = make_entry(program)
    launchd(desk).install(entry)
    before = desk.kept()
    refusal = desk.refuse("bootout")

    with pytest.raises(StorageError, match="did not let go"):
        launchd(desk).remove(entry.name)

    refusal.unlink()
    assert desk.kept() == before
