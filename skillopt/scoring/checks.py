"""Deterministic checks of a trajectory, compiled at load, and the scorer that needs all of them."""

from __future__ import annotations

import difflib
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

import regex

from skillopt.core.rollout import Score, Step, Trajectory
from skillopt.core.shell import simple_commands
from skillopt.core.task import Check, Json, Task
from skillopt.errors import ConfigError, SkillOptError

Predicate: TypeAlias = Callable[[Trajectory], bool]

REGEX_TIMEOUT_S = 1.0
REGEX_MAX_CHARS = 200_000
"""A pattern reads at most this much of an answer."""


@dataclass(frozen=True, slots=True)
class CompiledCheck:
    """A check that is known to be well-formed."""

    check: Check
    predicate: Predicate

    def passes(self, trajectory: Trajectory) -> bool:
        """Whether the trajectory meets the condition.

        Raises SkillOptError when a regular expression takes too long: that is no score.
        """
        return self.predicate(trajectory)

    def __str__(self) -> str:
        return self.check.op if self.check.arg is None else f"{self.check.op} {json.dumps(self.check.arg)}"


def compile_check(check: Check) -> CompiledCheck:
    """The check ready to run. Raises ConfigError for an unknown `op`, naming the nearest, or a bad `arg`."""
    build = _OPS.get(check.op)
    if build is None:
        near = difflib.get_close_matches(check.op, _OPS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(sorted(_OPS))}"
        raise ConfigError(f"unknown check {check.op}", next=hint)
    try:
        return CompiledCheck(check, build(check.arg))
    except _BadArgumentError as error:
        raise ConfigError(
            f"check {check.op}: bad argument {json.dumps(check.arg)}",
            why=str(error),
            next="correct the task's check",
        ) from error


def compile_checks(task: Task) -> tuple[CompiledCheck, ...]:
    """The checks of a task, ready to run. Raises ConfigError as `compile_check`, naming the task."""
    try:
        return tuple(compile_check(check) for check in task.checks)
    except ConfigError as error:
        raise ConfigError(f"task {task.id}: {error.what}", why=error.why, next=error.next) from error


class RuleScorer:
    """Scores by the task's own checks: hard is 1 when all pass, soft the share that does."""

    async def score(self, task: Task, trajectory: Trajectory) -> Score:
        """The score, with the failed checks in `detail`.

        Raises ConfigError for a task without checks or with one that does not compile.
        """
        checks = compile_checks(task)
        if not checks:
            raise ConfigError(f"task {task.id} has no checks", next="give it at least one, or another scorer")
        failed = [str(check) for check in checks if not check.passes(trajectory)]
        detail = f"failed: {'; '.join(failed)}" if failed else f"all {len(checks)} checks passed"
        return Score(float(not failed), 1 - len(failed) / len(checks), detail)


# --- what a check looks at ------------------------------------------------------------------------------

_ANSWER_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+")
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+]?\.\d+")
_REFUSAL = re.compile(
    r"\b(?:(?:can(?:no|')t|can not|won't|will not|unable to|not able to|(?:must|have to) decline to) "
    r"(?:help|assist|do that|comply|provide|fulfil|complete|answer)|as an ai(?: language)? model)\b",
    re.IGNORECASE,
)


def reply_text(trajectory: Trajectory) -> str:
    """The answer, or where an agent gave none, all it said."""
    return trajectory.answer or "\n".join(step.text for step in trajectory.steps if step.kind == "message")


def normalised_answer(text: str) -> str:
    """The last `<answer>`, else all of `text`, with compatibility characters, case and spaces evened out."""
    return " ".join(unicodedata.normalize("NFKC", last_answer(text)).casefold().split())


def last_answer(text: str) -> str:
    """The text of the last `<answer>` tag, all of `text` when there is none."""
    # Pairing tags in one pass: a lazy pattern takes quadratic time on tags that never close.
    answer, start = text, -1
    for tag in _ANSWER_TAG.finditer(text):
        if not tag[1]:
            start = tag.end()
        elif start >= 0:
            answer, start = text[start : tag.start()], -1
    return answer


