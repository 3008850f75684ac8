"""Everything mined from the sessions of one project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skillopt_sleep.mine.cluster import WHOLE
from skillopt_sleep.mine.cues import Cues, cues_for
from skillopt_sleep.mine.embed import Embedder
from skillopt_sleep.mine.episodes import Episode, mine_episodes
from skillopt_sleep.mine.meaning import Meaning
from skillopt_sleep.mine.recur import RecurringTask, Want, recurring_tasks, wants
from skillopt_sleep.mine.words import tokens
from skillopt_sleep.session import Session


@dataclass(frozen=True, slots=True)
class MinedProject:
    """The episodes of a project, what recurs in them, and what keeps being corrected.

    `meaning` knows how telling each word is in what this person writes here, `cues` the languages they write.
    """

    project: str
    episodes: tuple[Episode, ...]
    tasks: tuple[RecurringTask, ...]
    wants: tuple[Want, ...]
    meaning: Meaning
    cues: Cues

    @property
    def controls(self) -> tuple[Episode, ...]:
        """The episodes that went well: neither corrected nor, without a word, refused."""
        return tuple(e for e in self.episodes if not (e.corrected or e.refused))


def by_time(sessions: Iterable[Session]) -> list[Session]:
    """Oldest first, undated ones last; the same list for the same sessions in any order."""
    return sorted(sessions, key=lambda s: (s.started_at is None, str(s.started_at or ""), s.source, s.id))


def mine_project(
    project: str, sessions: Sequence[Session], embedder: Embedder, *, whole: int = WHOLE
) -> MinedProject:
    """Mine the human sessions of one project; pure, and the same for the same sessions in any order.

    Up to `whole` episodes are compared each with each, more as `clusters_of` says.
    """
    cues = cues_for([tokens(turn.text) for s in sessions for turn in s.user_turns])
    ordered = by_time(sessions)
    read = mine_episodes(ordered, cues)
    corrections = [c for e in read.episodes for c in e.corrections]
    found = wants(corrections, len(read.episodes), cues, embedder, whole)
    tasks = recurring_tasks(read.episodes, found, read.looks, cues, embedder, whole)
    return MinedProject(project, read.episodes, tasks, found, read.meaning, cues)
