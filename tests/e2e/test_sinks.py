"""Secrets planted everywhere a transcript has a place for words, and everywhere the program could leave them.

A made-up developer's home is written in the real formats with a secret of its own in every place, the
installed commands run on it as a person would run them, and then no piece of any secret may stand in what was
printed, stored, adopted or left behind.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest

from skillopt_sleep.experiments.writers import (
    Prompt,
    Queued,
    Said,
    Script,
    Step,
    Subagent,
    Tool,
    write_claude_code,
    write_codex,
    write_copilot_cli,
)
from skillopt_sleep.experiments.writers.record import new_uuid

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("sinks")]

WORD = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
HEX = "0123456789abcdef"
UPPER = "ABCDEFGHJKLMNPQRSTUVWXYZ234567"
PIECE = 8
"""So much of a secret gives it away."""

SHAPES = {
    "openai": ("sk-proj-", WORD, 48),
    "anthropic": ("sk-ant-api03-", WORD, 60),
    "github": ("ghp_", WORD, 36),
    "github server": ("ghs_", WORD, 36),
    "github fine-grained": ("github_pat_", WORD, 60),
    "gitlab": ("glpat-", WORD, 20),
    "slack": ("xoxb-123456789012-1234567890123-", WORD, 24),
    "npm": ("npm_", WORD, 36),
    "hugging face": ("hf_", WORD, 34),
    "stripe": ("sk_live_", WORD, 24),
    "google": ("AIzaSy", WORD, 33),
    "google client": ("GOCSPX-", WORD, 28),
    "aws": ("AKIA", UPPER, 16),
    "sendgrid": ("SG.", WORD, 22),
    "jwt": ("eyJhbGciOiJIUzI1NiJ9.", WORD, 60),
    "digitalocean": ("dop_v1_", HEX, 64),
    "groq": ("gsk_", WORD, 52),
}
TOKENS = tuple(SHAPES)
"""Shapes that are known wherever they stand."""

SENTENCES = {
    "url": "postgres://bob:{}@db.example/shop",
    "user flag": "curl -u bob:{} https://x.example",
    "password": "password={}",
    "quoted password": 'the config says "password": "{}"',
    "key": "DATABASE_KEY={}",
    "header": "Authorization: Bearer {}",
    "private key": "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
}
"""Secrets that are known by what stands beside them."""


@dataclass
class Planted:
    """What was drawn of each secret, by the place it was put in, and the secrets themselves."""

    rng: Random
    drawn: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def token(self, place: str, shape: str = "") -> str:
        """A new secret of the shape, or of the next one."""
        shape = shape or TOKENS[self.count % len(TOKENS)]
        self.count += 1
        prefix, alphabet, length = SHAPES[shape]
        body = "".join(self.rng.choices(alphabet, k=length))
        if shape == "sendgrid":
            self.drawn[f"{place} ({shape}, end)"] = end = "".join(self.rng.choices(WORD, k=43))
            self.drawn[f"{place} ({shape})"] = body
            return f"{prefix}{body}.{end}"
        self.drawn[f"{place} ({shape})"] = body
        return prefix + body

    def sentence(self, place: str, kind: str) -> str:
        """A new secret among the words that give it away."""
        body = "".join(self.rng.choices(WORD, k=64 if kind == "private key" else 24)) + "x7"
        self.drawn[f"{place} ({kind})"] = body
        return SENTENCES[kind].format(body)


def everywhere(place: str, planted: Planted) -> str:
    """A text with a secret of every shape."""
    lines = [f"a {shape} {planted.token(place, shape)} here" for shape in SHAPES]
    lines += [planted.sentence(place, kind) for kind in SENTENCES]
    return "\n".join(lines)


def build(home: Path) -> Planted:
    """Six weeks of one developer who corrects the same things again and again and pastes secrets all the
    while, as three clients record them."""
    planted = Planted(Random(5))
    rng = Random(6)
    shop, odd = home / "code" / "shop", home / "code" / f"x-{planted.token('folder', 'github')}"
    for folder in (shop, odd):
        folder.mkdir(parents=True)
        subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    start = datetime(2026, 9, 1, 9, tzinfo=UTC)
    for number in range(24):
        script = Script(
            session_id=new_uuid(rng),
            cwd=str(odd if number % 6 == 5 else shop),
            started_at=start + timedelta(days=number, minutes=number * 7),
            steps=tuple(steps(number, planted)),
            branch=f"feature/{planted.token(f'branch {number}')}",
        )
        (write_claude_code, write_codex, write_copilot_cli)[number % 3](script, home, rng)
    strange(home, shop, planted, rng)
    return planted


def steps(number: int, planted: Planted) -> Iterator[Step]:
    """One session: two things that are corrected each time, and secrets in every kind of step."""

    def token(place: str) -> str:
        return planted.token(f"{place} {number}")

    yield Prompt(f"add lib{number} to the shop please, the key of the registry is {token('prompt')}")
    yield Said(f"I will install it with {token('answer')}")
    yield Tool(
        "run",
        f"npm install lib{number} --registry-token {token('command')}",
        fate="rejected",
        words=f"use pnpm instead of npm in this repo. here is the token: {token('rejection')}",
    )
    yield Tool("run", f"pnpm add lib{number}", output=everywhere(f"output {number}", planted))
    yield Tool("read", f"config/{token('read path')}.env", output=token("read output"))
    yield Tool("edit", f"src/{token('edit path')}/a.ts", text=f"export const k = '{token('edit text')}'")
    yield Tool("search", token("search"))
    yield Tool("fetch", f"https://x.example/?a={token('fetch')}")
    yield Subagent(f"look into {token('subagent prompt')}", f"found {token('subagent answer')}")
    yield Prompt("now deploy it")
    yield Tool("run", f"./deploy prod --key {token('deploy')}", exit_code=2, output=token("failed output"))
    yield Queued(f"always run ./check {planted.token('lesson', 'github server')} before ./deploy prod")
    yield Tool("run", "./check all && ./deploy prod", output="done")
    if number % 4 == 0:
        yield Prompt(everywhere(f"long prompt {number}", planted))
    yield Prompt("thanks, looks good")


def strange(home: Path, shop: Path, planted: Planted, rng: Random) -> None:
    """Secrets where only a client, or an accident, would put them."""
    script = Script(
        session_id=f"s-{planted.token('session id', 'github')}",
        cwd=str(shop / f"sub-{planted.token('subfolder', 'npm')}"),
        started_at=datetime(2026, 10, 1, 9, tzinfo=UTC),
        steps=(
            Prompt("add zod please"),
            Tool("run", "npm install zod"),
            Prompt("use pnpm instead of npm here"),
        ),
        branch=planted.token("branch of its own"),
    )
    claude = write_claude_code(script, home, rng)
    for writer, name in ((write_codex, "codex"), (write_copilot_cli, "copilot")):
        own_id = f"s-{planted.token(f'{name} id', 'npm')}"
        writer(Script(own_id, str(shop), script.started_at, script.steps), home, rng)
    lines = [json.loads(line) for line in claude.read_text().splitlines()]
    for record in lines:
        if record.get("type") == "assistant":
            record["attributionSkill"] = planted.token("skill", "github")
            record["version"] = planted.token("version", "npm")
        if "uuid" in record:
            record["uuid"] = planted.token("record id")
            record["timestamp"] = planted.token("time", "npm") if rng.random() < 0.2 else record["timestamp"]
        for block in (record.get("message") or {}).get("content") or []:
            if isinstance(block, dict) and block.get("type") == "tool_use":
                block["name"] = planted.token("tool name", "github")
                block["id"] = planted.token("call id")
    lines += [
        {"type": planted.token("record type", "github"), planted.token("field"): planted.token("value")},
        {"type": "user", planted.token("field of a prompt"): 1, "message": {"role": planted.token("role")}},
        {"type": "system", "subtype": planted.token("subtype", "npm")},
        {"type": "attachment", "attachment": {"type": planted.token("attachment type", "npm")}},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"torn": "' + planted.token("torn line")
    claude.write_text(text)
    folder = home / ".claude" / "projects" / f"-home-{planted.token('transcript folder', 'github')}"
    folder.mkdir()
    (folder / f"{planted.token('transcript name', 'github')}.jsonl").write_text(text)
    (folder / f"{planted.token('dangling name', 'npm')}.jsonl").symlink_to(folder / "gone")
    (folder / f"{planted.token('empty name', 'npm')}.jsonl").write_text("[1]\n")


@dataclass
class Home:
    """The home after everything was run in it: what was planted, and all that was printed, by command."""

    path: Path
    planted: Planted
    printed: dict[str, str]
    codes: dict[str, int]


PROGRAM = Path(sys.executable).with_name("skillopt-sleep")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("sinks").resolve()
    (folder / "tmp").mkdir()
    found = Home(folder, build(folder), {}, {})
    live(found)
    return found


def run(home: Home, *words: str, cwd: Path | None = None, name: str = "") -> str:
    env = {"HOME": str(home.path), "TMPDIR": str(home.path / "tmp"), "LANG": "C.UTF-8"}
    env["PATH"] = os.pathsep.join((str(PROGRAM.parent), os.defpath))
    env |= {
        key: value for key, value in os.environ.items() if key.startswith(("COVERAGE_", "SKILLOPT_TEST_"))
    }
    done = subprocess.run(
        [PROGRAM, *words], cwd=cwd or home.path / "code" / "shop", env=env, capture_output=True, text=True
    )
    home.printed[name or " ".join(words)] = done.stdout + done.stderr
    home.codes[name or " ".join(words)] = done.returncode
    return done.stdout


def live(home: Home) -> None:
    """A person's days with the program, and a few accidents."""
    (odd,) = (home.path / "code").glob("x-*")
    for line in (
        "harvest --sessions",
        "harvest --sessions --all-projects",
        "tasks",
        "tasks --all-projects",
        "run --dry-run --all-projects",
        "run --all-projects",
        "status",
        "show",
        "diff",
        "nights",
        "config show",
        "config path",
    ):
        words = line.split()
        run(home, *words)
        if words[0] != "run":
            run(home, *words, "--json")
    run(home, "tasks", "--all-projects", "--output", str(home.path / "tmp" / "tasks.json"))
    run(home, "harvest", "--sessions", cwd=odd, name="harvest in the odd folder")
    run(home, "harvest", "--sessions", "--json", cwd=odd, name="harvest in the odd folder --json")
    run(home, "run", "--json", "--verbose", cwd=odd, name="run in the odd folder")
    run(home, "run", "--json", "--project", str(odd), name="run --project")
    run(home, "adopt", "--all", "--yes", "--json")
    for words in (
        ("status", "--json"),
        ("undo", "--yes"),
        ("run", "--all-projects", "--json"),
        ("show", "--json"),
    ):
        run(home, *words)
    for proposal in json.loads(home.printed["show --json"]).get("proposals", []):
        run(home, "discard", proposal["id"], "--why", home.planted.token("why", "npm"))
    accidents(home, odd)


