"""A process killed at any step of adopt or undo: the next command leaves all files old or all files new.

Kills in the recovery as well are tried at every third step; with EVERY_WRITE=1 in the environment, at all.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skillopt.errors import RefusedError
from skillopt_sleep.disk import Disk
from skillopt_sleep.journal import is_pending, recover
from skillopt_sleep.receipt import receipts
from skillopt_sleep.stage import waiting

SCRIPT = Path(__file__).with_name("kill_here.py")
FEW_STEPS = 200
EVERY = bool(os.environ.get("EVERY_WRITE"))


def _start(root: Path, act: str, fatal_step: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(SCRIPT), str(root), act, fatal_step])


def _killed(act: Callable[[Disk], object], fatal_step: int | str) -> bool:
    """Whether `act` reached `fatal_step` (a number, or the name of the first such step) and died there.

    Done in a forked child, which is cheap enough to try every single step.
    """
    with warnings.catch_warnings():
        # Newer Pythons warn of a fork beside threads; those of a parallel test run hold no lock of ours.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        seen = []

        def count(step: str) -> None:
            seen.append(step)
            if fatal_step in (len(seen), step):
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            act(Disk(count))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _die_in_every_recovery(desk: Any) -> None:
    deep = 1
    while _killed(lambda disk: recover(desk.home.path, disk), deep):
        deep += 1


def _stage_three(desk: Any) -> None:
    """A new skill with a link and folders of its own, a skill of the user, and one behind a link."""
    desk.managed("Use pnpm.", sources=("claude", "codex"))
    desk.existing(desk.write(".claude/skills/mine/SKILL.md", mode=0o640), "Use uv.")
    desk.write("docs/far.md", b"far\r\ntext")
    link = desk.project / ".claude/skills/far/SKILL.md"
    link.parent.mkdir()
    link.symlink_to("../../../docs/far.md")
    desk.existing(link, "Use rg.")


def _restage(desk: Any) -> None:
    """Forget all state and stage the same three proposals for the same files."""
    shutil.rmtree(desk.home.path)
    desk.managed("Use pnpm.", sources=("claude", "codex"))
    desk.existing(desk.project / ".claude/skills/mine/SKILL.md", "Use uv.")
    desk.existing(desk.project / ".claude/skills/far/SKILL.md", "Use rg.")


def _check(desk: Any, old: dict[str, Any], new: dict[str, Any], *, waits_when_old: bool = True) -> None:
    """After recovery the developer's files are all old or all new, and the state agrees with them."""
    assert not is_pending(desk.home.path)
    now = desk.snapshot()
    assert now in (old, new)
    assert len(waiting(desk.home)) == (3 if now == old and waits_when_old else 0)
    standing = [receipt for receipt in receipts(desk.home) if receipt.undone_at is None]
    assert len(standing) == (3 if now == new else 0)


@pytest.fixture
def both(desk: Any) -> Any:
    """The desk with everything staged; its files before and after an adopt."""
    _stage_three(desk)
    old = desk.snapshot()
    desk.adopt(*waiting(desk.home))
    new = desk.snapshot()
    desk.undo()
    assert desk.snapshot() == old
    _restage(desk)
    return desk, old, new


@pytest.mark.parametrize("again", [False, True], ids=["once", "and-again-in-recovery"])
def test_a_kill_at_every_step_of_adopt(both: Any, again: bool) -> None:
    desk, old, new = both
    ends: list[bool] = []
    stride = 3 if again and not EVERY else 1
    for step in range(1, FEW_STEPS, stride):
        killed = _killed(lambda disk: desk.adopt(*waiting(desk.home), disk=disk), step)
        if killed and again:
            _die_in_every_recovery(desk)
        recover(desk.home.path, Disk())
        _check(desk, old, new)
        ends.append(desk.snapshot() == new)
        if not killed:
            break
        desk.undo()
        assert desk.snapshot() == old
        _restage(desk)
    assert len(ends) > 30 // stride
    assert ends == sorted(ends), "before the plan is durable nothing happens, after it everything does"
    assert (ends[0], ends[-1]) == (False, True)


@pytest.mark.parametrize("again", [False, True], ids=["once", "and-again-in-recovery"])
def test_a_kill_at_every_step_of_undo(both: Any, again: bool) -> None:
    desk, old, new = both
    desk.adopt(*waiting(desk.home))
    ends: list[bool] = []
    stride = 3 if again and not EVERY else 1
    for step in range(1, FEW_STEPS, stride):
        killed = _killed(lambda disk: desk.undo(disk=disk), step)
        if killed and again:
            _die_in_every_recovery(desk)
        recover(desk.home.path, Disk())
        _check(desk, old, new, waits_when_old=False)
        ends.append(desk.snapshot() == old)
        if not killed:
            break
        if ends[-1]:
            _restage(desk)
            desk.adopt(*waiting(desk.home))
    assert len(ends) > 20 // stride
    assert ends == sorted(ends)
    assert (ends[0], ends[-1]) == (False, True)


