"""Which skill a want belongs to: the one its sessions used, else the nearest, else the managed one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from skillopt_sleep.installed_skills import InstalledSkill
from skillopt_sleep.mine.embed import Embedder
from skillopt_sleep.mine.recur import Want
from skillopt_sleep.proposal import Link
from skillopt_sleep.skillfile import MANAGED_SKILL
from skillopt_sleep.targets import place

NEAR = 0.45
"""Cosine of the built-in embedder from which a skill's description is about the same work."""


@dataclass(frozen=True, slots=True)
class Route:
    """The skill file that lessons go to. `links` make it readable where other harnesses look."""

    skill: str
    kind: Literal["managed", "existing"]
    path: Path
    links: tuple[Link, ...] = ()


def route(
    want: Want,
    used: Mapping[str, Sequence[str]],
    installed: Sequence[InstalledSkill],
    managed: Route,
    embedder: Embedder,
) -> Route:
    """The route of one want.

    `used` are the skills each session used. Only skills of the project itself are candidates: a lesson of
    one project never reaches another through a skill of the user.
    """
    candidates = {
        s.name: s for s in installed if s.level == "project" and not s.problem and s.name != MANAGED_SKILL
    }
    counts = Counter(name for i in want.session_ids for name in set(used.get(i, ())) if name in candidates)
    if counts:
        name, n = max(counts.items(), key=lambda c: (c[1], c[0]))
        if 2 * n >= len(want.session_ids):
            return Route(name, "existing", candidates[name].path)
    described = sorted(name for name in candidates if candidates[name].description)
    if described:
        asked = embedder.embed([f"{c.request} {c.text}" for c in want.corrections]).mean(axis=0)
        near = embedder.embed([candidates[n].description for n in described]) @ asked
        norm = float(np.linalg.norm(asked)) or 1.0
        best = int(near.argmax())
        if near[best] / norm >= NEAR:
            return Route(described[best], "existing", candidates[described[best]].path)
    return managed


def managed_route(project: Path, sources: Sequence[str]) -> Route:
    """The managed skill of a project, where the harnesses used in it read."""
    placement = place(project, sources, MANAGED_SKILL)
    return Route(MANAGED_SKILL, "managed", placement.skill_file, placement.links)
