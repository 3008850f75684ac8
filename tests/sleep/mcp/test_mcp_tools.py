"""What each tool does, asked by the official client in memory, over stdio and over HTTP, in both eras."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from robin_home import COMMAND, WAYS, Robin

from skillopt.errors import RefusedError
from skillopt_sleep.mcp_server.server import make_server

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]

NAMES = [
    "sleep_status", "sleep_run", "sleep_tasks", "sleep_show", "sleep_diff", "sleep_adopt", "sleep_discard",
    "sleep_undo", "sleep_blame", "sleep_doctor", "skill_train_status",
]  # fmt: skip


async def told(client: Client, tool: str, **arguments: Any) -> Mapping[str, Any]:
    """The answer of a call that succeeded, the same in words and in structure."""
    result = await client.call_tool(tool, arguments)
    (text,) = result.content
    assert json.loads(text.text) == result.structured_content  # type: ignore[union-attr]
    assert not result.is_error, result.structured_content
    assert result.structured_content is not None
    assert result.structured_content["ok"] is True
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> Mapping[str, Any]:
    """The error of a call that failed."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    assert result.structured_content is not None
    assert result.structured_content["ok"] is False
    error = result.structured_content["error"]
    assert error["what"]
    return dict(error)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_person_is_led_from_a_night_to_an_adopt_and_back(robin: Robin, way: str, mode: str) -> None:
    async with WAYS[way](robin, mode) as client:
        assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        assert [tool.name for tool in (await client.list_tools()).tools] == NAMES
        assert (await told(client, "sleep_status"))["waiting"] == []
        night = await told(client, "sleep_run", project=str(robin.project))
        (short,) = night["proposals"]
        assert night["verdict"] == "proposed"
        assert "hash" not in short
        assert robin.skills() == {}
        (shown,) = (await told(client, "sleep_show", id=short["id"]))["proposals"]
        (change,) = (await told(client, "sleep_diff"))["diffs"]
        assert change["hash"] == shown["hash"]
        assert f"+{shown['lessons'][0]['text']}" in change["diff"].replace("- ", "")
        adopted = await told(client, "sleep_adopt", id=short["id"], hash=change["hash"])
        assert [receipt["path"] for receipt in adopted["receipts"]] == [short["path"]]
        assert "through MCP" in adopted["receipts"][0]["by"]
        assert robin.skills()
        assert robin.run("show", short["id"])["proposals"][0]["state"] == "adopted"
        blamed = await told(client, "sleep_blame", file=short["path"])
        assert {each["id"] for each in blamed["lessons"]} == {each["id"] for each in short["lessons"]}
        await told(client, "sleep_undo")
        assert robin.skills() == {}


async def test_an_adopt_needs_the_hash_of_what_was_shown(slept: Robin) -> None:
    first, second = slept.run("status")["waiting"]
    async with slept.client() as client:
        hashes = {row["id"]: row["hash"] for row in (await told(client, "sleep_diff"))["diffs"]}
        for wrong in ("0" * 64, hashes[second["id"]], first["id"], "é"):
            error = await refused(client, "sleep_adopt", id=first["id"], hash=wrong)
            assert "hash" in error["what"]
            assert "sleep_diff" in error["next"]
        await refused(client, "sleep_adopt", id=first["id"][:4], hash=hashes[first["id"]])
        assert slept.skills() == {}
        assert (await told(client, "sleep_show"))["proposals"][0].keys() >= {"id", "lessons"}
        assert "hash" not in json.dumps(await told(client, "sleep_status"))
        await told(client, "sleep_adopt", id=first["id"], hash=hashes[first["id"]])
        assert len(slept.run("status")["waiting"]) == 1


async def test_a_hash_names_every_part_of_the_proposal(slept: Robin) -> None:
    first = slept.run("status")["waiting"][0]
    async with slept.client() as client:
        (before,) = (await told(client, "sleep_diff", id=first["id"]))["diffs"]
        path = slept.state.proposals / first["id"] / "proposal.json"
        path.write_bytes(path.read_bytes().replace(b"held-out", b"held out"))  # any word of it
        (after,) = (await told(client, "sleep_diff", id=first["id"]))["diffs"]
        assert after["hash"] != before["hash"]
        await refused(client, "sleep_adopt", id=first["id"], hash=before["hash"])


