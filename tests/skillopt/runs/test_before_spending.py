"""What would make a run mean nothing, or cost more than was allowed, is refused before a call is made."""

from __future__ import annotations

import json

import pytest
from run_lab import KEY, Lab
from test_after import told

from skillopt.testing import ModelServer, toy_respond


def copy_task(lab: Lab, split: str, into: str) -> None:
    """A task of one split in another too, under its own id."""
    rows = (lab.path / "data" / split / "tasks.jsonl").read_text().splitlines()
    file = lab.path / "data" / into / "tasks.jsonl"
    file.write_text(file.read_text() + json.dumps({**json.loads(rows[0]), "id": "copied"}) + "\n")


@pytest.mark.parametrize(
    ("split", "into", "named"),
    [("train", "val", "selection"), ("train", "test", "test"), ("val", "test", "test")],
)
def test_held_out_tasks_that_were_seen_are_refused(lab: Lab, split: str, into: str, named: str) -> None:
    copy_task(lab, split, into)
    with ModelServer(toy_respond, key=KEY) as lab.server:
        done = lab.run("train")
        assert lab.server.requests == []
    assert done.returncode == 2
    assert f"split {named} holds 1 tasks" in done.stderr
    assert "copied" in done.stderr
    assert not lab.out.exists()


def test_a_score_on_seen_tasks_says_so(lab: Lab) -> None:
    copy_task(lab, "train", "test")
    with ModelServer(toy_respond, key=KEY) as lab.server:
        assert told(lab, "eval", "--split", "test")["leaked"] == ["copied"]
        assert told(lab, "eval", "--split", "val")["leaked"] == []
        text = lab.run("eval", "--split", "test").stdout
    assert "warning: 1 of these tasks were seen before, so their scores mean nothing: copied" in text


@pytest.mark.parametrize("command", [("train",), ("eval", "--split", "test")])
def test_a_cap_in_dollars_needs_prices(lab: Lab, command: tuple[str, ...]) -> None:
    capped = ("--set", "train.budget_usd=0.5", "model.prices=prices.yaml")
    (lab.path / "prices.yaml").write_text("big-model: [1, 2]\n")
    with ModelServer(toy_respond, key=KEY) as lab.server:
        done = lab.run(*command, *capped)
        assert lab.server.requests == []
        assert done.returncode == 2
        assert "the model small-model has no price" in done.stderr
        assert "model.prices" in done.stderr
        assert not lab.out.exists()
        (lab.path / "prices.yaml").write_text("big-model: [1, 2]\nsmall-model: [1, 2]\n")
        assert lab.run(*command, *capped).returncode == 0
