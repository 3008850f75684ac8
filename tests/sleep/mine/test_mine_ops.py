from __future__ import annotations

import pytest
from spoken import action, session

from skillopt_sleep.mine.episodes import lookness, stretches_of
from skillopt_sleep.mine.ops import Op, change_between, command_ops, kinship, ops_of


def done(*texts: str) -> tuple[Op, ...]:
    return ops_of([action(text) for text in texts])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cd web && npm test", [("npm", "test")]),
        ("FOO=1 npm test | tee log; ls", [("npm", "test"), ("tee", "log"), ("ls",)]),
        ("pushd a", []),
        ("X=1", []),
        ('git commit -m "two words"', [("git", "commit", "-m", "two words")]),
        ("", []),
    ],
)
def test_commands_are_simple_ones_without_changes_of_folder(
    text: str, expected: list[tuple[str, ...]]
) -> None:
    assert [op.tokens for op in command_ops(text)] == expected


def test_asking_for_version_or_help_is_a_look() -> None:
    assert [op.kind for op in command_ops("node --version; npm help; npm help install")] == [
        "look",
        "look",
        "command",
    ]


def test_names_of_an_operation() -> None:
    commit, edit = command_ops("/usr/bin/git commit -m x")[0], done("@edit src/a/App.tsx | const x")[0]
    assert (commit.program, commit.key) == ("git", "git commit")
    assert {"git", "git commit"} <= commit.features
    assert (edit.program, edit.key) == ("edit", "edit:App.tsx")
    assert edit.features == {"edit:App.tsx", "edit:*.tsx"}
    assert done("@read a")[0].features == frozenset()
    assert command_ops("git -C x status")[0].key == "git"


def test_immediate_repeats_count_once() -> None:
    assert len(done("npm test", "npm test", "ls", "npm test")) == 3


@pytest.mark.parametrize(
    ("a", "b", "kin"),
    [
        ("npm install", "pnpm install", True),
        ("grep -rn cookie src", "rg cookie src", True),
        ("python train.py", "uv run python train.py", True),
        ("pytest -q", "pytest -q -x", True),
        ("npm install", "git push", False),
        ("@edit a.py | x", "@edit a.py | y", True),
        ("@edit a.py | x", "@edit b.py | x", False),
        ("@edit a.py | x", "git push", False),
        ("@read a", "@read a", False),
    ],
)
def test_kin_is_what_does_the_same_otherwise(a: str, b: str, kin: bool) -> None:
    (first,), (second,) = done(a), done(b)
    assert (kinship(first, second) >= 0.3) is kin
    assert (kinship(second, first) >= 0.3) is kin


@pytest.mark.parametrize(
    ("before", "after", "lost", "gained", "again"),
    [
        ("npm install", "pnpm install", ("npm",), ("pnpm",), True),
        ("grep -rn cookie src", "rg cookie src", ("grep", "-rn"), ("rg",), True),
        ("git push --force", "git push", ("--force",), (), True),
        ("git commit -m x", "git commit -s -m x", (), ("-s",), True),
        ("npm install", "npm install", (), (), False),
        ("./cli scan alpha", "./cli scan beta", ("alpha",), ("beta",), False),
        ("git commit -m x", "kubectl get pods", (), (), False),
    ],
)
def test_what_a_change_lost_and_gained(
    before: str, after: str, lost: tuple[str, ...], gained: tuple[str, ...], again: bool
) -> None:
    change = change_between(done(before), done(after), frozenset(), {})
    assert (change.lost, change.gained, change.again) == (lost, gained, again)


def test_the_pair_that_was_named_decides() -> None:
    before, after = done("npm test", "grep x src"), done("npm run test", "rg x src")
    assert change_between(before, after, frozenset({"rg"}), {}).gained == ("rg",)
    assert change_between(before, after, frozenset({"run"}), {}).gained == ("run",)


def test_what_came_to_it_is_added() -> None:
    change = change_between(
        done("git commit -m x"), done("@edit CHANGELOG.md | new", "git commit -m x"), frozenset(), {}
    )
    assert [op.key for op in change.added] == ["edit:CHANGELOG.md"]
    assert not change.again


def test_without_anything_like_it_the_named_operation_is_reacted_to() -> None:
    looks = {"ls": 0.9}
    before = done("npm install", "ls")
    assert change_between(before, (), frozenset(), looks).reacted == before[0]
    assert change_between(before, (), frozenset({"ls"}), looks).reacted == before[1]
    assert change_between((), (), frozenset(), looks).reacted is None


def test_looking_around_is_told_by_what_follows_it() -> None:
    sessions = [
        session(day, "do it", "$ ls ;; git status ;; npm test", "and then", "$ cat a ;; git push")
        for day in range(6)
    ]
    looks = lookness(map(stretches_of, sessions))
    assert min(looks["ls"], looks["git status"], looks["cat a"]) > 0.7
    assert max(looks["npm test"], looks["git push"]) < 0.3
    assert all(0.0 <= value <= 1.0 for value in looks.values())
    assert lookness([]) == {}


def test_reading_with_a_tool_of_the_client_is_a_look() -> None:
    assert done("@read a")[0].kind == "look"
    assert change_between(done("@read a"), done("@read b"), frozenset(), {}).reacted is None