async def test_only_a_person_allows_a_safety_finding(slept: Robin) -> None:
    first = slept.run("status")["waiting"][0]
    path = slept.state.proposals / first["id"] / "proposal.json"
    proposal = json.loads(path.read_bytes())
    proposal["findings"] = [
        {"name": "network", "what": "fetches", "where": "curl", "lesson": lesson["id"]}
        for lesson in proposal["lessons"]
    ]
    path.write_text(json.dumps(proposal))
    async with slept.client() as client:
        (change,) = (await told(client, "sleep_diff", id=first["id"]))["diffs"]
        for more in ({}, {"allow": ["network"]}, {"yes": True}):
            error = await refused(client, "sleep_adopt", id=first["id"], hash=change["hash"], **more)
            assert "network" in error["why"]
    assert slept.skills() == {}


async def test_some_lessons_of_a_proposal_are_adopted_and_the_rest_waits(slept: Robin) -> None:
    waiting = slept.run("status")["waiting"]
    several = next(each for each in waiting if len(each["lessons"]) > 1)
    async with slept.client() as client:
        (shown,) = (await told(client, "sleep_show", id=several["id"]))["proposals"]
        one = shown["lessons"][0]["id"]
        await refused(client, "sleep_adopt", id=several["id"], hash=shown["hash"], lessons=["no-such"])
        assert slept.skills() == {}
        adopted = await told(client, "sleep_adopt", id=several["id"], hash=shown["hash"], lessons=[one])
    assert adopted["receipts"][0]["lessons"] == [one]
    left = {lesson["id"] for each in slept.run("status")["waiting"] for lesson in each["lessons"]}
    assert one not in left
    assert shown["lessons"][1]["id"] in left


async def test_a_discard_keeps_the_reason_without_its_secrets(slept: Robin) -> None:
    first = slept.run("status")["waiting"][0]
    token = "ghp_" + "a1B2" * 9
    async with slept.client() as client:
        gone = await told(client, "sleep_discard", id=first["id"], why=f"not now {token}")
        assert token not in json.dumps(gone)
        error = await refused(client, "sleep_discard", id=token, why="x")
        assert token not in json.dumps(error)
    assert first["id"] not in {each["id"] for each in slept.run("status")["waiting"]}
    assert not any(token in path.read_text() for path in slept.state.discarded.iterdir())


async def test_tasks_are_told_in_short(robin: Robin) -> None:
    async with robin.client() as client:
        found = await told(client, "sleep_tasks", all_projects=True)
        whole = robin.run("tasks", "--all-projects")
        assert found["n_tasks"] == len(whole["tasks"])
        assert [task["id"] for task in found["tasks"]] == [task["id"] for task in whole["tasks"]][:20]
        nothing = await told(client, "sleep_tasks", project=str(robin.home / "elsewhere"))
    assert nothing["tasks"] == []
    assert str(robin.project) in nothing["elsewhere"]


async def test_a_dry_run_stages_nothing(robin: Robin) -> None:
    async with robin.client() as client:
        assert (await told(client, "sleep_run", all_projects=True, dry_run=True))["proposals"]
        assert (await told(client, "sleep_status"))["waiting"] == []


async def test_the_projects_and_clients_of_the_settings_are_not_widened(robin: Robin) -> None:
    other = robin.home / "code" / "billing"
    robin.run("config", "set", "projects", str(robin.project))
    robin.run("config", "set", "sources", "codex")
    async with robin.client() as client:
        error = await refused(client, "sleep_run", project=str(other))
        assert "config set projects" in error["next"]
        night = await told(
            client, "sleep_run", all_projects=True, source="all", sources=["claude"], since="all"
        )
        assert [row["name"] for row in night["sources"]] == ["codex"]
        assert (await refused(client, "sleep_run", project="code"))["what"]
        assert (await refused(client, "sleep_run", project=str(robin.project), all_projects=True))["what"]


@pytest.mark.parametrize("tool", ["sleep_run", "sleep_tasks"])
async def test_the_folder_of_the_plugin_is_nobodys_project(robin: Robin, tool: str) -> None:
    plugin = Path(__file__).parents[3] / "plugins" / "claude-code"
    async with Client(make_server(replace(robin.place, cwd=plugin)), raise_exceptions=False) as client:
        assert "give project" in (await refused(client, tool))["next"]
        assert (await told(client, tool, project=str(robin.project)))["next"]


