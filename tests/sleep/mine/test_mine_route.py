from __future__ import annotations

from pathlib import Path

import pytest
from spoken import session

from skillopt_sleep.installed_skills import InstalledSkill
from skillopt_sleep.mine.cues import load_cues
from skillopt_sleep.mine.embed import HashedNgrams
from skillopt_sleep.mine.episodes import mine_episodes
from skillopt_sleep.mine.recur import Want
from skillopt_sleep.route import Route, managed_route, route
from skillopt_sleep.skillfile import MANAGED_SKILL

MANAGED = Route(MANAGED_SKILL, "managed", Path("/p/web/.agents/skills/x/SKILL.md"))


@pytest.fixture(scope="module")
def want() -> Want:
    """Commit messages, corrected in four sessions."""
    sessions = [
        session(
            day,
            f"commit the changes to {what}",
            f"$ git commit -m {what}",
            said,
            f"$ git commit -s -m {what}",
        )
        for day, (what, said) in enumerate(
            [
                ("login", "no, sign your commits with -s"),
                ("search", "you forgot -s on the commit"),
                ("cart", "always commit with -s"),
                ("mail", "commit with -s please, not without"),
            ]
        )
    ]
    episodes = mine_episodes(sessions, load_cues(frozenset({"en"}))).episodes
    return Want("w", "/p/web", tuple(c for e in episodes for c in e.corrections))


def skill(name: str, description: str = "", level: str = "project", problem: str = "") -> InstalledSkill:
    return InstalledSkill(name, description, Path(f"/skills/{name}/SKILL.md"), level, problem)  # type: ignore[arg-type]


GIT = skill("git-commits", "Commit the changes: sign your commits with -s and commit with a short message")
PDF = skill("pdf", "Fill in PDF forms and extract tables from scanned documents")


def routed(want: Want, used: dict[str, tuple[str, ...]], *installed: InstalledSkill) -> str:
    return route(want, used, installed, MANAGED, HashedNgrams()).skill


def test_without_skills_it_is_the_managed_one(want: Want) -> None:
    assert len(want.session_ids) == 4
    assert route(want, {}, (), MANAGED, HashedNgrams()) is MANAGED


def test_the_skill_its_sessions_used_wins(want: Want) -> None:
    used = dict.fromkeys(want.session_ids, ("pdf",))
    assert routed(want, used, PDF, GIT) == "pdf"


def test_half_of_the_sessions_are_enough_and_fewer_are_not(want: Want) -> None:
    half = dict.fromkeys(want.session_ids[:2], ("pdf", "pdf"))
    assert routed(want, half, PDF) == "pdf"
    assert routed(want, dict.fromkeys(want.session_ids[:1], ("pdf",)), PDF) == MANAGED_SKILL


def test_else_the_nearest_by_description(want: Want) -> None:
    assert routed(want, {}, PDF, GIT) == "git-commits"
    assert routed(want, {}, PDF) == MANAGED_SKILL
    assert routed(want, {}, skill("empty")) == MANAGED_SKILL


@pytest.mark.parametrize(
    "unfit",
    [
        skill("git-commits", GIT.description, "user"),
        skill("git-commits", GIT.description, "project", "has no front matter"),
        skill(MANAGED_SKILL, GIT.description),
    ],
    ids=["of the user", "broken", "managed"],
)
def test_only_sound_skills_of_the_project_are_candidates(want: Want, unfit: InstalledSkill) -> None:
    used = dict.fromkeys(want.session_ids, (unfit.name,))
    assert route(want, used, (unfit,), MANAGED, HashedNgrams()) is MANAGED


def test_a_skill_that_was_used_but_is_gone_is_no_target(want: Want) -> None:
    assert routed(want, dict.fromkeys(want.session_ids, ("old-skill",))) == MANAGED_SKILL


@pytest.mark.parametrize(
    ("sources", "real", "links"),
    [
        (("claude",), ".claude/skills", []),
        (("codex",), ".agents/skills", []),
        (("copilot",), ".agents/skills", []),
        (("claude", "codex"), ".agents/skills", [".claude/skills"]),
        (("claude", "codex", "copilot"), ".agents/skills", [".claude/skills"]),
    ],
)
def test_the_managed_skill_lies_where_its_harnesses_read(
    tmp_path: Path, sources: tuple[str, ...], real: str, links: list[str]
) -> None:
    found = managed_route(tmp_path, sources)
    assert found.path == tmp_path / real / MANAGED_SKILL / "SKILL.md"
    assert [link.path for link in found.links] == [str(tmp_path / root / MANAGED_SKILL) for root in links]
