from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from skillopt_sleep.harvest import HarvestReport, SourceHarvest, harvest
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.session import Driver, Session, UserTurn
from skillopt_sleep.sources.base import Counts, Reading


class NoteSource:
    """Transcripts as small as can be: `<session>.note` holds `record id: words` lines; `!` fails, `?` is
    unreadable; `project: FOLDER`, `fork of: SESSION` and `driver: NAME` say the rest."""

    name = "notes"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.opened: Counter[str] = Counter()
        self.tells_records = True

    def roots(self, env: Mapping[str, str], home: Path) -> tuple[Path, ...]:
        return (self.root,)

    def files(self, root: Path, skipped: Counts | None = None) -> Iterator[Path]:
        return iter(sorted(root.rglob("*.note")))

    def read(self, path: Path) -> Reading:
        self.opened[path.name] += 1
        data = path.read_bytes()
        if data.startswith(b"!"):
            raise ValueError("this reader has a defect")
        if data.startswith(b"?"):
            return Reading(skipped={"unreadable": 1})
        lines = [line.split(": ", 1) for line in data.decode().splitlines()]
        about = {name: words for name, words in lines if name in ("project", "fork of", "driver")}
        said = [(name, words) for name, words in lines if name not in about]
        project = about.get("project", "/p")
        ids = tuple(name for name, _ in said)
        session = Session(
            id=path.stem,
            source=self.name,
            path=str(path),
            content_sha=hashlib.sha256(data).hexdigest(),
            cwd=project,
            project=project,
            branch=None,
            started_at=None,
            ended_at=None,
            driver=Driver(about.get("driver", "human")),
            events=tuple(UserTurn(words) for _, words in said),
            fork_of=about.get("fork of"),
        )
        skipped = {} if said else {"no_user_turns": 1}
        if not self.tells_records:
            return Reading((session,), skipped, len(data))
        return Reading((session,), skipped, len(data), frozenset(ids), (ids,))


@pytest.fixture
def notes(tmp_path: Path) -> NoteSource:
    (tmp_path / "notes").mkdir()
    return NoteSource(tmp_path / "notes")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        yield ledger


@pytest.fixture
def write(notes: NoteSource) -> Callable[[str, str], Path]:
    def write_note(name: str, text: str) -> Path:
        path = notes.root / f"{name}.note"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        return path

    return write_note


@pytest.fixture
def run(ledger: Ledger, notes: NoteSource, tmp_path: Path) -> Callable[[], SourceHarvest]:
    """Harvests the notes and gives what was found of them."""

    def run_once() -> SourceHarvest:
        report: HarvestReport = harvest(ledger, [notes], env={}, home=tmp_path)
        return report.sources[0]

    return run_once
