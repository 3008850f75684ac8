"""The quality bar: what the miner and evidence mode make of labelled homes that are not easy."""

from __future__ import annotations

from pathlib import Path

import pytest
from build import build_home, make_projects
from judge import Report, judge
from one_night import nights_of
from world import world_names

from skillopt_sleep.task_view import task_views

WORLDS = [(name, 1) for name in world_names()] + [("labor", 2)]


def judged(world: str, seed: int, folder: Path) -> Report:
    """Build a home, run one night in each of its projects, and judge what came of it."""
    home = folder / "home"
    home.mkdir()
    truth = build_home(world, home, seed, folder / "code")
    make_projects(truth)
    nights = nights_of(home, folder / "state")
    lessons = [(n.project, lesson.text) for n in nights for p in n.proposals for lesson in p.lessons]
    tasks = [
        {"id": view.id, "intent": view.intent, "project": view.project, "sessions": list(view.sessions)}
        for n in nights
        if n.mined is not None
        for view in task_views(n.mined)
    ]
    return judge(truth, {"tasks": tasks}, lessons)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Report]:
    return {(w, seed): judged(w, seed, tmp_path_factory.mktemp(f"{w}-{seed}")) for w, seed in WORLDS}


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_no_world_gives_a_false_lesson(
    reports: dict[tuple[str, int], Report], world: tuple[str, int]
) -> None:
    report = reports[world]
    assert not report.false_lessons, report.table()


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_in_each_world_most_habits_are_learned_and_tasks_found(
    reports: dict[tuple[str, int], Report], world: tuple[str, int]
) -> None:
    report = reports[world]
    assert report.learned >= 4, report.table()
    assert report.jaccard >= 0.65, report.table()


def test_over_all_worlds_four_of_five_habits_are_learned(reports: dict[tuple[str, int], Report]) -> None:
    learned = sum(report.learned for report in reports.values())
    wanted = sum(report.to_learn for report in reports.values())
    assert learned >= 0.8 * wanted, f"{learned} of {wanted}"
    assert sum(r.jaccard for r in reports.values()) / len(reports) >= 0.74
    assert sum(r.jaccard_corrected for r in reports.values()) / len(reports) >= 0.82
