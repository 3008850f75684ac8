"""The folder of a run: its lock, its state with all that follows from it, and what was paid for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from skillopt.core.skill import Skill
from skillopt.core.state import TrainerState
from skillopt.core.text import utf8
from skillopt.errors import ConfigError, LockHeldError, StorageError
from skillopt.runs.history import history_json, slow_update_json
from skillopt.store.cache import Cache
from skillopt.store.files import make_private_dir, write_atomic
from skillopt.store.lockfile import held
from skillopt.store.run_store import FileStore

if TYPE_CHECKING:
    from skillopt.config.schema import Resolved, Value

MARK = "runtime_state.json"
_OWN = frozenset(
    ("config.yaml", MARK, "history.json", "events.jsonl", "summary.json", "best_skill.md", "skills", "steps",
     "slow_update", "meta_skill", "test", "cache.sqlite", "cache.sqlite-wal", "cache.sqlite-shm", ".lock",
     ".holder.json")
)  # fmt: skip


class RunFolder:
    """The files of one run; see `docs/guides/reading-a-run.md` for what they hold."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = FolderStore(path)
        self.summary = path / "summary.json"
        self.config = path / "config.yaml"
        self.events = path / "events.jsonl"

    @property
    def name(self) -> str:
        """How people call it."""
        return self.path.name

    def is_run(self) -> bool:
        """Whether a run has begun here."""
        return any((self.path / name).is_file() for name in ("config.yaml", MARK, "cache.sqlite"))

    @contextmanager
    def opened(self) -> Iterator[Cache]:
        """Owns the folder while it lasts. Raises LockHeldError when another process does, ConfigError for a
        folder that holds other things, StorageError when it cannot be used."""
        self._check_ours()
        make_private_dir(self.path)
        with held(self.path / ".lock", 0) as is_mine:
            if not is_mine:
                raise LockHeldError(
                    f"another process is running {self.path}",
                    why=self._holder(),
                    next="wait for it to end, or stop it: the same command then goes on where it stopped",
                )
            holder = self.path / ".holder.json"
            write_atomic(holder, json.dumps({"pid": os.getpid()}).encode(), is_durable=False)
            cache = Cache(self.path / "cache.sqlite")
            try:
                yield cache
            finally:
                cache.close()
                holder.unlink(missing_ok=True)

    @contextmanager
    def shared(self) -> Iterator[Cache]:
        """What was paid for here, beside a run that may be going on. Raises as `opened` does."""
        self._check_ours()
        cache = Cache(self.path / "cache.sqlite")
        try:
            yield cache
        finally:
            cache.close()

    def differences(self, resolved: Resolved) -> dict[str, tuple[Value, Value]]:
        """By key, the value this run began with and the one wanted now, where that can change a result.

        Nothing for a run that has not finished a step yet. Raises StorageError for a damaged `config.yaml`.
        """
        if self.store.load() is None or not self.config.is_file():
            return {}
        from skillopt.config.load import load

        try:
            began = load(self.config, env={}).fingerprint
        except ConfigError as error:
            raise StorageError(
                f"{self.config} cannot be read", why=str(error), next="restore it, or use another --out"
            ) from error
        wanted = resolved.fingerprint
        return {
            key: (began.get(key), wanted.get(key))
            for key in sorted({*began, *wanted})
            if began.get(key) != wanted.get(key)
        }

    def _check_ours(self) -> None:
        if not self.path.is_dir():
            if self.path.exists():
                raise ConfigError(f"{self.path} is a file", next="name a folder with --out")
            return
        strange = sorted(
            entry.name
            for entry in self.path.iterdir()
            if entry.name not in _OWN and not entry.name.endswith(".tmp")
        )
        if strange and not self.is_run():
            raise ConfigError(
                f"{self.path} holds other things: {', '.join(strange[:3])}",
                next="name a new or empty folder with --out",
            )

    def _holder(self) -> str:
        try:
            return f"process {int(json.loads((self.path / '.holder.json').read_bytes())['pid'])} has its lock"
        except (OSError, ValueError, KeyError, TypeError):
            return "a process that has just started has its lock"


class FolderStore(FileStore):
    """The state of a run, with the files that follow from it: best skill, versions, history, guidance, notes.

    They are written after the state, and again when the state is loaded: a process killed between the two
    leaves nothing behind that contradicts it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.folder = path
        self._written: dict[str, str] = {}

    def save(self, state: TrainerState) -> None:
        """Replaces the state and what follows from it. Raises StorageError when it cannot be written."""
        super().save(state)
        self.write_derived(state)

    def write_derived(self, state: TrainerState) -> None:
        """Writes what follows from `state`, where it is not there already."""
        for name, text in _derived(state).items():
            if self._written.get(name) != text:
                path = self.folder / name
                make_private_dir(path.parent)
                write_atomic(path, utf8(text), is_durable=False)
                self._written[name] = text


def _derived(state: TrainerState) -> Mapping[str, str]:
    files = {
        "best_skill.md": state.best,
        "history.json": history_json(state),
        "skills/skill_v0000.md": state.seed,
    }
    if state.history and _has_changed(state):
        files[f"skills/skill_v{state.step:04d}.md"] = state.current
    for record in state.epochs:
        if record.outcomes or record.slow_update:
            files[f"slow_update/epoch_{record.epoch:02d}/result.json"] = slow_update_json(record)
        if record.meta_skill:
            files[f"meta_skill/epoch_{record.epoch:02d}/note.md"] = record.meta_skill.rstrip() + "\n"
    return files


def _has_changed(state: TrainerState) -> bool:
    """Whether the step finished last, or the end of its epoch, put another skill in place."""
    last = state.history[-1]
    if last.decision.accepted:
        return True
    ended = state.epochs[-1] if len(state.epochs) > last.epoch else None
    if ended is None or not ended.outcomes:
        return False
    if ended.slow_update is not None:
        return ended.slow_update.decision.accepted
    attempts = [record.attempts[-1] for record in state.history]
    attempts += [record.slow_update for record in state.epochs if record.slow_update is not None]
    known = {attempt.candidate_sha for attempt in attempts if attempt.decision.accepted}
    return state.skill.sha not in {*known, Skill(state.seed, state.kind).sha}
