"""The server under the scenarios of the protocol's own suite, for its old and its new era."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from npm import SUITE, Npm

pytestmark = [pytest.mark.e2e, pytest.mark.network, pytest.mark.xdist_group("npm-mcp")]

COMMAND = Path(sys.executable).with_name("skillopt-sleep")

OLD = (
    "server-initialize", "ping", "tools-list", "prompts-list", "resources-list",
    "server-sse-multiple-streams", "dns-rebinding-protection",
)  # fmt: skip
NEW = (
    "tools-list", "prompts-list", "resources-list", "server-sse-multiple-streams", "dns-rebinding-protection",
    "sep-2164-resource-not-found", "caching", "http-header-validation",
)  # fmt: skip
"""What every server must do; the rest asks for tools that only a test server has."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    env = {**os.environ, "HOME": str(home)}
    command = [COMMAND, "mcp", "--http", "--port", "0"]
    with subprocess.Popen(command, env=env, cwd=home, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            yield server.stderr.readline().split()[1]
        finally:
            server.terminate()


@pytest.mark.parametrize(
    ("suite", "scenario"),
    [*((SUITE, scenario) for scenario in OLD), *(("next", scenario) for scenario in NEW)],
)
def test_the_server_conforms(checkers: Npm, url: str, suite: str, scenario: str) -> None:
    version = ("--spec-version", "2026-07-28") if suite == "next" else ()
    program = checkers.modules / suite / "dist" / "index.js"
    done = subprocess.run(
        [checkers.node, program, "server", *version, "--url", url, "--scenario", scenario],
        cwd=checkers.modules, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    told = done.stdout + done.stderr
    assert re.search(r"Passed: (\d+)/\1, 0 failed, 0 warnings", told), told[-2000:]
    assert done.returncode == 0
