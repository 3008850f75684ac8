"""Over the files real clients wrote: every human word is found, none is invented. The table was written by
reading the files."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from skillopt_sleep.session import Action, Interruption, Session
from skillopt_sleep.sources.registry import SOURCES

INSTALL = ("prompt", "Install the dependencies and run the tests")
PNPM = ("prompt", "no, use pnpm not npm in this repo")
ALWAYS_TEST = ("prompt", "perfect. always run the tests before you say done")
THANKS = ("prompt", "perfect, thanks. always run the tests before you say done")
INSTALL_API = ("prompt", "install deps and run the test suite")
WRONG = ("prompt", "Wrong again: we use pnpm everywhere. Write the version into VERSION.txt")
WRONG_ALSO = ("prompt", "Wrong again: we use pnpm everywhere. Also write the version into VERSION.txt")
VSCODE = [
    ("prompt", "run the tests"),
    ("prompt", "push it"),
    ("prompt", "never force push, open a PR instead"),
    ("command", "what does pool.py do"),
    ("prompt", "rename the pool in #file:pool.py to Connections"),
    ("prompt", "leave app.py alone"),
    ("prompt", "set up the database"),
    ("answer", "orders, not order"),
    ("answer", "public"),
    ("prompt", "greet me"),
]
NO_FORCE = ("rejection", "never force push, open a PR instead")

WORDS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    # Claude Code 2.1.329, terminal
    "33dec031-1377-4541-a7d4-91a997e59906": (
        "human",
        [INSTALL, ("prompt", "no, use pnpm not npm"), ("prompt", "push my branch"), NO_FORCE],
    ),
    "52e9c9a8-47a5-4303-b815-59588271745a": (
        "human",
        [
            ("prompt", "list the files"),
            ("queued", "also do not touch node_modules"),
            ("prompt", "set up the project"),
            ("choice", "pnpm"),
        ],
    ),
    "b2d0b6bf-71e9-4b2b-a0b5-53df0ffdbecf": ("human", [("prompt", "hello again")]),
    # Claude Code 2.1.329, `-p`
    "55927d71-8ecb-48db-87d9-32d3a2a85d68": ("headless", [INSTALL_API, WRONG_ALSO]),
    "65c7abaa-05d8-4b37-ac49-3262f30cca80": ("headless", [("prompt", "greet me")]),
    "86374cd9-03b9-4c58-82b8-9250a92a844a": ("headless", [INSTALL, PNPM, THANKS]),
    "8656e022-3b4e-45f5-b133-8c99c1cfe995": ("headless", [("prompt", "delete the build directory")]),
    "8a6ef67e-0d61-4d88-a201-d03cbae6e923": ("headless", [("prompt", "summarize the repo")]),
    "a689967a-0374-4189-9e4b-98e9deba52f1": ("headless", [("command", "Bob")]),
    "bb958068-9d0e-477d-ba1d-8a8a55c12a2e": ("headless", [("prompt", "Find where hi is printed")]),
    "bd0ca267-0f5a-4284-92a8-5f2b4a0f2f39": (
        "headless",
        [INSTALL, PNPM, THANKS, ("prompt", "continue elsewhere")],
    ),
    "agent-ac4e1f7b02523f03f": ("subagent", []),
    # Claude Code 2.0.31, `-p`
    "f0057d22-2ba9-489a-b68d-b4bbc9f9e1f8": ("headless", [INSTALL_API, WRONG_ALSO]),
    "4ecb331d-99ba-4281-84e7-73333ae0b293": ("headless", [("prompt", "summarize the repo")]),
    "65657306-ff59-4d12-a503-05c920c7c90a": ("headless", [("prompt", "greet me")]),
    "82d9da60-e4d2-4cc2-946e-0f7cde82bebf": ("headless", [("prompt", "delete the build directory")]),
    "8a73a965-68ec-4554-9d5a-51ce81441ec3": ("headless", [("prompt", "Find where hi is printed")]),
    "d8f0c3db-8340-4fce-b385-be97625e83be": ("headless", [INSTALL, PNPM, THANKS]),
    "e273af89-549d-42e6-b63b-a4577c6d136f": (
        "headless",
        [INSTALL, PNPM, THANKS, ("prompt", "continue elsewhere")],
    ),
    "ee406ccc-6255-4ef5-ac3c-11dc9ab6cc22": ("headless", [("command", "Bob")]),
    # Codex 0.169.0, terminal, then `exec` in both model families, then 0.77.0
    "01a1fbb2-a5e1-76d1-b848-b3ac8f68eb14": (
        "human",
        [("prompt", "push my branch"), NO_FORCE, ("queued", "yalso ignore node_modules")],
    ),
    "01a1fbae-2c17-7cc2-8cb1-ba3cba8180a9": ("headless", [INSTALL, PNPM, ALWAYS_TEST]),
    "01a1fbae-44f2-7cb0-9a2f-1b02cec65369": ("headless", [INSTALL_API, WRONG]),
    "01a1fbae-4ab7-7433-8071-81ae575484b2": ("headless", [("prompt", "summarize the repo")]),
    "01a1fbae-4e92-7bd0-aca9-5d30b30f99f1": ("headless", [INSTALL, PNPM, ALWAYS_TEST]),
    "01a1fbae-605f-7c00-b7ea-1112be24f32d": ("headless", [INSTALL_API, WRONG]),
    "01a1fbae-6863-7a63-b81f-8f770f287501": ("headless", [("prompt", "summarize the repo")]),
    "01a1fbad-fcb1-7831-884c-385dc760b7be": ("headless", [INSTALL, PNPM, ALWAYS_TEST]),
    "01a1fbae-0569-7fa0-9725-ac1630d683a5": ("headless", [INSTALL_API, WRONG]),
    "01a1fbae-0ac8-7721-a457-22f3f0b2b455": ("headless", [("prompt", "summarize the repo")]),
    # Copilot CLI 1.0.102
    "04b2b57a-96d7-42a2-b702-a8cb5a21a2a3": (
        "human",
        [
            ("prompt", "push my branch"),
            NO_FORCE,
            ("prompt", "list files"),
            ("queued", "also ignore node_modules"),
        ],
    ),
    "0bec2f67-d9a6-4574-b616-033ce6ef399e": ("human", [("prompt", "greet me")]),
    "4597a622-b7ed-47a7-a8fd-20c2ea26bf18": ("human", [INSTALL, PNPM, ALWAYS_TEST]),
    "56a42bb5-af7d-4ed0-8cc2-e5dc98074ae6": ("human", [("prompt", "summarize the repo")]),
    "a7142639-b466-40d9-9947-22c2663ea5a1": ("human", [INSTALL_API, WRONG]),
    # VS Code: a whole object and a log of the smallest kind, then of every rule, version 1, a transcript
    "0a0a0a0a-0000-4000-8000-000000000001": ("human", [("prompt", "install the dependencies")]),
    "0b0b0b0b-0000-4000-8000-000000000002": (
        "human",
        [("prompt", "install the dependencies"), ("prompt", "no, use pnpm not npm")],
    ),
    "0c0c0c0c-0000-4000-8000-000000000003": ("human", VSCODE),
    "0d0d0d0d-0000-4000-8000-000000000004": ("human", VSCODE),
    "0e0e0e0e-0000-4000-8000-000000000005": (
        "human",
        [("prompt", "what is a monad"), ("prompt", "shorter please")],
    ),
    "0f0f0f0f-0000-4000-8000-000000000006": (
        "human",
        [("prompt", "format the code"), ("prompt", "use ruff format, not black")],
    ),
}
N_WARM_UPS = 20


def _sessions(transcripts: Path) -> dict[str, Session]:
    found: dict[str, Session] = {}
    for name, build in SOURCES.items():
        source = build(())
        for path in source.files(transcripts / name):
            for session in source.read(path).sessions:
                assert session.id not in found
                found[session.id] = session
    return found


def test_every_human_word_is_found_and_none_invented(transcripts: Path) -> None:
    sessions = _sessions(transcripts)
    told = {
        session.id: (str(session.driver), [(turn.via, turn.text) for turn in session.user_turns])
        for session in sessions.values()
        if not (session.client_version == "2.0.31" and session.driver == "subagent")
    }
    assert told == WORDS
    warm_ups = [s for s in sessions.values() if s.client_version == "2.0.31" and s.driver == "subagent"]
    assert len(warm_ups) == N_WARM_UPS
    assert not any(session.user_turns for session in warm_ups)


def test_real_files_hold_nothing_unknown(transcripts: Path) -> None:
    """The shipped versions are understood whole: an unknown type here is a gap in a reader."""
    for name, build in SOURCES.items():
        source = build(())
        for path in source.files(transcripts / name):
            if path.name != "interactive_history.jsonl":
                assert dict(source.read(path).skipped) == {}, path


VSCODE_ACTIONS: list[tuple[str, str, str, int | None]] = [
    # the person rewrote the first command before letting it run
    ("command", "pytest", "rejected", None),
    ("command", "./dev test", "ok", 0),
    ("command", "git push --force", "rejected", None),
    ("other", "", "ok", None),
    ("read", "/home/dev/api/pool.py", "ok", None),
    ("edit", "/home/dev/api/pool.py", "ok", None),
    ("edit", "/home/dev/api/app.py", "rejected", None),
    ("command", "createdb orders", "interrupted", None),
    ("read", "", "ok", None),
]
ACTIONS: dict[str, list[tuple[str, str, str, int | None]]] = {
    "33dec031-1377-4541-a7d4-91a997e59906": [
        ("command", "npm --version", "rejected", None),
        ("command", "npm run nothing", "failed", 1),
        ("command", "git push --force", "rejected", None),
    ],
    "86374cd9-03b9-4c58-82b8-9250a92a844a": [
        ("command", "npm --version", "ok", 0),
        ("command", "pnpm install --frozen-lockfile", "failed", 127),
        ("command", "npm test --silent; echo exit=$?; exit 3", "failed", 3),
        ("read", "/home/dev/web/package.json", "ok", None),
        ("edit", "/home/dev/web/package.json", "ok", None),
        ("command", "npm test --silent && echo tests pass", "ok", 0),
    ],
    # code mode: commands exist only as items
    "01a1fbae-4e92-7bd0-aca9-5d30b30f99f1": [
        ("command", "npm --version", "ok", 0),
        ("command", "pnpm install --frozen-lockfile", "failed", 127),
        ("command", "npm test --silent; echo exit=$?; exit 3", "failed", 3),
        ("edit", "/home/dev/web-gpt-6-sol/package.json", "ok", None),
        ("command", "npm test --silent && echo tests pass", "ok", 0),
    ],
    # classic tools, each reported by a call, an item and an output: one action
    "01a1fbae-44f2-7cb0-9a2f-1b02cec65369": [
        ("command", "npm --version", "ok", 0),
        ("command", "cat package.json", "ok", 0),
        ("edit", "/home/dev/api-gpt-5.5/VERSION.txt", "ok", 0),
    ],
    # 0.77: apply_patch through the shell
    "01a1fbae-0569-7fa0-9725-ac1630d683a5": [
        ("command", "npm --version", "ok", 0),
        ("command", "cat package.json", "ok", 0),
        ("edit", "/home/dev/api-gpt-5.5/VERSION.txt", "ok", 0),
    ],
    "01a1fbb2-a5e1-76d1-b848-b3ac8f68eb14": [
        ("command", "git push --force", "rejected", None),
        ("command", "sleep 8; ls", "ok", 0),
    ],
    "04b2b57a-96d7-42a2-b702-a8cb5a21a2a3": [
        ("command", "git push --force", "rejected", None),
        ("command", "sleep 8; ls", "unknown", None),
        ("other", "", "ok", None),
    ],
    "4597a622-b7ed-47a7-a8fd-20c2ea26bf18": [
        ("command", "npm --version", "ok", 0),
        ("command", "pnpm install --frozen-lockfile", "failed", 127),
        ("command", "npm test --silent; echo exit=$?; exit 3", "failed", 3),
        ("read", "/home/dev/web/package.json", "ok", None),
        ("edit", "/home/dev/web/package.json", "ok", None),
        ("command", "npm test --silent && echo tests pass", "ok", 0),
    ],
}


ACTIONS |= {
    "0c0c0c0c-0000-4000-8000-000000000003": VSCODE_ACTIONS,
    "0d0d0d0d-0000-4000-8000-000000000004": VSCODE_ACTIONS,
    "0f0f0f0f-0000-4000-8000-000000000006": [("command", "black .", "unknown", None)],
}


def _brief(action: Action) -> tuple[str, str, str, int | None]:
    return action.kind, action.command or "".join(action.files), str(action.outcome), action.exit_code


@pytest.mark.parametrize("session_id", sorted(ACTIONS))
def test_actions_and_their_outcomes(transcripts: Path, session_id: str) -> None:
    session = _sessions(transcripts)[session_id]
    assert [_brief(action) for action in session.actions] == ACTIONS[session_id]


def test_skills_interruptions_and_places(transcripts: Path) -> None:
    sessions = _sessions(transcripts)
    assert {key: session.skills for key, session in sessions.items() if session.skills} == {
        "65c7abaa-05d8-4b37-ac49-3262f30cca80": ("greet-user",),
        "a689967a-0374-4189-9e4b-98e9deba52f1": ("greet-user",),
        "ee406ccc-6255-4ef5-ac3c-11dc9ab6cc22": ("greet-user",),
        "0bec2f67-d9a6-4574-b616-033ce6ef399e": ("greet-user",),
        "0c0c0c0c-0000-4000-8000-000000000003": ("greet-user",),
        "0d0d0d0d-0000-4000-8000-000000000004": ("greet-user",),
    }
    interrupted = [k for k, s in sessions.items() if any(isinstance(e, Interruption) for e in s.events)]
    assert sorted(interrupted) == [
        "01a1fbb2-a5e1-76d1-b848-b3ac8f68eb14",
        "0c0c0c0c-0000-4000-8000-000000000003",
        "0d0d0d0d-0000-4000-8000-000000000004",
        "0e0e0e0e-0000-4000-8000-000000000005",
        "33dec031-1377-4541-a7d4-91a997e59906",
    ]
    session = sessions["01a1fbb2-a5e1-76d1-b848-b3ac8f68eb14"]
    assert (session.cwd, session.project, session.branch) == ("/home/dev/web", "/home/dev/web", "main")
    assert session.started_at is not None
    assert session.started_at.isoformat().startswith("2026-11-21T01:22:3")
    assert session.started_at.utcoffset() == timedelta(0)
