"""The managed skill and the learned block: valid for every client, and never a byte more than ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from skillopt.errors import SkillFormatError
from skillopt_sleep.proposal import Lesson, lesson_id
from skillopt_sleep.skillfile import (
    MANAGED_SKILL,
    describe,
    read_lessons,
    read_occasions,
    render_existing,
    render_managed,
)


def lesson(text: str, **changes: Any) -> Lesson:
    return Lesson(**({"id": lesson_id(text, "/p"), "text": text, "mode": "replayed"} | changes))


PNPM, UV = lesson("Use pnpm, not npm, in this repo."), lesson("Run tests with uv run pytest.")


def validate(folder: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("agentskills")
    return subprocess.run([str(command), "validate", str(folder)], capture_output=True, text=True)


def write(tmp_path: Path, data: bytes) -> Path:
    folder = tmp_path / MANAGED_SKILL
    folder.mkdir(exist_ok=True)
    (folder / "SKILL.md").write_bytes(data)
    return folder


@pytest.mark.parametrize(
    "occasions",
    [
        (),
        ("installing dependencies", "running tests", "committing here"),
        ('say "no": <b>, or \\n', "été: naïve", "日本語", "a or b, c"),
        tuple(f"occasion number {n} of very many" for n in range(80)),
        ("x" * 3000,),
    ],
)
def test_the_reference_validator_accepts_the_managed_skill(
    tmp_path: Path, occasions: tuple[str, ...]
) -> None:
    data = render_managed([PNPM, UV], occasions, None)
    done = validate(write(tmp_path, data))
    assert done.returncode == 0, done.stdout + done.stderr
    front = yaml.safe_load(data.split(b"---")[1])
    assert front["name"] == MANAGED_SKILL
    assert front["description"].isascii()
    assert len(front["description"]) <= 1024
    assert not set("<>") & set(front["description"])


def test_the_validator_can_fail(tmp_path: Path) -> None:
    data = render_managed([PNPM], (), None).replace(b"name: skillopt", b"name: other")
    assert validate(write(tmp_path, data)).returncode == 1


def test_the_file_reads_as_a_person_would_write_it() -> None:
    text = render_managed([PNPM], ["installing dependencies", "committing"], None).decode()
    assert (
        text
        == f"""---
name: skillopt-sleep-learned
description: "Use when installing dependencies or committing in this project. Lessons the developer keeps \
repeating, learned from their own sessions."
---

# Lessons of this project

What the developer of this project has said again and again. Follow it without being told.

<!-- SKILLOPT_LEARNED_START -->
- Use pnpm, not npm, in this repo. <!-- id: {PNPM.id} -->
<!-- SKILLOPT_LEARNED_END -->
"""
    )


def test_a_second_night_adds_and_names_the_new_occasions() -> None:
    first = render_managed([PNPM], ["installing dependencies"], None)
    assert read_occasions(first) == ("installing dependencies",)
    second = render_managed([UV], [*read_occasions(first), "running tests"], first)
    assert read_lessons(second) == ((PNPM.id, PNPM.text), (UV.id, UV.text))
    assert read_occasions(second) == ("installing dependencies", "running tests")
    assert render_managed([PNPM, UV], read_occasions(second), second) == second


def test_what_a_person_changed_in_the_managed_skill_stays() -> None:
    first = render_managed([PNPM], ["installing"], None).decode()
    edited = first.replace("# Lessons", "# My lessons").replace("not npm,", "never npm,")
    edited = edited.replace("---\n\n", "license: MIT\nmetadata:\n  by: me\n---\n\n", 1) + "\nBelow.\n"
    second = render_managed([PNPM, UV], ["testing"], edited.replace("\n", "\r\n").encode()).decode()
    assert "# My lessons" in second
    assert "never npm," in second
    assert "license: MIT\r\nmetadata:\r\n  by: me\r\n---" in second
    assert second.endswith("\r\nBelow.\r\n")
    assert second.count("\r\n") == second.count("\n")
    assert "Use when testing in" in second


def test_an_edited_item_is_kept_until_it_is_superseded() -> None:
    first = render_existing([PNPM], b"Mine.\n")
    edited = first.replace(b"in this repo.", b"in this repo\n  (npm ci is fine).")
    assert read_lessons(edited) == ((PNPM.id, "Use pnpm, not npm, in this repo (npm ci is fine)."),)
    assert render_existing([PNPM], edited) == edited
    better = lesson("Use pnpm 9.", supersedes=(PNPM.id,))
    assert read_lessons(render_existing([better], edited)) == ((better.id, "Use pnpm 9."),)


def test_a_lesson_whose_id_a_person_removed_is_not_said_twice() -> None:
    first = render_existing([PNPM], b"").replace(f" <!-- id: {PNPM.id} -->".encode(), b"")
    assert render_existing([PNPM], first) == first


@pytest.mark.parametrize(
    "text",
    [
        "x <!-- SKILLOPT_LEARNED_END --> y",
        "x\n<!-- SKILLOPT_LEARNED_START -->\n---\ny",
        "- a\n- b\r\n```\n# c",
        "a --> b <!-- c",
        "bell\x07 and \x1b[31mred",
    ],
)
def test_no_word_of_a_lesson_can_leave_its_line(text: str) -> None:
    data = render_existing([lesson(text), PNPM], b"Mine.\n")
    ids = [name for name, _ in read_lessons(data)]
    assert ids == [lesson(text).id, PNPM.id]
    assert data.startswith(b"Mine.\n\n<!-- SKILLOPT_LEARNED_START -->\n- ")
    assert data.count(b"\n- ") == 2
    items = data.split(b"_START -->\n")[1].split(b"\n<!--")[0]
    assert items.count(b"<!--") == items.count(b"-->") == 2
    assert not {7, 27} & set(data)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=40))
def test_any_occasions_make_a_description_every_client_takes(occasions: list[str]) -> None:
    described = describe(occasions)
    assert described.isascii()
    assert described.isprintable()
    assert 1 <= len(described) <= 1024
    assert not set('<>"\\\n') & set(described)


@pytest.mark.parametrize(
    "data",
    [
        "\ufeff---\nname: x\n---\nText.".encode(),
        b"---\r\nname: x\r\n---\r\nText.\r\n",
        b"```\nopen fence\n```\n",
        b"Text.\n\n\n\n",
        b"",
    ],
)
def test_a_skill_of_the_user_keeps_every_byte(data: bytes) -> None:
    new = render_existing([PNPM], data)
    assert new.startswith(data)
    assert new[len(data) :].strip().startswith(b"<!-- SKILLOPT_LEARNED_START -->")
    later = render_existing([UV], new + b"After.\n")
    assert later.startswith(data)
    assert later.endswith(b"After.\n")


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"a <!-- SKILLOPT_LEARNED_START -->\n", b"---\nname: x\nno end"]
)
def test_a_file_that_cannot_be_read_is_refused(data: bytes) -> None:
    with pytest.raises(SkillFormatError):
        render_managed([PNPM], (), data)


def test_a_lesson_has_one_id_however_it_is_typed() -> None:
    assert lesson_id("Use  pnpm.", "/p") == lesson_id("use pnpm", "/p")
    assert lesson_id("use pnpm", "/p") != lesson_id("use pnpm", "/q")
