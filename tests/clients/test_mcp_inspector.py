"""The server under the inspector of the protocol, which is strict where clients are not."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from npm import Npm
from story import ENGINE, engine

from skillopt_sleep.demo.scratch import make_scratch

pytestmark = [pytest.mark.e2e, pytest.mark.network, pytest.mark.xdist_group("npm-mcp")]

BOTH = [(way, era) for way in ("stdio", "http") for era in ("modern", "legacy")]
ACROSS = [("stdio", "modern"), ("http", "legacy")]


@dataclass(frozen=True)
class Inspected:
    """A home with lessons that wait, and how the inspector reaches its server."""

    npm: Npm
    home: Path
    ways: dict[str, tuple[str, ...]]

    def ask(self, way: str, era: str, method: str, *more: str, code: int = 0) -> Any:
        """What the inspector prints of one request."""
        target = (*self.ways[way], "--method", method, "--protocol-era", era, *more)
        done = subprocess.run(
            [self.npm.node, self.npm.bin("mcp-inspector"), "--cli", *target],
            env={"HOME": str(self.home), "PATH": os.environ["PATH"]}, cwd=self.home,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stdout[-500:] + done.stderr[-2000:]
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def inspected(checkers: Npm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspected]:
    home = make_scratch(tmp_path_factory.mktemp("inspected") / "home").home
    engine(home, "run", "--all-projects")
    command = [str(ENGINE), "mcp", "--http", "--port", "0"]
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    with subprocess.Popen(command, env=env, cwd=home, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            url = server.stderr.readline().split()[1]
            yield Inspected(checkers, home, {"stdio": (str(ENGINE), "mcp"), "http": (url,)})
        finally:
            server.terminate()


@pytest.mark.parametrize(("way", "era"), BOTH)
def test_every_tool_is_described_without_a_warning(inspected: Inspected, way: str, era: str) -> None:
    tools = inspected.ask(way, era, "tools/list", "--strict")["tools"]
    assert len(tools) == 11
    assert len(json.dumps(tools, separators=(",", ":"))) < 6_000


@pytest.mark.parametrize(("way", "era"), BOTH)
def test_a_tool_answers_what_the_command_tells(inspected: Inspected, way: str, era: str) -> None:
    answer = inspected.ask(way, era, "tools/call", "--tool-name", "sleep_status")
    told = engine(inspected.home, "status")
    assert len(told["waiting"]) == 2
    assert answer["structuredContent"]["waiting"] == told["waiting"]
    assert json.loads(answer["content"][0]["text"]) == answer["structuredContent"]


@pytest.mark.parametrize(("way", "era"), ACROSS)
def test_a_failure_is_an_answer_and_not_an_error(inspected: Inspected, way: str, era: str) -> None:
    asked = ("--tool-name", "sleep_show", "--tool-arg", "id=none-of-them")
    answer = inspected.ask(way, era, "tools/call", *asked, code=5)
    assert json.loads(answer["content"][0]["text"])["error"]["next"]


def test_reports_are_read(inspected: Inspected) -> None:
    uris = [each["uri"] for each in inspected.ask("stdio", "modern", "resources/list")["resources"]]
    (content,) = inspected.ask("http", "legacy", "resources/read", "--uri", uris[0])["contents"]
    assert content["uri"] == uris[0]
    assert content["text"]


def test_the_prompt_is_given(inspected: Inspected) -> None:
    (prompt,) = inspected.ask("http", "modern", "prompts/list")["prompts"]
    (said,) = inspected.ask("stdio", "legacy", "prompts/get", "--prompt-name", prompt["name"])["messages"]
    assert said["role"] == "user"
