"""The folder that holds all state of the night, and the places inside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skillopt.errors import ConfigError, StorageError
from skillopt.store.files import make_private_dir, write_atomic

HOME_VARIABLE = "SKILLOPT_SLEEP_HOME"


@dataclass(frozen=True, slots=True)
class StateHome:
    """Where state lives. Nothing is created before something has to be written: see `make`.

    `is_default` says that it is the usual place in the user's home.
    """

    path: Path
    is_default: bool = False

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
            path = folder.absolute()
            return cls(path, named is None or path == _default(env))
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
    def delivery_lock(self) -> Path:
        return self.path / "delivery.lock"

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
    def damaged(self) -> Path:
        """Where a person is advised to put a damaged ledger."""
        return self.path / "damaged"

    @property
    def attempts(self) -> Path:
        """The nights that began by themselves and have not finished."""
        return self.path / "attempts.json"

    @property
    def daemon_lock(self) -> Path:
        return self.path / "daemon.lock"

    @property
    def daemon_holder(self) -> Path:
        """Says which process is the daemon; only true while it is held."""
        return self.path / "daemon.holder.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def queue(self) -> Path:
        return self.path / "queue"

    @property
    def git_ignore(self) -> Path:
        """Keeps the folder out of a repository that was made around it."""
        return self.path / ".gitignore"

    def has_ledger(self) -> bool:
        """Whether something is in the ledger's place; a link that leads nowhere is something."""
        return os.path.lexists(self.ledger)

    def make(self) -> None:
        """Create the folder, readable by its owner only.

        Raises StorageError when that is impossible, ConfigError when it would lie inside a repository or
        close a folder of other things to others. A folder that came to lie in one is ignored by git.
        """
        from skillopt_sleep.scope import git_root

        try:
            is_new = not self.path.is_dir()
            root = git_root(self.path.parent if is_new else self.path)
            is_shared = not is_new and _holds_other_things(self)
        except OSError as error:
            raise StorageError(
                f"the state folder {self.path} cannot be used", why=str(error), next=_ELSEWHERE
            ) from error
        # The user's own home may be kept in a repository; the default place there is only to be ignored.
        if is_new and root is not None and not self.is_default:
            raise ConfigError(
                f"the state folder {self.path} would lie inside the repository {root}",
                why="it holds words from your sessions, which must not be committed or shared",
                next=_ELSEWHERE,
            )
        if is_shared:
            raise ConfigError(
                f"{self.path} holds other things and is open to others",
                why="the state folder is closed to everyone else, and those things would be too",
                next=_ELSEWHERE,
            )
        make_private_dir(self.path)
        if root is not None and not self.git_ignore.exists():
            write_atomic(self.git_ignore, b"*\n")


_ELSEWHERE = f"choose a folder of its own, outside of repositories, with --home or {HOME_VARIABLE}"


def _holds_other_things(home: StateHome) -> bool:
    """Whether the folder is open to others and holds something, and nothing that is ours."""
    names = {each.name for each in home.path.iterdir()}
    ours = (home.ledger, home.config, home.lock, home.proposals, home.staged, home.receipts, home.discarded)
    is_ours = names & {path.name for path in (*ours, home.journal, home.delivery_lock)}
    return bool(names) and not is_ours and stat.S_IMODE(home.path.stat().st_mode) & 0o077 != 0


def _default(env: Mapping[str, str]) -> Path | None:
    """The usual place, None for a user without a home, who may still name another."""
    try:
        return user_home(env) / ".skillopt-sleep"
    except ConfigError:
        return None


def user_home(env: Mapping[str, str]) -> Path:
    """The user's home folder as the environment names it, else as the system does.

    Raises ConfigError when neither knows one, or it is named relative to whatever folder one stands in.
    """
    if named := env.get("HOME"):
        if not Path(named).is_absolute():
            raise ConfigError(
                f"HOME is {named!r}, which is no absolute path",
                why="it would be another folder wherever a command is started",
                next="set HOME to the whole path of your home folder",
            )
        return Path(named)
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
