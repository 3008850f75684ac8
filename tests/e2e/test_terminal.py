"""A home full of hostile names: whatever is shown, no terminal gets anything to obey, and JSON stays JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from skillopt_sleep.demo.scratch import make_scratch

pytestmark = pytest.mark.e2e

PROGRAM = Path(sys.executable).with_name("skillopt-sleep")
ENGINE = Path(sys.executable).with_name("skillopt")

# Direction, nothing visible, other line breaks; what a session keeps of the name of its folder.
KEPT = "é\u202e\u2066\u200b\u3164\u2028\ufeff\nNext: evil '\"; 🙂"
# Colours, a link, the clipboard, a device string, C1.
ESCAPES = "\x1b[31m\x1b]8;;http:\x07\x1b]52;c;QQ\x07\x1bPq\x1b\\\x9b1m\x85\x7f\x08\r\t"
RAW = "\udcff" if sys.platform == "linux" else ""
EVIL = f"{ESCAPES}{KEPT}{RAW}"
TEXT = EVIL.replace(RAW, "") if RAW else EVIL


@dataclass(frozen=True)
class Home:
    env: dict[str, str]
    cwd: Path

    def run(self, *words: str | Path, **env: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [words[0] if isinstance(words[0], Path) else PROGRAM, *words[isinstance(words[0], Path) :]],
            env=self.env | env,
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )

    def ids(self) -> list[str]:
        return [each["id"] for each in json.loads(self.run("show", "--json").stdout)["proposals"]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home of the demo under a hostile name."""
    return make_home(tmp_path_factory.mktemp("terminal") / EVIL)


def make_home(folder: Path) -> Home:
    """The home of the demo in `folder`, with a transcript in which everything is hostile."""
    folder.mkdir()
    scratch = make_scratch(folder)
    project = scratch.project("storefront")
    transcript = scratch.home / ".claude" / "projects" / EVIL / f"{EVIL}.jsonl"
    transcript.parent.mkdir()
    said = {
        **dict.fromkeys(("sessionId", "gitBranch", "version", "uuid"), TEXT),
        "type": "user",
        "userType": "external",
        "entrypoint": "cli",
        "promptSource": "typed",
        "timestamp": "2026-11-01T10:00:00.000Z",
        "cwd": str(project),
        "message": {"role": "user", "content": TEXT},
    }
    transcript.write_text(json.dumps(said) + "\n" + json.dumps({**said, "type": TEXT}) + "\n")
    (transcript.parent / f"silent{EVIL}.jsonl").write_text('{"type": "future"}\n')
    skill = project / ".claude" / "skills" / "mine" / "SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text(f"---\nname: mine\ndescription: {ESCAPES[:4]}\n---\n{TEXT}\n")
    measured = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}
    return Home({**scratch.env, "LANG": "C.UTF-8", **measured}, project)


def harmless(done: subprocess.CompletedProcess[bytes]) -> None:
    """Printable characters and line feeds (in a diff, tabs); a name with a line feed makes no line."""
    for shown in (done.stdout.decode(), done.stderr.decode()):
        allowed = "\n\t" if done.args[1] == "diff" else "\n"
        bad = {char for char in shown if not char.isprintable() and char not in allowed}
        assert not bad, (done.args, bad, shown)
        assert "\u3164" not in shown
        assert not any(line.startswith("Next: evil") for line in shown.splitlines()), (done.args, shown)
        assert "Traceback" not in shown, (done.args, shown)


def is_one_object(done: subprocess.CompletedProcess[bytes]) -> None:
    assert done.stdout.endswith(b"\n"), (done.args, done.stderr)
    assert all(0x20 <= byte < 0x7F for byte in done.stdout[:-1]), done.args
    assert {"schema", "ok"} <= json.loads(done.stdout).keys()


