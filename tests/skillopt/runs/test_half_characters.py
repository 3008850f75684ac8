"""Half a character, as a model may spell one, never stops a run, and one that was kept before neither."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from run_lab import KEY, Lab
from test_after import told

from skillopt.core.edit import Candidate, Edit, EditOutcome, EditReport, Patch
from skillopt.core.gate import GateDecision
from skillopt.core.rollout import Rollout, Score, Trajectory
from skillopt.core.skill import Skill
from skillopt.core.state import Attempt, EpochRecord, StepRecord, TrainerState
from skillopt.events import EditsProposed, GateDecided, Reflected, RolloutsDone
from skillopt.runs.event_log import EventLog
from skillopt.runs.folder import FolderStore
from skillopt.runs.step_files import StepFiles
from skillopt.testing import ModelServer, ServerRequest, toy_respond

EDIT = {"op": "append", "anchor": "", "text": "- be brief", "rationale": "", "evidence": []}


@pytest.mark.parametrize("where", ["answer", "text", "rationale", "evidence", "reasoning", "note"])
def test_a_reply_with_one(lab: Lab, where: str) -> None:
    def respond(request: ServerRequest) -> str:
        if request.stage == "target":
            return "so \ud83d" if where == "answer" else "so"
        edit = {**EDIT, **({where: "- so \udc00"} if where in EDIT else {})}
        if where == "evidence":
            edit["evidence"] = ["\ud83d"]
        said = {"reasoning": "", "edits": [edit], "keep": [0], "note": "n", "guidance": "g"}
        return json.dumps({**said, **({where: "\udfff"} if where in said else {})})

    with ModelServer(respond, key=KEY) as lab.server:
        told(lab, "train")
    written = "".join(path.read_text() for path in lab.out.rglob("*.json*"))
    assert "\ufffd" in written


OLD = Edit("append", "- so", rationale="\udc00", evidence=("\ud83d",))
PATCH = Patch((OLD,), "\ud800")


def test_a_run_that_holds_one_already(tmp_path: Path) -> None:
    decision = GateDecision("reject", "\ud83d", 1, 0.0, 0.0, (("\ud83d", 0.0, 0.0),))
    attempt = Attempt("sha", (EditReport(OLD, EditOutcome.APPLIED),), decision)
    state = TrainerState.begin(Skill("seed")).after(
        StepRecord(0, 0, ("\ud83d",), 0.0, 0, (attempt,)), Candidate("x", "p")
    )
    state = state.after_epoch(EpochRecord(0, (("\ud83d", "improved"),), attempt, "note \udc00"), "x")
    store = FolderStore(tmp_path / "run")
    store.save(state)
    assert store.load() == state
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert history["steps"][0]["attempts"][0]["edits"][0]["rationale"] == "\udc00"
    assert (tmp_path / "run" / "meta_skill/epoch_00/note.md").read_text() == "note \\udc00\n"

    rollout = Rollout("t", "s", Trajectory((), "half \ud83d"), Score(0, 0))
    for event in (
        RolloutsDone(0, (rollout,)),
        Reflected(0, (PATCH,)),
        EditsProposed(0, PATCH),
        GateDecided(0, decision),
    ):
        StepFiles(tmp_path / "run")(event)
        EventLog(tmp_path / "run" / "events.jsonl")(event)
    (line,) = (tmp_path / "run/steps/step_0000/rollouts.jsonl").read_text().splitlines()
    assert json.loads(line)["answer"] == "half \ud83d"


def test_a_kept_answer_with_one_is_gone_on_with(lab: Lab) -> None:
    with ModelServer(toy_respond, key=KEY) as lab.server:
        assert lab.run("train", "--set", "train.budget_calls=30").returncode == 7
        with_half_characters(lab.out / "cache.sqlite")
        told(lab, "train")


def with_half_characters(cache: Path) -> None:
    """Every answer and reply that is kept in `cache`, with half a character behind it."""
    connection = sqlite3.connect(cache)
    for table, where in (("rollouts", ("trajectory", "answer")), ("calls", ("reply", "text"))):
        for (text,) in connection.execute(f"SELECT body FROM {table}").fetchall():  # noqa: S608
            body = json.loads(text)
            body[where[0]][where[1]] += " \ud83d"
            connection.execute(f"UPDATE {table} SET body = ? WHERE body = ?", (json.dumps(body), text))  # noqa: S608
    connection.commit()
    connection.close()
