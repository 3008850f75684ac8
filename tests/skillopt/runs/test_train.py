"""`skillopt train` from outside, against a server on loopback: the same bytes whatever happens on the way."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from run_lab import KEY, Lab

from skillopt.testing import Fault, ModelServer, toy_respond
from skillopt.testing.server import Respond, mangled, rate_limited, refusing, sometimes, window

DROP, HALF = Fault("drop"), Fault("half")


def trained(lab: Lab, *words: str, respond: Respond = toy_respond, out: str = "out") -> ModelServer:
    with ModelServer(respond, key=KEY) as lab.server:
        done = lab.run("train", *words, out=out)
    assert done.returncode == 0, done.stderr
    assert not lab.server.errors
    return lab.server


def test_a_run_reaches_the_ceiling_and_pays_for_nothing_twice(lab: Lab) -> None:
    server = trained(lab, "--json")
    summary = lab.read("summary.json")
    assert summary["selection"]["best"]["score"] == 1.0
    assert summary["test"]["best"] == {"score": 1.0, "n": 12, "interval": [0.735352, 1.0], "n_missing": 0} | {
        "interval": summary["test"]["best"]["interval"]
    }
    assert summary["test"]["seed"]["score"] < 0.5
    assert len(server.requests) <= 190
    assert max(Counter(request.user + request.system for request in server.requests).values()) == 1
    assert sum(row["calls"] for row in summary["spend"]) == len(server.requests)


def test_the_folder_of_a_run(lab: Lab) -> None:
    trained(lab)
    names = {str(path.relative_to(lab.out)) for path in lab.out.rglob("*") if path.is_file()}
    wanted = {"config.yaml", "runtime_state.json", "history.json", "events.jsonl", "summary.json"}
    wanted |= {"best_skill.md", "skills/skill_v0000.md", "skills/skill_v0001.md", "cache.sqlite"}
    wanted |= {"test/scores.json", "test/rollouts.jsonl", "meta_skill/epoch_00/note.md"}
    step: tuple[str, ...] = (
        "rollouts.jsonl",
        "patches/minibatches.jsonl",
        "merged_patch.json",
        "selected.json",
    )
    wanted |= {
        f"steps/step_0000/{name}" for name in (*step, "edit_report.json", "candidate_skill.md", "gate.json")
    }
    assert wanted <= names
    assert (lab.out / "best_skill.md").read_text() != (lab.path / "seed.md").read_text()
    modes = {path.stat().st_mode & 0o777 for path in lab.out.rglob("*")}
    assert modes == {0o600, 0o700}
    secrets = [path for path in lab.out.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert secrets == []
    for line in (lab.out / "events.jsonl").read_text().splitlines():
        assert {"time", "event"} <= json.loads(line).keys()


def test_workers_and_the_order_of_answers_change_nothing(lab: Lab) -> None:
    results = set()
    for workers in (1, 8, 32):
        out = f"out{workers}"
        with ModelServer(toy_respond, key=KEY, latency_s=(0.0, 0.02), seed=workers) as lab.server:
            done = lab.run(
                "train", "--set", f"env.workers={workers}", f"gradient.analyst_workers={workers}", out=out
            )
        assert done.returncode == 0, done.stderr
        results.add(lab.result(out))
    assert len(results) == 1


def test_a_run_killed_at_any_request_ends_with_the_same_bytes(lab: Lab) -> None:
    trained(lab, out="whole")
    draw = random.Random(7)
    kills = 0
    with ModelServer(toy_respond, key=KEY, latency_s=0.005) as lab.server:
        while True:
            process = lab.start("train", "--quiet")
            stop_at = len(lab.server.requests) + draw.randint(1, 30)
            while process.poll() is None and (kills >= 8 or len(lab.server.requests) < stop_at):
                time.sleep(0.001)
            if process.poll() is not None:
                break
            process.kill()
            process.communicate()
            kills += 1
        stderr = process.communicate()[1]
    assert process.returncode == 0, stderr
    assert kills == 8
    assert lab.result() == lab.result("whole")
    again = Counter(request.user + request.system for request in lab.server.requests)
    # Only what was under way when the process died is asked again: eight workers, eight kills.
    assert sum(again.values()) - len(again) <= 8 * kills
    assert lab.read("summary.json")["test"] == lab.read("summary.json", "whole")["test"]


@pytest.mark.parametrize(
    "respond",
    [
        rate_limited(toy_respond, share=0.3, after_s=0.02),
        rate_limited(toy_respond, share=0.1),
        window(toy_respond, 40, 46, fault=Fault(status=500)),
        window(toy_respond, 40, 46, fault=Fault(status=503)),
        sometimes(toy_respond, 0.05, DROP),
        sometimes(toy_respond, 0.05, HALF),
        sometimes(toy_respond, 0.05, Fault("garbage", message="<html>")),
        mangled(toy_respond, 1.0, how="fenced", stages=("reflect", "aggregate", "select")),
    ],
    ids=["429-after", "429", "500", "503", "drop", "half", "garbage", "fenced"],
)
def test_a_provider_in_trouble_changes_nothing(lab: Lab, respond: Respond) -> None:
    trained(lab, out="whole")
    trained(lab, respond=respond)
    assert lab.result() == lab.result("whole")
    assert all(n["error"] is None for n in rollouts(lab))


def test_hangs_are_given_up_and_asked_again(lab: Lab) -> None:
    trained(lab, out="whole")
    trained(lab, "--set", "model.timeout_s=1", respond=sometimes(toy_respond, 0.03, Fault("hang")))
    assert lab.result() == lab.result("whole")


@pytest.mark.parametrize("how", ["malformed", "wrong_shape", "empty", "truncated"])
def test_replies_that_cannot_be_used_cost_a_repair_and_are_never_a_score(lab: Lab, how: str) -> None:
    respond = mangled(toy_respond, 0.3, how=how, stages=("reflect", "aggregate", "select", "meta_skill"))  # type: ignore[arg-type]
    with ModelServer(respond, key=KEY) as lab.server:
        for _ in range(6):
            done = lab.run("train", "--quiet")
            if done.returncode != 4:
                break
            assert "cannot be used" in done.stderr
    assert done.returncode == 0, done.stderr
    summary = lab.read("summary.json")
    assert summary["test"]["best"]["score"] > summary["test"]["seed"]["score"]


def rollouts(lab: Lab) -> list[dict[str, object]]:
    files = sorted((lab.out / "steps").glob("*/rollouts.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_a_request_that_is_refused_is_an_error_and_not_a_zero(lab: Lab) -> None:
    respond = refusing(toy_respond, lambda request: request.stage == "target" and "Lisbon" in request.user)
    server = trained(lab, respond=respond)
    failed = [row for row in rollouts(lab) if row["error"]]
    assert failed
    assert all(row["score"] is None for row in failed)
    assert "HTTP 400" in str(failed[0]["error"])
    refused = [
        request for request in server.requests if request.stage == "target" and "Lisbon" in request.user
    ]
    # Asked once with each skill, never again within the process.
    assert len({(request.user, request.system) for request in refused}) == len(refused)
    for decision in decisions(lab):
        assert all(0.0 <= before <= 1.0 for _, before, _ in decision["pairs"])


def decisions(lab: Lab) -> list[dict[str, list[tuple[str, float, float]]]]:
    return [attempt for step in lab.read("history.json")["steps"] for attempt in step["attempts"]]


def test_too_many_errors_make_the_gate_abstain(lab: Lab) -> None:
    held_out = {
        json.loads(line)["input"] for line in (lab.path / "data/val/tasks.jsonl").read_text().splitlines()
    }
    broken = set(sorted(held_out)[:4])
    trained(lab, respond=refusing(toy_respond, lambda request: request.user in broken))
    verdicts = {step["attempts"][-1]["verdict"] for step in lab.read("history.json")["steps"]}
    assert "accept" not in verdicts
    assert "abstain" in verdicts
    assert lab.read("summary.json")["selection"]["seed"]["n_missing"] == 4
    assert (lab.out / "best_skill.md").read_bytes() == (lab.path / "seed.md").read_bytes()


def test_a_wrong_key_stops_at_once_and_the_right_one_goes_on(lab: Lab) -> None:
    lab.key = "a-wrong-key-0815"
    with ModelServer(toy_respond, key=KEY) as lab.server:
        done = lab.run("train")
        assert done.returncode == 4
        assert "OPENAI_API_KEY" in done.stderr
        assert lab.key not in done.stderr
        assert len(lab.server.requests) <= 8
        lab.key = KEY
        assert lab.run("train").returncode == 0
    assert lab.read("summary.json")["test"]["best"]["score"] == 1.0


def test_a_step_whose_optimizer_was_down_is_not_done(lab: Lab) -> None:
    trained(lab, out="whole")
    down = refusing(toy_respond, lambda request: request.stage == "reflect", fault=Fault(status=503))
    with ModelServer(down, key=KEY) as lab.server:
        done = lab.run("train", "--set", "model.patience_s=1")
        assert done.returncode == 4
        assert not (lab.out / "runtime_state.json").exists()
        lab.server.respond = toy_respond
        before = len(lab.server.requests)
        assert lab.run("train").returncode == 0
        again = [request for request in lab.server.requests[before:] if request.stage == "target"]
        # The batch and the seed's held-out tasks were answered before.
        assert len(again) + 8 + 12 == sum(
            row["calls"] for row in lab.read("summary.json")["spend"] if row["role"] == "target"
        )
    assert lab.result() == lab.result("whole")


def test_a_cap_stops_the_run_and_more_money_resumes_it(lab: Lab) -> None:
    whole = trained(lab, out="whole")
    with ModelServer(toy_respond, key=KEY) as lab.server:
        done = lab.run("train", "--set", "train.budget_calls=60")
        assert done.returncode == 7, done.stderr
        assert len(lab.server.requests) == 60
        assert lab.run("train", "--set", "train.budget_calls=60").returncode == 7
        assert len(lab.server.requests) == 60
        assert lab.run("train").returncode == 0
        assert len(lab.server.requests) == len(whole.requests)
    assert lab.result() == lab.result("whole")


def state_of(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_finished_run_is_told_again_and_another_configuration_is_refused(lab: Lab) -> None:
    server = trained(lab)
    before = state_of(lab.out)
    assert lab.run("train").returncode == 0
    # What cannot change a result may differ.
    assert (
        lab.run("train", "--set", "env.workers=2", "model.timeout_s=7", "train.budget_calls=500").returncode
        == 0
    )
    done = lab.run("train", "--set", "train.num_epochs=3", "evaluation.gate=always")
    assert done.returncode == 2
    assert "train.num_epochs was 2, is 3" in done.stderr
    assert "evaluation.gate was strict, is always" in done.stderr
    (lab.path / "seed.md").write_text("Another seed.\n")
    done = lab.run("train")
    assert done.returncode == 2
    assert "another skill" in done.stderr
    assert state_of(lab.out) == before
    assert server.n_paid == len(server.requests)


@pytest.mark.parametrize("change", ["seed.md", "data/train/tasks.jsonl", "data/test/tasks.jsonl"])
def test_other_tasks_or_another_seed_skill_are_refused(lab: Lab, change: str) -> None:
    with ModelServer(toy_respond, key=KEY) as lab.server:
        assert lab.run("train", "--set", "train.budget_calls=80").returncode == 7
        path = lab.path / change
        path.write_text(path.read_text().replace("Give the", "Tell the").replace("House", "Home"))
        before = state_of(lab.out)
        done = lab.run("train")
        assert done.returncode == 2
        assert "another" in done.stderr
        after = state_of(lab.out)
    assert after == before


@pytest.mark.parametrize("damage", ["truncated", "foreign", "newer", "empty"])
def test_a_state_that_cannot_be_read_is_refused_and_kept(lab: Lab, damage: str) -> None:
    trained(lab)
    state = lab.out / "runtime_state.json"
    whole = state.read_text()
    state.write_text(
        {
            "truncated": whole[: len(whole) // 2],
            "foreign": '{"hello": 1}',
            "newer": whole.replace('"version": 3', '"version": 99'),
            "empty": "",
        }[damage]
    )
    kept = state.read_text()
    done = lab.run("train")
    assert done.returncode == 1
    assert str(state) in done.stderr
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr
    assert state.read_text() == kept


def test_one_process_owns_a_run(lab: Lab) -> None:
    with ModelServer(toy_respond, key=KEY, latency_s=0.1) as lab.server:
        first = lab.start("train", "--quiet")
        while not lab.server.requests:
            time.sleep(0.005)
        second = lab.run("train")
        assert second.returncode == 5
        assert f"process {first.pid}" in second.stderr
        first.kill()
        first.communicate()


def test_a_folder_with_other_things_is_left_alone(lab: Lab) -> None:
    (lab.out).mkdir()
    (lab.out / "thesis.txt").write_text("dear")
    done = lab.run("train")
    assert done.returncode == 2
    assert "thesis.txt" in done.stderr
    assert [path.name for path in lab.out.iterdir()] == ["thesis.txt"]