def accidents(home: Home, odd: Path) -> None:
    """What goes wrong is told, and nothing of it tells a secret."""
    state = home.path / ".skillopt-sleep"
    token = home.planted.token("argument", "github")
    run(home, "show", token, name="an unknown proposal")
    run(home, "show", token, "--json", name="an unknown proposal --json")
    run(home, "adopt", token, "--yes", name="adopt the unknown")
    run(home, "config", "set", token, token, name="an unknown setting")
    run(home, token, name="an unknown command")
    run(home, "harvest", f"--{token}", name="an unknown option")
    run(home, "harvest", "--source", token, "--json", name="an unknown source")
    run(home, "harvest", "--since", token, name="an unknown time")
    run(home, "harvest", "--project", str(home.path / token), name="no such project")
    run(home, "harvest", "--home", str(odd / ".git" / "HEAD"), name="no folder for the state")
    run(home, "run", "--home", str(odd / ".git" / "HEAD"), "--json", name="no folder for the state --json")
    broken = odd / "state"
    broken.mkdir(mode=0o700)
    (broken / "ledger.sqlite").write_bytes(b"no database" * 500)
    run(home, "run", "--home", str(broken), name="a damaged ledger")
    run(home, "status", "--home", str(broken), "--json", name="a damaged ledger --json")
    state.chmod(0o500)
    (state / "ledger.sqlite").chmod(0o400)
    run(home, "run", "--all-projects", name="a state that cannot be written")
    run(home, "harvest", "--json", name="a state that cannot be written --json")
    state.chmod(0o700)
    (state / "ledger.sqlite").chmod(0o600)


