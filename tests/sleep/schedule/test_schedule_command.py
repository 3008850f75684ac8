from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from schedule_desk import Desk

COMMAND = Path(sys.executable).with_name("skillopt-sleep")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def schedule(desk: Desk, *words: str, **env: str) -> Outcome:
    return sleep(desk, "schedule", *words, **env)


def sleep(desk: Desk, *words: str, **env: str) -> Outcome:
    measured = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}
    done = subprocess.run(
        [COMMAND, *words],
        cwd=desk.home,
        env={**desk.env, "LANG": "C.UTF-8", **measured, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def opt_in(desk: Desk) -> None:
    config = desk.home / ".skillopt-sleep" / "config.yaml"
    config.parent.mkdir(mode=0o700)
    config.write_text(f"projects: [{desk.home}/work]\n")


def test_install_status_remove(desk: Desk) -> None:
    desk.crontab.write_text("# theirs\n")
    opt_in(desk)
    before = desk.kept()

    installed = schedule(desk, "install", "--at", "02:30", "--since", "30d", "--quiet-for", "10m", "--json",
                         CODEX_HOME="/c d", OPENAI_API_KEY="secret")  # fmt: skip
    found = schedule(desk, "status", "--json", CODEX_HOME="/c d")
    told = schedule(desk, "status", CODEX_HOME="/c d")
    again = schedule(desk, "install", "--at", "02:30", "--since", "30d", "--quiet-for", "10m",
                     CODEX_HOME="/c d")  # fmt: skip
    removed = schedule(desk, "remove")
    nothing = schedule(desk, "remove", "--json")

    entry = installed.json
    home = str(desk.home / ".skillopt-sleep")
    assert entry["command"] == [
        str(COMMAND), "run", "--if-due", "--quiet", "--log", "--home", home,
        "--at", "02:30", "--quiet-for", "10m", "--since", "30d",
    ]  # fmt: skip
    assert entry["environment"] == {"CODEX_HOME": "/c d", "HOME": str(desk.home), "SKILLOPT_SLEEP_OWN": "1"}
    assert (entry["changed"], entry["scheduler"], entry["minute"]) == (True, "systemd", 30)
    (there,) = found.json["entries"]
    assert (there["wrong"], there["active"], there["command"]) == ([], True, entry["command"])
    assert there["next_night"] == entry["next_night"]
    assert "02:30" in told.out
    assert "Next: skillopt-sleep status" in told.out
    assert "nothing was changed" in again.out
    assert removed.out.startswith("Removed from systemd")
    assert nothing.json["removed"] == []
    assert {outcome.code for outcome in (installed, found, told, again, removed, nothing)} == {0}
    assert desk.kept() == before


def test_without_projects_it_says_loudly_that_nothing_runs(desk: Desk) -> None:
    installed = schedule(desk, "install")
    found = schedule(desk, "status", "--json")

    assert installed.code == 0
    assert "Note: no project is opted in, so no night will run before you do" in installed.out
    assert installed.out.endswith("Next: skillopt-sleep config set projects DIR...\n")
    assert found.json["next"] == "skillopt-sleep config set projects DIR..."


def test_a_dry_run_prints_all_and_changes_nothing(desk: Desk) -> None:
    before = desk.kept()

    shown = schedule(desk, "install", "--dry-run", "--with", "cron", "--at", "04:05")
    as_json = schedule(desk, "install", "--dry-run", "--with", "cron", "--at", "04:05", "--json")

    (written,) = as_json.json["written"]
    assert all(f"  {line}" in shown.out.splitlines() for line in written["text"].splitlines())
    assert written["text"].splitlines()[2].startswith("5 * * * * ")
    assert as_json.json["dry_run"] is True
    assert desk.kept() == before
    assert desk.calls == []


def test_the_entry_runs_as_it_stands(desk: Desk) -> None:
    """The line of the crontab, given to a shell with next to nothing in the environment."""
    folder = desk.home / "my 100% state"
    schedule(desk, "install", "--with", "cron", "--home", str(folder))
    (line,) = (each for each in desk.crontab.read_text().splitlines() if not each.startswith("#"))

    done = subprocess.run(
        ["/bin/sh", "-c", line.split(" ", 5)[5]], capture_output=True, text=True, cwd="/", env={}, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = folder / "logs" / "schedule.log"
    assert "Not due: no project was opted in" in log.read_text()
    assert [path.stat().st_mode & 0o777 for path in (log, log.parent)] == [0o600, 0o700]


def test_the_log_stays_small(desk: Desk) -> None:
    schedule(desk, "install", "--with", "cron")
    (line,) = (each for each in desk.crontab.read_text().splitlines() if not each.startswith("#"))
    log = desk.home / ".skillopt-sleep" / "logs" / "schedule.log"
    log.parent.mkdir()
    log.write_text("x" * 300_000)

    subprocess.run(["/bin/sh", "-c", line.split(" ", 5)[5]], check=True, cwd="/", env={}, timeout=60)

    assert log.stat().st_size < 1_000
    assert log.with_name("schedule.log.1").stat().st_size == 300_000
    assert log.stat().st_mode & 0o077 == 0


def test_another_scheduler_takes_the_entry_over(desk: Desk) -> None:
    schedule(desk, "install", "--with", "cron")
    moved = schedule(desk, "install", "--with", "systemd")
    found = schedule(desk, "status", "--json")

    assert moved.code == 0
    assert [each["scheduler"] for each in found.json["entries"]] == ["systemd"]
    assert not desk.crontab.exists()


def test_status_says_what_is_wrong(desk: Desk, program: Path) -> None:
    schedule(desk, "install", "--with", "cron", "--at", "02:00", CODEX_HOME="/then")
    there = desk.crontab.read_text()
    desk.crontab.write_text(there.replace(str(COMMAND), str(program)))
    other = schedule(desk, "status", "--json", CODEX_HOME="/now")
    program.unlink()
    gone = schedule(desk, "status")
    (examined,) = (
        check for check in sleep(desk, "doctor", "--json").json["checks"] if check["name"] == "schedule"
    )
    desk.crontab.write_text(there.replace("\n0 *", "\n5 *"))
    edited = schedule(desk, "status", CODEX_HOME="/then")

    (wrong,) = (each["wrong"] for each in other.json["entries"])
    assert wrong == [
        f"it starts {program}; this program is {COMMAND}",
        "CODEX_HOME is /now now; it was /then",
    ]
    assert f"Wrong: the program it starts is not there any more: {program}." in gone.out
    assert "Wrong: it was changed by hand" in edited.out
    assert (examined["status"], examined["next"]) == ("warn", "skillopt-sleep schedule install --at 02:00")
    assert all("Next: skillopt-sleep schedule install --at 02:00" in each.out for each in (gone, edited))


def test_a_crontab_that_cannot_be_read_is_told_with_both_ways_out(desk: Desk) -> None:
    desk.refuse("crontab-l", "must be privileged")
    (desk.bin / "systemctl").unlink()

    refused = schedule(desk, "install", "--json")

    assert refused.code == 2
    assert refused.json["error"]["what"] == "the crontab cannot be read, so nothing was changed"
    assert "must be privileged" in refused.json["error"]["why"]
    assert "daemon" in refused.json["error"]["next"]
    assert "--dry-run" in refused.json["error"]["next"]


def test_a_crontab_that_cannot_be_read_does_not_stop_systemd(desk: Desk) -> None:
    desk.refuse("crontab-l", "You (robin) are not allowed to use this program")

    installed = schedule(desk, "install")
    found = schedule(desk, "status")

    assert (installed.code, found.code) == (0, 0)
    assert "Installed with systemd" in found.out
    assert "not allowed to use this program" in found.out


def test_without_any_scheduler_it_tells_both_ways(desk: Desk) -> None:
    for name in ("systemctl", "crontab"):
        (desk.bin / name).unlink()

    refused = schedule(desk, "install")

    assert refused.code == 2
    assert "no scheduler can be used here" in refused.err
    assert "there is no program systemctl here" in refused.err
    assert "skillopt-sleep daemon" in refused.err


MEANINGLESS = [
    ("--at", "25:00"),
    ("--power", "sun"),
    ("--since", "never"),
    ("--source", "x"),
    ("--quiet-for", "soon"),
    ("--with", "at"),
]


@pytest.mark.parametrize("words", MEANINGLESS)
def test_options_that_cannot_be_meant_are_refused(desk: Desk, words: tuple[str, ...]) -> None:
    refused = schedule(desk, "install", *words)

    assert refused.code == 2
    assert desk.calls == []


def test_the_words_of_a_dry_run_install_it(desk: Desk) -> None:
    shown = schedule(desk, "install", "--dry-run", "--home", str(desk.home / "a b"), "--at", "01:00")
    words = shlex.split(shown.out.splitlines()[-1].removeprefix("Next: skillopt-sleep schedule "))

    schedule(desk, *words)

    assert schedule(desk, "status", "--home", str(desk.home / "a b"), "--json").json["installed"]
