"""Nights that follow others, that are dry, killed, adopted or turned down."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from labelled_home import Developer

Night = tuple[Developer, dict[str, Any]]


def said(night: dict[str, Any]) -> list[Any]:
    """What a night proposes, without when and where."""
    keys = ("skill", "verdict", "baseline", "candidate", "n", "interval", "findings")
    lessons = ("text", "mode", "n", "replayed", "restated", "sessions", "scope")
    return sorted(
        [Path(p["project"]).name, [p[k] for k in keys], [[le[k] for k in lessons] for le in p["lessons"]]]
        for p in night["proposals"]
    )


def texts(night: dict[str, Any]) -> set[str]:
    return {lesson["text"] for p in night["proposals"] for lesson in p["lessons"]}


def ledger(developer: Developer, query: str) -> list[Any]:
    with closing(sqlite3.connect(developer.state / "ledger.sqlite")) as connection:
        return connection.execute(query).fetchall()


def tree(folder: Path) -> dict[str, object]:
    """Every file, link and folder below, `.git` aside, with its bytes and mode."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if ".git" in path.relative_to(folder).parts:
            continue
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
    return found


# --- again, and dry -------------------------------------------------------------------------------------


def test_a_second_night_uses_and_reads_nothing(after_night: Night) -> None:
    developer, first = after_night
    second = developer.night()
    assert (second["verdict"], second["proposals"], second["consumed"]) == ("nothing_to_learn", [], 0)
    assert {source["bytes_read"] for source in second["sources"]} == {0}
    assert second["splits"] == first["splits"]
    assert [n["id"] for n in developer.ok("nights")["nights"]] in (
        [first["night"], second["night"]],
        [second["night"], first["night"]],
    )
    assert {p["id"] for p in first["proposals"]} == {w["id"] for w in developer.ok("status")["waiting"]}


def test_the_same_home_gives_the_same_bytes(slept: Night, developer: Developer) -> None:
    """In another process, at another time, in another folder."""
    there, first = slept
    assert said(developer.night()) == said(first)

    def staged(who: Developer) -> list[bytes]:
        return sorted(p.read_bytes() for p in who.state.joinpath("proposals").rglob("new.md"))

    # Lesson ids name the project, so the texts are compared without them.
    def plain(who: Developer) -> list[list[bytes]]:
        return [[line.split(b" <!-- id:")[0] for line in data.splitlines()] for data in staged(who)]

    assert plain(developer) == plain(there)


def test_a_dry_night_leaves_no_trace(slept: Night, developer: Developer) -> None:
    _, first = slept
    before = tree(developer.root / "code")
    dry = developer.night("--dry-run")
    assert said(dry) == said(first)
    assert (dry["night"], dry["dry_run"]) == (None, True)
    assert ledger(developer, "SELECT count(*) FROM splits") == [(0,)]
    assert ledger(developer, "SELECT count(*) FROM nights") == [(0,)]
    assert ledger(developer, "SELECT count(*) FROM sessions WHERE consumed_by IS NOT NULL") == [(0,)]
    assert developer.ok("status")["waiting"] == []
    assert developer.ok("nights")["nights"] == []
    assert tree(developer.root / "code") == before
    assert said(developer.night()) == said(first)


def test_a_dry_night_after_a_night_changes_no_split(after_night: Night) -> None:
    developer, _ = after_night
    for day in range(4):
        developer.work(day, developer.web, (f"install package{day}", f"npm install package{day}"))
    before = ledger(developer, "SELECT * FROM splits ORDER BY 1, 2")
    developer.night("--dry-run")
    assert ledger(developer, "SELECT * FROM splits ORDER BY 1, 2") == before