def told(secret: str) -> Iterator[bytes]:
    """Every piece of a secret, as it stands and in the spellings it could be kept in."""
    for at in range(len(secret) - PIECE + 1):
        piece = secret[at : at + PIECE]
        yield piece.encode()
        if not piece.isalnum():
            yield json.dumps(piece)[1:-1].encode()
            yield quote(piece, safe="").encode()
    for shift in range(3):
        # Base64 of a text tells of the middle of it whatever stands before.
        yield base64.b64encode(secret[shift:].encode())[4:20]


def leaks(planted: Planted, content: bytes) -> set[str]:
    """The places whose secrets stand in a content."""
    return {
        place for place, secret in planted.drawn.items() if any(piece in content for piece in told(secret))
    }


def columns(path: Path) -> bytes:
    """What a database holds, value by value: a page may break a text in two."""
    if path.suffix != ".sqlite" or not path.read_bytes().startswith(b"SQLite format 3"):
        return b""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        rows = [row for table in tables for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608
    return b"\n".join(
        value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
    )


def kept(home: Home) -> Iterator[Path]:
    """Every file the program wrote: its state, the skills, what is left in the temporary folder."""
    (odd,) = (home.path / "code").glob("x-*")
    for folder in (home.path / ".skillopt-sleep", home.path / "tmp", home.path / "code", odd):
        yield from (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)


def test_the_night_had_something_to_learn_from(home: Home) -> None:
    night = json.loads(home.printed["run --all-projects --json"])
    assert night["verdict"] in ("proposed", "nothing_to_learn"), night
    assert "pnpm" in home.printed["show"], home.printed["show"]
    assert json.loads(home.printed["adopt --all --yes --json"])["receipts"]
    assert len({place.rpartition("(")[2] for place in home.planted.drawn}) >= 17
    assert len(home.planted.drawn) > 500


def test_nothing_is_printed(home: Home) -> None:
    found = {command: leaks(home.planted, text.encode()) for command, text in home.printed.items()}
    assert {command: sorted(places)[:8] for command, places in found.items() if places} == {}


def test_nothing_is_stored(home: Home) -> None:
    files = list(kept(home))
    assert any(path.name == "ledger.sqlite" for path in files)
    found = {
        str(path.relative_to(home.path)): leaks(home.planted, path.read_bytes() + columns(path))
        for path in files
    }
    assert {name: sorted(places)[:8] for name, places in found.items() if places} == {}


def test_no_file_is_named_after_one(home: Home) -> None:
    (odd,) = (home.path / "code").glob("x-*")
    names = "\n".join(str(path.relative_to(home.path)).replace(odd.name, "odd") for path in kept(home))
    assert leaks(home.planted, names.encode()) == set()


def test_no_accident_was_unexpected(home: Home) -> None:
    assert {name for name, text in home.printed.items() if "Traceback" in text} == set()
