"""Looking at tasks of one's own before they are used: everything that is wrong, not only the first thing."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skillopt.core.splits import ratio_split
from skillopt.core.task import Split, Task, task_content
from skillopt.envs.jsonl import read_task, split_files, task_lines
from skillopt.envs.near import near_pairs
from skillopt.errors import ConfigError
from skillopt.scoring.metrics import AnswerMetric

_KNOWN = ("id", "input", "expected_output", "checks", "judge", "metric")
_SHOWN_PAIRS = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend or to look at, and where it is (`file:line`, or a folder)."""

    where: str
    what: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class SplitReport:
    """What one split holds. `scored_by` counts tasks by way of scoring: a metric, `checks` or `judge`."""

    split: Split
    n_files: int
    n_tasks: int
    scored_by: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a folder or file of tasks holds; with `errors` it cannot be trained on."""

    splits: tuple[SplitReport, ...]
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    where: str
    task: Task


def check_data(
    path: Path, *, metric: AnswerMetric = "exact", ratio: tuple[int, int, int] = (2, 1, 7), seed: int = 42
) -> DataReport:
    """Reads every line of a folder of splits, or of one file dealt by `ratio`.

    Raises ConfigError when there is nothing at `path`.
    """
    if not path.exists():
        raise ConfigError(f"there are no tasks at {path}", next="name a folder with train/, val/ and test/")
    errors: list[Finding] = []
    warnings: list[Finding] = []
    rows: list[_Row] = []
    n_files: Counter[Split] = Counter()
    for split in Split if path.is_dir() else (Split.TRAIN,):
        try:
            files = split_files(path, split) if path.is_dir() else [path]
        except ConfigError as error:
            errors.append(Finding(str(path), error.what, error.next))
            continue
        n_files[split] = len(files)
        n_before = len(rows), len(errors)
        for file in files:
            rows += _rows(file, split, metric, errors, warnings)
        if (len(rows), len(errors)) == n_before:
            errors.append(
                Finding(str(files[0].parent), f"split {split} has no tasks", "give it at least one")
            )
    errors += _twice(rows)
    if not path.is_dir() and not errors:
        rows = _dealt(rows, ratio, seed, errors)
        n_files = Counter(dict.fromkeys(Split, 1))
    errors += _seen_before(rows)
    warnings += _alike(rows)
    return DataReport(
        tuple(_report(split, n_files[split], rows) for split in Split), tuple(errors), tuple(warnings)
    )


def _rows(
    file: Path, split: Split, metric: AnswerMetric, errors: list[Finding], warnings: list[Finding]
) -> list[_Row]:
    try:
        lines = task_lines(file)
    except ConfigError as error:
        errors.append(Finding(str(file), error.what, error.next))
        return []
    found = []
    for where, line in lines:
        try:
            found.append(_Row(where, read_task(line, where, split, metric)))
        except ConfigError as error:
            why = f" ({error.why})" if error.why else ""
            errors.append(Finding(where, error.what.removeprefix(f"{where}: ") + why, error.next))
            continue
        for key in json.loads(line).keys() - set(_KNOWN):
            if near := difflib.get_close_matches(key, _KNOWN, n=1, cutoff=0.75):
                warnings.append(Finding(where, f"{key!r} is not read", f"did you mean {near[0]}?"))
    return found


def _twice(rows: Sequence[_Row]) -> list[Finding]:
    """Ids that stand twice, in one split or in two."""
    first: dict[str, _Row] = {}
    found = []
    for row in rows:
        earlier = first.setdefault(row.task.id, row)
        if earlier is row:
            continue
        if earlier.task.split is row.task.split:
            what = f"id {row.task.id} stands twice in {row.task.split}, first in {earlier.where}"
            found.append(Finding(row.where, what, "give every task its own id"))
        else:
            what = f"id {row.task.id} is in {earlier.task.split} ({earlier.where}) and in {row.task.split}"
            found.append(Finding(row.where, what, "keep each task in one split"))
    return found


def _seen_before(rows: Sequence[_Row]) -> list[Finding]:
    """Tasks that ask and check what one of another split does, under another id."""
    first: dict[str, _Row] = {}
    found = []
    for row in rows:
        earlier = first.setdefault(task_content(row.task), row)
        if earlier.task.split is not row.task.split and earlier.task.id != row.task.id:
            what = (
                f"task {row.task.id} ({row.task.split}) asks and checks the same as {earlier.task.id} "
                f"({earlier.task.split}, {earlier.where})"
            )
            found.append(Finding(row.where, what, "keep each task in one split"))
    return found


def _dealt(rows: Sequence[_Row], ratio: tuple[int, int, int], seed: int, errors: list[Finding]) -> list[_Row]:
    where = {row.task.id: row.where for row in rows}
    dealt = ratio_split([row.task for row in rows], ratio=ratio, seed=seed)
    for split, tasks in dealt.items():
        if not tasks:
            errors.append(
                Finding(rows[0].where.rpartition(":")[0], f"split {split} gets no task", "add tasks")
            )
    return [_Row(where[task.id], task) for tasks in dealt.values() for task in tasks]


def _alike(rows: Sequence[_Row]) -> list[Finding]:
    """Inputs that stand twice in a split, and those of two splits that are the same or nearly so."""
    found = []
    first: dict[tuple[Split, str], _Row] = {}
    for row in rows:
        earlier = first.setdefault((row.task.split, row.task.prompt), row)
        if earlier is not row:
            found.append(Finding(row.where, f"the input of {row.task.id} is that of {earlier.task.id}"))
    pairs = near_pairs([row.task.prompt for row in rows], [row.task.split for row in rows])
    for one, other, share in pairs:
        a, b = rows[one], rows[other]
        if task_content(a.task) == task_content(b.task):
            continue  # an error
        how = "the same as" if a.task.prompt == b.task.prompt else f"{share:.0%} that of"
        what = f"the input of {b.task.id} ({b.task.split}) is {how} {a.task.id} ({a.task.split}, {a.where})"
        found.append(Finding(b.where, what, "keep one, or both in one split: what was seen is not held out"))
        if len(found) >= _SHOWN_PAIRS:
            found.append(Finding("", f"only the first {_SHOWN_PAIRS} such inputs are listed"))
            break
    return found


def _report(split: Split, n_files: int, rows: Sequence[_Row]) -> SplitReport:
    tasks = [row.task for row in rows if row.task.split is split]
    ways = Counter("checks" if task.checks else _way(task) for task in tasks)
    return SplitReport(split, n_files, len(tasks), tuple(sorted(ways.items())))


def _way(task: Task) -> str:
    return "judge" if "judge" in task.context else str(task.context["metric"])
