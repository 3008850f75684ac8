"""One night over the labelled home: what it proposes, and what it says about it."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from judge import judge
from labelled_home import Developer

from skillopt_sleep.mine.words import tokens

Night = tuple[Developer, dict[str, Any]]


def lessons_of(night: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(p["project"], lesson) for p in night["proposals"] for lesson in p["lessons"]]


def test_the_five_lessons_each_in_their_own_project_and_nothing_else(slept: Night) -> None:
    developer, night = slept
    tasks = developer.ok("tasks", "--all-projects")
    lessons = [(project, lesson["text"]) for project, lesson in lessons_of(night)]
    report = judge(developer.truth, tasks, lessons)
    assert not report.false_lessons, report.table()
    assert (report.learned, report.to_learn, len(lessons)) == (5, 5, 5), report.table()
    assert report.jaccard >= 0.9, report.table()
    assert Counter(Path(project).name for project, _ in lessons) == {"web": 2, "api": 3}
    assert night["verdict"] == "proposed"
    assert night["rejected"] == []


def test_every_lesson_is_what_the_person_typed_and_says_in_which_sessions(slept: Night) -> None:
    developer, night = slept
    human = {s["id"]: s for s in developer.truth["sessions"] if s["driver"] == "human"}
    for project, lesson in lessons_of(night):
        assert set(lesson["sessions"]) <= human.keys()
        assert {human[i]["project"] for i in lesson["sessions"]} == {project}
        said = [
            f" {' '.join(tokens(episode['say']))} "
            for quote in lesson["train"]
            for episode in human[quote["session"]]["episodes"]
            if episode.get("say")
        ]
        body = lesson["text"].removeprefix(lesson["scope"] or "").strip()
        assert any(f" {' '.join(tokens(body))} " in words for words in said), lesson["text"]
        assert not {q["session"] for q in lesson["train"]} & {q["session"] for q in lesson["held_out"]}
        assert len(lesson["held_out"]) == lesson["n"] >= 3
        assert lesson["replayed"] + lesson["restated"] == lesson["n"]


def test_nothing_comes_from_anybody_else(slept: Night) -> None:
    """Not from agents, tools, subagents, headless runs or injected text: the staged bytes hold none of it."""
    developer, night = slept
    staged = "\n".join(path.read_text() for path in developer.state.joinpath("proposals").rglob("new.md"))
    shown = staged + json.dumps([lesson["text"] for _, lesson in lessons_of(night)])
    for needle in (*developer.truth["needles"], *developer.truth["injection_needles"]):
        assert needle not in shown
    others = {s["id"] for s in developer.truth["sessions"] if s["driver"] != "human"}
    quoted = {q["session"] for _, le in lessons_of(night) for q in (*le["train"], *le["held_out"])}
    assert quoted
    assert not quoted & others
    assert not any(i.startswith("agent-") for i in quoted)
    one_offs = {
        episode["prompt"]
        for session in developer.truth["sessions"]
        for episode in session["episodes"]
        if episode["intent"] is None
    }
    assert not any(prompt in shown for prompt in one_offs)
    assert not re.search(r"https?://|/home/|/tmp/", staged)


def test_tasks_are_of_the_person_only(slept: Night) -> None:
    developer, _ = slept
    tasks = developer.ok("tasks", "--all-projects")["tasks"]
    human = {s["id"] for s in developer.truth["sessions"] if s["driver"] == "human"}
    assert tasks
    assert {i for task in tasks for i in task["sessions"]} <= human
    assert all(len(set(task["sessions"])) >= 2 for task in tasks)


def test_the_object_of_run_keeps_its_contract(slept: Night) -> None:
    _, night = slept
    assert night["schema"] == "skillopt-sleep/run/1"
    assert re.fullmatch(r"night-\d{8}-\d{6}(-\d+)?", night["night"])
    kinds = {
        "verdict": str,
        "sources": list,
        "episodes": int,
        "recurring_tasks": int,
        "splits": dict,
        "proposals": list,
        "rejected": list,
        "spend": dict,
        "seconds": float,
    }
    assert {key: type(night[key]) for key in kinds} == kinds
    assert night["verdict"] in {"proposed", "nothing_to_learn", "inconclusive", "rejected", "error"}
    assert night["splits"].keys() == {"train", "selection", "test"}
    assert sum(night["splits"].values()) == 87
    assert night["spend"] == {"calls": 0, "tokens": 0, "usd": 0.0}
    for source in night["sources"]:
        numbers = ("files", "sessions", "human", "bytes_read")
        assert all(type(source[key]) is int for key in numbers)
        assert all(type(n) is int for n in source["skipped"].values())
    assert {source["name"] for source in night["sources"]} >= {"claude", "codex", "copilot"}
    for proposal in night["proposals"]:
        for key in ("id", "project", "skill", "path", "verdict", "reason"):
            assert type(proposal[key]) is str
        assert proposal["verdict"] == "accept"
        assert Path(proposal["project"]).is_absolute()
        assert Path(proposal["path"]).is_absolute()
        assert Path(proposal["path"]).is_relative_to(proposal["project"])
        assert 0.0 <= proposal["baseline"] < proposal["candidate"] <= 1.0
        low, high = proposal["interval"]
        assert -1.0 <= low <= high <= 1.0
        assert proposal["n"] == len(proposal["pairs"]) >= 3
        assert type(proposal["findings"]) is list
        for lesson in proposal["lessons"]:
            assert re.fullmatch(r"[0-9a-f]{8}", lesson["id"])
            assert type(lesson["text"]) is str
            assert all(type(i) is str for i in lesson["sessions"])
        assert not Path(proposal["path"]).exists(), "nothing live changes before adopt"


def test_the_object_of_tasks_keeps_its_contract(slept: Night) -> None:
    developer, _ = slept
    found = developer.ok("tasks", "--all-projects")
    assert found["schema"] == "skillopt-sleep/tasks/1"
    assert type(found["episodes"]) is int
    assert len({task["id"] for task in found["tasks"]}) == len(found["tasks"])
    for task in found["tasks"]:
        for key in ("id", "intent", "project", "skill", "outcome"):
            assert type(task[key]) is str
        assert Path(task["project"]).is_absolute()
        assert type(task["episodes"]) is int
        assert set(task["sources"]) <= {"claude", "codex", "copilot", "vscode"}
        assert all(check.keys() == {"op", "arg"} for check in task["checks"])
        for said in task["corrections"]:
            assert said.keys() == {"session", "text"}
            assert said["session"] in task["sessions"]


def test_nights_and_status_know_it(slept: Night) -> None:
    developer, night = slept
    (known,) = developer.ok("nights")["nights"]
    assert (known["id"], known["verdict"]) == (night["night"], "proposed")
    assert datetime.fromisoformat(known["started_at"]).tzinfo is not None
    waiting = developer.ok("status")["waiting"]
    assert {each["id"] for each in waiting} == {proposal["id"] for proposal in night["proposals"]}


def test_a_person_is_told_what_comes_next(slept: Night) -> None:
    developer, _ = slept
    told = developer.run("tasks", "--all-projects")
    assert told.code == 0
    assert "Next: skillopt-sleep run --all-projects" in told.out
    assert developer.run("tasks", "--project", str(developer.web)).out.rstrip().endswith("skillopt-sleep run")


def test_tasks_of_one_project_stay_there(slept: Night) -> None:
    developer, _ = slept
    from_option = developer.ok("tasks", "--project", str(developer.web))
    from_folder = developer.ok("tasks", cwd=developer.web)
    assert from_option == from_folder
    assert {task["project"] for task in from_option["tasks"]} == {str(developer.web)}


@pytest.mark.parametrize("arguments", [("run", "--project", "code/api"), ("run",)], ids=["option", "folder"])
def test_one_project_can_have_its_night_alone(developer: Developer, arguments: tuple[str, ...]) -> None:
    cwd = developer.api if arguments == ("run",) else developer.root
    night = developer.ok(*arguments, cwd=cwd)
    assert {p["project"] for p in night["proposals"]} == {str(developer.api)}
    assert len(lessons_of(night)) == 3
    assert {p["project"] for p in developer.night()["proposals"]} == {str(developer.web)}