def ran(step: Step, words: tuple[str, ...]) -> bool:
    """Whether one simple command of the step begins with `words`, with or without its assignments."""
    if step.kind != "command":
        return False
    n = len(words)
    plain, full = simple_commands(step.command), simple_commands(step.command, assignments=True)
    return any(command[:n] == words for command in (*plain, *full))


def _changes(step: Step, pattern: str) -> bool:
    return step.kind != "read" and any(_is_path(path.replace("\\", "/"), pattern) for path in step.files)


def _is_path(path: str, pattern: str) -> bool:
    """`PurePath.match` compares from the right, so `a.py` and `src/*.py` match anywhere in a tree."""
    return PurePosixPath(path).match(pattern) or f"/{path.strip('/')}/".endswith(f"/{pattern.strip('/')}/")


def _section(text: str, title: str) -> str | None:
    """The lines under the heading `title` (any case) up to the next heading of its level or above; None
    without one. A `#` line in a code fence is no heading."""
    lines: list[str] = []
    level = 0
    is_found = is_fenced = False
    for line in text.splitlines():
        is_fenced ^= line.lstrip().startswith(("```", "~~~"))
        heading = None if is_fenced else _HEADING.match(line)
        if heading and (not level or len(heading[1]) <= level):
            name = line[heading.end() :].rstrip().rstrip("#").strip()
            level = len(heading[1]) if name.casefold() == title.strip().casefold() else 0
            is_found = is_found or level > 0
        elif level:
            lines.append(line)
    return "\n".join(lines) if is_found else None


# --- arguments ------------------------------------------------------------------------------------------


class _BadArgumentError(Exception):
    """Why an argument cannot be used."""


def _text(arg: Json, what: str = "a text") -> str:
    if not isinstance(arg, str) or not arg.strip():
        raise _BadArgumentError(f"{what} is needed")
    return arg


def _count(arg: Json) -> int:
    if isinstance(arg, bool) or not isinstance(arg, int) or arg < 0:
        raise _BadArgumentError("a whole number of characters is needed")
    return arg


def _finite(arg: Json) -> float:
    try:
        number = math.nan if isinstance(arg, bool) or not isinstance(arg, int | float) else float(arg)
    except OverflowError as error:
        raise _BadArgumentError("a number that is not as large is needed") from error
    if not math.isfinite(number):
        raise _BadArgumentError("a number is needed")
    return number


def _fields(arg: Json, needed: Iterable[str], optional: Iterable[str] = ()) -> Mapping[str, Json]:
    needed, allowed = set(needed), {*needed, *optional}
    if not isinstance(arg, dict) or not needed <= arg.keys() <= allowed:
        raise _BadArgumentError(f"an object with {', '.join(sorted(allowed))} is needed")
    return arg


def _nothing(arg: Json) -> None:
    if arg is not None and arg is not True:
        raise _BadArgumentError("the check takes no argument")


def _words(arg: Json) -> tuple[str, ...]:
    commands = simple_commands(_text(arg, "a command"), assignments=True)
    if len(commands) != 1:
        raise _BadArgumentError("one simple command is needed")
    return commands[0]


# --- the checks -----------------------------------------------------------------------------------------


def _command_ran(arg: Json) -> Predicate:
    words = _words(arg)
    return lambda trajectory: any(ran(step, words) for step in trajectory.steps)


def _tool_called(arg: Json) -> Predicate:
    tool = _text(arg, "the name of a tool")
    return lambda trajectory: any(step.tool == tool for step in trajectory.steps)


def _file_changed(arg: Json) -> Predicate:
    pattern = _text(arg, "a path or glob").replace("\\", "/").removeprefix("./")
    try:
        PurePosixPath("a").match(pattern)
    except ValueError as error:
        raise _BadArgumentError(f"not a path: {error}") from error
    return lambda trajectory: any(_changes(step, pattern) for step in trajectory.steps)


def _contains(arg: Json) -> Predicate:
    text = _text(arg)
    return lambda trajectory: text in reply_text(trajectory)


