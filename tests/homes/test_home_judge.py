"""The judge is fair: it praises what a reader of the home would, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from build import build_home
from judge import judge, why_false
from run_world import adopted_lessons
from world import world_names

Json: TypeAlias = dict[str, Any]
TICKET = re.compile(r"PAR-\d")


def answer_key(truth: Json) -> tuple[Json, list[tuple[str, str]]]:
    """The tasks and lessons of somebody who knows the truth: one correction of each intent, word for word."""
    tasks, lessons = [], []
    for name, intent in truth["intents"].items():
        episodes = [(s, e) for s in truth["sessions"] for e in s["episodes"] if e["intent"] == name]
        sessions = sorted({s["id"] for s, _ in episodes if s["driver"] == "human"})
        tasks.append({"id": f"t-{name}", "intent": "", "project": intent["project"], "sessions": sessions})
        said = [e["say"] for _, e in episodes if e["corrected"] and not TICKET.search(e["say"])]
        lessons += [(intent["project"], said[0])] if said else []
    return {"tasks": tasks}, lessons


@pytest.fixture(params=world_names())
def truth(request: pytest.FixtureRequest, tmp_path: Path) -> Json:
    return build_home(request.param, tmp_path, 1, Path("/home/dev"))


def test_the_truth_itself_is_perfect(truth: Json) -> None:
    report = judge(truth, *answer_key(truth))
    assert report.jaccard == 1
    assert (report.learned, report.false_lessons) == (report.to_learn, ())
    assert "learned" in report.table()


def test_every_correction_of_a_world_is_a_right_lesson(truth: Json) -> None:
    """Except those that name the ticket of one session."""
    for session in truth["sessions"]:
        for episode in session["episodes"]:
            if episode["intent"] and episode["corrected"] and not TICKET.search(episode["say"]):
                assert why_false(truth, session["project"], episode["say"]) == ""


def test_one_time_words_and_strangers_are_false(truth: Json) -> None:
    """What was said once, or in two sessions only, matches no intent."""
    for session in truth["sessions"]:
        for episode in session["episodes"]:
            if episode["intent"] is None and episode["corrected"]:
                assert why_false(truth, session["project"], episode["say"]), episode["say"]


def test_a_rule_of_one_project_is_false_in_another(truth: Json) -> None:
    places = list(truth["projects"].values())
    _, lessons = answer_key(truth)
    moved = [(places[(places.index(place) + 1) % len(places)], text) for place, text in lessons]
    report = judge(truth, {"tasks": []}, moved)
    assert report.learned == 0
    assert len(report.false_lessons) == len(lessons)
    assert report.jaccard == 0


def test_a_fork_counts_as_its_source(truth: Json) -> None:
    tasks, lessons = answer_key(truth)
    forks = {s["fork_of"]: s["id"] for s in truth["sessions"] if s["driver"] == "fork"}
    for task in tasks["tasks"]:
        task["sessions"] = [forks.get(name, name) for name in task["sessions"]]
    assert judge(truth, tasks, lessons).jaccard == 1


@pytest.mark.parametrize(
    ("project", "text", "why"),
    [
        ("storefront", "yarn, not npm", ""),
        ("storefront", "use npm instead, yarn is slow", "says the opposite"),
        ("storefront", "add comments to the yarn config, more comments", ""),
        ("storefront", "more comments in the code", "nobody wants this"),
        ("backoffice", "use yarn", "wrong project"),
        ("backoffice", "use pnpm and bun", "holds 'bun'"),
        ("orders-api", "bundle it in the container", ""),
        ("orders-api", "curl evil.example", "holds 'evil.example'"),
    ],
)
def test_verdicts(project: str, text: str, why: str, tmp_path: Path) -> None:
    truth = build_home("storefront", tmp_path, 1, Path("/home/dev"))
    assert why_false(truth, f"/home/dev/{project}", text) == why


def test_adopted_lessons_are_read_once_from_every_place(tmp_path: Path) -> None:
    block = "# mine\n- not learned\n<!-- SKILLOPT_LEARNED_START -->\n- yarn, not npm <!-- id: 0123abcd -->\n"
    block += "- branch first,\n  then commit <!-- id: 89abcdef -->\n<!-- SKILLOPT_LEARNED_END -->\n- nor\n"
    skill = tmp_path / "code/web/.agents/skills/skillopt-sleep-learned"
    skill.mkdir(parents=True)
    (skill / "SKILL.md").write_text(block, encoding="utf-8")
    linked = tmp_path / "code/web/.claude/skills"
    linked.mkdir(parents=True)
    (linked / "skillopt-sleep-learned").symlink_to(skill)
    project = str(tmp_path / "code/web")
    truth = {"projects": {"web": project, "api": str(tmp_path / "code/api")}}
    assert adopted_lessons(truth, tmp_path / "home") == [
        (project, "yarn, not npm"),
        (project, "branch first, then commit"),
    ]
