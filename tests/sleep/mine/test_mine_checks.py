from __future__ import annotations

import pytest
from spoken import session

from skillopt.core.task import Check
from skillopt_sleep.mine.checks import Recurrence, checks_of, passes
from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.episodes import Correction, mine_episodes
from skillopt_sleep.mine.ops import Op, command_ops


def corrections(cues: Cues, *turns: tuple[str, str, str]) -> list[Correction]:
    """One correction a session: what was done, said, done then."""
    sessions = [
        session(day, f"do it, number {day}", f"$ {before}", said, f"$ {after}")
        for day, (before, said, after) in enumerate(turns)
    ]
    return [c for episode in mine_episodes(sessions, cues).episodes for c in episode.corrections]


WANTS = {
    "swap": [
        ("npm install", "use pnpm, not npm", "pnpm install"),
        ("npm test", "pnpm instead of npm please", "pnpm test"),
        ("npm add axios", "no, pnpm not npm", "pnpm add axios"),
    ],
    "runner": [
        ("python -m pytest -q", "use uv run pytest, not python", "uv run pytest -q"),
        ("pytest -q", "again: uv run pytest", "uv run pytest -q"),
        ("python -m pytest tests", "no, uv run pytest", "uv run pytest tests"),
    ],
    "flag": [
        ("git commit -m a", "no, always sign off with -s", "git commit -s -m a"),
        ("git commit -m b", "you forgot -s again", "git commit -s -m b"),
        ("git commit -am c", "no, not without -s", "git commit -s -am c"),
    ],
    "dropped flag": [
        ("git push --force", "never --force, i told you", "git push"),
        ("git push --force origin", "no --force please", "git push origin"),
        ("git push -u --force", "no, not with --force", "git push -u"),
    ],
    "file": [
        ("@edit version.py | 2", "you forgot CHANGELOG.md", "@edit CHANGELOG.md | two"),
        ("@edit version.py | 3", "no, CHANGELOG.md is missing again", "@edit CHANGELOG.md | three"),
        ("@edit version.py | 4", "always update CHANGELOG.md too", "@edit CHANGELOG.md | four"),
    ],
    "before": [
        ("terraform apply", "no, terraform plan first", "terraform plan ;; terraform apply"),
        ("terraform apply -input=false", "always terraform plan before apply", "terraform plan"),
        ("terraform apply", "you forgot plan", "terraform plan ;; terraform apply"),
    ],
}


@pytest.mark.parametrize("name", sorted(WANTS))
def test_a_check_passes_on_what_followed_and_fails_on_what_came_first(english: Cues, name: str) -> None:
    found = corrections(english, *WANTS[name])
    assert len(found) == 3
    recurrence = Recurrence.of(found)
    checked = [(c, checks_of(c, recurrence, english)) for c in found]
    assert all(checks for _, checks in checked)
    for correction, checks in checked:
        assert all(passes(check, correction.after) for check in checks)
        assert not all(passes(check, correction.before) for check in checks)
        assert not all(passes(check, ()) for check in checks), "doing nothing must not win"
        assert {check.op for check in checks} & {"command_ran", "file_changed"}


def test_what_happened_in_one_session_only_is_not_checked(english: Cues) -> None:
    (one,) = corrections(english, WANTS["swap"][0])
    assert checks_of(one, Recurrence.of([one]), english) == ()
    twice = [one, one]
    assert Recurrence.of(twice).gained["pnpm"] == 1


def test_the_object_of_one_session_is_not_checked(english: Cues) -> None:
    found = corrections(english, *WANTS["swap"])
    recurrence = Recurrence.of(found)
    args = {str(check.arg) for c in found for check in checks_of(c, recurrence, english)}
    assert args == {"pnpm", "npm"}


def test_a_want_without_a_change_has_no_checks(english: Cues) -> None:
    turns = [
        (f"@edit src/m{i}.py | x = {i}", "no comments please", f"@edit src/m{i}.py | y = {i}")
        for i in range(3)
    ]
    found = corrections(english, *turns)
    assert all(checks_of(c, Recurrence.of(found), english) == () for c in found)


@pytest.mark.parametrize(
    ("check", "done", "expected"),
    [
        (Check("command_ran", "rg"), "rg x", True),
        (Check("command_ran", "rg"), "/usr/bin/rg x", True),
        (Check("command_ran", "rg"), "rgx x", False),
        (Check("command_ran", "rg"), "grep rg", False),
        (Check("command_ran", "uv run pytest"), "uv run pytest -q", True),
        (Check("command_ran", "uv run pytest"), "uv run python", False),
        (Check("command_ran", "git commit -s"), "git commit -m x -s", True),
        (Check("command_ran", "git commit -s"), "git push -s", False),
        (Check("command_ran", "git commit -s"), "git commit --signoff", False),
        (Check("command_not_ran", "npm"), "pnpm install", True),
        (Check("command_not_ran", "npm"), "npm install", False),
        (Check("command_not_ran", "python train.py"), "python table.py", True),
    ],
)
def test_programs_are_matched_whole_and_at_the_start(check: Check, done: str, expected: bool) -> None:
    assert passes(check, command_ops(done)) is expected


def test_a_file_is_changed_by_an_edit_only() -> None:
    check = Check("file_changed", "CHANGELOG.md")
    assert passes(check, [Op("edit", ("docs/CHANGELOG.md",))])
    assert not passes(check, [Op("edit", ("OLD_CHANGELOG.md",))])
    assert not passes(check, command_ops("cat CHANGELOG.md"))
