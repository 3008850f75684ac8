"""What a person is told of a run, line by line."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from skillopt.cli.run_text import summary_lines
from skillopt.core.gate import Evaluation, Rules, compare
from skillopt.core.rollout import Rollout, Score, Trajectory
from skillopt.core.skill import Skill
from skillopt.core.state import TrainerState
from skillopt.core.task import Split
from skillopt.runs.progress import decision_line
from skillopt.runs.summary import summarize
from skillopt.runs.timeline import Timeline


def evaluation(split: Split, score: float, leaked: tuple[str, ...] = ()) -> Evaluation:
    rollouts = tuple(Rollout(f"t{i}", "s", Trajectory(), Score(score, score)) for i in range(3))
    return Evaluation("s", split, rollouts, leaked)


def test_an_abstention_says_why() -> None:
    seed, better = (evaluation(Split.SELECTION, score, ("t1",)) for score in (0.0, 1.0))
    line = decision_line(compare(seed, better, Rules()))
    assert line.startswith("0.000 -> 1.000 (n=3, ")
    assert "abstain (held-out tasks are also in training, so their scores mean nothing: t1)" in line
    unseen = (evaluation(Split.SELECTION, score) for score in (0.0, 1.0))
    assert decision_line(compare(*unseen, Rules())).endswith("accept")


def test_a_summary_tells_which_tasks_were_seen() -> None:
    summary = summarize(
        "run",
        TrainerState.begin(Skill("")).finish(),
        selection=[evaluation(Split.SELECTION, 1.0)] * 3,
        test=[evaluation(Split.TEST, 1.0, ("t0", "t2"))] * 3,
        n_tasks=(3, 3),
        calls=(),
        timeline=Timeline(),
        wall_s=0.0,
        metric="hard",
        weight=0.5,
        confidence=0.95,
    )
    assert (summary.selection.leaked, summary.test.leaked) == ((), ("t0", "t2"))
    told = asdict(summary)
    lines = summary_lines(told, Path("run"))
    warnings = [line for line in lines if "warning" in line]
    assert warnings == ["  warning: 2 of these tasks were seen before, so their scores mean nothing: t0, t2"]
    del told["selection"]["leaked"], told["test"]["leaked"]  # as an earlier version wrote it
    assert len(summary_lines(told, Path("run"))) == len(lines) - 1
