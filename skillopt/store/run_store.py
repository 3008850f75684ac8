"""Where a run keeps its state: in memory, or in a folder."""

from __future__ import annotations

from pathlib import Path

from skillopt.core.state import TrainerState
from skillopt.errors import StorageError
from skillopt.store.files import make_private_dir, write_atomic


class MemoryStore:
    """Keeps the state as the text a file would hold."""

    def __init__(self) -> None:
        self.text: str | None = None

    def load(self) -> TrainerState | None:
        """The state saved last, None when there is none."""
        return None if self.text is None else TrainerState.from_json(self.text)

    def save(self, state: TrainerState) -> None:
        """Replaces the state."""
        self.text = state.to_json()


class FileStore:
    """Keeps the state in `runtime_state.json` of a private folder, replaced atomically."""

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / "runtime_state.json"

    def load(self) -> TrainerState | None:
        """The state saved last, None when there is none.

        Raises StorageError when the file is damaged, foreign or unreadable.
        """
        try:
            text = self.path.read_bytes().decode()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(f"cannot read {self.path}", why=str(error), next="restore the file") from error
        try:
            return TrainerState.from_json(text)
        except StorageError as error:
            raise StorageError(f"{error.what}: {self.path}", why=error.why, next=error.next) from error

    def save(self, state: TrainerState) -> None:
        """Replaces the state. Raises StorageError when it cannot be written; the old one stays."""
        make_private_dir(self.path.parent)
        write_atomic(self.path, state.to_json().encode())
