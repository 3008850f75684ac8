"""A judge is part of what a score depends on: another one scores anew."""

from __future__ import annotations

import json

import pytest
from run_lab import FOLDERS, KEY, Lab
from test_after import told

from skillopt.testing import ModelServer, ServerRequest


def respond(request: ServerRequest) -> str:
    if request.stage == "judge":
        return json.dumps({"score": 1.0 if request.body["model"] == "lenient" else 0.0, "reason": "so"})
    if request.stage == "target":
        return "hello"
    return json.dumps({"reasoning": "", "edits": [], "note": "n"})


@pytest.fixture
def judged(lab: Lab) -> Lab:
    for name in FOLDERS.values():
        rows = [{"id": f"{name}{i}", "input": f"say {i} of {name}", "judge": "polite?"} for i in range(2)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (lab.path / "data" / name / "tasks.jsonl").write_text(text)
    return lab


def test_another_judge_scores_anew_and_asks_the_agent_nothing_again(judged: Lab) -> None:
    with ModelServer(respond, key=KEY) as judged.server:
        by_judge = {
            judge: told(judged, "eval", "--split", "test", "--set", f"model.judge={judge}")
            for judge in ("lenient", "strict", "lenient")
        }
        stages = [request.stage for request in judged.server.requests]
    assert {judge: report["score"]["score"] for judge, report in by_judge.items()} == {
        "lenient": 1.0,
        "strict": 0.0,
    }
    assert (stages.count("target"), stages.count("judge")) == (2, 4)
    assert by_judge["lenient"]["paid"] == 0


def test_the_toy_is_no_judge(judged: Lab) -> None:
    done = judged.run("train", "--set", "model.optimizer_backend=toy")
    assert done.returncode == 2
    assert "toy is no judge" in done.stderr
    assert not judged.out.exists()


def test_a_run_begun_under_one_judge_is_scored_by_the_judge_it_goes_on_with(judged: Lab) -> None:
    def unable(request: ServerRequest) -> str:
        return "no object" if request.stage == "reflect" else respond(request)

    with ModelServer(unable, key=KEY) as judged.server:
        assert judged.run("train", "--set", "model.judge=lenient", "train.budget_calls=7").returncode == 7
        judged.server.respond = respond
        summary = told(judged, "train", "--set", "model.judge=strict")
    assert summary["selection"]["seed"]["score"] == 0.0
    assert summary["test"]["seed"]["score"] == 0.0
