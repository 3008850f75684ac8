"""Two runs side by side: what was set otherwise, what came of it, and what it cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skillopt.config.load import load
from skillopt.errors import ConfigError, StorageError
from skillopt.runs.folder import RunFolder
from skillopt.runs.summary import Lift, lift, read_summary


@dataclass(frozen=True, slots=True)
class Comparison:
    """`settings` that differ, by key; the summaries; and the gain of the second run's best skill over the
    first's on the test tasks both have scored, with `notes` on what cannot be compared."""

    runs: tuple[str, str]
    settings: Mapping[str, tuple[object, object]]
    summaries: tuple[Mapping[str, Any], Mapping[str, Any]]
    gain: Lift
    notes: tuple[str, ...] = ()

    def payload(self) -> dict[str, object]:
        """As the command prints it."""
        return {
            "runs": list(self.runs),
            "settings": {key: list(pair) for key, pair in self.settings.items()},
            "summaries": list(self.summaries),
            "gain": asdict(self.gain),
            "notes": list(self.notes),
        }


def compare_runs(first: Path, second: Path) -> Comparison:
    """Compares two finished runs. Raises ConfigError for a folder without one, StorageError for damage."""
    one, two = (finished(path) for path in (first, second))
    gain, notes = _gain(_test(first), _test(second), float(one["gates"]["confidence"]))
    return Comparison((str(first), str(second)), _settings(first, second), (one, two), gain, notes)


def finished(path: Path) -> Mapping[str, Any]:
    """The summary of the run in `path`. Raises ConfigError when there is none."""
    folder = RunFolder(path)
    summary = read_summary(folder.summary)
    if summary is None:
        what = "has not finished" if folder.is_run() else "is no run"
        raise ConfigError(
            f"{path} {what}", next="run the same `skillopt train` again, or name another folder"
        )
    return summary


def _settings(first: Path, second: Path) -> dict[str, tuple[object, object]]:
    one, two = (load(RunFolder(path).config, env={}).fingerprint for path in (first, second))
    return {key: (one.get(key), two.get(key)) for key in sorted({*one, *two}) if one.get(key) != two.get(key)}


@dataclass(frozen=True, slots=True)
class _Test:
    """What a run's best skill scored on the sealed test: by which metric and judge, on tasks of what content.
    All but the scores are empty for a run of a version that did not write it down."""

    metric: str
    judge: str
    tasks: Mapping[str, str]
    scores: Mapping[str, float]


def _gain(one: _Test, two: _Test, confidence: float) -> tuple[Lift, tuple[str, ...]]:
    """The gain over the tasks that both runs have scored alike, and why others do not count."""
    none = lift({}, {}, confidence)
    if not (one.metric and two.metric):
        return none, ("a run does not say what its test asked and how it was measured: train it anew",)
    if one.metric != two.metric:
        return none, (f"the first was measured by {one.metric}, the second by {two.metric}",)
    if one.judge != two.judge:
        return none, ("another judge, or one asked in other words, gave the scores of the second",)
    others = [task for task in one.tasks if two.tasks.get(task, one.tasks[task]) != one.tasks[task]]
    mine = {task: score for task, score in one.scores.items() if task not in others}
    told = f"{len(others)} tasks have the same id in both tests and ask or check another thing: left out"
    return lift(mine, two.scores, confidence), (told,) if others else ()


def _test(path: Path) -> _Test:
    file = path / "test" / "scores.json"
    try:
        data = json.loads(file.read_bytes())
        scores = {str(task): float(score) for task, score in data["best"]["scores"].items()}
        tasks = {str(task): str(content) for task, content in data.get("tasks", {}).items()}
        return _Test(str(data.get("metric", "")), str(data.get("judge", "")), tasks, scores)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"{file} cannot be read", why=str(error), next="score the run again") from error