async def test_a_damaged_state_is_told_with_a_way_out(slept: Robin) -> None:
    first = slept.run("status")["waiting"][0]
    (slept.state.proposals / first["id"] / "proposal.json").write_text("{")
    async with slept.client() as client:
        assert "damaged" in (await refused(client, "sleep_show", id=first["id"]))["what"]
        assert (await told(client, "sleep_status"))["unreadable"][0]["id"] == first["id"]
        assert (await told(client, "sleep_doctor"))["failed"] >= 0
        slept.state.ledger.write_bytes(b"no ledger")
        assert "ledger" in (await refused(client, "sleep_status"))["what"]
        assert (await told(client, "sleep_doctor"))["failed"] >= 1


@pytest.mark.parametrize(
    ("tool", "arguments", "word"),
    [
        ("sleep_adopt", {"id": "x"}, "hash"),
        ("sleep_adopt", {"id": ["x"], "hash": "y"}, "id"),
        ("sleep_discard", {"id": "x", "why": ""}, "why"),
        ("sleep_run", {"all_projects": "perhaps"}, "all_projects"),
        ("sleep_show", {"id": "x" * 200}, "id"),
    ],
)
async def test_wrong_arguments_are_named(robin: Robin, tool: str, arguments: Any, word: str) -> None:
    async with robin.client() as client:
        error = await refused(client, tool, **arguments)
    assert word in error["why"]
    assert "errors.pydantic" not in error["why"]


async def test_unknown_fields_are_left_alone_and_unknown_names_refused(robin: Robin) -> None:
    async with robin.client("legacy") as client:
        assert await told(client, "sleep_status", anything=[1, {"x": None}])
        for call in (
            client.call_tool("sleep_schedule", {}),
            client.get_prompt("no_such"),
            client.read_resource("skillopt-sleep://reports/no-such"),
            client.read_resource("file:///etc/passwd"),
            client.read_resource("skillopt-sleep://skills/..%2F..%2Fetc%2Fpasswd"),
        ):
            with pytest.raises(MCPError) as caught:
                await call
            assert caught.value.error.code == -32602


async def test_the_list_of_tools_is_small_and_says_what_each_does_to_the_world(robin: Robin) -> None:
    async with robin.client() as client:
        listed = await client.list_tools()
    assert len(listed.model_dump_json(by_alias=True, exclude_none=True)) < 6_000
    hints = {tool.name: tool.annotations for tool in listed.tools}
    reading = {name for name, hint in hints.items() if hint and hint.read_only_hint}
    assert reading == {
        "sleep_status",
        "sleep_show",
        "sleep_diff",
        "sleep_blame",
        "sleep_doctor",
        "skill_train_status",
    }
    destroying = {name for name, hint in hints.items() if hint and hint.destructive_hint}
    assert destroying == {"sleep_adopt", "sleep_discard", "sleep_undo"}
    everything = json.dumps([tool.model_dump(mode="json") for tool in listed.tools])
    for word in ("backend", "budget", "schedule", 'allow"', '"home"', '"source"'):
        assert word not in everything.replace('"home": {"type": "string"}', "")


async def test_reports_and_skills_can_be_read_and_the_prompt_asks_the_person(slept: Robin) -> None:
    first = slept.run("status")["waiting"][0]
    async with slept.client() as client:
        uris = [str(each.uri) for each in (await client.list_resources()).resources]
        assert f"skillopt-sleep://reports/{first['id']}" in uris
        for uri in uris:
            (content,) = (await client.read_resource(uri)).contents
            assert first["lessons"][0]["text"] in content.text or first["id"] not in uri  # type: ignore[union-attr]
        (change,) = (await told(client, "sleep_diff", id=first["id"]))["diffs"]
        receipt = (await told(client, "sleep_adopt", id=first["id"], hash=change["hash"]))["receipts"][0][
            "id"
        ]
        live = (await client.read_resource(f"skillopt-sleep://skills/{receipt}")).contents[0]
        assert live.text == Path(first["path"]).read_text()  # type: ignore[union-attr]
        assert len((await client.list_resource_templates()).resource_templates) == 2
        (prompt,) = (await client.list_prompts()).prompts
        (message,) = (await client.get_prompt(prompt.name)).messages
        assert "ask me" in message.content.text  # type: ignore[union-attr]


