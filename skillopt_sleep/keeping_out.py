"""Around each harvest: sessions that are kept out since the last one are forgotten, new ones not stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from skillopt_sleep.kept_out import is_marked
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_kept_out import (
    folders_of_sessions,
    ids_in_folder,
    kept_out_ids,
    known_ids_with_words,
    read_again,
    set_aside,
    used_ids,
)
from skillopt_sleep.ledger_purge import Selection, choose_sessions

Forget: TypeAlias = Callable[[Selection], bool]
"""Forgets sessions with every word of them that the state repeats; False when that must wait."""


def before_reading(ledger: Ledger, forget: Forget) -> frozenset[str]:
    """Forget the sessions whose folder has a marker now; the ids of all others that are known.

    Their files are read again, which counts them as kept out, for they are not new.
    """
    marked: set[str] = set()
    for cwd, project in folders_of_sessions(ledger.file):
        if is_marked(cwd, project):
            marked |= ids_in_folder(ledger.file, cwd, project)
    if marked:
        read_again(ledger.file, marked)
        forget(Selection(sessions=tuple(sorted(marked))))
    return known_ids_with_words(ledger.file)


def after_reading(ledger: Ledger, known: frozenset[str], forget: Forget) -> None:
    """Forget the sessions that were found to be kept out, with the subagents that worked for them. Of those
    that were `known` before, or used by a night, the state may repeat words."""
    found = kept_out_ids(ledger.file)
    if not found:
        return
    repeated = (found & known) | used_ids(ledger.file, found)
    if repeated and not forget(Selection(sessions=tuple(sorted(repeated)))):
        return
    if new := found - repeated:
        set_aside(ledger.file, choose_sessions(ledger.file, Selection(sessions=tuple(sorted(new)))))
