"""The state survives the store to the byte, and what is not a state is an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skillopt.core.edit import Candidate, Edit, EditOutcome, EditReport
from skillopt.core.gate import GateDecision
from skillopt.core.skill import Skill
from skillopt.core.state import Attempt, EpochRecord, StepRecord, TrainerState
from skillopt.errors import StorageError
from skillopt.events import Broadcast, EpochDone, Event, ListenerDropped
from skillopt.store.run_store import FileStore, MemoryStore

EDIT = Edit("append", "é\ud800", rationale="because", evidence=("t1", "t2"))
OTHER = Edit("delete", anchor="x")


def record(
    verdict: str, step: int = 0, current: float | None = 0.25, candidate: float | None = 0.5
) -> StepRecord:
    pairs = ()
    if current is not None and candidate is not None:
        pairs = (("a", current - 0.1, candidate - 0.1), ("b", current + 0.1, candidate + 0.1))
    decision = GateDecision(
        verdict,  # type: ignore[arg-type]
        "so",
        2,
        current,
        candidate,
        pairs,
        (-0.3, 0.7),
        dropped=("b",),
    )
    reports = (EditReport(EDIT, EditOutcome.APPLIED), EditReport(OTHER, EditOutcome.ANCHOR_NOT_FOUND))
    return StepRecord(step, 0, ("t1", "t2"), 0.1 + 0.2, 1, (Attempt("sha", reports, decision),))


def some_state() -> TrainerState:
    state = TrainerState.begin(Skill("seed\r\n", "memory"), [("agent", "a/1")])
    return state.after(record("reject"), Candidate("no", "p")).after(
        record("accept", 1), Candidate("yes", "p")
    )


def test_round_trip() -> None:
    state = some_state()
    again = TrainerState.from_json(state.to_json())
    assert again == state
    assert again.to_json() == state.to_json()
    assert again.finish().finished


def test_after() -> None:
    start = TrainerState.begin(Skill("seed"))
    rejected = start.after(record("reject"), Candidate("new", "p"))
    assert (rejected.current, rejected.best, rejected.best_score, rejected.step) == ("seed", "seed", 0.25, 1)
    assert [entry.edit for entry in rejected.rejected] == [EDIT]
    abstained = start.after(record("abstain"), Candidate("new", "p"))
    assert (abstained.current, abstained.rejected) == ("seed", ())
    accepted = start.after(record("accept"), Candidate("new", "p"))
    assert (accepted.current, accepted.best, accepted.best_score) == ("new", "new", 0.5)
    worse = accepted.after(record("accept", 1, 0.5, 0.1), Candidate("worse", "p"))
    assert (worse.current, worse.best, worse.best_score) == ("worse", "new", 0.5)
    equal = accepted.after(record("accept", 1, 0.5, 0.5), Candidate("equal", "p"))
    assert (equal.current, equal.best) == ("equal", "new")
    unmeasured = start.after(record("accept", 0, None, None), Candidate("new", "p"))
    assert (unmeasured.current, unmeasured.best, unmeasured.best_score) == ("new", "seed", None)


Look = tuple[str, dict[str, float | None]]
"""A verdict, and the candidate's score on each held-out task (None: it could not be scored)."""

