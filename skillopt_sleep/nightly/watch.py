"""Watching the folders of transcripts: that something changed there, not what.

Events are hints, and are lost where the system runs out of watches. A folder that cannot be watched, or lies
on the disk of another machine, is looked through once a minute instead.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch
from watchdog.observers.polling import PollingObserver

from skillopt_sleep.scope import is_folder

POLL_S = 60.0
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    DirCreatedEvent,
]
_SUFFIXES = (".jsonl", ".json", ".zst")
_MOUNTS = Path("/proc/self/mounts")
_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.rclone", "drvfs")


class _Ear(FileSystemEventHandler):
    def __init__(self, told: Callable[[], object]) -> None:
        self._told = told

    def on_any_event(self, event: FileSystemEvent) -> None:
        path = event.dest_path or event.src_path
        # A folder that is new may hold files that came before it was watched.
        if event.is_directory or os.fsdecode(path).endswith(_SUFFIXES):
            self._told()


class Watch:
    """The folders that are watched; those that are not there yet are taken up by `look_again`."""

    def __init__(
        self,
        folders: Sequence[Path],
        told: Callable[[], object],
        log: logging.Logger,
        *,
        make_observer: Callable[[], BaseObserver] = Observer,
        poll_s: float = POLL_S,
    ) -> None:
        self._folders = tuple(dict.fromkeys(folders))
        self._ear = _Ear(told)
        self._log = log
        self._slow: BaseObserver = PollingObserver(timeout=poll_s)
        try:
            self._quick = make_observer()
        except OSError as error:
            # (Linux gives a person 128 of what this needs, and an editor may have them all)
            why = error.strerror or error
            self._log.warning("nothing tells of changes here (%s); folders are looked through instead", why)
            self._quick = self._slow
        self._at: dict[Path, tuple[BaseObserver, ObservedWatch]] = {}

    def start(self) -> None:
        """Begin. Never raises for a folder that cannot be watched."""
        for observer in self._observers:
            observer.start()
        self.look_again()

    def stop(self) -> None:
        for observer in self._observers:
            observer.stop()
        for observer in self._observers:
            observer.join(1)

    @property
    def _observers(self) -> tuple[BaseObserver, ...]:
        return tuple(dict.fromkeys((self._quick, self._slow)))

    @property
    def watched(self) -> dict[Path, bool]:
        """The folders that are watched now, and whether only by looking through them."""
        return {folder: observer is self._slow for folder, (observer, _) in self._at.items()}

    def look_again(self) -> None:
        """Take up folders that have come, and leave those whose watch has ended."""
        for folder in self._folders:
            if folder in self._at and not (self._is_alive(folder) and is_folder(folder)):
                observer, watch = self._at.pop(folder)
                with suppress(KeyError, OSError):
                    observer.unschedule(watch)
            if folder not in self._at and is_folder(folder):
                self._begin(folder)

    def _begin(self, folder: Path) -> None:
        quick = () if is_remote(folder, _mounts()) or not self._quick.is_alive() else (self._quick,)
        for observer in dict.fromkeys((*quick, self._slow)):
            try:
                watch = observer.schedule(
                    self._ear, str(folder), recursive=True, event_filter=_EVENTS, follow_symlink=True
                )
            except OSError as error:
                how = (
                    "looked through instead" if observer is not self._slow else "looked through by each night"
                )
                self._log.warning("%s cannot be watched (%s); it is %s", folder, error.strerror or error, how)
                continue
            self._at[folder] = (observer, watch)
            return

    def _is_alive(self, folder: Path) -> bool:
        observer, watch = self._at[folder]
        return observer.is_alive() and any(e.watch == watch and e.is_alive() for e in observer.emitters)


def is_remote(folder: Path, mounts: Iterable[str]) -> bool:
    """Whether a folder lies on the disk of another machine, which tells nobody of its changes; `mounts` are
    the lines of /proc/self/mounts."""
    kind, depth = "", -1
    for line in mounts:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        at = Path(fields[1].replace("\\040", " "))
        if folder.is_relative_to(at) and len(at.parts) >= depth:
            kind, depth = fields[2], len(at.parts)
    return kind in _REMOTE


def _mounts() -> list[str]:
    try:
        return _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