def _regex(arg: Json) -> Predicate:
    source = _text(arg, "a regular expression")
    try:
        pattern = regex.compile(source)
    except (regex.error, RecursionError, OverflowError) as error:
        raise _BadArgumentError(f"not a regular expression: {error}") from error

    def predicate(trajectory: Trajectory) -> bool:
        try:
            found = pattern.search(reply_text(trajectory)[:REGEX_MAX_CHARS], timeout=REGEX_TIMEOUT_S)
        except TimeoutError as error:
            raise SkillOptError(
                f"the regular expression {source!r} took longer than {REGEX_TIMEOUT_S:g} s",
                why="it backtracks too much",
                next="write it without nested repetition",
            ) from error
        return found is not None

    return predicate


def _max_chars(arg: Json) -> Predicate:
    limit = _count(arg)
    return lambda trajectory: len(reply_text(trajectory)) <= limit


def _min_chars(arg: Json) -> Predicate:
    limit = _count(arg)
    return lambda trajectory: len(reply_text(trajectory)) >= limit


def _section_present(arg: Json) -> Predicate:
    title = _text(arg, "a heading").lstrip("# ")
    return lambda trajectory: _section(reply_text(trajectory), title) is not None


def _section_contains(arg: Json) -> Predicate:
    fields = _fields(arg, ("section", "text"))
    title, text = _text(fields["section"], "a heading").lstrip("# "), _text(fields["text"])
    return lambda trajectory: text in (_section(reply_text(trajectory), title) or "")


def _json_valid(arg: Json) -> Predicate:
    _nothing(arg)

    def predicate(trajectory: Trajectory) -> bool:
        text = last_answer(reply_text(trajectory)).strip()
        if text.startswith("```") and text.endswith("```") and "\n" in text:
            text = text[text.index("\n") : -3]
        try:
            json.loads(text, parse_constant=_not_json)
        except (ValueError, RecursionError):
            return False
        return True

    return predicate


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _exact(arg: Json) -> Predicate:
    if arg == []:
        raise _BadArgumentError("at least one accepted answer is needed")
    accepted = {normalised_answer(_text(text)) for text in (arg if isinstance(arg, list) else [arg])}
    return lambda trajectory: normalised_answer(reply_text(trajectory)) in accepted


def _number(arg: Json) -> Predicate:
    fields = _fields(arg, ("value",), ("tolerance",)) if isinstance(arg, dict) else {"value": arg}
    wanted, tolerance = _finite(fields["value"]), _finite(fields.get("tolerance", 1e-9))

    def predicate(trajectory: Trajectory) -> bool:
        numbers = _NUMBER.findall(last_answer(reply_text(trajectory)))
        return bool(numbers) and math.isclose(
            float(numbers[-1].replace(",", "")), wanted, rel_tol=1e-9, abs_tol=tolerance
        )

    return predicate


def _exit_code(arg: Json) -> Predicate:
    fields = _fields(arg, ("command",), ("code",)) if isinstance(arg, dict) else {"code": arg}
    code = fields.get("code", 0)
    if isinstance(code, bool) or not isinstance(code, int):
        raise _BadArgumentError("an exit code is needed")
    words = _words(fields["command"]) if "command" in fields else ()

    def predicate(trajectory: Trajectory) -> bool:
        codes = [
            s.exit_code for s in trajectory.steps if s.kind == "command" and (not words or ran(s, words))
        ]
        return bool(codes) and codes[-1] == code

    return predicate


def _no_refusal(arg: Json) -> Predicate:
    _nothing(arg)
    return lambda trajectory: not _REFUSAL.search(reply_text(trajectory).replace("’", "'")[:400])


def _negated(build: Callable[[Json], Predicate]) -> Callable[[Json], Predicate]:
    def negated(arg: Json) -> Predicate:
        predicate = build(arg)
        return lambda trajectory: not predicate(trajectory)

    return negated


_OPS: Mapping[str, Callable[[Json], Predicate]] = {
    "command_ran": _command_ran,
    "command_not_ran": _negated(_command_ran),
    "tool_called": _tool_called,
    "file_changed": _file_changed,
    "file_not_changed": _negated(_file_changed),
    "contains": _contains,
    "not_contains": _negated(_contains),
    "regex": _regex,
    "max_chars": _max_chars,
    "min_chars": _min_chars,
    "section_present": _section_present,
    "section_contains": _section_contains,
    "json_valid": _json_valid,
    "exact": _exact,
    "number": _number,
    "exit_code": _exit_code,
    "no_refusal": _no_refusal,
}
