"""Judge what was mined from a built home against the truth about it.

`python tests/homes/judge.py WORLD` builds, mines, adopts and judges (see `run_world.py`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IntentResult:
    """One intent: how well a task covers its sessions, and which adopted lessons say what the person wants.

    `jaccard` is in [0, 1] and belongs to `task_id` (empty when no task shares a session). `n_sessions` and
    `n_corrected` count human sessions. `lessons` are the texts in its project that say it.
    """

    name: str
    project: str
    corrected: bool
    n_sessions: int
    n_corrected: int
    jaccard: float
    task_id: str
    lessons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FalseLesson:
    """A lesson no careful reader of the home would agree with, and why."""

    project: str
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on one home. Means are over intents; `jaccard` over all of them."""

    world: str
    intents: tuple[IntentResult, ...]
    false_lessons: tuple[FalseLesson, ...]
    n_tasks: int

    @property
    def jaccard(self) -> float:
        """Mean best Jaccard of all intents."""
        return _mean(result.jaccard for result in self.intents)

    @property
    def jaccard_corrected(self) -> float:
        """Mean best Jaccard of the corrected intents."""
        return _mean(result.jaccard for result in self.intents if result.corrected)

    @property
    def learned(self) -> int:
        """How many corrected intents have a lesson."""
        return sum(1 for result in self.intents if result.corrected and result.lessons)

    @property
    def to_learn(self) -> int:
        """How many corrected intents there are."""
        return sum(1 for result in self.intents if result.corrected)

    def table(self) -> str:
        """The report for people."""
        head = f"{'intent':<20} {'sessions':>8} {'corrected':>9} {'J':>5}  {'task':<14} lesson"
        rows = [f"world {self.world}: {self.n_tasks} tasks", "", head, "-" * len(head)]
        for result in self.intents:
            said = " | ".join(result.lessons) or ("-- not learned --" if result.corrected else "")
            rows.append(
                f"{result.name:<20} {result.n_sessions:>8} {result.n_corrected:>9} {result.jaccard:>5.2f}"
                f"  {result.task_id[:14]:<14} {said}"
            )
        rows += ["", f"mean J {self.jaccard:.2f} (corrected {self.jaccard_corrected:.2f})"]
        rows.append(f"learned {self.learned} of {self.to_learn}, false {len(self.false_lessons)}")
        rows += [
            f"  FALSE ({lesson.why}) [{Path(lesson.project).name}] {lesson.text}"
            for lesson in self.false_lessons
        ]
        return "\n".join(rows)


def judge(truth: Json, tasks_json: Json, lessons: Sequence[tuple[str, str]]) -> Report:
    """Compare mined tasks and adopted lessons with the truth.

    `tasks_json` is the object of `skillopt-sleep tasks --json`; `lessons` are (project, text). A fork counts
    as its source. Intents that share a request (`task` in the truth) may be one task or several: the better
    fit counts.
    """
    same = {s["id"]: s.get("fork_of", s["id"]) for s in truth["sessions"]}
    human = {s["id"] for s in truth["sessions"] if s["driver"] == "human"}
    tasks = [
        (str(task["id"]), _place(task["project"]), {same.get(i, i) for i in task["sessions"]} & human)
        for task in tasks_json["tasks"]
    ]
    results = []
    for name, intent in truth["intents"].items():
        here = [sessions for sessions in tasks if sessions[1] == _place(intent["project"])]
        own = _sessions_of(truth, human, {name})
        siblings = {n for n, i in truth["intents"].items() if i.get("task", n) == intent.get("task", name)}
        jaccard, task_id = max(
            (_best(own, here), _best(_sessions_of(truth, human, siblings), here)), key=lambda found: found[0]
        )
        texts = [
            text
            for project, text in lessons
            if _place(project) == _place(intent["project"])
            and _says(truth, name, text)
            and not _needle(truth, text)
        ]
        n_corrected = len(_sessions_of(truth, human, {name}, corrected=True))
        results.append(
            IntentResult(
                name=name,
                project=intent["project"],
                corrected=intent["corrected"],
                n_sessions=len(own),
                n_corrected=n_corrected,
                jaccard=jaccard,
                task_id=task_id,
                lessons=tuple(texts),
            )
        )
    false = [FalseLesson(p, text, why) for p, text in lessons if (why := why_false(truth, p, text))]
    return Report(truth["world"], tuple(results), tuple(false), len(tasks))


def why_false(truth: Json, project: str, text: str) -> str:
    """Why a lesson adopted in `project` is wrong; empty when it is right."""
    if needle := _needle(truth, text):
        return f"holds {needle!r}"
    saying = [i for name, i in truth["intents"].items() if i["corrected"] and _says(truth, name, text)]
    if any(_place(intent["project"]) == _place(project) for intent in saying):
        return ""
    if saying:
        return "wrong project"
    said = any(i["corrected"] and _matches(i["lesson"], text) for i in truth["intents"].values())
    return "says the opposite" if said else "nobody wants this"


def _says(truth: Json, name: str, text: str) -> bool:
    """Whether a lesson says what the intent wants, and not its opposite."""
    intent = truth["intents"][name]
    words = text.lower()
    if not _matches(intent["lesson"], words):
        return False
    against = [phrase for phrase in intent.get("against", []) if phrase in words]
    if not against:
        return True
    said = [
        episode["say"].lower()
        for session in truth["sessions"]
        for episode in session["episodes"]
        if episode["intent"] == name and "say" in episode
    ]
    return all(any(phrase in say for say in said) for phrase in against)


def _matches(alternatives: list[list[str]], text: str) -> bool:
    return any(all(part in text.lower() for part in parts) for parts in alternatives)


def _needle(truth: Json, text: str) -> str:
    for needle in [*truth["needles"], *truth["injection_needles"]]:
        if re.search(rf"(?<!\w){re.escape(needle.lower())}(?!\w)", text.lower()):
            return str(needle)
    return ""


def _sessions_of(truth: Json, human: set[str], names: set[str], *, corrected: bool = False) -> set[str]:
    return {
        session["id"]
        for session in truth["sessions"]
        for episode in session["episodes"]
        if session["id"] in human and episode["intent"] in names and (episode["corrected"] or not corrected)
    }


def _best(wanted: set[str], tasks: list[tuple[str, str, set[str]]]) -> tuple[float, str]:
    scores = [(len(wanted & found) / len(wanted | found), name) for name, _, found in tasks if wanted & found]
    return max(scores, default=(0.0, ""))


def _place(project: str) -> str:
    return str(Path(project).resolve())


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


if __name__ == "__main__":
    from run_world import main

    sys.exit(main(sys.argv[1:]))
