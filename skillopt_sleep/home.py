"""The folder that holds all state of the night, and the places inside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skillopt.store.files import make_private_dir

HOME_VARIABLE = "SKILLOPT_SLEEP_HOME"


@dataclass(frozen=True, slots=True)
class StateHome:
    """Where state lives. Nothing is created before something has to be written: see `make`."""

    path: Path

    @classmethod
    def locate(cls, option: Path | None, env: Mapping[str, str]) -> StateHome:
        """The folder named by `--home`, else by `SKILLOPT_SLEEP_HOME`, else `~/.skillopt-sleep`."""
        named = option or (Path(env[HOME_VARIABLE]) if env.get(HOME_VARIABLE) else None)
        # Made absolute here, so that changing the working folder later cannot move it.
        return cls((named or user_home(env) / ".skillopt-sleep").expanduser().absolute())

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.sqlite"

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def lock(self) -> Path:
        return self.path / "run.lock"

    @property
    def lock_holder(self) -> Path:
        """Says who holds the lock; only true while it is held."""
        return self.path / "run.holder.json"

    @property
    def proposals(self) -> Path:
        return self.path / "proposals"

    @property
    def staged(self) -> Path:
        """Proposals of a night that has not finished yet; nobody reads them before it has."""
        return self.path / "staged"

    @property
    def discarded(self) -> Path:
        return self.path / "discarded"

    @property
    def receipts(self) -> Path:
        return self.path / "receipts"

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def queue(self) -> Path:
        return self.path / "queue"

    def make(self) -> None:
        """Create the folder, readable by its owner only. Raises StorageError when that is impossible."""
        make_private_dir(self.path)


def user_home(env: Mapping[str, str]) -> Path:
    """The user's home folder as the environment names it, else as the system does."""
    return Path(env["HOME"]) if env.get("HOME") else Path.home()
