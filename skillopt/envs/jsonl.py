"""Your own tasks, without code: rows of JSON in `train/`, `val/` and `test/`, or one file dealt by ratio.

A row is `{"id", "input", "expected_output" | "checks" | "judge"}`. `expected_output` is compared by `metric`
(exact unless the row or the configuration says f1, number, contains or json); a list accepts any of its
answers. `checks` is a list of `{"op", "arg"}` that must all pass. `judge` is a rubric for a model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from skillopt.core.rollout import Score, Trajectory
from skillopt.core.splits import check_disjoint, ratio_split
from skillopt.core.task import Check, Split, Task
from skillopt.errors import ConfigError
from skillopt.scoring.checks import RuleScorer, compile_checks
from skillopt.scoring.judge import Judge
from skillopt.scoring.metrics import AnswerMetric, compile_metric

SPLIT_FOLDERS: Mapping[Split, tuple[str, ...]] = {
    Split.TRAIN: ("train",),
    Split.SELECTION: ("selection", "val", "valid_seen"),
    Split.TEST: ("test", "valid_unseen"),
}
_WAYS = ("expected_output", "checks", "judge")


class JsonlScorer:
    """Scores a row the way the row says."""

    def __init__(self, judge: Judge | None = None) -> None:
        self._judge = judge
        self._rules = RuleScorer()

    @property
    def identity(self) -> str:
        """That of the judge, empty without one."""
        return self._judge.identity if self._judge else ""

    async def score(self, task: Task, trajectory: Trajectory) -> Score:
        """The score. Raises ConfigError for a rubric without a judge, ReplyError for an unreadable one."""
        if task.checks:
            return await self._rules.score(task, trajectory)
        if "judge" in task.context:
            if self._judge is None:
                raise ConfigError(f"task {task.id} needs a judge", next="name a model in model.judge")
            return await self._judge.score(task, trajectory, str(task.context["judge"]))
        metric = cast(AnswerMetric, task.context["metric"])
        return compile_metric(metric, task.context["expected_output"])(trajectory)


@dataclass(frozen=True, slots=True)
class JsonlEnvironment:
    """Tasks read from files; see the module's first lines for what they hold."""

    by_split: Mapping[Split, tuple[Task, ...]]
    scorer: JsonlScorer

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        metric: AnswerMetric = "exact",
        ratio: tuple[int, int, int] = (2, 1, 7),
        seed: int = 42,
        judge: Judge | None = None,
    ) -> JsonlEnvironment:
        """A folder of splits, or one `.jsonl` file dealt by `ratio`.

        Raises ConfigError, naming the file and line, for what cannot be read, a split that is missing or
        empty, and ids that repeat.
        """
        if path.is_dir():
            by_split = {split: _read_files(split_files(path, split), split, metric) for split in Split}
        elif path.is_file():
            by_split = ratio_split(_read_files([path], Split.TRAIN, metric), ratio=ratio, seed=seed)
        else:
            raise ConfigError(f"there are no tasks at {path}", next="check env.split_dir")
        for split, tasks in by_split.items():
            if not tasks:
                raise ConfigError(
                    f"split {split} of {path} has no tasks", next="give every split at least one"
                )
        check_disjoint(by_split)
        return cls(by_split, JsonlScorer(judge))

    def tasks(self, split: Split) -> tuple[Task, ...]:
        """The tasks of one split, in the order of the files and their lines."""
        return self.by_split[split]

    @property
    def needs_judge(self) -> bool:
        """Whether any task has a rubric."""
        return any("judge" in task.context for tasks in self.by_split.values() for task in tasks)


def _read_files(files: Sequence[Path], split: Split, metric: AnswerMetric) -> tuple[Task, ...]:
    lines = (each for file in files for each in task_lines(file))
    return tuple(read_task(line, where, split, metric) for where, line in lines)


def split_files(folder: Path, split: Split) -> list[Path]:
    """The files of one split. Raises ConfigError when its folder is missing, doubtful or has none."""
    names = SPLIT_FOLDERS[split]
    found = [folder / name for name in names if (folder / name).is_dir()]
    if not found:
        raise ConfigError(
            f"{folder} has no folder {names[0]}/",
            why=f"the {split} split is read from {' or '.join(f'{name}/' for name in names)}",
            next="make it, with a .jsonl file of tasks inside",
        )
    if len(found) > 1:
        raise ConfigError(
            f"{folder} has both {found[0].name}/ and {found[1].name}/",
            why=f"either holds the {split} split",
            next="keep one of them",
        )
    files = sorted(file for file in found[0].glob("*.jsonl") if file.is_file())
    if not files:
        raise ConfigError(f"{found[0]} has no .jsonl file", next="put the tasks of this split there")
    return files


def task_lines(file: Path) -> list[tuple[str, str]]:
    """`file:line` and text of each line that is not blank. Raises ConfigError for an unreadable file."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {file}", why=str(error), next="save it as UTF-8 text") from error
    lines = enumerate(text.split("\n"), 1)
    return [(f"{file}:{number}", line) for number, line in lines if line.strip()]


def read_task(line: str, where: str, split: Split, metric: AnswerMetric) -> Task:
    """One task. Raises ConfigError, with `where` it stands, for a line that is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: the line is not JSON", why=str(error)) from error
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: a task is an object", next='write {"id": ..., "input": ..., ...}')
    task_id, prompt = row.get("id"), row.get("input")
    if not isinstance(task_id, str | int) or isinstance(task_id, bool) or not str(task_id).strip():
        raise ConfigError(f"{where}: the task has no id", next='give it an "id" of its own')
    if not isinstance(prompt, str) or not prompt.strip():
        raise ConfigError(f"{where}: task {task_id} has no input", next='give it an "input" text')
    ways = [key for key in _WAYS if row.get(key) is not None]
    if len(ways) != 1:
        raise ConfigError(
            f"{where}: task {task_id} must have one of {', '.join(_WAYS)}",
            why=f"it has {' and '.join(ways) or 'none'}",
        )
    try:
        return _scored(Task(str(task_id), prompt, split), row, metric)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.what}", why=error.why, next=error.next) from error


def _scored(task: Task, row: Mapping[str, Any], metric: AnswerMetric) -> Task:
    if row.get("checks") is not None:
        task = replace(task, checks=tuple(_checks(row["checks"])))
        compile_checks(task)
        return task
    if row.get("judge") is not None:
        if not isinstance(row["judge"], str) or not row["judge"].strip():
            raise ConfigError(f"task {task.id}: judge must be the text of a rubric")
        return replace(task, context={"judge": row["judge"]})
    chosen = row.get("metric", metric)
    if chosen not in get_args(AnswerMetric):
        raise ConfigError(
            f"unknown metric {chosen!r}", next=f"use one of {', '.join(get_args(AnswerMetric))}"
        )
    compile_metric(chosen, row["expected_output"])
    return replace(task, context={"metric": chosen, "expected_output": row["expected_output"]})


def _checks(rows: object) -> Iterable[Check]:
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
        raise ConfigError('checks must be a list of {"op", "arg"}')
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("op"), str) or row.keys() - {"op", "arg"}:
            raise ConfigError(f'a check is {{"op": name, "arg": value}}, not {json.dumps(row)[:80]}')
        yield Check(row["op"], row.get("arg"))