SEED: dict[str, float | None] = {"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0}


def after(looks: list[Look]) -> TrainerState:
    """The state after looks at v1, v2, ... in turn."""
    state, current = TrainerState.begin(Skill("seed")), SEED
    for step, (verdict, scores) in enumerate(looks):
        valid = [(task, was, scores[task]) for task, was in current.items()]
        pairs = tuple((t, was, now) for t, was, now in valid if was is not None and now is not None)
        means = [sum(pair[side] for pair in pairs) / len(pairs) for side in (1, 2)]  # type: ignore[misc]
        decision = GateDecision(verdict, "so", len(pairs), *means, pairs)  # type: ignore[arg-type]
        text = f"v{step + 1}"
        state = state.after(
            StepRecord(step, 0, (), None, 0, (Attempt(text, (), decision),)), Candidate(text, "p")
        )
        current = scores if decision.accepted else current
    return state


NOT_SCORED = {"a": 1.0, "b": None, "c": None, "d": None}
HALF: dict[str, float | None] = {"a": 1.0, "b": 1.0, "c": 0.0, "d": 0.0}
HARDER: dict[str, float | None] = {"a": None, "b": 1.0, "c": 0.5, "d": 0.0}
LOST: dict[str, float | None] = {"a": 0.0, "b": 1.0, "c": 0.0, "d": 0.0}


@pytest.mark.parametrize(
    ("looks", "best", "score"),
    [
        pytest.param([("abstain", NOT_SCORED)], "seed", None, id="an abstention measures nothing"),
        pytest.param([("abstain", NOT_SCORED), ("accept", HALF)], "v2", 0.5, id="nor does it bar another"),
        pytest.param([("accept", HALF), ("accept", HARDER)], "v2", 0.5, id="better on the tasks both did"),
        pytest.param([("accept", HALF), ("accept", LOST)], "v1", 0.5, id="accepted, and worse"),
        pytest.param([("accept", HALF), ("accept", LOST), ("accept", HARDER)], "v3", 0.5, id="than best"),
        pytest.param([("accept", HALF), ("accept", LOST), ("accept", HALF)], "v1", 0.5, id="as good as best"),
        pytest.param([("reject", LOST), ("accept", HALF)], "v2", 0.5, id="after a rejection"),
    ],
)  # fmt: skip
def test_the_best_skill_is_chosen_task_against_task(
    looks: list[Look], best: str, score: float | None
) -> None:
    state = after(looks)
    assert (state.best, state.best_score) == (best, score if score is None else pytest.approx(score))
    assert TrainerState.from_json(state.to_json()) == state


def test_a_state_of_the_version_before_is_read() -> None:
    data = json.loads(some_state().to_json())
    del data["best_scores"]
    state = TrainerState.from_json(json.dumps({**data, "version": 2}))
    assert (state.best, state.best_scores) == ("yes", ())


def damage(change: Callable[[Any], None]) -> str:
    data = json.loads(some_state().to_json())
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "damaged"),
        (some_state().to_json()[:200], "damaged"),
        ("[" * 100_000, "damaged"),
        ("[]", "not written by the trainer"),
        ('{"schema": "other"}', "not written by the trainer"),
        (damage(lambda d: d.update(version=1)), "version 1"),
        (damage(lambda d: d.update(extra=1)), "damaged"),
        (damage(lambda d: d.pop("best")), "damaged"),
        (damage(lambda d: d.update(best_scores=[["a", None]])), "damaged"),
        (damage(lambda d: d.update(step="2")), "damaged"),
        (damage(lambda d: d.update(step=3)), "damaged"),
        (damage(lambda d: d.update(current=None)), "damaged"),
        (damage(lambda d: d.update(kind="x")), "damaged"),
        (damage(lambda d: d.update(history=None)), "damaged"),
        (damage(lambda d: d["history"][0].update(attempts=[])), "damaged"),
        (damage(lambda d: d["history"][0]["attempts"][0]["decision"].update(verdict="maybe")), "damaged"),
        (damage(lambda d: d["history"][0]["attempts"][0]["decision"].update(pairs=[[1]])), "damaged"),
        (damage(lambda d: d["history"][0]["attempts"][0]["reports"][0].update(outcome="x")), "damaged"),
        (damage(lambda d: d["rejected"][0]["edit"].update(op="rm")), "damaged"),
    ],
)
def test_what_is_not_a_state(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(StorageError, match=message):
        TrainerState.from_json(text)
    store = FileStore(tmp_path)
    store.path.write_text(text)
    with pytest.raises(StorageError, match=message) as caught:
        store.load()
    assert str(store.path) in caught.value.what
    assert store.path.read_text() == text


def test_stores(tmp_path: Path) -> None:
    for store in (MemoryStore(), FileStore(tmp_path / "new" / "run")):
        assert store.load() is None
        store.save(some_state())
        assert store.load() == some_state()
    path = tmp_path / "new" / "run" / "runtime_state.json"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / "runtime_state.json").write_bytes(b"\xff")
    with pytest.raises(StorageError, match="cannot read"):
        FileStore(tmp_path).load()


def test_a_listener_that_raises_is_dropped_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise OSError("full")

    tell = Broadcast([broken, heard.append, broken])
    tell(EpochDone(0, "s", EpochRecord(0)))
    tell(EpochDone(1, "s", EpochRecord(1)))
    assert [event for event in heard if isinstance(event, EpochDone)] == [
        EpochDone(0, "s", EpochRecord(0)),
        EpochDone(1, "s", EpochRecord(1)),
    ]
    assert len([event for event in heard if isinstance(event, ListenerDropped)]) == 2
    assert "was dropped" in caplog.text