# --- killed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.35, 0.6, 0.8, 0.95])
def test_a_killed_night_uses_nothing_and_the_next_is_whole(
    slept: Night, developer: Developer, share: float
) -> None:
    _, whole = slept
    running = developer.start("run", "--all-projects", "--json")
    time.sleep(share * (whole["seconds"] + 0.35))
    running.kill()
    ended = running.wait(timeout=30) == 0
    known = (developer.state / "ledger.sqlite").exists()
    # Killed while it was taking leave: the night had finished.
    ended = ended or (known and developer.ok("nights")["nights"] != [])
    if known and not ended:
        assert ledger(developer, "SELECT count(*) FROM sessions WHERE consumed_by IS NOT NULL") == [(0,)]
    again = developer.night()
    assert (said(again), again["consumed"]) == (([], 0) if ended else (said(whole), whole["consumed"]))
    waiting = developer.ok("status")["waiting"]
    assert len(waiting) == len(whole["proposals"])
    assert not list((developer.root / "code").rglob("SKILL.md"))


AT = ("stage", "finish_night")
KILLED = """
import os, signal, sys
at, home = sys.argv[1:3]
import skillopt_sleep.night as night
from skillopt_sleep.ledger import Ledger

seen = 0
def killed(inner, after):
    def call(*given, **more):
        global seen
        seen += 1
        if seen > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(*given, **more)
    return call

if at == "stage":
    night.stage = killed(night.stage, 1)
else:
    Ledger.finish_night = killed(Ledger.finish_night, 0)
from skillopt_sleep.cli.main import main
sys.argv = ["skillopt-sleep", "run", "--all-projects", "--json", "--home", home]
main()
"""


