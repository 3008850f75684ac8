"""The hooks: one small file when a session ends, one line when a proposal waits, and never a failure."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from plugin_desk import Desk

END, START = "hooks/session-end.sh", "hooks/session-start.sh"

# As each client sends it, with its own way to say where the transcript is.
CLAUDE = {
    "session_id": "3f4d5298-e8a8-45d1-ad93-d1d1f7565c86",
    "transcript_path": "/h/.claude/projects/-h-shop/3f4d5298-e8a8-45d1-ad93-d1d1f7565c86.jsonl",
    "cwd": "/h/shop",
    "hook_event_name": "SessionEnd",
    "reason": 'other "session_id": "evil" \\',
}
CODEX = {
    "session_id": "01a1ffb7-9b5b-7c90-b9b3-0442529db7af",
    "transcript_path": "/h/.codex/sessions/2026/11/21/rollout-2026-11-21T20-06-25-01a1ffb7.jsonl",
    "hook_event_name": "SessionEnd",
}
COPILOT = {
    "hook_event_name": "SessionEnd",
    "session_id": "fa5991aa-ba69-4255",
    "cwd": "/h",
    "reason": "complete",
}
COPILOT_OWN_FORM = {"sessionId": "fa5991aa-ba69-4255", "timestamp": 1795291592850, "cwd": "/h"}


def sent(payload: object) -> bytes:
    return json.dumps(payload).encode()


def queued(desk: Desk) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in (desk.state / "queue").iterdir()}


@pytest.mark.parametrize(
    ("payload", "env", "client"),
    [
        (CLAUDE, {"CLAUDECODE": "1"}, "claude"),
        (CODEX, {"PLUGIN_ROOT": "/p", "CLAUDE_PLUGIN_ROOT": "/p"}, "codex"),
        (COPILOT, {"COPILOT_CLI": "1"}, "copilot"),
        (COPILOT_OWN_FORM, {"COPILOT_CLI": "1"}, "copilot"),
        # One client started from the shell of another inherits its environment.
        (CODEX, {"CLAUDECODE": "1", "COPILOT_CLI": "1"}, "codex"),
        (CLAUDE, {"CLAUDECODE": "1", "COPILOT_CLI": "1"}, "claude"),
        ({"session_id": "s1"}, {"CLAUDECODE": "1"}, "claude"),
        ({"session_id": "s1"}, {}, "codex"),
    ],
)
def test_the_end_of_a_session_is_noted_for_its_client(
    desk: Desk, payload: dict[str, str], env: dict[str, str], client: str
) -> None:
    done = desk.sh(END, stdin=sent(payload), **env)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    session = payload.get("session_id") or payload["sessionId"]
    ((name, noted),) = queued(desk).items()
    assert name == f"{client}-{session}.json"
    assert set(noted) == {"schema", "client", "session", "ended_at"}
    assert (noted["schema"], noted["client"], noted["session"]) == ("queued/1", client, session)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", noted["ended_at"])


def test_a_hook_of_a_client_of_its_own_may_name_it(desk: Desk) -> None:
    desk.sh(END, "copilot", stdin=sent({"sessionId": "s1"}), CLAUDECODE="1")
    assert list(queued(desk)) == ["copilot-s1.json"]
    assert desk.sh(END, "../evil", stdin=sent({"sessionId": "s2"})).returncode == 0
    assert list(queued(desk)) == ["copilot-s1.json"]


def test_the_note_is_private(desk: Desk) -> None:
    desk.sh(END, stdin=sent(CLAUDE))
    queue = desk.state / "queue"
    assert [stat.S_IMODE(p.stat().st_mode) for p in (desk.state, queue, *queue.iterdir())] == [
        0o700,
        0o700,
        0o600,
    ]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not json",
        b"\xff\xfe\x00\x01" * 4000,
        b'{"session_id": 7}',
        b'{"session_id": "../../etc/passwd"}',
        b'{"session_id": ".hidden"}',
        b'{"session_id": "a b"}',
        b'{"session_id": "$(touch x)"}',
        b'{"session_id": "a\\u0000b"}',
        b'{"session_id": ""}',
        b'{"session_id": "' + b"a" * 200 + b'"}',
        b'{"other": "\\"session_id\\": \\"evil\\""}',
        b'{"x": "' + b"y" * 300_000 + b'", "session_id": "late"}',
    ],
    ids=range(13),
)
def test_what_names_no_session_leaves_nothing(desk: Desk, payload: bytes) -> None:
    done = desk.sh(END, stdin=payload)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not desk.state.exists()


def test_a_huge_payload_is_not_read_to_its_end(desk: Desk) -> None:
    payload = sent({"session_id": "s1"})[:-1] + b', "x": "' + b"y" * 5_000_000 + b'"}'
    assert desk.sh(END, stdin=payload).returncode == 0
    assert list(queued(desk)) == ["codex-s1.json"]


def test_a_client_that_never_ends_what_it_sends_is_not_waited_for(desk: Desk) -> None:
    if not shutil.which("timeout", path="/usr/bin:/bin"):
        pytest.skip("this system has no timeout")
    hook = subprocess.Popen(
        ["/bin/sh", desk.plugin / END], env={"HOME": str(desk.home)}, stdin=subprocess.PIPE
    )
    with hook:
        assert hook.stdin
        hook.stdin.write(sent(CLAUDE))
        hook.stdin.flush()
        assert hook.wait(timeout=60) == 0
    assert list(queued(desk)) == [f"claude-{CLAUDE['session_id']}.json"]


def test_no_stdin_at_all_is_no_failure(desk: Desk) -> None:
    for script in (END, START):
        closed = f"exec /bin/sh '{desk.plugin.relative_to(desk.home) / script}' <&-"
        done = subprocess.run(
            ["/bin/sh", "-c", closed], cwd=desk.home, env={"HOME": str(desk.home)}, capture_output=True
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_same_end_twice_and_at_once_is_one_whole_file(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: desk.sh(END, stdin=sent(CLAUDE), CLAUDECODE=1).returncode, range(24)))
    assert set(codes) == {0}
    assert list(queued(desk)) == [f"claude-{CLAUDE['session_id']}.json"]


def test_a_queue_that_nobody_empties_stops_growing(desk: Desk) -> None:
    queue = desk.state / "queue"
    queue.mkdir(parents=True)
    for number in range(1000):
        (queue / f"codex-{number}.json").touch()
    assert desk.sh(END, stdin=sent(CLAUDE)).returncode == 0
    assert len(list(queue.iterdir())) == 1000


def spoil_with_file(desk: Desk) -> None:
    desk.state.write_text("in the way")


def spoil_with_closed_folder(desk: Desk) -> None:
    (desk.state / "queue").mkdir(parents=True)
    (desk.state / "queue").chmod(0o500)


def spoil_with_folder_of_that_name(desk: Desk) -> None:
    (desk.state / "queue" / f"claude-{CLAUDE['session_id']}.json" / "x").mkdir(parents=True)


@pytest.mark.parametrize("spoil", [spoil_with_file, spoil_with_closed_folder, spoil_with_folder_of_that_name])
def test_a_folder_that_cannot_be_written_is_no_failure(desk: Desk, spoil: Any) -> None:
    spoil(desk)
    done = desk.sh(END, stdin=sent(CLAUDE))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    left = list(desk.state.rglob(".*")) if desk.state.is_dir() else []
    assert left == []


def test_a_full_disk_leaves_no_torn_file(desk: Desk) -> None:
    # Nothing may be written, which is what a full disk amounts to.
    full = f'ulimit -f 0; trap "" XFSZ; exec /bin/sh "{desk.plugin / END}"'
    done = subprocess.run(
        ["/bin/sh", "-c", full], env={"HOME": str(desk.home)}, input=sent(CLAUDE), capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list((desk.state / "queue").iterdir()) == []


def test_our_own_runs_are_not_noted_and_told_nothing(desk: Desk) -> None:
    waiting(desk, 1)
    for script in (END, START):
        done = desk.sh(script, stdin=sent(CLAUDE), SKILLOPT_SLEEP_OWN="1")
        assert (done.returncode, done.stdout) == (0, "")
    assert not (desk.state / "queue").exists()


def test_a_state_folder_elsewhere_is_used(desk: Desk) -> None:
    for name in ("~/elsewhere", str(desk.home / "deep" / "er" / "state")):
        desk.sh(END, stdin=sent(CLAUDE), SKILLOPT_SLEEP_HOME=name)
    for place in (desk.home / "elsewhere", desk.home / "deep" / "er" / "state"):
        assert [path.name for path in place.glob("queue/*")] == [f"claude-{CLAUDE['session_id']}.json"]
        assert place.stat().st_mode & 0o777 == 0o700
    assert not desk.state.exists()


def test_no_state_folder_is_made_inside_a_repository(desk: Desk) -> None:
    (desk.project / ".git").mkdir(exist_ok=True)
    (desk.home / "leads-there").symlink_to(desk.project)
    for name in ("relative", str(desk.project / "state"), str(desk.home / "leads-there" / "state")):
        assert desk.sh(END, stdin=sent(CLAUDE), SKILLOPT_SLEEP_HOME=name).returncode == 0
    assert not any((desk.project / name).exists() for name in ("relative", "state"))


def test_nothing_is_written_where_one_works(desk: Desk) -> None:
    (desk.project / "state").mkdir()
    for given in ({"SKILLOPT_SLEEP_HOME": "state"}, {"SKILLOPT_SLEEP_HOME": "./state"}, {"HOME": "."}):
        assert desk.sh(END, stdin=sent(CLAUDE), **given).returncode == 0
    assert not list((desk.project / "state").iterdir())
    assert not (desk.project / ".skillopt-sleep").exists()


def test_no_program_of_the_project_is_run(desk: Desk) -> None:
    waiting(desk, 1)
    for name in ("sh", "head", "grep", "tr", "mkdir", "mv", "date"):
        path = desk.project / name
        path.write_text('#!/bin/sh\ntouch "$HOME/ran"\n')
        path.chmod(0o755)
    for script in (END, START):
        assert desk.sh(script, stdin=sent(CLAUDE), PATH=f":.:{desk.project}").returncode == 0
    assert queued(desk)
    assert not (desk.home / "ran").exists()


def waiting(desk: Desk, count: int) -> None:
    for number in range(count):
        folder = desk.state / "proposals" / f"p{number}"
        folder.mkdir(parents=True)
        (folder / "proposal.json").write_text("{}")


@pytest.mark.parametrize(
    ("count", "env", "told"),
    [
        (
            1,
            {"CLAUDECODE": "1"},
            "skillopt-sleep: 1 proposal waits for your review. Next: /skillopt-sleep show",
        ),
        (
            3,
            {"CLAUDECODE": "1"},
            "skillopt-sleep: 3 proposals wait for your review. Next: /skillopt-sleep show",
        ),
        (1, {}, "skillopt-sleep: 1 proposal waits for your review. Next: ask for skillopt-sleep show"),
        (
            1,
            {"COPILOT_CLI": "1"},
            "skillopt-sleep: 1 proposal waits for your review. Next: /skillopt-sleep show",
        ),
    ],
)
def test_a_waiting_proposal_is_told_in_one_line(
    desk: Desk, count: int, env: dict[str, str], told: str
) -> None:
    waiting(desk, count)
    done = desk.sh(START, **env)
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    answer = json.loads(line)
    assert answer["systemMessage"] == told
    # Copilot shows the person nothing a hook says; only its model hears of it.
    assert ("additionalContext" in answer) == ("COPILOT_CLI" in env)


def test_nothing_is_said_when_nothing_waits(desk: Desk) -> None:
    assert desk.sh(START).stdout == ""
    (desk.state / "proposals" / "p0").mkdir(parents=True)  # only being made, or removed
    assert desk.sh(START).stdout == ""
    assert [path.name for path in desk.state.iterdir()] == ["proposals"]


def test_what_the_hook_counts_is_what_the_program_stages() -> None:
    from skillopt_sleep import stage
    from skillopt_sleep.home import StateHome

    home = StateHome(Path("/h"))
    script = (Path(__file__).resolve().parents[2] / "plugins/claude-code" / START).read_text()
    assert f'"$state"/{home.proposals.name}/*/{stage.PROPOSAL_FILE}' in script
    assert home.queue.name == "queue"
