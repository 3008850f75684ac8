"""What recurs across sessions: tasks (request, action, correction) and wants (what keeps being corrected)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skillopt.core.task import content_id
from skillopt_sleep.mine.alike import CorrectionLikeness, EpisodeLikeness
from skillopt_sleep.mine.cluster import WHOLE, clusters_of
from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.embed import Embedder
from skillopt_sleep.mine.episodes import Correction, Episode
from skillopt_sleep.mine.words import content, tokens

MIN_SESSIONS = 2
TASK_THRESHOLD = 0.13
WANT_THRESHOLD = 0.13
_FEW = 2
_COHERENT = 0.45


@dataclass(frozen=True, slots=True)
class RecurringTask:
    """Episodes of different sessions of one project that ask for the same kind of work."""

    id: str
    project: str
    intent: str
    episodes: tuple[Episode, ...]

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The sessions it occurred in, in order of time, each once."""
        return tuple(dict.fromkeys(e.session_id for e in self.episodes))


@dataclass(frozen=True, slots=True)
class Want:
    """Corrections of different sessions of one project that ask for the same thing."""

    id: str
    project: str
    corrections: tuple[Correction, ...]

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The sessions it was said in, in order of time, each once."""
        return tuple(dict.fromkeys(c.session_id for c in self.corrections))


def recurring_tasks(
    episodes: Sequence[Episode],
    found_wants: Sequence[Want],
    looks: Mapping[str, float],
    cues: Cues,
    embedder: Embedder,
    whole: int = WHOLE,
) -> tuple[RecurringTask, ...]:
    """Cluster the episodes of one project by what was asked, what was done and what was corrected; only what
    occurs in at least two sessions is a task. `whole` as in `clusters_of`."""
    if len(episodes) < MIN_SESSIONS:
        return ()
    likeness = EpisodeLikeness.of(episodes, found_wants, looks, cues, embedder)
    clusters = clusters_of(likeness, TASK_THRESHOLD, whole)
    out = []
    for group in clusters.groups:
        found = tuple(sorted((episodes[i] for i in group), key=_when))
        sessions = len({e.session_id for e in found})
        if sessions >= MIN_SESSIONS and (sessions > _FEW or clusters.cohesion(group) >= _COHERENT):
            project = found[0].project
            out.append(
                RecurringTask(
                    id=content_id(project, sorted(e.id for e in found)),
                    project=project,
                    intent=_intent(found, cues),
                    episodes=found,
                )
            )
    return tuple(out)


def wants(
    corrections: Sequence[Correction],
    among: int,
    cues: Cues,
    embedder: Embedder,
    whole: int = WHOLE,
) -> tuple[Want, ...]:
    """Cluster the corrections of one project by what was said, what changed, and on which action.

    `among` is the number of episodes they were picked from: what most corrections share is still telling
    when most episodes lack it. `whole` as in `clusters_of`.
    """
    if len(corrections) < MIN_SESSIONS:
        return ()
    likeness = CorrectionLikeness.of(corrections, among, cues, embedder)
    out = []
    for group in clusters_of(likeness, WANT_THRESHOLD, whole).groups:
        found = tuple(sorted((corrections[i] for i in group), key=_when))
        if len({c.session_id for c in found}) >= MIN_SESSIONS:
            out.append(
                # Wants are trained in the order of their ids, which must not depend on where a project lies.
                Want(content_id("want", sorted(c.id for c in found)), found[0].project, found)
            )
    return tuple(out)


def _when(item: Episode | Correction) -> tuple[bool, str, str]:
    return (item.at is None, item.at.isoformat() if item.at else "", item.id)


def _intent(episodes: Sequence[Episode], cues: Cues) -> str:
    """The request that says best what all of them ask: most shared words, then the shortest, as typed."""
    counts = Counter(w for e in episodes for w in set(content(tokens(e.request), cues)))

    def rank(episode: Episode) -> tuple[float, int, str]:
        words = content(tokens(episode.request), cues)
        return (
            -sum(counts[w] for w in set(words)) / (len(words) + 1.0),
            len(episode.request),
            episode.request,
        )

    return " ".join(min(episodes, key=rank).request.split())[:120]