LOOKING: list[list[str]] = [
    ["harvest", "--all-projects", "--sessions", "--verbose"],
    ["harvest", "--sessions"],
    ["tasks"],
    ["run", "--all-projects", "--verbose"],
    ["run"],
    ["status"],
    ["nights"],
    ["show"],
    ["diff"],
    ["config", "show"],
    ["config", "path"],
    ["config", "set", "projects", EVIL, "../x"],
    ["config", "set", "projects"],
    ["recover"],
    ["doctor"],
    ["purge", "--all", "--dry-run"],
    ["purge", "--source", "claude", "--dry-run"],
]
MISTAKES: list[list[str]] = [
    [EVIL],
    [f"--{EVIL}"],
    ["show", EVIL],
    ["show", "--what", EVIL],
    ["diff", EVIL],
    ["adopt", EVIL],
    ["adopt", "--lesson", EVIL],
    ["adopt", "--skill", EVIL],
    ["adopt", "--all", EVIL],
    ["undo", EVIL],
    ["discard", EVIL, "--why", EVIL],
    ["harvest", "--source", EVIL],
    ["harvest", "--since", EVIL],
    ["harvest", "--project", EVIL],
    ["harvest", "--home", f"{sys.executable}/{EVIL}"],
    ["harvest", "--home", f"~{EVIL}"],
    ["status", "--home", EVIL],
    ["config", "set", EVIL, "x"],
    ["config", "set", "since", EVIL],
    ["config", EVIL],
    ["doctor", EVIL],
    ["doctor", "--home", EVIL],
    ["purge", "--session", EVIL, "--yes"],
    ["purge", "--source", EVIL],
    ["purge", "--older-than", EVIL],
    ["purge", "--project", EVIL, "--dry-run"],
]


@pytest.mark.parametrize("words", LOOKING + MISTAKES, ids=lambda words: " ".join(words).split(EVIL)[0])
def test_nothing_shown_is_obeyed(home: Home, words: list[str]) -> None:
    harmless(home.run(*words))
    as_json = home.run(*words, "--json")
    harmless(as_json)
    is_one_object(as_json)


def test_deciding_shows_nothing_to_obey(tmp_path: Path) -> None:
    home = make_home(tmp_path / KEPT)
    home.run("run", "--all-projects")
    first, second = home.ids()
    for words in (
        ["show", first],
        ["diff", first],
        ["diff"],
        ["adopt", first],
        ["undo"],
        ["discard", second, "--why", EVIL],
        ["show", second],
    ):
        done = home.run(*words)
        assert done.returncode == 0, done.stderr
        harmless(done)
    shutil.rmtree(Path(home.env["HOME"]) / ".skillopt-sleep")
    home.run("run", "--all-projects")
    receipt = json.loads(home.run("adopt", "--all", "--json").stdout)["receipts"][0]
    live = Path(receipt["path"])
    live.write_text(live.read_text().replace("<!-- id:", f"{TEXT} <!-- id:"))
    refused = home.run("undo", receipt["id"])
    assert refused.returncode == 6, refused.stdout
    harmless(refused)
    is_one_object(home.run("undo", receipt["id"], "--json"))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_of_another_encoding_is_no_obstacle(home: Home, encoding: str) -> None:
    for words in (["status"], ["show"], ["harvest", "--sessions"]):
        done = home.run(*words, PYTHONIOENCODING=encoding, LANG="C", LC_ALL="C")
        assert done.returncode == 0, done.stderr
        shown = done.stdout.decode(encoding)
        assert all(char.isprintable() or char == "\n" for char in shown)


def test_a_damaged_state_is_told_without_anything_to_obey(home: Home) -> None:
    state = Path(home.env["HOME"]) / f"state{EVIL}"
    (state / "proposals" / EVIL).mkdir(parents=True)
    (state / "proposals" / EVIL / "proposal.json").write_text(json.dumps({"schema": TEXT}))
    (state / "journal" / EVIL).mkdir(parents=True)
    for words in (["status"], ["show"], ["run"], ["recover"], ["adopt", "--all"]):
        harmless(home.run(*words, SKILLOPT_SLEEP_HOME=str(state)))
    (state / "config.yaml").write_text(f"{EVIL[:3]}: [\x1b", errors="replace")
    (state / "ledger.sqlite").write_text(TEXT)
    for words in (["status"], ["nights"], ["harvest"], ["config", "show"], ["doctor"]):
        done = home.run(*words, SKILLOPT_SLEEP_HOME=str(state))
        assert done.returncode != 0
        harmless(done)


def test_the_engine_shows_nothing_to_obey(home: Home, tmp_path: Path) -> None:
    skill = tmp_path / EVIL / "SKILL.md"
    skill.parent.mkdir()
    skill.write_text(TEXT)
    patch = tmp_path / "patch.json"
    patch.write_text(json.dumps({"edits": [{"op": "append", "text": TEXT}]}))
    for words in (
        ["skill", "check", str(skill)],
        ["skill", "apply", str(patch), str(skill)],
        ["skill", EVIL],
    ):
        done = home.run(ENGINE, *words)
        shown = (done.stdout + done.stderr).decode()
        assert not {char for char in shown if not char.isprintable() and char not in "\n\t"}, shown
        is_one_object(home.run(ENGINE, *words, "--json"))
