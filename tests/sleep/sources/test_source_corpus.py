"""Over the labelled home: each session gets its labelled driver, source and number of words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skillopt_sleep.session import Session
from skillopt_sleep.sources.base import Reading
from skillopt_sleep.sources.forks import mark_forks
from skillopt_sleep.sources.registry import SOURCES

ROLLOUT = "rollout-2026-11-20T10-00-00-00000000-0000-0000-0000-000000000000"


def _readings(home: Path) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    for name, build in SOURCES.items():
        source = build(())
        found[name] = [source.read(path) for root in source.roots({}, home) for path in source.files(root)]
    return found


def _sessions(home: Path) -> dict[str, Session]:
    return {
        session.id: session
        for readings in _readings(home).values()
        for reading in mark_forks(readings)
        for session in reading.sessions
    }


def test_drivers_words_and_projects_are_the_labelled_ones(corpus: Path) -> None:
    truth = json.loads((corpus / "truth.json").read_text())
    sessions = _sessions(corpus / "home")
    told = {
        label["id"]: (session.source, str(session.driver), len(session.user_turns), session.project)
        for label in truth["sessions"]
        if (session := sessions[label["id"]])
    }
    assert told == {
        label["id"]: (label["source"], label["driver"], label["user_words"], label["project"])
        for label in truth["sessions"]
    }
    labelled = {label["id"] for label in truth["sessions"]}
    assert {str(s.driver) for key, s in sessions.items() if key not in labelled} == {"subagent"}


def test_every_prompt_and_correction_is_there_in_its_words(corpus: Path) -> None:
    truth = json.loads((corpus / "truth.json").read_text())
    sessions = _sessions(corpus / "home")
    for label in truth["sessions"]:
        said = [turn.text for turn in sessions[label["id"]].user_turns]
        for episode in label["episodes"]:
            assert episode["prompt"] in said
            if episode.get("say") and episode["corrected"]:
                assert episode["say"] in said


def test_forks_name_their_source_or_it_names_them(corpus: Path) -> None:
    truth = json.loads((corpus / "truth.json").read_text())
    sessions = _sessions(corpus / "home")
    for label in truth["sessions"]:
        if label["driver"] == "fork":
            assert sessions[label["id"]].fork_of == label["fork_of"]


def test_no_injected_text_becomes_a_persons_word(corpus: Path) -> None:
    truth = json.loads((corpus / "truth.json").read_text())
    assert truth["injection_needles"]
    for session in _sessions(corpus / "home").values():
        for turn in session.user_turns:
            assert not any(needle in turn.text for needle in truth["injection_needles"])


@pytest.mark.parametrize(
    ("source", "path", "skipped"),
    [
        (
            "claude",
            ".claude/projects/-home-dev-hostile/bad.jsonl",
            {"bad_json": 2, "invalid_utf8": 1, "no_user_turns": 1, "not_an_object": 4, "wrong_type": 4},
        ),
        ("claude", ".claude/projects/-home-dev-hostile/torn.jsonl", {"no_user_turns": 1, "torn_line": 1}),
        ("claude", ".claude/projects/-home-dev-hostile/empty.jsonl", {}),
        ("copilot", ".copilot/session-state/broken/events.jsonl", {"no_user_turns": 1, "wrong_type": 2}),
        (
            "codex",
            f".codex/sessions/2026/11/20/{ROLLOUT}.jsonl",
            {"bad_json": 1, "invalid_utf8": 1, "no_user_turns": 1, "not_an_object": 1, "wrong_type": 2},
        ),
    ],
)
def test_hostile_files_give_counts(corpus: Path, source: str, path: str, skipped: dict[str, int]) -> None:
    reading = SOURCES[source](()).read(corpus / "home" / path)
    assert reading.sessions == ()
    assert dict(reading.skipped) == skipped
