"""The folder that holds all state of the night, and the places inside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skillopt.errors import ConfigError
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
        if named == Path():
            raise ConfigError(
                "the state cannot be kept in the current folder itself",
                why="--home or SKILLOPT_SLEEP_HOME names it",
                next="name a folder of its own, for example --home ~/.skillopt-sleep",
            )
        folder = without_tilde(named, env) if named else user_home(env) / ".skillopt-sleep"
        try:
            # Made absolute here, so that changing the working folder later cannot move it.
            return cls(folder.absolute())
        except OSError as error:
            raise ConfigError(
                f"there is no telling where {folder} is",
                why=f"the current folder cannot be found: {error.strerror}",
                next="go to another folder, or give an absolute path",
            ) from error

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
    def purge(self) -> Path:
        """What a purge is to forget; only there while it is at work, or when it was killed."""
        return self.path / "purge.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def queue(self) -> Path:
        return self.path / "queue"

    def has_ledger(self) -> bool:
        """Whether something is in the ledger's place; a link that leads nowhere is something."""
        return os.path.lexists(self.ledger)

    def make(self) -> None:
        """Create the folder, readable by its owner only. Raises StorageError when that is impossible."""
        make_private_dir(self.path)


def user_home(env: Mapping[str, str]) -> Path:
    """The user's home folder as the environment names it, else as the system does.

    Raises ConfigError when neither knows one.
    """
    if env.get("HOME"):
        return Path(env["HOME"])
    return _known_home("~", "your home folder is not known", "set HOME to it")


def without_tilde(path: Path, env: Mapping[str, str]) -> Path:
    """`path` with a leading `~` or `~name` written out. Raises ConfigError when nobody is called so."""
    first, *rest = path.parts or ("",)
    if not first.startswith("~"):
        return path
    if first == "~":
        return user_home(env).joinpath(*rest)
    return _known_home(first, f"nobody is called {first[1:]} here", "write the path out").joinpath(*rest)


def _known_home(name: str, what: str, following: str) -> Path:
    import pwd  # not there on every system

    try:
        found = pwd.getpwuid(os.getuid()) if name == "~" else pwd.getpwnam(name[1:])
    except (KeyError, ValueError) as error:
        raise ConfigError(what, why="the system has no entry for it", next=following) from error
    return Path(found.pw_dir)
