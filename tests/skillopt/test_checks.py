"""Checks say yes and no to the right trajectories, and refuse to compile when they are wrong."""

from __future__ import annotations

import pytest

from skillopt.core.rollout import Step, Trajectory
from skillopt.core.task import Check, Json, Split, Task
from skillopt.errors import ConfigError, SkillOptError
from skillopt.scoring.checks import RuleScorer, compile_check, compile_checks
from tests.steps import grows_no_faster_than_its_input


def said(text: str) -> Trajectory:
    return Trajectory(answer=text)


def ran(command: str, exit_code: int | None = None) -> Step:
    return Step("command", tool="Bash", command=command, exit_code=exit_code)


def did(*steps: Step) -> Trajectory:
    return Trajectory(steps)


CASES: list[tuple[str, Json, Trajectory, bool]] = [
    ("command_ran", "npm test", did(ran("cd app && CI=1 npm test --watch")), True),
    ("command_ran", "npm test", did(ran("npm  'test'")), True),
    ("command_ran", "npm test", did(ran("npm run test")), False),
    ("command_ran", "npm test", did(ran("npm tests")), False),
    ("command_ran", "npm test", did(ran("sudo npm test")), False),
    ("command_ran", "npm test", did(ran("echo npm test")), False),
    ("command_ran", "npm test", did(ran("echo 'npm test; npm test'")), False),
    ("command_ran", "npm test", did(ran("cat <<E\nnpm test\nE")), False),
    ("command_ran", "npm test", did(Step("message", command="npm test")), False),
    ("command_ran", "CI=1 npm test", did(ran("CI=1 npm test")), True),
    ("command_ran", "CI=1 npm test", did(ran("npm test")), False),
    ("command_not_ran", "npm", did(ran("pnpm test")), True),
    ("command_not_ran", "npm", did(ran("pnpm test || npm test")), False),
    ("tool_called", "Grep", did(Step("tool", tool="Grep")), True),
    ("tool_called", "Grep", did(ran("Grep x")), False),
    ("file_changed", "a.py", did(Step("edit", files=("src/a.py",))), True),
    ("file_changed", "./src/*.py", did(Step("edit", files=("/home/me/src/a.py",))), True),
    ("file_changed", "src/a.py", did(Step("edit", files=("src\\a.py",))), True),
    ("file_changed", "a.py", did(Step("edit", files=("data.py",))), False),
    ("file_changed", "a.py", did(Step("read", files=("a.py",))), False),
    ("file_not_changed", "a.py", did(Step("edit", files=("b.py",))), True),
    ("file_not_changed", "a.py", did(Step("edit", files=("a.py",))), False),
    ("contains", "two", said("one two"), True),
    ("contains", "Two", said("one two"), False),
    ("contains", "two", did(Step("message", "one two")), True),
    ("not_contains", "two", said("one"), True),
    ("not_contains", "two", said("one two"), False),
    ("regex", r"^\d+$", said("12"), True),
    ("regex", r"^\d+$", said("a"), False),
    ("max_chars", 3, said("abc"), True),
    ("max_chars", 3, said("abcd"), False),
    ("min_chars", 3, said("abc"), True),
    ("min_chars", 3, said("ab"), False),
    ("section_present", "Test Plan", said("x\n## test plan ##\n"), True),
    ("section_present", "# Test Plan", said("x\nTest Plan\n"), False),
    ("section_present", "Plan", said("```\n# Plan\n```"), False),
    ("section_contains", {"section": "Plan", "text": "run"}, said("# Plan\n### How\nrun it\n# End"), True),
    ("section_contains", {"section": "Plan", "text": "run"}, said("# Plan\n# End\nrun it"), False),
    ("json_valid", None, said('{"a": 1}'), True),
    ("json_valid", True, said('```json\n{"a": 1}\n```'), True),
    ("json_valid", None, said("<answer>[1]</answer> there"), True),
    ("json_valid", None, said('Here: {"a": 1}'), False),
    ("json_valid", None, said("NaN"), False),
    ("json_valid", None, said("[" * 100_000), False),
    ("exact", "New  York", said("I think <answer>x</answer> or <ANSWER> new york\n</ANSWER>"), True),
    ("exact", ["a", "b"], said("B"), True),
    ("exact", "a", said("a b"), False),
    ("number", 1234.5, said("about 3, so 1,234.5"), True),
    ("number", {"value": 10, "tolerance": 0.5}, said("10.4"), True),
    ("number", {"value": 10, "tolerance": 0.5}, said("10.6"), False),
    ("number", 3, said("none"), False),
    ("number", -0.5, said("-.5"), True),
    ("exit_code", 0, did(ran("make", 1), ran("make", 0)), True),
    ("exit_code", 0, did(ran("make", 0), ran("make", 1)), False),
    ("exit_code", 0, did(ran("make")), False),
    ("exit_code", {"command": "pytest"}, did(ran("pytest -q", 0), ran("ls", 2)), True),
    ("exit_code", {"command": "pytest", "code": 1}, did(ran("pytest -q", 0)), False),
    ("no_refusal", None, said("I can't help with that."), False),
    ("no_refusal", None, said("I’m sorry, but I cannot assist with this."), False),
    ("no_refusal", None, said("Sorry for the confusion: done, it cannot fail now."), True),
]