@pytest.mark.parametrize("at", AT)
def test_killed_between_staging_and_the_end_the_next_night_is_whole(
    slept: Night, developer: Developer, at: str
) -> None:
    """The worst moments: one proposal is staged and the other is not; all are, and nothing is recorded."""
    _, whole = slept
    done = subprocess.run(
        [sys.executable, "-c", KILLED, at, str(developer.state)],
        cwd=developer.root,
        env=developer.environment(),
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert developer.ok("nights")["nights"] == []
    again = developer.night()
    assert said(again) == said(whole)
    assert again["consumed"] == whole["consumed"]
    assert {w["id"] for w in developer.ok("status")["waiting"]} == {p["id"] for p in again["proposals"]}


def test_of_nights_at_the_same_time_one_works_and_the_others_say_so(developer: Developer) -> None:
    running = [developer.start("run", "--all-projects", "--json") for _ in range(3)]
    codes = sorted(process.wait(timeout=60) for process in running)
    assert set(codes) <= {0, 5}
    assert 0 in codes
    assert len(developer.ok("nights")["nights"]) == codes.count(0)
    assert ledger(developer, "SELECT count(DISTINCT consumed_by) FROM sessions") == [(1,)]


# --- adopted, turned down -------------------------------------------------------------------------------


def keep_at_it(developer: Developer, days: range) -> None:
    """The person still says it, in new words, as if nothing had been learned."""
    for day in days:
        name = ("chalk", "zod", "luxon", "ky", "vite", "tsx")[day % 6]
        developer.work(
            day,
            developer.web,
            (f"add {name} to the project", f"npm install {name}"),
            (("use pnpm, npm is not for this repo", "no, pnpm and not npm")[day % 2], f"pnpm add {name}"),
        )


def test_what_was_adopted_is_not_proposed_again(after_night: Night) -> None:
    developer, first = after_night
    developer.ok("adopt", "--all", "--yes")
    live = {p["path"]: Path(p["path"]).read_bytes() for p in first["proposals"]}
    keep_at_it(developer, range(6))
    second = developer.night()
    assert second["consumed"] == 6
    assert not texts(second) & texts(first)
    assert not any("pnpm" in text for text in texts(second))
    assert {path: Path(path).read_bytes() for path in live} == live


def test_what_waits_is_kept_by_the_next_night(after_night: Night) -> None:
    developer, first = after_night
    for day, name in enumerate(("router", "cart", "mail", "search", "theme", "user", "price", "slug")):
        developer.work(
            day,
            developer.web,
            (f"check the types of the {name} module", f"tsc -p {name}"),
            ("no, always with --noEmit", f"tsc --noEmit -p {name}"),
        )
    second = developer.night()
    (proposal,) = second["proposals"]
    (before,) = [p for p in first["proposals"] if p["project"] == str(developer.web)]
    assert {le["text"] for le in before["lessons"]} < {le["text"] for le in proposal["lessons"]}
    assert any("--noEmit" in le["text"] for le in proposal["lessons"])
    assert len(developer.ok("status")["waiting"]) == 2


def test_a_session_of_the_sealed_test_is_scored_once(after_night: Night) -> None:
    developer, first = after_night
    (web,) = [p for p in first["proposals"] if p["project"] == str(developer.web)]
    assert web["test"]["n"] > 0
    developer.ok("adopt", "--all", "--yes")
    developer.ok("undo")
    keep_at_it(developer, range(6))
    (again,) = [p for p in developer.night()["proposals"] if p["project"] == str(developer.web)]
    fresh = ledger(
        developer,
        "SELECT sessions.project FROM splits JOIN sessions ON id = splits.session_id "
        "WHERE split = 'test' AND started_at > '2026-11-21'",
    )
    assert (again["test"] or {"n": 0})["n"] <= fresh.count((str(developer.web),)) < web["test"]["n"]


def test_what_was_turned_down_needs_new_evidence(after_night: Night) -> None:
    developer, first = after_night
    (mine,) = [p for p in first["proposals"] if p["project"] == str(developer.web)]
    refused = {lesson["text"] for lesson in mine["lessons"]}
    developer.ok("discard", mine["id"], "--why", "not like that")
    assert {w["id"] for w in developer.ok("status")["waiting"]} == {
        p["id"] for p in first["proposals"] if p["id"] != mine["id"]
    }
    keep_at_it(developer, range(1))
    second = developer.night()
    assert second["consumed"] == 1
    assert second["proposals"] == [], "nor in other words"
    keep_at_it(developer, range(1, 6))
    third = developer.night()
    assert any("pnpm" in text for text in texts(third)), "said again and again, it is worth asking again"
    assert not any("rg" in text.split() for text in texts(third))
    assert refused


def test_adopted_files_are_valid_and_undo_restores_every_byte(after_night: Night) -> None:
    developer, night = after_night
    code = developer.root / "code"
    (developer.web / "README.md").write_bytes(b"# web\r\n")
    before = tree(code)
    adopted = developer.ok("adopt", "--all", "--yes")
    assert {r["path"] for r in adopted["receipts"]} == {p["path"] for p in night["proposals"]}
    for receipt in adopted["receipts"]:
        folder = Path(receipt["path"]).parent
        validator = Path(sys.executable).with_name("agentskills")
        checked = subprocess.run([validator, "validate", folder], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        text = Path(receipt["path"]).read_text()
        here = [p for p in night["proposals"] if p["path"] == receipt["path"]]
        assert all(lesson["text"] in text for p in here for lesson in p["lessons"])
    changed = tree(code)
    assert changed != before
    assert all(changed[name] == before[name] for name in before)
    developer.ok("undo")
    assert tree(code) == before


def test_after_undo_a_night_may_propose_again(after_night: Night) -> None:
    developer, first = after_night
    developer.ok("adopt", "--all", "--yes")
    developer.ok("undo")
    keep_at_it(developer, range(6))
    second = developer.night()
    assert any("pnpm" in text for text in texts(second))
    assert len(texts(second)) >= 1
    assert first["night"] != second["night"]


# --- homes with little or nothing -----------------------------------------------------------------------


@pytest.fixture
def empty(tmp_path: Path) -> Developer:
    (tmp_path / "dev" / "home").mkdir(parents=True)
    return Developer(tmp_path / "dev", {})


def test_an_empty_home_is_a_normal_first_run(empty: Developer) -> None:
    night = empty.ok("run")
    assert (night["verdict"], night["proposals"], night["episodes"]) == ("nothing_to_learn", [], 0)
    assert empty.ok("tasks")["tasks"] == []
    told = empty.run("run", "--all-projects")
    assert told.code == 0
    for folder in (".claude", ".codex", ".copilot"):
        assert folder in told.out
    assert "Next:" in told.out
    assert len(empty.ok("nights")["nights"]) == 2


def test_a_folder_nobody_worked_in_is_told_where_there_is_work(slept: Night, tmp_path: Path) -> None:
    developer, _ = slept
    for command in ("tasks",):
        told = developer.run(command, "--project", str(tmp_path))
        assert told.code == 0
        assert str(developer.web) in told.out
        assert str(developer.api) in told.out
        assert "--all-projects" in told.out


def test_a_run_in_a_folder_nobody_worked_in_tells_it_too(after_night: Night, tmp_path: Path) -> None:
    developer, _ = after_night
    told = developer.run("run", cwd=tmp_path)
    assert told.code == 0
    assert str(developer.web) in told.out
    assert "Next: skillopt-sleep run --all-projects" in told.out


def test_a_folder_that_is_not_there_is_no_project(developer: Developer) -> None:
    done = developer.run("run", "--project", str(developer.root / "nowhere"), "--json")
    assert done.code in (0, 2)
    assert done.json["ok"] is (done.code == 0)
    if done.code == 2:
        assert done.json["error"].keys() >= {"what", "why", "next"}
    else:
        assert done.json["proposals"] == []


def test_a_recorded_folder_that_is_gone_is_listed_but_never_a_target(developer: Developer) -> None:
    shutil.rmtree(developer.api)
    night = developer.night()
    assert {p["project"] for p in night["proposals"]} == {str(developer.web)}
    tasks = developer.ok("tasks", "--all-projects")["tasks"]
    assert {task["project"] for task in tasks} == {str(developer.web), str(developer.api)}
    assert not developer.api.exists()
    consumed = ledger(developer, "SELECT DISTINCT project FROM sessions WHERE consumed_by IS NOT NULL")
    assert consumed == [(str(developer.web),)]
    subprocess.run(["git", "init", "-q", str(developer.api)], check=True)
    assert {p["project"] for p in developer.night()["proposals"]} == {str(developer.api)}


def test_the_state_is_private(slept: Night) -> None:
    developer, _ = slept
    for path in (developer.state, *developer.state.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


# --- a skill file nobody can use ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoilt", [b"\xff\xfe latin", b"# S\n<!-- SKILLOPT_LEARNED_START -->\n", "loop", "folder"]
)
def test_an_odd_skill_file_stops_only_its_own_lessons(
    slept: Night, developer: Developer, spoilt: bytes | str
) -> None:
    """The other projects have their night; what was left out is named, and is learned once it is mended."""
    _, whole = slept
    proposal = whole["proposals"][0]
    (project,) = (p for p in (developer.web, developer.api) if p.name == Path(proposal["project"]).name)
    skill = project / Path(proposal["path"]).relative_to(proposal["project"])
    if spoilt == "loop":
        skill.parents[2].symlink_to(skill.parents[2])
        odd = skill.parents[2]
    elif spoilt == "folder":
        skill.mkdir(parents=True)
        odd = skill
    else:
        skill.parent.mkdir(parents=True)
        skill.write_bytes(spoilt)  # type: ignore[arg-type]
        odd = skill
    night = developer.night()
    (blocked,) = night["blocked"]
    assert (blocked["project"], blocked["path"]) == (str(project), str(skill))
    assert blocked["what"]
    assert len(night["proposals"]) == len(whole["proposals"]) - 1
    if odd.is_dir() and not odd.is_symlink():
        odd.rmdir()
    else:
        odd.unlink()
    assert [Path(p["project"]).name for p in developer.night()["proposals"]] == [project.name]


def test_one_id_in_two_clients_ends_no_night(slept: Night, developer: Developer) -> None:
    """Ids are the clients' own: a hostile or copied transcript may bear one that another client gave."""
    _, whole = slept
    chats = {path.stem for path in (developer.home / ".claude/projects").rglob("*.jsonl")}
    rollouts = {
        path.stem[-36:]: path for path in (developer.home / ".codex/sessions").rglob("rollout-*.jsonl")
    }
    lessons = [set(lesson["sessions"]) for p in whole["proposals"] for lesson in p["lessons"]]
    both = next(ids for ids in lessons if ids & chats and ids & rollouts.keys())
    old, new = min(both & rollouts.keys()), min(both & chats)
    rollout = rollouts[old]
    copy = rollout.with_name(rollout.name.replace(old, new))
    copy.write_text(rollout.read_text().replace(old, new))
    night = developer.night()
    assert texts(night) == texts(whole)
