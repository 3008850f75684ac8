"""What each step saw, proposed and was told, as files, written before the step counts as done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from skillopt.core.rollout import Rollout
from skillopt.core.text import utf8
from skillopt.events import CandidateMade, EditsProposed, Event, GateDecided, Merged, Reflected, RolloutsDone
from skillopt.runs.history import as_json, decision_json, report_json
from skillopt.store.files import make_private_dir, write_atomic


class StepFiles:
    """A listener that fills `steps/step_NNNN/` and `slow_update/epoch_NN/`.

    A step done again after the process was killed writes the same files again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reports: list[dict[str, object]] = []
        self._decisions: list[dict[str, object]] = []

    def __call__(self, event: Event) -> None:
        """Writes what the event tells."""
        match event:
            case RolloutsDone(step, rollouts):
                self._reports, self._decisions = [], []
                self._write(_step(step), "rollouts.jsonl", lines_of(map(rollout_json, rollouts)))
            case Reflected(step, patches):
                # One file: a run has a few hundred minibatches.
                self._write(_step(step), "patches/minibatches.jsonl", lines_of(map(asdict, patches)))
            case Merged(step, patch):
                self._write(_step(step), "merged_patch.json", as_json(asdict(patch)))
            case EditsProposed(step, patch):
                self._write(_step(step), "selected.json", as_json(asdict(patch)))
            case CandidateMade(step, candidate, epoch):
                if epoch is not None:
                    self._reports, self._decisions = [], []
                where = _step(step) if epoch is None else _epoch(epoch)
                reports = [report_json(report) for report in candidate.reports]
                self._reports.append({"parent": candidate.parent_sha, "edits": reports})
                self._write(where, "candidate_skill.md", candidate.text)
                self._write(where, "edit_report.json", as_json({"candidates": self._reports}))
            case GateDecided(step, decision, epoch):
                where = _step(step) if epoch is None else _epoch(epoch)
                self._decisions.append(decision_json(decision))
                self._write(where, "gate.json", as_json({"decisions": self._decisions}))
            case _:
                pass

    def _write(self, where: str, name: str, text: str) -> None:
        path = self.folder / where / name
        make_private_dir(path.parent)
        write_atomic(path, utf8(text), is_durable=False)


def rollout_json(rollout: Rollout) -> dict[str, object]:
    """A rollout as one line of `rollouts.jsonl`."""
    score, error = rollout.score, rollout.error
    return {
        "task": rollout.task_id,
        "repeat": rollout.repeat,
        "skill": rollout.skill_sha,
        "score": asdict(score) if score else None,
        "error": asdict(error) if error else None,
        "answer": rollout.trajectory.answer,
        "steps": [asdict(step) for step in rollout.trajectory.steps],
        "usage": asdict(rollout.usage),
        "seconds": rollout.seconds,
    }


def lines_of(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _step(step: int) -> str:
    return f"steps/step_{step:04d}"


def _epoch(epoch: int) -> str:
    return f"slow_update/epoch_{epoch:02d}"
