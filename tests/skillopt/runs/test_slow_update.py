"""Guidance that cannot be had costs a run nothing but the guidance."""

from __future__ import annotations

import json

import pytest
from run_lab import FOLDERS, KEY, Lab
from test_after import told

from skillopt.testing import Fault, ModelServer, ServerRequest
from skillopt.testing.server import Reply


@pytest.fixture
def slow(lab: Lab) -> Lab:
    """Tasks of which one more is learned in each step."""
    for name in FOLDERS.values():
        rows = [{"id": f"{name}{i}", "input": f"q{i} of {name}", "expected_output": "ok"} for i in range(4)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (lab.path / "data" / name / "tasks.jsonl").write_text(text)
    return lab


def respond(request: ServerRequest) -> Reply:
    if request.stage == "target":
        return "ok" if request.user[:2] in request.system else "no"
    skill = request.user.partition("<skill>")[2].partition("</skill>")[0]
    n = sum(f"q{i}" in skill for i in range(4))
    edit = {"op": "append", "anchor": "", "text": f"- q{n}", "rationale": "", "evidence": []}
    return json.dumps({"reasoning": "", "edits": [edit], "keep": [0], "note": "n", "guidance": "be kind"})


@pytest.mark.parametrize("is_gated", ["true", "false"])
@pytest.mark.parametrize(
    "instead",
    [Fault(status=400, message="the maximum context length is 32768 tokens"), "I would rather write prose."],
    ids=["refused", "prose"],
)
def test_a_run_goes_on_without_guidance(slow: Lab, instead: Reply, is_gated: str) -> None:
    words = ("--set", "train.batch_size=4", f"optimizer.slow_update_gated={is_gated}")
    with ModelServer(lambda r: instead if r.stage == "slow_update" else respond(r), key=KEY) as slow.server:
        summary = told(slow, "train", *words)
        assert any(request.stage == "slow_update" for request in slow.server.requests)
    assert summary["epochs"] == 2
    assert summary["test"]["best"]["score"] == 0.5
    result = slow.read("slow_update/epoch_01/result.json")
    assert result["slow_update"] is None
    assert set(result["outcomes"].values()) == {"improved", "stable_success", "persistent_failure"}
    assert "be kind" not in (slow.out / "best_skill.md").read_text()


def test_an_outage_stops_it_where_it_goes_on_later(slow: Lab) -> None:
    down = Fault(status=503, message="over capacity")
    with ModelServer(lambda r: down if r.stage == "slow_update" else respond(r), key=KEY) as slow.server:
        done = slow.run("train", "--set", "train.batch_size=4", "model.patience_s=1")
        assert done.returncode == 4
        slow.server.respond = respond
        told(slow, "train", "--set", "train.batch_size=4")
    assert slow.read("slow_update/epoch_01/result.json")["slow_update"]["verdict"] == "reject"
