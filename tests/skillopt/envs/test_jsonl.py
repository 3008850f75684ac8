"""One's own tasks: what rows may say, how they are scored, and what is wrong with those that are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skillopt.agents.chat import ChatAgent
from skillopt.core.rollout import Trajectory
from skillopt.core.skill import Skill
from skillopt.core.task import Split
from skillopt.envs.jsonl import JsonlEnvironment
from skillopt.errors import ConfigError, ReplyError
from skillopt.protocols import ModelReply
from skillopt.scoring.judge import Judge
from skillopt.scoring.metrics import token_f1
from skillopt.testing import ScriptedModel

pytestmark = pytest.mark.anyio


def write(folder: Path, **splits: list[dict[str, Any]] | str) -> Path:
    for name, rows in splits.items():
        (folder / name).mkdir(parents=True)
        text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
        (folder / name / "tasks.jsonl").write_text(text)
    return folder


def row(task_id: str, **more: Any) -> dict[str, Any]:
    return {"id": task_id, "input": f"ask {task_id}", **(more or {"expected_output": "yes"})}


@pytest.mark.parametrize("selection", ["val", "selection", "valid_seen"])
async def test_splits_come_from_folders(tmp_path: Path, selection: str) -> None:
    folder = write(tmp_path, train=[row("a"), row("b")], **{selection: [row("c")]}, test=[row("d")])
    (folder / "train" / "README.md").write_text("not read")
    environment = JsonlEnvironment.load(folder)
    assert [[t.id for t in environment.tasks(split)] for split in Split] == [["a", "b"], ["c"], ["d"]]


async def test_one_file_is_dealt_by_ratio(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    file.write_text("\n".join(json.dumps(row(str(i))) for i in range(10)))
    environment = JsonlEnvironment.load(file)
    assert [len(environment.tasks(split)) for split in Split] == [2, 1, 7]


@pytest.mark.parametrize(
    ("ask", "answer", "hard", "soft"),
    [
        ({"expected_output": "Yes"}, "I think <answer> yes </answer>", 1, 1),
        ({"expected_output": ["no", "nope"]}, "nope", 1, 1),
        ({"expected_output": "yes"}, "yes indeed", 0, 0),
        ({"expected_output": "the red fox", "metric": "f1"}, "A red dog", 0, 0.5),
        ({"expected_output": "the red fox", "metric": "f1"}, "red fox!", 1, 1),
        ({"expected_output": 1234.5, "metric": "number"}, "about 1,234.5", 1, 1),
        ({"expected_output": "fox", "metric": "contains"}, "a foxhole, fox", 1, 1),
        ({"expected_output": {"a": 1, "b": 2}, "metric": "json"}, '```json\n{"b": 2, "a": 1}\n```', 1, 1),
        ({"expected_output": {"a": 1, "b": 2}, "metric": "json"}, '{"a": 1}', 0, 0.5),
        ({"expected_output": {"a": 1}, "metric": "json"}, "not json", 0, 0),
        ({"checks": [{"op": "contains", "arg": "x"}, {"op": "max_chars", "arg": 3}]}, "x and more", 0, 0.5),
    ],
)
async def test_rows_are_scored_as_they_say(
    tmp_path: Path, ask: dict[str, Any], answer: str, hard: float, soft: float
) -> None:
    folder = write(tmp_path, train=[row("a", **ask)], val=[row("b")], test=[row("c")])
    environment = JsonlEnvironment.load(folder)
    (task,) = environment.tasks(Split.TRAIN)
    score = await environment.scorer.score(task, Trajectory((), answer))
    assert (score.hard, score.soft) == (hard, pytest.approx(soft))


async def test_a_judge_scores_by_its_rubric_or_not_at_all(tmp_path: Path) -> None:
    folder = write(tmp_path, train=[row("a", judge="polite?")], val=[row("b")], test=[row("c")])
    model = ScriptedModel(['{"score": 0.5, "reason": "half"}', '{"score": 7}', "no"])
    environment = JsonlEnvironment.load(folder, judge=Judge(model))
    (task,) = environment.tasks(Split.TRAIN)
    assert environment.needs_judge
    score = await environment.scorer.score(task, Trajectory((), "hello"))
    assert (score.hard, score.soft, score.detail) == (0.0, 0.5, "half")
    assert "polite?" in model.requests[0].user
    with pytest.raises(ReplyError):
        await environment.scorer.score(task, Trajectory((), "hello"))
    with pytest.raises(ConfigError, match="needs a judge"):
        await JsonlEnvironment.load(folder).scorer.score(task, Trajectory((), "hello"))


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ({"train": [row("a")], "val": [row("b")]}, "no folder test/"),
        ({"train": [row("a")], "val": [row("b")], "test": ""}, "test .* has no tasks"),
        ({"train": [row("a"), row("a")], "val": [row("b")], "test": [row("c")]}, "occur twice"),
        ({"train": [row("a")], "val": [row("a")], "test": [row("c")]}, "tasks are in train and in selection"),
        ({"train": "{", "val": [row("b")], "test": [row("c")]}, r"tasks.jsonl:1: the line is not JSON"),
        ({"train": "[1]", "val": [row("b")], "test": [row("c")]}, "a task is an object"),
        ({"train": [{"input": "x"}], "val": [row("b")], "test": [row("c")]}, "no id"),
        ({"train": [{"id": "x"}], "val": [row("b")], "test": [row("c")]}, "no input"),
        ({"train": [row("a", expected="x")], "val": [row("b")], "test": [row("c")]}, "must have one of"),
        ({"train": [row("a", expected_output="x", judge="y")]}, "must have one of"),
        ({"train": [row("a", checks=[{"op": "containz", "arg": "x"}])]}, "unknown check containz"),
        ({"train": [row("a", checks=[])]}, "checks must be a list"),
        ({"train": [row("a", expected_output="x", metric="bleu")]}, "unknown metric"),
        ({"train": [row("a", expected_output="x", metric="number")]}, "bad argument"),
        ({"train": [row("a", judge=1)]}, "rubric"),
        ({"train": [row("a")], "val": [row("b")], "selection": [row("d")], "test": [row("c")]}, "has both"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, splits: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        JsonlEnvironment.load(write(tmp_path, **splits))


def test_without_files_there_are_no_tasks(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no tasks at"):
        JsonlEnvironment.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("said", "wanted", "f1"), [("", "", 1), ("a the", "", 1), ("x", "", 0), ("a b", "b c", 2 / 3)]
)
def test_f1_is_that_of_squad(said: str, wanted: str, f1: float) -> None:
    assert token_f1(said, wanted) == pytest.approx(f1)


async def test_a_chat_agent_answers_with_the_skill_as_system_prompt(tmp_path: Path) -> None:
    folder = write(tmp_path, train=[row("a")], val=[row("b")], test=[row("c")])
    (task,) = JsonlEnvironment.load(folder).tasks(Split.TRAIN)
    model = ScriptedModel([ModelReply("yes", is_cut=True)])
    trajectory = await ChatAgent(model).run(task, Skill("# Be brief\n"), repeat=3)
    assert trajectory.answer == "yes"
    (request,) = model.requests
    assert (request.system, request.user, request.attempt) == ("# Be brief\n", "ask a", 3)
