"""What keeps a session out, and that of one that is kept out no byte of the state holds a word."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from skillopt_sleep.demo.scratch import make_scratch
from skillopt_sleep.home import StateHome
from skillopt_sleep.kept_out import MARKER, asks_out, is_marked
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.migrations import MIGRATIONS
from skillopt_sleep.sources.draft import Draft

COMMAND = Path(sys.executable).with_name("skillopt-sleep")
CANARY = "marmalade-canary"


@pytest.mark.parametrize(
    "words",
    [
        "skillopt-sleep: off",
        "Skillopt-Sleep: OFF.",
        "fix the login\n\n  skillopt-sleep: off\nthanks",
        "> skillopt-sleep off",
        "`skillopt-sleep: off`",
        "please keep this session out of skillopt-sleep, it is private",
        "Keep this chat out of SkillOpt-Sleep",
        "x" * 50_000 + "\nskillopt-sleep: off",
        "\n".join(["pasted log line"] * 40) + "\nskillopt-sleep: off",
        "```\nsome code\n```\nskillopt-sleep: off",
        "```\nnever closed\nskillopt-sleep: off",
        "why does <div> break?\nskillopt-sleep: off",
    ],
)
def test_words_that_keep_a_session_out(words: str) -> None:
    assert asks_out(words)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "turn it off",
        "what does skillopt-sleep do when the laptop is off?",
        "skillopt-sleep: official docs please",
        "skillopt-sleep: offline mode",
        "run skillopt-sleep status",
        "keep this session out of the logs",
        "what does this do?\n```\nskillopt-sleep: off\n```",
        "```text\nkeep this session out of skillopt-sleep\n```\nexplain",
        '<file path="README.md">\nskillopt-sleep: off\n</file> translate this',
    ],
)
def test_words_that_do_not(words: str) -> None:
    assert not asks_out(words)


@pytest.mark.parametrize("filler", ["\n", " ", "-\n", "```\n", "~~~\nx\n", "<a>", "<a></b>", "_"])
def test_a_long_prompt_is_looked_through_once(filler: str) -> None:
    # (where it is looked through for each of its lines, this takes minutes)
    assert not asks_out("skillopt-sleep" + filler * 200_000 + "x")


def test_only_what_the_person_worded_counts() -> None:
    by_agent, picked, typed = Draft(), Draft(), Draft()
    by_agent.reply("skillopt-sleep: off", None)
    by_agent.act("1", "command", "Bash", command="echo 'skillopt-sleep: off'")
    picked.say("skillopt-sleep: off", "choice", None)
    typed.say("skillopt-sleep: off", "rejection", None)

    assert [draft.is_kept_out for draft in (by_agent, picked, typed)] == [False, False, True]


def test_a_marker_counts_from_the_folder_up_to_the_root_of_its_repository(tmp_path: Path) -> None:
    repo, worktree, plain = tmp_path / "repo", tmp_path / "worktree", tmp_path / "plain"
    for folder in (repo / ".git", repo / "a" / "b", worktree / "c", plain / "d"):
        folder.mkdir(parents=True)
    (repo / ".git" / "HEAD").touch()
    (worktree / ".git").write_text("gitdir: elsewhere\n")

    def marked(*places: Path) -> list[bool]:
        for place in places:
            (place / MARKER).touch()
        folders = [
            (repo / "a" / "b", repo), (repo / "a", repo), (repo, repo), (worktree / "c", repo),
            (plain / "d", plain / "d"), (repo / "a" / "gone" / "deeper", repo),
        ]  # fmt: skip
        found = [is_marked(str(cwd), str(project)) for cwd, project in folders]
        for place in places:
            (place / MARKER).unlink()
        return found

    assert marked() == [False] * 6
    assert marked(tmp_path, plain) == [False] * 6  # never above
    assert marked(repo / "a") == [True, True, False, False, False, True]
    assert marked(repo) == [True, True, True, True, False, True]  # of the project, its worktrees too
    assert marked(worktree) == [False, False, False, True, False, False]
    assert marked(plain / "d") == [False, False, False, False, True, False]
    assert not is_marked(None, None)
    assert not is_marked("relative", None)


def test_a_link_to_nowhere_is_a_marker_too(tmp_path: Path) -> None:
    (tmp_path / MARKER).symlink_to("nowhere")

    assert is_marked(str(tmp_path), str(tmp_path))


@dataclass(frozen=True)
class Home:
    path: Path

    @property
    def state(self) -> StateHome:
        return StateHome(self.path / ".skillopt-sleep")

    def run(self, *words: str, cwd: str = "") -> Any:
        measured = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}
        env = {"HOME": str(self.path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **measured}
        done = subprocess.run([COMMAND, *words], env=env, cwd=self.path / cwd, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in words else done.stdout

    def say(self, session: str, *words: str, cwd: str = "code/web", side: bool = False) -> Path:
        folder = self.path / ".claude" / "projects" / "p"
        path = folder / session / "subagents" / "agent-1.jsonl" if side else folder / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        (self.path / cwd).mkdir(parents=True, exist_ok=True)
        records = [
            {"type": "user", "uuid": f"{path.stem}-{n}", "parentUuid": None, "sessionId": session,
             "timestamp": f"2026-11-01T10:0{n}:00.000Z", "cwd": str(self.path / cwd), "version": "2.1.329",
             "userType": "external", "entrypoint": "cli", "promptSource": "typed", "isSidechain": side,
             **({"agentId": "1"} if side else {}), "message": {"role": "user", "content": text}}
            for n, text in enumerate(words)
        ]  # fmt: skip
        if side:
            reply = {"role": "assistant", "content": [{"type": "text", "text": words[0]}]}
            records.append({**records[0], "type": "assistant", "uuid": "reply", "message": reply})
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    def sessions(self) -> set[str]:
        told = self.run("harvest", "--all-projects", "--sessions", "--source", "claude", "--json")
        return {each["id"] for each in told["sessions"]}

    def skipped(self) -> dict[str, int]:
        told = self.run("harvest", "--all-projects", "--source", "claude", "--json")
        found: dict[str, int] = told["sources"][0]["skipped"]
        return {reason: n for reason, n in found.items() if reason.startswith("kept_out")}

    def holds(self, word: str) -> list[str]:
        """The files of the state in which the word is."""
        files = (path for path in self.state.path.rglob("*") if path.is_file())
        return [str(path) for path in files if word.encode() in path.read_bytes()]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def by_marker(home: Home) -> None:
    (home.path / "code" / "web" / MARKER).touch()


def by_words(home: Home) -> None:
    home.say("private", CANARY, "and keep this session out of skillopt-sleep")


@pytest.mark.parametrize(("keep_out", "reason"), [(by_marker, "marker"), (by_words, "words")])
def test_no_word_of_a_new_session_is_stored(
    home: Home, keep_out: Callable[[Home], None], reason: str
) -> None:
    home.say("other", "hello", cwd="code/other")
    home.say("private", CANARY)
    home.say("private", f"look for {CANARY}", side=True)
    keep_out(home)

    told = home.run("harvest", "--all-projects")

    assert home.holds(CANARY) == []
    assert (
        f"Kept out, and nothing of it stored: {'2 sessions' if reason == 'marker' else '1 session'}" in told
    )
    assert home.sessions() == {"other"}
    assert home.holds(CANARY) == []
    assert list(home.skipped()) == [f"kept_out:{reason}"]


@pytest.mark.parametrize(("keep_out", "reason"), [(by_marker, "marker"), (by_words, "words")])
def test_what_was_stored_before_is_forgotten(
    home: Home, keep_out: Callable[[Home], None], reason: str
) -> None:
    home.say("other", "hello", cwd="code/other")
    home.say("private", CANARY, "go on")
    home.say("private", f"look for {CANARY}", side=True)
    assert len(home.sessions()) == 3
    assert home.holds(CANARY)

    keep_out(home)

    assert home.sessions() == {"other"}
    assert home.holds(CANARY) == []
    assert home.skipped() == {f"kept_out:{reason}": 2 if reason == "marker" else 1}


def test_once_kept_out_a_session_stays_out(home: Home) -> None:
    home.say("private", CANARY)
    by_marker(home)
    assert home.sessions() == set()

    (home.path / "code" / "web" / MARKER).unlink()
    home.say("private", CANARY, "more words")
    home.say("later", "good morning")

    assert home.sessions() == {"later"}
    assert home.holds(CANARY) == []


def test_lessons_and_proposals_go_with_the_sessions_they_came_from(home: Home) -> None:
    """A night learned from the project before its person kept it out."""
    home.path.mkdir()
    make_scratch(home.path)
    night = home.run("run", "--all-projects", "--json")
    assert {each["project"] for each in night["proposals"]} >= {str(home.path / "code" / "storefront")}

    (home.path / "code" / "storefront" / MARKER).touch()
    home.run("harvest", "--all-projects", "--json")

    left = home.run("status", "--json")
    assert str(home.path / "code" / "storefront") not in {each["project"] for each in left["waiting"]}
    assert home.holds("pnpm") == []
    again = home.run("run", "--all-projects", "--json")
    assert str(home.path / "code" / "storefront") not in {each["project"] for each in again["proposals"]}
    assert home.holds("pnpm") == []


def test_a_run_that_holds_the_lock_forgets_too(home: Home) -> None:
    home.say("private", CANARY)
    home.run("run", "--all-projects", "--json")
    assert home.holds(CANARY)

    by_words(home)
    home.run("run", "--all-projects", "--json")

    assert home.holds(CANARY) == []


def test_a_ledger_from_before_knows_the_folders_of_its_sessions(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for step in MIGRATIONS[:5]:
            step(connection)
        connection.execute("PRAGMA user_version = 5")
        connection.execute(
            """INSERT INTO files (source, path, inode, size, mtime_ns, reader, skipped)
               VALUES ('claude', '/p', '1', 1, 1, 1, '{}')"""
        )
        for n, body in enumerate(('{"cwd": "/home/dev/web"}', "{damaged")):
            connection.execute(
                """INSERT INTO sessions VALUES (?, 'claude', ?, '/p', '', '/p', NULL, 'human', NULL, NULL, 1,
                   1, 1, '[]', NULL, 1, 'r', '[]', ?)""",
                (n, f"s{n}", body),
            )

    with Ledger.open(path) as ledger:
        assert ledger.file.rows("SELECT id, cwd FROM sessions ORDER BY id") == [
            ("s0", "/home/dev/web"),
            ("s1", None),
        ]
