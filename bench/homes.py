"""Homes as large as wanted, made of the files real clients wrote: prompts put back, ids made new."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

TRANSCRIPTS = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "transcripts"
_ELIDED = re.compile(r"<elided (\d{1,7}) chars>")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TEXT = """
the agent must always read a file before it changes one and say what it found when the user asks for
tests tools commands results paths sessions working folder never guess prefer small steps explain
why
"""
_WORDS = _TEXT.split()


class _Copies:
    """One fixture as text; each copy has ids of its own, and prose where the vendor's prompt was."""

    def __init__(self, path: Path, prose: str) -> None:
        records = (json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line)
        text = "\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in records)
        whole = _ELIDED.sub(lambda m: (prose * (int(m[1]) // len(prose) + 1))[: int(m[1])], text)
        self._parts = _ID.split(whole)
        self._ids = _ID.findall(whole)
        self.session = path.parent.name if path.stem == "events" else path.stem[-36:]

    def copy(self, rng: random.Random, session: str) -> str:
        """The lines with fresh ids, the session's own id being `session`."""
        fresh = {self.session: session}
        ids = (fresh.setdefault(i, str(UUID(int=rng.getrandbits(128), version=4))) for i in self._ids)
        return "".join(part + i for part, i in zip(self._parts, [*ids, ""], strict=True))


def make_home(home: Path, source: str, *, megabytes: float, files: int) -> int:
    """Write `files` transcripts of one source below `home`, `megabytes` in all; the bytes written."""
    rng = random.Random(f"{source}:{megabytes}:{files}")
    prose = " ".join(rng.choices(_WORDS, k=3_000))
    copies = [_Copies(path, prose) for path in _fixtures(source)]
    size = megabytes * 1_000_000 / files
    written = 0
    for number in range(files):
        session = str(UUID(int=rng.getrandbits(128), version=4))
        lines: list[str] = []
        n_bytes = 0.0
        while n_bytes < size:
            lines.append(copies[(number + len(lines)) % len(copies)].copy(rng, session))
            n_bytes += len(lines[-1].encode())
        path = home / _place(source, session, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        written += path.write_bytes(("\n".join(lines) + "\n").encode())
    return written


def transcripts(home: Path) -> Iterator[Path]:
    """Every transcript below `home`, sorted."""
    yield from sorted(home.rglob("*.jsonl"))


def _fixtures(source: str) -> list[Path]:
    """The newest version's sessions with a person in them."""
    found = {
        "claude": "claude/2.1.329/**/projects/*/*.jsonl",
        "codex": "codex/0.169.0/**/rollout-*.jsonl",
        "copilot": "copilot/1.0.102/**/events.jsonl",
    }
    paths = sorted(TRANSCRIPTS.glob(found[source]))
    interactive = sorted(TRANSCRIPTS.glob(found[source].replace("projects", "*projects")))
    return sorted({*paths, *interactive})


def _place(source: str, session: str, number: int) -> str:
    if source == "claude":
        return f".claude/projects/-home-dev-app{number % 7}/{session}.jsonl"
    if source == "codex":
        day = f"2026/10/{number % 28 + 1:02}"
        return f".codex/sessions/{day}/rollout-2026-10-{number % 28 + 1:02}T08-00-00-{session}.jsonl"
    return f".copilot/session-state/{session}/events.jsonl"
