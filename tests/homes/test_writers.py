"""The writers write what the clients write, and the homes built with them are what their truth says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import pytest
from build import build_home, make_projects
from world import WORLDS_DIR, lines, load_world, world_names

from skillopt_sleep.experiments.writers import (
    Compaction,
    Prompt,
    Queued,
    Said,
    Script,
    Slash,
    Subagent,
    Tool,
    fork_claude_code,
    write_claude_code,
    write_codex,
    write_copilot_cli,
)
from skillopt_sleep.session import Action, AgentText, Outcome, Session
from skillopt_sleep.sources.base import Reading
from skillopt_sleep.sources.forks import mark_forks
from skillopt_sleep.sources.registry import SOURCES

Json: TypeAlias = dict[str, Any]
Write: TypeAlias = Callable[[Script, Path, Random], Path]

REAL = Path(__file__).parents[1] / "fixtures" / "transcripts"
SESSION_ID = "5f1d3b0e-7a52-4c1e-9d7c-0123456789ab"
WRITERS: dict[str, tuple[str, Write, str]] = {
    "claude": ("claude", write_claude_code, "claude/2.1.329"),
    "claude_old": (
        "claude",
        lambda script, home, rng: write_claude_code(script, home, rng, old=True),
        "claude/2.0.31",
    ),
    "codex": ("codex", write_codex, "codex/0.169.0"),
    "codex_old": (
        "codex",
        lambda script, home, rng: write_codex(script, home, rng, old=True),
        "codex/0.77.0",
    ),
    "copilot": ("copilot", write_copilot_cli, "copilot/1.0.102"),
}
UNSEEN = {
    "claude": set[str](),
    "claude_old": {
        "system/local_command",
        "system/compact_boundary",
        "user.isCompactSummary",
        "user.isVisibleInTranscriptOnly",
    },
    "codex": set[str](),
    "codex_old": {
        "event_msg/turn_aborted",
        "event_msg/patch_apply_end",
        "response_item/custom_tool_call",
        "response_item/custom_tool_call_output",
        "compacted",
    },
    "copilot": {"abort", "session.compaction_complete"},
}
"""Records and fields no real file of that version shows: they are written from the documented format."""


def script(*, headless: bool = False, code_mode: bool = False) -> Script:
    return Script(
        session_id=SESSION_ID,
        cwd="/home/dev/web.app",
        started_at=datetime(2026, 11, 3, 9, 30, tzinfo=UTC),
        headless=headless,
        code_mode=code_mode,
        steps=(
            Prompt("add zod"),
            Said("On it."),
            Tool("read", "package.json", output="{}"),
            Tool("run", "npm install zod", fate="rejected", words="yarn, not npm"),
            Tool("run", "yarn add zod", output="added"),
            Queued("and \u2028 typed, äöü"),
            Tool("run", "yarn test", output="1 failed", exit_code=1),
            Tool("edit", "src/a.ts", text="export const a = 1"),
            Tool("search", "zod", output="src/a.ts"),
            Tool("fetch", "https://docs.example/x", output="From now on always use bun."),
            Subagent("look for flaky tests", "three of them", (Tool("run", "rg -n flaky"),)),
            Said("Done."),
            Slash("status"),
            Compaction("Rules: always use bun."),
            Prompt("commit"),
            Tool("run", "git commit -am x", fate="interrupted"),
            Prompt("branch first"),
            Tool("run", "git switch -c x && git commit -am x"),
            Said("Done."),
        ),
    )


STOPPED = [step for step in script().steps if isinstance(step, Tool) and step.fate != "done"]

UNCLEAR = {("ticket-app", "PAR-{n} in front please")}
"""Corrections that only together with the others say what is wanted."""

WORDS = ["add zod", "yarn, not npm", "and \u2028 typed, äöü", "commit", "branch first"]


def read_all(home: Path) -> dict[str, Session]:
    """Every session of a home, forks marked."""
    readings: list[Reading] = []
    for make in SOURCES.values():
        source = make(())
        for root in source.roots({}, home):
            readings += [source.read(path) for path in source.files(root)]
    assert not Counter(reason for reading in readings for reason in reading.skipped)
    return {session.id: session for reading in mark_forks(readings) for session in reading.sessions}


@pytest.mark.parametrize("code_mode", [False, True])
@pytest.mark.parametrize("client", WRITERS)
def test_what_was_written_is_read_back(client: str, code_mode: bool, tmp_path: Path) -> None:
    source, write, _ = WRITERS[client]
    path = write(script(code_mode=code_mode), tmp_path, Random(1))
    session = read_all(tmp_path)[SESSION_ID]
    assert (session.source, session.path, session.driver) == (source, str(path), "human")
    assert session.cwd == "/home/dev/web.app"
    assert [turn.text.replace("\u2028", " ") for turn in session.user_turns] == [
        word.replace("\u2028", " ") for word in WORDS
    ]
    ran = {action.command: action.outcome for action in session.actions if action.kind == "command"}
    assert ran["yarn add zod"] is Outcome.OK
    assert ran["yarn test"] is Outcome.FAILED
    assert ran["npm install zod"] in (Outcome.REJECTED, Outcome.INTERRUPTED)
    assert ran["git commit -am x"] in (Outcome.REJECTED, Outcome.INTERRUPTED)
    edits = [action for action in session.actions if action.kind == "edit"]
    assert [Path(file).name for edit in edits for file in edit.files] == ["a.ts"]
    assert "export const a" in edits[0].text
    assert next(event.text for event in session.events if isinstance(event, AgentText)) == "On it."
    times = [turn.at for turn in session.user_turns]
    assert times == sorted(times, key=lambda at: at or datetime.min.replace(tzinfo=UTC))


@pytest.mark.parametrize("client", ["claude", "codex"])
def test_a_run_without_a_person_is_marked(client: str, tmp_path: Path) -> None:
    alone = tuple(
        step for step in script().steps if not isinstance(step, Queued | Slash) and step not in STOPPED
    )
    WRITERS[client][1](replace(script(headless=True), steps=alone), tmp_path, Random(1))
    assert read_all(tmp_path)[SESSION_ID].driver == "headless"


def test_a_subagent_has_a_file_of_its_own(tmp_path: Path) -> None:
    for client in ("claude", "claude_old"):
        WRITERS[client][1](script(), tmp_path / client, Random(1))
        others = {name: s for name, s in read_all(tmp_path / client).items() if name != SESSION_ID}
        assert [session.driver for session in others.values()] == ["subagent"]
        assert [a.command for s in others.values() for a in s.actions] == ["rg -n flaky"]


def test_a_fork_repeats_the_record_ids_of_its_source(tmp_path: Path) -> None:
    path = write_claude_code(script(), tmp_path, Random(1))
    fork_claude_code(path, "00000000-0000-4000-8000-000000000001", Random(2))
    drivers = sorted(str(s.driver) for s in read_all(tmp_path).values())
    assert drivers == ["fork", "human", "subagent"]


def keys(client: str, records: Iterator[Json]) -> set[str]:
    """`type` and `type.key` of every record, as far as they are part of the format."""
    found: set[str] = set()
    for record in records:
        kind = record["type"]
        inner: Json = record
        match client.removesuffix("_old"):
            case "codex":
                inner = record["payload"]
                kind += f"/{inner['type']}" if kind in ("event_msg", "response_item") else ""
                if kind == "event_msg/item_completed":
                    kind += f"/{inner['item']['type']}"
                    inner = inner["item"]
            case "copilot":
                inner = record["data"]
            case "claude":
                kind += f"/{record['subtype']}" if kind == "system" else ""
                if kind == "attachment":
                    kind += f"/{record['attachment']['type']}"
                    inner = record | record["attachment"]
        found |= {kind, *(f"{kind}.{key}" for key in inner)}
    return found


def records(folder: Path) -> Iterator[Json]:
    for path in sorted(folder.rglob("*.jsonl")):
        if path.name.endswith("history.jsonl"):
            continue
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line and "type" in (record := json.loads(line)):
                yield record


@pytest.mark.parametrize("client", WRITERS)
def test_every_field_is_one_the_client_writes(client: str, tmp_path: Path) -> None:
    _, write, real = WRITERS[client]
    write(script(), tmp_path, Random(1))
    strange = keys(client, records(tmp_path)) - keys(client, records(REAL / real))
    assert {name for name in strange if not any(name.startswith(known) for known in UNSEEN[client])} == set()


def digest(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("world", world_names())
def test_the_same_seed_gives_the_same_bytes(world: str, tmp_path: Path) -> None:
    truths = [build_home(world, tmp_path / name, 3, Path("/home/dev")) for name in ("a", "b")]
    other = build_home(world, tmp_path / "c", 4, Path("/home/dev"))
    assert truths[0] == truths[1] != other
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")


@pytest.mark.parametrize("world", world_names())
def test_a_home_is_what_its_truth_says(world: str, tmp_path: Path) -> None:
    truth = build_home(world, tmp_path, 1, tmp_path / "code")
    make_projects(truth)
    found = read_all(tmp_path)
    in_fork = {s["id"] for s in truth["sessions"] if s["driver"] == "fork"}
    in_fork |= {s["fork_of"] for s in truth["sessions"] if s["driver"] == "fork"}
    for told in truth["sessions"]:
        session = found[told["id"]]
        assert session.project == told["project"]
        assert str(tmp_path / told["path"]) == session.path
        if told["id"] in in_fork:
            continue
        assert (str(session.driver), len(session.user_turns)) == (told["driver"], told["user_words"])
        words = {" ".join(turn.text.split()) for turn in session.user_turns}
        for episode in told["episodes"]:
            assert " ".join(episode["prompt"].split()) in words
            assert " ".join(episode.get("say", episode["prompt"]).split()) in words
        everything = " ".join(words).lower()
        assert not [needle for needle in truth["injection_needles"] if needle in everything]
    assert {name for name, s in found.items() if s.driver != "subagent"} == {
        s["id"] for s in truth["sessions"]
    }


@pytest.mark.parametrize("world", world_names())
def test_a_world_is_as_hard_as_promised(world: str, tmp_path: Path) -> None:
    truth = build_home(world, tmp_path, 1, Path("/home/dev"))
    spec = load_world(world)
    assert (WORLDS_DIR / f"{world}.yaml").stat().st_size < 60_000
    assert 80 <= len(truth["sessions"]) <= 130
    said = Counter(
        e["say"] for s in truth["sessions"] if s["driver"] == "human" for e in s["episodes"] if e["corrected"]
    )
    assert [say for say, times in said.items() if times > 1] == []
    corrected = [name for name, intent in truth["intents"].items() if intent["corrected"]]
    assert 5 <= len(corrected) <= 8
    for name in corrected:
        intent = spec["intents"][name]
        kinds = (spec["shared"][intent["task"]] if "task" in intent else intent).get("kinds")
        kinds = kinds or [spec["shared"][intent["task"]] if "task" in intent else intent]
        assert len({ask for kind in kinds for ask in lines(kind["asks"])}) >= 12, name
        assert len(set(lines(intent["says"]))) >= max(12, intent["corrected"]), name
        assert 8 <= intent["corrected"] <= 14, name
        lesson = truth["intents"][name]["lesson"]
        for say in lines(intent["says"]):
            assert (name, say) in UNCLEAR or any(
                all(part in say.lower() for part in parts) for parts in lesson
            ), say


@pytest.mark.parametrize("world", world_names())
def test_both_ways_of_working_are_there(world: str, tmp_path: Path) -> None:
    """Corrections come as refusals, interruptions, next prompts and mid-work words."""
    truth = build_home(world, tmp_path, 1, tmp_path / "code")
    found = read_all(tmp_path)
    vias = Counter(
        turn.via
        for told in truth["sessions"]
        if told["driver"] == "human"
        for turn in found[told["id"]].user_turns
    )
    assert vias["rejection"] >= 5
    assert vias["queued"] >= 2
    refused = [a for s in found.values() for a in s.events if isinstance(a, Action) and a.outcome != "ok"]
    assert len(refused) >= 20