@pytest.mark.parametrize(("op", "arg", "trajectory", "passes"), CASES)
def test_check(op: str, arg: Json, trajectory: Trajectory, passes: bool) -> None:
    assert compile_check(Check(op, arg)).passes(trajectory) is passes


@pytest.mark.parametrize(
    ("op", "arg", "message"),
    [
        ("comand_ran", "x", "did you mean command_ran"),
        ("zzz", "x", "use one of"),
        ("command_ran", "", "a command is needed"),
        ("command_ran", "a && b", "one simple command"),
        ("command_ran", 3, "a command is needed"),
        ("contains", None, "a text is needed"),
        ("regex", "(", "not a regular expression"),
        ("max_chars", True, "whole number"),
        ("max_chars", -1, "whole number"),
        ("section_contains", {"section": "a"}, "section, text"),
        ("section_contains", {"section": "a", "text": "b", "x": 1}, "section, text"),
        ("json_valid", "x", "takes no argument"),
        ("number", "3", "a number is needed"),
        ("number", 10**400, "not as large"),
        ("number", float("nan"), "a number is needed"),
        ("exit_code", "0", "an exit code"),
        ("exact", [], "at least one"),
        ("file_changed", ".", "not a path"),
        ("tool_called", [], "the name of a tool"),
    ],
)
def test_a_wrong_check_does_not_compile(op: str, arg: Json, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compile_check(Check(op, arg))


def test_compile_names_the_task() -> None:
    with pytest.raises(ConfigError, match="task t7: unknown check"):
        compile_checks(Task("t7", "p", Split.TRAIN, (Check("x"),)))


def test_every_check_has_a_case_for_yes_and_no() -> None:
    with pytest.raises(ConfigError) as caught:
        compile_check(Check("\n"))
    ops = set(caught.value.next.removeprefix("use one of ").split(", "))
    assert ops == {op for op, _, _, passes in CASES if passes}
    assert ops - {op for op, _, _, passes in CASES if not passes} == set()
    assert len(ops) == 17


def test_a_pattern_that_backtracks_is_no_score() -> None:
    check = compile_check(Check("regex", r"^(.*?,){14}P"))
    with pytest.raises(SkillOptError, match="longer than 1 s"):
        check.passes(said("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30"))


@pytest.mark.parametrize("op", ["exact", "json_valid", "number", "no_refusal", "section_present"])
@pytest.mark.parametrize("piece", ["<answer>", " ", "# ", "1,", "can't ", "```\n", "#", "9", "\n# x"])
def test_long_answers_take_linear_time(op: str, piece: str) -> None:
    arguments: dict[str, Json] = {"exact": "a", "number": 1, "section_present": "a"}
    arg = arguments.get(op)
    check = compile_check(Check(op, arg))
    assert grows_no_faster_than_its_input(lambda n: check.passes(said(piece * n + "!")), 2_500)


@pytest.mark.anyio
async def test_rule_scorer() -> None:
    task = Task(
        "t", "p", Split.TRAIN, (Check("contains", "a"), Check("max_chars", 2), Check("contains", "b"))
    )
    good, half = (
        await RuleScorer().score(task, said("ab")),
        await RuleScorer().score(task, said("a long one")),
    )
    assert (good.hard, good.soft, good.detail) == (1, 1, "all 3 checks passed")
    assert half.hard == 0
    assert half.soft == pytest.approx(1 / 3)
    assert half.detail == 'failed: max_chars 2; contains "b"'


@pytest.mark.anyio
async def test_no_checks_no_score() -> None:
    with pytest.raises(ConfigError, match="no checks"):
        await RuleScorer().score(Task("t", "p", Split.TRAIN), said("a"))
