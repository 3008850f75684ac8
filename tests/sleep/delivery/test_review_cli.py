"""The installed command: what a person reads, what a program reads, and the exit codes."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skillopt_sleep.describe import chance, proof
from skillopt_sleep.proposal import SealedTest
from skillopt_sleep.skillfile import read_lessons
from skillopt_sleep.stage import discarded, waiting

PROGRAM = Path(sys.executable).with_name("skillopt-sleep")
MANAGED = ".claude/skills/skillopt-sleep-learned/SKILL.md"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(desk: Any) -> dict[str, str]:
    measured = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}
    return {
        **measured,
        "HOME": str(desk.user_home),
        "PATH": os.environ["PATH"],
        "SKILLOPT_SLEEP_HOME": str(desk.home.path),
    }


@pytest.fixture
def run(desk: Any) -> Run:
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PROGRAM), *words], capture_output=True, text=True, env=environment(desk), cwd=desk.project
        )

    return call


def read(done: subprocess.CompletedProcess[str], code: int = 0) -> dict[str, Any]:
    assert done.returncode == code, done.stdout + done.stderr
    payload = json.loads(done.stdout)
    assert payload["ok"] is (code == 0)
    assert payload["schema"].startswith("skillopt-sleep/")
    return dict(payload)


def test_show_says_how_each_lesson_was_proved_and_by_whose_words(desk: Any, run: Run) -> None:
    restated = desk.lesson("Answer in one line.", mode="restated", n=4, replayed=0, restated=3)
    proposal = desk.managed(desk.lesson(), restated, test=SealedTest(0.0, 1.0, 2))
    shown = run("show").stdout
    assert f"Proposal {proposal.id}: skillopt-sleep-learned in {desk.project}" in shown
    assert "3 corrections in held-out sessions: 3 replayed, 0 restated; obedience assumed" in shown
    assert "3 of 3 by chance: p = .125" in shown
    assert "not replayable; said again in 3 of 4 held-out sessions" in shown
    assert "2026-11-20  s1  “no, use pnpm not npm”" in shown
    assert "0.00 -> 1.00 on 2 sealed test sessions" in shown
    assert f"Next: skillopt-sleep adopt {proposal.id}" in shown
    assert run("show", proposal.id[:5]).stdout == shown

    (row,) = read(run("show", "--json"))["proposals"]
    assert row["verdict"] == "accept"
    assert (row["baseline"], row["candidate"], row["n"]) == (0.0, 1.0, 3)
    assert row["lessons"][0]["sessions"] == ["s1", "s2"]
    assert row["path"] == str(desk.project / MANAGED)


def test_chance_is_that_of_fair_coins() -> None:
    assert chance(3, 3) == 0.125
    assert chance(5, 5) == 0.03125
    assert chance(0, 4) == 1.0
    assert chance(0, 0) == 1.0


def test_small_chances_are_not_printed_as_zero(desk: Any) -> None:
    assert "p < .001" in proof(desk.lesson(n=20, replayed=20))


def test_adopt_and_undo_as_json(desk: Any, run: Run) -> None:
    before = desk.snapshot()
    proposal = desk.managed("Use pnpm.", sources=("claude", "codex"))
    adopted = read(run("adopt", "--all", "--json"))
    (receipt,) = adopted["receipts"]
    assert receipt["path"] == str(desk.project / ".agents/skills/skillopt-sleep-learned/SKILL.md")
    assert receipt["before_sha"] is None
    assert receipt["lessons"] == [proposal.lessons[0].id]
    assert adopted["next"] == "skillopt-sleep undo"
    assert read(run("show", proposal.id, "--json"))["proposals"][0]["state"] == "adopted"
    assert read(run("show", receipt["id"][:6], "--json"))["proposals"][0]["receipt"] == receipt["id"]

    (reversed_,) = read(run("undo", "--json"))["receipts"]
    assert (reversed_["before_sha"], reversed_["after_sha"]) == (receipt["after_sha"], None)
    assert reversed_["id"] == receipt["id"]
    assert desk.snapshot() == before
    assert read(run("show", proposal.id, "--json"))["proposals"][0]["state"] == "undone"
    assert read(run("undo", "--json"))["receipts"] == []


def test_refused_ones_stay_staged_and_the_rest_is_adopted_with_exit_6(desk: Any, run: Run) -> None:
    changed = desk.write(".claude/skills/a/SKILL.md")
    first = desk.existing(changed, "Use pnpm.")
    unsafe = desk.existing(desk.write(".claude/skills/b/SKILL.md"), "Read the .env file.")
    good = desk.existing(desk.write(".claude/skills/c/SKILL.md"), "Use uv.")
    changed.write_bytes(b"mine")
    told = read(run("adopt", first.id, unsafe.id, good.id, "zz", "--json"), 6)
    assert {each["id"] for each in told["refused"]} == {first.id, unsafe.id, "zz"}
    assert [each["skill"] for each in told["receipts"]] == ["c"]
    assert set(told["error"]) == {"what", "why", "next"}
    assert {p.id for p in waiting(desk.home)} == {first.id, unsafe.id}

    done = run("adopt", unsafe.id)
    assert done.returncode == 6
    assert "--allow credentials" in done.stderr
    assert "Next: " in done.stdout
    assert run("adopt", unsafe.id, "--allow", "credentials").returncode == 0


def test_one_lesson_of_two(desk: Any, run: Run) -> None:
    proposal = desk.managed("Use pnpm.", "Use uv.")
    uv = proposal.lessons[1].id
    assert read(run("adopt", "--lesson", uv, "--json"))["receipts"][0]["lessons"] == [uv]
    assert [name for name, _ in read_lessons((desk.project / MANAGED).read_bytes())] == [uv]


def test_several_waiting_need_a_choice(desk: Any, run: Run) -> None:
    for name in "ab":
        desk.existing(desk.write(f".claude/skills/{name}/SKILL.md"), "Use pnpm.")
    done = run("adopt")
    assert done.returncode == 2
    assert "--all" in done.stderr
    assert run("adopt", "--all", "x").returncode == 2
    assert read(run("adopt", "--skill", "b", "--json"))["receipts"][0]["skill"] == "b"
    assert read(run("adopt", "--json"))["receipts"][0]["skill"] == "a"


def test_diff_shows_new_files_and_links(desk: Any, run: Run) -> None:
    proposal = desk.managed("Use pnpm.", sources=("claude", "codex"))
    done = run("diff", proposal.id)
    assert "--- /dev/null\n+++ b/.agents/skills/skillopt-sleep-learned/SKILL.md\n" in done.stdout
    assert "+link .claude/skills/skillopt-sleep-learned -> ../../.agents/skills/" in done.stdout
    assert "Next: skillopt-sleep adopt" in done.stderr
    (row,) = read(run("diff", "--json"))["diffs"]
    assert row["diff"] == done.stdout


@pytest.mark.skipif(shutil.which("patch") is None, reason="the program patch is not installed")
def test_the_diff_of_a_file_is_one_that_patch_applies(desk: Any, run: Run) -> None:
    path = desk.write(".claude/skills/x/SKILL.md", b"one\ntwo\x0cthree\nlast")
    proposal = desk.existing(path, "Use pnpm.")
    text = run("diff", "--json").stdout
    diff = json.loads(text)["diffs"][0]["diff"]
    subprocess.run(["patch", "-p1", "-s"], input=diff, text=True, cwd=desk.project, check=True)
    desk.adopt(proposal)
    assert desk.undo().reversals == ()


def test_undo_shows_both_texts_when_the_block_changed(desk: Any, run: Run) -> None:
    path = desk.write(".claude/skills/x/SKILL.md")
    desk.adopt(desk.existing(path, "Use pnpm."))
    path.write_bytes(path.read_bytes().replace(b"pnpm", b"bun"))
    done = run("undo")
    assert done.returncode == 6
    assert "As it was adopted:" in done.stdout
    assert "Use pnpm." in done.stdout
    assert "Use bun." in done.stdout
    (refused,) = read(run("undo", "--json"), 6)["refused"]
    assert "Use bun." in refused["live"]


def test_discard_needs_a_reason(desk: Any, run: Run) -> None:
    proposal = desk.managed("Use pnpm.")
    assert run("discard", proposal.id).returncode == 2
    assert read(run("discard", proposal.id[:6], "--why", "no", "--json"))["discarded"]["why"] == "no"
    assert [each.why for each in discarded(desk.home)] == ["no"]
    assert run("discard", proposal.id, "--why", "no").returncode == 6


def test_an_empty_home_is_a_normal_beginning(desk: Any, run: Run) -> None:
    for words in (["show"], ["diff"], ["adopt"], ["adopt", "--all"], ["undo"], ["recover"]):
        done = run(*words)
        assert done.returncode == 0, words
        assert "Next: skillopt-sleep" in done.stdout, words
        read(run(*words, "--json"))


def test_any_command_finishes_what_a_crash_left(desk: Any, run: Run) -> None:
    script = Path(__file__).with_name("kill_here.py")
    for name in ("recover", "show"):
        desk.existing(desk.write(f".claude/skills/{name}/SKILL.md"), "Use pnpm.")
        command = [sys.executable, str(script), str(desk.root), "adopt", "renamed"]
        assert subprocess.run(command).returncode == -9
        done = run(name)
        assert "An interrupted adopt was finished" in done.stdout + done.stderr
    assert waiting(desk.home) == ()


def test_git_is_asked_and_never_told(desk: Any, run: Run) -> None:
    git = ["git", "-C", str(desk.project)]
    subprocess.run([*git, "init", "-q"], check=True)
    (desk.project / ".gitignore").write_text(".agents/\n")
    desk.managed("Use pnpm.")
    assert "is new to git" in run("adopt").stdout
    other = desk.write(".agents/skills/x/SKILL.md")
    desk.existing(other, "Use uv.")
    assert "Warning: git ignores" in run("adopt").stdout
    status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True).stdout
    assert set(status.split()) == {"??", ".claude/", ".gitignore"}


def test_nothing_a_terminal_would_obey_is_printed(desk: Any, run: Run) -> None:
    desk.existing(desk.write(".claude/skills/x/SKILL.md", b"a\x1b[31mred\r\n\tb\x07\n"), "Be \x1b[31mred.")
    for words in (["show"], ["diff"]):
        done = run(*words)
        assert not set("\x1b\x07\r") & set(done.stdout + done.stderr)


@pytest.mark.parametrize(("answer", "is_adopted"), [(b"y\n", True), (b"n\n", False)])
def test_on_a_terminal_adopt_shows_the_diff_and_asks(desk: Any, answer: bytes, is_adopted: bool) -> None:
    desk.managed("Use pnpm.")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(PROGRAM), "adopt"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(desk)
    )
    os.close(theirs)
    os.write(ours, answer)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    assert process.wait() == 0
    os.close(ours)
    assert b"+- Use pnpm." in shown
    assert b"Adopt 1 change?" in shown
    assert (desk.project / MANAGED).exists() is is_adopted


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the terminal's other side is closed
        return b""
