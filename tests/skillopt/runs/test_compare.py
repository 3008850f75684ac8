"""Two runs are compared where they were asked the same and measured alike, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from run_lab import KEY, Lab
from test_after import plain, told

from skillopt.testing import ModelServer, toy_respond


@pytest.fixture
def two(lab: Lab) -> Lab:
    """`out` and `other`: the second began with an empty skill."""
    with ModelServer(toy_respond, key=KEY) as lab.server:
        told(lab, "train", "--set", "train.num_epochs=1")
        (lab.path / "seed.md").write_text("")
        told(lab, "train", "--set", "train.num_epochs=1", out="other")
    return lab


def compared(lab: Lab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(plain(lab, "compare", "out", "other", "--json"))
    return found


def change(lab: Lab, **values: Any) -> None:
    file = lab.path / "other" / "test" / "scores.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_what_can_be_compared_and_what_cannot(two: Lab) -> None:
    whole = two.read("test/scores.json", "other")
    assert whole["metric"] == "hard"
    assert whole["tasks"].keys() == whole["best"]["scores"].keys()
    same = compared(two)
    assert (same["gain"]["n"], same["notes"]) == (12, [])

    one, other, *_ = whole["tasks"]
    change(two, tasks={**whole["tasks"], one: "0" * 64, other: "1" * 64})
    found = compared(two)
    assert found["gain"]["n"] == 10
    assert "2 tasks have the same id" in found["notes"][0]
    assert "not compared: 2 tasks" in plain(two, "compare", "out", "other")

    for values, words in (
        ({"metric": "soft"}, "measured by hard, the second by soft"),
        ({"judge": "judge:another"}, "another judge"),
        ({"metric": ""}, "does not say what its test asked"),
    ):
        change(two, **{"tasks": whole["tasks"], "metric": "hard", "judge": "", **values})
        found = compared(two)
        assert found["gain"] == {"gain": None, "n": 0, "interval": None}
        assert words in found["notes"][0]


def test_the_test_is_written_in_the_metric_of_the_run(lab: Lab) -> None:
    for name in ("train", "val", "test"):
        file = lab.path / "data" / name / "tasks.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows:
            row["checks"].append({"op": "contains", "arg": "never said"})
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with ModelServer(toy_respond, key=KEY) as lab.server:
        summary = told(lab, "train", "--set", "evaluation.gate_metric=soft", "train.num_epochs=1")
    written = lab.read("test/scores.json")
    scores = written["seed"]["scores"].values()
    assert written["metric"] == "soft"
    assert sum(scores) / len(scores) == pytest.approx(summary["test"]["seed"]["score"])
    assert sum(scores) > 0