async def test_what_a_terminal_would_obey_is_written_out(slept: Robin) -> None:
    first = slept.run("status")["waiting"][0]
    path = slept.state.proposals / first["id"] / "proposal.json"
    token = "ghp_" + "a1B2" * 9
    proposal = json.loads(path.read_bytes())
    proposal["lessons"][0]["text"] = f"Use pnpm\x1b[31m \u202e {token}"
    proposal["skill"] = "x\x07y"
    path.write_text(json.dumps(proposal))
    async with slept.client() as client:
        seen = [
            await told(client, "sleep_status"),
            await told(client, "sleep_show"),
            await told(client, "sleep_show", id=first["id"]),
            await told(client, "sleep_diff"),
        ]
        listed = await client.list_resources()
        report = await client.read_resource(f"skillopt-sleep://reports/{first['id']}")
    everything = json.dumps(seen, ensure_ascii=False) + str(listed) + str(report.contents[0])
    assert "pnpm\\\\x1b[31m" in everything
    assert token not in everything
    assert not {"\x1b", "\u202e", "\x07", "\\u001b"} & set(everything)
    assert "\\u001b" not in everything


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("sleep_blame", {"file": "/etc/passwd"}),
        ("sleep_blame", {"file": "../../../../../../../../etc/SKILL.md"}),
        ("sleep_blame", {"file": "leads-out.md"}),
        ("sleep_blame", {"file": "../../../outside/SKILL.md"}),
        ("skill_train_status", {"run": "/etc"}),
        ("skill_train_status", {"run": "leads-out"}),
    ],
)
async def test_no_file_is_read_outside_of_the_working_folder_and_the_home(
    robin: Robin, tool: str, arguments: Any
) -> None:
    (robin.project / "leads-out.md").symlink_to("/etc/passwd")
    (robin.project / "leads-out").symlink_to("/etc")
    outside = robin.home.parent / "outside" / "SKILL.md"
    outside.parent.mkdir()
    outside.write_text("---\nname: outside\n---\nMine.\n")
    async with robin.client() as client:
        error = await refused(client, tool, **arguments)
        assert "lies outside" in error["what"]
        assert "At a terminal" in error["next"]
        assert "no skill file" in (await refused(client, "sleep_blame", file=".git/config"))["what"]


def test_a_server_that_stands_in_the_root_does_not_stand_everywhere(robin: Robin) -> None:
    # (as some clients start them)
    for env in (robin.env, {**robin.env, "HOME": "/"}):
        place = replace(robin.place, cwd=Path("/"), env=env)
        with pytest.raises(RefusedError, match="lies outside"):
            place.inside("/etc/passwd", "skillopt-sleep blame")


async def test_a_training_run_is_told_of(robin: Robin) -> None:
    config = robin.project / "toy.yaml"
    config.write_text((ROOT / "examples" / "toy" / "config.yaml").read_text())
    async with robin.client() as client:
        assert (await told(client, "skill_train_status"))["runs"] == []
        assert "no run" in (await refused(client, "skill_train_status", run="code"))["what"]
        done = subprocess.run(
            [COMMAND.with_name("skillopt"), "train", "--config", config, "--out", "outputs/toy"],
            cwd=robin.project, env=robin.env, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (run,) = (await told(client, "skill_train_status"))["runs"]
        assert run["state"] == "finished"
        found = await told(client, "skill_train_status", run=run["run"])
        assert found["state"] == "finished"
        assert found["step"] == found["n_steps"] > 0
        assert found["test"]["best"]["score"] >= found["test"]["seed"]["score"]
        (robin.project / "outputs" / "toy" / "summary.json").unlink()
        stopped = await told(client, "skill_train_status", run="outputs/toy")
        assert stopped["state"] == "stopped"
        (robin.project / "outputs" / "toy" / ".holder.json").write_text(json.dumps({"pid": os.getpid()}))
        assert (await told(client, "skill_train_status", run="outputs/toy"))["state"] == "running"
        (robin.project / "outputs" / "toy" / "runtime_state.json").write_text("{")
        assert "outputs/toy" in str(await refused(client, "skill_train_status", run="outputs/toy"))
