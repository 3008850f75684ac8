from __future__ import annotations

import random
from dataclasses import replace

import pytest
from spoken import session

from skillopt_sleep.mine.embed import HashedNgrams
from skillopt_sleep.mine.project import MinedProject, mine_project
from skillopt_sleep.session import Session
from skillopt_sleep.task_view import task_views

ASKED = [
    "Install the dependencies",
    "add lodash to the project",
    "update axios please",
    "set up the packages",
]
SAID = ["no, use pnpm not npm", "We use pnpm here, not npm", "pnpm please, never npm", "pnpm instead of npm"]
DID = ["install", "add lodash", "update axios", "install --all"]


def sessions() -> list[Session]:
    """Four corrected sessions about packages, three about commits with two wants, one-offs."""
    found = [
        session(i, asked, f"$ ls ;; npm {did}", said, f"$ pnpm {did}")
        for i, (asked, said, did) in enumerate(zip(ASKED, SAID, DID, strict=True))
    ]
    for i, what in enumerate(("login form", "search box", "mail queue")):
        found.append(
            session(
                10 + i,
                f"commit the {what} work",
                f"$ git status ;; git commit -m {what.split()[0]}",
                ["no, sign it off with -s", "always sign off with -s", "you forgot -s"][i],
                f"$ git commit -s -m {what.split()[0]}",
                ["no, create a branch before that", "no, a branch first", "no, first the branch"][i],
                f"$ git branch topic{i} ;; git commit -s -m {what.split()[0]}",
            )
        )
    found.append(session(20, "why is the runner out of disk?", "$ df -h"))
    found.append(session(21, "draw the architecture", "$ @edit docs/a.mmd | graph"))
    return found


@pytest.fixture(scope="module")
def mined() -> MinedProject:
    return mine_project("/p/web", sessions(), HashedNgrams())


def shape(mined: MinedProject) -> object:
    tasks = [(t.id, t.intent, [e.id for e in t.episodes]) for t in mined.tasks]
    return tasks, [(w.id, [c.id for c in w.corrections]) for w in mined.wants]


def test_a_task_recurs_in_several_sessions_and_a_one_off_is_none(mined: MinedProject) -> None:
    assert {frozenset(task.session_ids) for task in mined.tasks} == {
        frozenset(s.id for s in sessions()[:4]),
        frozenset(s.id for s in sessions()[4:7]),
    }
    assert len(mined.controls) == 2


def test_one_task_may_hold_two_wants(mined: MinedProject) -> None:
    commits = {s.id for s in sessions()[4:7]}
    said = [{c.text for c in w.corrections} for w in mined.wants if set(w.session_ids) <= commits]
    assert len(said) == 2
    assert sorted(any("branch" in text for text in texts) for texts in said) == [False, True]


def test_the_order_of_sessions_does_not_matter(mined: MinedProject) -> None:
    for seed in range(3):
        shuffled = sessions()
        random.Random(seed).shuffle(shuffled)
        assert shape(mine_project("/p/web", shuffled, HashedNgrams())) == shape(mined)


def test_wants_are_the_same_wherever_the_project_lies(mined: MinedProject) -> None:
    moved = [replace(s, project="/elsewhere/web") for s in sessions()]
    other = mine_project("/elsewhere/web", moved, HashedNgrams())
    assert [w.id for w in other.wants] == [w.id for w in mined.wants]


def test_the_intent_is_a_request_as_typed(mined: MinedProject) -> None:
    typed = {turn.text for s in sessions() for turn in s.user_turns}
    assert all(task.intent in typed for task in mined.tasks)


def test_a_task_is_shown_with_its_evidence(mined: MinedProject) -> None:
    first = task_views(mined)[0]
    assert first.outcome == "corrected in 4 of 4 sessions"
    assert first.corrected == first.episodes == 4
    assert {said.words for said in first.corrections} == set(SAID)
    assert ("command_ran", "pnpm") in {(check.op, check.arg) for check in first.checks}
    assert first.project == "/p/web"
    assert first.sources == ("claude",)


def test_little_is_no_trouble() -> None:
    for few in ([], sessions()[:1], sessions()[:2]):
        found = mine_project("/p/web", few, HashedNgrams())
        assert len(found.wants) == len(found.tasks) == (1 if len(few) == 2 else 0)
