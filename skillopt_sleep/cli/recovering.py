"""What every command does first: finish what a crash left, and say so on stderr."""

from __future__ import annotations

from skillopt.cli.output import say
from skillopt.errors import LockHeldError, StorageError
from skillopt_sleep.home import StateHome


def say_recovered(home: StateHome, *, must_recover: bool) -> None:
    """Finish what was interrupted. With `must_recover` False, for a command that only looks, a failure to do
    so is told and not raised, and another command at work is not waited for."""
    try:
        is_left = any(folder.is_dir() and any(folder.iterdir()) for folder in (home.journal, home.staged))
    except OSError as error:
        raise StorageError(
            f"the state folder {home.path} cannot be read",
            why=error.strerror or str(error),
            next="`skillopt-sleep doctor` says what mends it",
        ) from error
    if not is_left:
        return
    from skillopt_sleep.describe import recovered_lines  # slow to import, as is what they need
    from skillopt_sleep.recovery import recover_pending
    from skillopt_sleep.stage import LOCK_WAIT_S

    try:
        lines = list(recovered_lines(recover_pending(home, LOCK_WAIT_S if must_recover else 0)))
    except (LockHeldError, StorageError) as error:
        if must_recover:
            raise
        lines = [] if isinstance(error, LockHeldError) else [str(error)]
    say(*(" ".join(line.split()) for line in lines), err=True)


def interrupted(home: StateHome) -> list[str]:
    """The commands that finish what is (still) interrupted: `recover`, `purge`."""
    is_pending = home.journal.is_dir() and any(home.journal.iterdir())
    return [*(["recover"] if is_pending else []), *(["purge"] if home.purge.exists() else [])]
