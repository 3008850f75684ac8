"""Skill files as people really have them: taken as they are, or left out and named; never harmed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from machine import Machine, build

SKILL = Path(".claude/skills/skillopt-sleep-learned/SKILL.md")
FRONT = b"---\nname: x\ndescription: y\n---\n"
BLOCK = b"<!-- SKILLOPT_LEARNED_START -->\n- x <!-- id: 12345678 -->\n<!-- SKILLOPT_LEARNED_END -->\n"

TAKEN = {
    "empty": b"",
    "crlf": FRONT.replace(b"\n", b"\r\n") + b"hi\r\n",
    "cr": b"---\rname: x\r---\rhi\r",
    "mixed": FRONT + b"one\r\ntwo\rthree",
    "no-final-newline": b"hi",
    "mark": b"\xef\xbb\xbf" + FRONT + b"hi\n",
    "no-front-matter": b"# hi\n",
    "large": FRONT + b"word " * 1_000_000,
    "nul": b"a\0b\n",
    "fence": b"```\n" + BLOCK + b"```\n",
    "after": BLOCK + b"after\n",
}
LEFT_OUT = {
    "never-closed": b"---\nname: x\n",
    "not-yaml": b"---\nname: [\n---\nhi\n",
    "a-list": b"---\n- a\n---\nhi\n",
    "binary": bytes(range(256)) * 10,
    "latin": "é".encode("latin-1"),
    "twice": BLOCK + BLOCK,
    "unpaired": b"<!-- SKILLOPT_LEARNED_START -->\n- x\n",
}


def _link_loop(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.symlink_to(file.name)


def _folder_loop(file: Path) -> None:
    file.parent.parent.mkdir(parents=True)
    file.parent.symlink_to(file.parent.name)


def _pipe(file: Path) -> None:
    file.parent.mkdir(parents=True)
    os.mkfifo(file)


def _folder(file: Path) -> None:
    file.mkdir(parents=True)


def _outside(file: Path) -> None:
    outside = file.parents[5] / "outside"
    outside.mkdir()
    outside.joinpath("SKILL.md").write_bytes(FRONT)
    file.parent.parent.mkdir(parents=True)
    file.parent.symlink_to(outside)


def _git_folder(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.symlink_to("../../../.git/config")


ODD = {
    "link-loop": _link_loop,
    "folder-loop": _folder_loop,
    "pipe": _pipe,
    "folder": _folder,
    "outside": _outside,
    "git-folder": _git_folder,
}


def _hard_link(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(FRONT)
    os.link(file, file.parents[3] / "other.md")


def _read_only(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(FRONT)
    file.chmod(0o444)


def _read_only_folder(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(FRONT)
    file.parent.chmod(0o555)


def _file_in_the_way(file: Path) -> None:
    file.parents[2].write_text("not a folder")


REFUSED = {
    "hard-link": _hard_link,
    "read-only": _read_only,
    "read-only-folder": _read_only_folder,
    "file-in-the-way": _file_in_the_way,
}


def _linked_folder(file: Path) -> None:
    real = file.parents[3] / "docs" / "skill"
    real.mkdir(parents=True)
    real.joinpath("SKILL.md").write_bytes(FRONT)
    file.parent.parent.mkdir(parents=True)
    file.parent.symlink_to("../../docs/skill")


def _dangling(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.symlink_to("gone.md")


def _private(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(FRONT)
    file.chmod(0o640)


KEPT: dict[str, Callable[[Path], None]] = {
    "linked-folder": _linked_folder,
    "dangling": _dangling,
    "mode-kept": _private,
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """One project for every kind of skill file, and one more without any."""
    names = ("plain", *TAKEN, *LEFT_OUT, *ODD, *REFUSED, *KEPT)
    machine = build(tmp_path_factory.mktemp("studio") / "machine", names, days=8)
    for name, data in (TAKEN | LEFT_OUT).items():
        file = machine.code / name / SKILL
        file.parent.mkdir(parents=True)
        file.write_bytes(data)
    for name, make in (ODD | REFUSED | KEPT).items():
        make(machine.code / name / SKILL)
    return machine


def test_a_night_an_adopt_and_an_undo_over_all_of_them(studio: Machine) -> None:
    before = studio.live()
    outside = (studio.root / "outside" / "SKILL.md").read_bytes()
    night = studio.ok("run", "--all-projects")

    left_out = {Path(each["project"]).name: each for each in night["blocked"]}
    assert set(left_out) == {*LEFT_OUT, *ODD}
    assert all(each["path"] and each["what"] for each in left_out.values())
    proposed = {Path(each["project"]).name: each["id"] for each in night["proposals"]}
    assert set(proposed) == {"plain", *TAKEN, *REFUSED, *KEPT}
    assert studio.live() == before

    adopted = studio.run("adopt", "--all", "--json")
    assert adopted.code == 6
    refused = {each["id"]: each["reason"] for each in adopted.json["refused"]}
    assert set(refused) == {proposed[name] for name in REFUSED}
    assert {Path(each["project"]).name for each in adopted.json["receipts"]} == {"plain", *TAKEN, *KEPT}
    for name, data in TAKEN.items():
        now = (studio.code / name / SKILL).read_bytes()
        assert b"pnpm" in now, name
        body = data.split(b"---\n", 2)[-1] if data.startswith(FRONT) else data.removeprefix(b"\xef\xbb\xbf")
        if name in ("mixed", "no-final-newline", "no-front-matter", "nul", "large", "cr"):
            assert body.strip() in now, name
    assert (studio.code / "linked-folder/.claude/skills" / SKILL.parent.name).is_symlink()
    assert (studio.code / "dangling" / SKILL).is_symlink()
    assert stat.S_IMODE((studio.code / "mode-kept" / SKILL).stat().st_mode) == 0o640
    assert (studio.root / "outside" / "SKILL.md").read_bytes() == outside

    studio.ok("undo")
    assert studio.live() == before
    assert {Path(each["project"]).name for each in studio.ok("status")["waiting"]} == set(REFUSED)

    # Mended, what was left out is learned; nothing of it had been used up.
    for name in LEFT_OUT:
        (studio.code / name / SKILL).write_bytes(FRONT)
    again = studio.ok("run", "--all-projects")
    assert {Path(each["project"]).name for each in again["proposals"]} == set(LEFT_OUT)


def _edit(file: Path) -> None:
    file.write_bytes(b"mine")


def _remove(file: Path) -> None:
    file.unlink()


def _to_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _to_link(file: Path) -> None:
    file.rename(file.with_name("moved.md"))
    file.symlink_to("/etc/hostname")


def _to_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _folder_to_link(file: Path) -> None:
    moved = file.parents[3] / "elsewhere"
    file.parent.rename(moved)
    moved.joinpath("SKILL.md").write_bytes(b"of somebody else")
    file.parent.symlink_to(moved)


@pytest.mark.parametrize("change", [_edit, _remove, _to_folder, _to_link, _to_pipe, _folder_to_link])
@pytest.mark.parametrize("act", ["adopt", "undo"])
def test_a_live_file_that_changed_is_refused_and_the_other_is_not(
    built: Machine, act: str, change: Callable[[Path], None]
) -> None:
    built.back_to("fresh")
    file = built.code / "api" / SKILL
    file.parent.mkdir(parents=True)
    file.write_bytes(FRONT)
    built.ok("run", "--all-projects")
    if act == "undo":
        built.ok("adopt", "--all")
    change(file)
    before = built.live()
    done = built.run(*(("adopt", "--all") if act == "adopt" else ("undo",)), "--json")
    assert (done.code, len(done.json["refused"]), len(done.json["receipts"])) == (6, 1, 1)
    assert done.json["refused"][0]["reason"]
    now = built.live()
    assert {n: f for n, f in now.items() if n.startswith("api")} == {
        n: f for n, f in before.items() if n.startswith("api")
    }
    assert now != before
