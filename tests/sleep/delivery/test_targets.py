"""Skills land where the harnesses of a project read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skillopt.errors import ConfigError, RefusedError
from skillopt_sleep.installed_skills import existing_skills
from skillopt_sleep.targets import confine, place

NAME = "learned"


@pytest.mark.parametrize(
    ("sources", "real", "links"),
    [
        (["claude"], ".claude", {}),
        (["codex"], ".agents", {}),
        (["copilot"], ".agents", {}),
        (["vscode"], ".agents", {}),
        ([], ".agents", {}),
        (["claude", "copilot"], ".claude", {}),
        (["claude", "codex"], ".agents", {".claude": "../../.agents/skills/learned"}),
        (["claude", "codex", "copilot", "vscode"], ".agents", {".claude": "../../.agents/skills/learned"}),
        (["codex", "vscode"], ".agents", {}),
    ],
)
def test_one_real_folder_and_links_for_the_others(
    tmp_path: Path, sources: list[str], real: str, links: dict[str, str]
) -> None:
    placement = place(tmp_path, sources, NAME)
    assert placement.folder == tmp_path / real / "skills" / NAME
    assert {Path(link.path).parts[-3]: link.target for link in placement.links} == links
    assert placement.occupied == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("root", [".claude", ".agents", ".github"])
def test_a_folder_that_is_there_stays_the_real_one(tmp_path: Path, root: str) -> None:
    folder = tmp_path / root / "skills" / NAME
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text("x")
    placement = place(tmp_path, ["claude", "codex"], NAME)
    assert placement.folder == folder
    for link in placement.links:
        Path(link.path).parent.mkdir(parents=True)
        Path(link.path).symlink_to(link.target)
    for reader in (".claude", ".agents"):
        assert (tmp_path / reader / "skills" / NAME / "SKILL.md").read_text() == "x"
    assert place(tmp_path, ["claude", "codex"], NAME).links == ()


def test_skill_folders_that_are_one_through_a_link_need_no_second_link(tmp_path: Path) -> None:
    (tmp_path / ".agents/skills").mkdir(parents=True)
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude/skills").symlink_to("../.agents/skills")
    assert place(tmp_path, ["claude", "codex"], NAME).links == ()


def test_a_place_that_is_taken_is_told(tmp_path: Path) -> None:
    for root in (".agents", ".claude"):
        folder = tmp_path / root / "skills" / NAME
        folder.mkdir(parents=True)
        (folder / "SKILL.md").write_text(root)
    placement = place(tmp_path, ["claude", "codex"], NAME)
    assert placement.links == ()
    assert placement.occupied == (tmp_path / ".claude/skills" / NAME,)


def test_an_unknown_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="vim"):
        place(tmp_path, ["vim"], NAME)


def test_the_users_own_folders_may_be_links(tmp_path: Path) -> None:
    home, project = tmp_path / "dev", tmp_path / "dev/web"
    project.mkdir(parents=True)
    (home / "dotfiles/skills/x").mkdir(parents=True)
    (home / ".claude").mkdir()
    (home / ".claude/skills").symlink_to("../dotfiles/skills")
    path = home / ".claude/skills/x/SKILL.md"
    assert confine(path, project=None, home=home) == home / "dotfiles/skills/x/SKILL.md"


def test_a_project_that_is_gone_is_no_target(tmp_path: Path) -> None:
    path = tmp_path / "gone/.claude/skills/x/SKILL.md"
    with pytest.raises(RefusedError):
        confine(path, project=tmp_path / "gone", home=tmp_path / "dev")


def test_a_path_with_dots_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ".claude/skills/../../.claude/skills/x/SKILL.md"
    with pytest.raises(RefusedError):
        confine(path, project=tmp_path, home=tmp_path / "dev")


def test_installed_skills_are_read_leniently_and_none_is_left_out(tmp_path: Path) -> None:
    home, project = tmp_path / "dev", tmp_path / "dev/web"

    def skill(base: Path, folder: str, text: str) -> None:
        path = base / folder / "SKILL.md"
        path.parent.mkdir(parents=True)
        path.write_text(text)

    skill(project, ".claude/skills/good", "---\nname: good\ndescription: >\n  two\n  lines\n---\nx")
    skill(project, ".claude/skills/colon", "---\nname: colon\ndescription: use: this\n---\n")
    skill(project, ".agents/skills/bom", "\ufeff---\r\nname: bom\r\ndescription: 'd'\r\n---\r\n")
    skill(project, ".github/skills/bare", "no front matter")
    skill(home, ".claude/skills/mine", "---\ndescription: d\n---\n")
    (project / ".claude/skills/bom").symlink_to("../../.agents/skills/bom")
    (project / ".claude/skills/lost").mkdir()
    (project / ".claude/skills/lost/SKILL.md").symlink_to("nowhere")
    os.mkfifo(project / ".claude/skills/pipe")
    (project / ".claude/skills/pipes").mkdir()
    os.mkfifo(project / ".claude/skills/pipes/SKILL.md")

    found = {each.name: each for each in existing_skills(project, home)}

    assert set(found) == {"good", "colon", "bom", "bare", "mine", "lost", "pipes"}
    assert found["good"].description == "two lines"
    assert found["colon"].description == "use: this"
    assert found["bom"].description == "d"
    assert (found["mine"].level, found["good"].level) == ("user", "project")
    assert [name for name, each in sorted(found.items()) if each.problem] == [
        "bare",
        "colon",
        "lost",
        "pipes",
    ]