@pytest.mark.parametrize("step", ["make folder", "write", "rename", "renamed", "link", "drop"])
def test_a_real_process_killed_at_a_step_is_recovered_by_the_next_command(both: Any, step: str) -> None:
    desk, old, _ = both
    process = _start(desk.root, "adopt", step)
    assert process.wait() == -signal.SIGKILL
    assert is_pending(desk.home.path)
    result = desk.undo()
    assert [each.outcome for each in result.recovered] == ["finished"]
    assert len(result.reversals) == 3
    assert desk.snapshot() == old


def test_a_real_process_killed_at_random_moments(both: Any) -> None:
    desk, old, new = both
    rng = random.Random(7)
    started = time.monotonic()
    assert _start(desk.root, "adopt", "never").wait() == 0
    took = time.monotonic() - started
    desk.undo()
    killed = 0
    for _ in range(12):
        _restage(desk)
        process = _start(desk.root, "adopt", "never")
        time.sleep(took * rng.uniform(0.5, 1.1))
        process.kill()
        killed += process.wait() != 0
        recover(desk.home.path, Disk())
        _check(desk, old, new)
        desk.undo()
        assert desk.snapshot() == old
    assert killed > 0


def test_a_file_edited_between_crash_and_recovery_is_left_alone_and_the_rest_goes_back(both: Any) -> None:
    desk, old, _ = both
    mine = desk.project / ".claude/skills/mine/SKILL.md"
    assert _killed(lambda disk: desk.adopt(*waiting(desk.home), disk=disk), "renamed")
    assert desk.snapshot() != old
    mine.write_bytes(b"edited in between")
    (found,) = recover(desk.home.path, Disk())
    assert found.outcome == "reversed"
    assert found.edited == (str(mine),)
    assert mine.read_bytes() == b"edited in between"
    now = desk.snapshot()
    assert {k: v for k, v in now.items() if k != str(mine)} == {
        k: v for k, v in old.items() if k != str(mine)
    }
    assert len(waiting(desk.home)) == 3


def test_an_edit_in_the_moment_of_writing_is_not_lost(both: Any) -> None:
    desk, old, _ = both
    far = desk.project / "docs/far.md"

    def edit(step: str) -> None:
        if step == "make folder":
            far.write_bytes(b"typed just now")

    with pytest.raises(RefusedError, match="changed while"):
        desk.adopt(*waiting(desk.home), disk=Disk(edit))
    assert far.read_bytes() == b"typed just now"
    now = desk.snapshot()
    assert {k: v for k, v in now.items() if k != str(far)} == {k: v for k, v in old.items() if k != str(far)}


@pytest.mark.parametrize("moment", ["open", "write", "rename"])
def test_an_edit_up_to_the_very_replacement_is_not_lost(desk: Any, moment: str) -> None:
    mine = desk.write(".claude/skills/mine/SKILL.md")
    proposal = desk.existing(mine, "Use uv.")

    def edit(step: str) -> None:
        if step == moment:
            mine.write_bytes(b"typed just now")

    with pytest.raises(RefusedError, match="changed while"):
        desk.adopt(proposal, disk=Disk(edit))
    assert mine.read_bytes() == b"typed just now"
    assert [path.name for path in mine.parent.iterdir()] == ["SKILL.md"]


def test_a_folder_that_becomes_a_link_under_way_is_not_followed(desk: Any) -> None:
    mine = desk.write(".claude/skills/mine/SKILL.md")
    proposal = desk.existing(mine, "Use uv.")
    elsewhere = desk.root / "elsewhere"

    def swap(step: str) -> None:
        if step == "rename" and not elsewhere.exists():
            shutil.copytree(mine.parent, elsewhere)
            shutil.rmtree(mine.parent)
            mine.parent.symlink_to(elsewhere)

    with pytest.raises(RefusedError, match="changed while"):
        desk.adopt(proposal, disk=Disk(swap))
    assert (elsewhere / "SKILL.md").read_bytes() == b"---\nname: x\n---\nMine.\n"


@pytest.mark.parametrize("lost", ["after", "both"])
def test_damaged_bytes_of_a_plan_are_never_written(both: Any, lost: str) -> None:
    desk, old, _ = both
    assert _killed(lambda disk: desk.adopt(*waiting(desk.home), disk=disk), "renamed")
    (folder,) = (desk.home.path / "journal").iterdir()
    for blob in folder.iterdir():
        if blob.name != "plan.json" and (lost == "both" or b"SKILLOPT_LEARNED" in blob.read_bytes()):
            blob.write_bytes(b"damaged")
    now = desk.snapshot()
    (found,) = recover(desk.home.path, Disk())
    if lost == "both":
        assert (found.outcome, found.place) == ("unreadable", str(folder))
        assert desk.snapshot() == now
    else:
        assert found.outcome == "reversed"
        assert desk.snapshot() == old
