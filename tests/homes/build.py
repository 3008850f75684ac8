"""Build the home of a simulated developer from a labelled world, with the truth about it.

A world (`worlds/*.yaml`) holds what one person asks for, how the agent goes about it, and what the person
says when it goes wrong, every sentence written by hand. `build_home` deals these out to sessions of the
three clients. What each part of a world means is said where it is read.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import yaml

from skillopt_sleep.experiments.writers import (
    Compaction,
    Prompt,
    Queued,
    Said,
    Script,
    Slash,
    Step,
    Subagent,
    Tool,
    fork_claude_code,
    write_claude_code,
    write_codex,
    write_copilot_cli,
)
from skillopt_sleep.experiments.writers.record import new_uuid

WORLDS_DIR = Path(__file__).parent / "worlds"
Json: TypeAlias = dict[str, Any]
_FEEDBACK = ("reject", "interrupt", "next", "queued")


def world_names() -> list[str]:
    """The names of the worlds there are."""
    return sorted(path.stem for path in WORLDS_DIR.glob("*.yaml"))


def load_world(world: str) -> Json:
    """The parsed YAML of a world."""
    loaded: Json = yaml.safe_load((WORLDS_DIR / f"{world}.yaml").read_text(encoding="utf-8"))
    return loaded


def build_home(world: str, dest: Path, seed: int, projects_root: Path) -> Json:
    """Write the home of `world` into `dest`; the same seed gives the same bytes.

    Project folders are only named (below `projects_root`), see `make_projects`. Returns the truth: world,
    sessions, intents, projects, needles, injection_needles, secrets_planted, folders.
    """
    return _Builder(load_world(world), dest, Random(f"{world}-{seed}"), projects_root).build()


def make_projects(truth: Json) -> None:
    """Make every project folder of a built home a git repository, and the subfolders sessions ran in."""
    for project in truth["projects"].values():
        Path(project).mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "init", "-q", "-b", "main", project], check=True)
    for folder in truth["folders"]:
        Path(folder).mkdir(parents=True, exist_ok=True)


@dataclass
class Part:
    """One request and what followed, ready to become part of a session."""

    project: str
    task: str
    steps: list[Step]
    episodes: list[Json] = field(default_factory=list)


def fill(text: str, values: dict[str, str]) -> str:
    """Put the values of one session into `{name}` places; other braces stay."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)


def parse_step(text: str) -> Step:
    """One action of the agent as worlds write it.

    A shell command, with ` ## N: output` where exit code and output matter, or `@read PATH`,
    `@search PATTERN`, `@edit PATH | new text`, `@fetch URL | output`, `@say words`.
    """
    if not text.startswith("@"):
        command, _, rest = text.partition(" ## ")
        code, _, output = rest.partition(": ")
        return Tool("run", command, output=output, exit_code=int(code or 0))
    kind, _, rest = text[1:].partition(" ")
    target, _, detail = rest.partition(" | ")
    match kind:
        case "say":
            return Said(rest)
        case "edit":
            return Tool("edit", target, text=detail)
        case "fetch":
            return Tool("fetch", target, output=detail)
        case "read":
            return Tool("read", target, output=detail or "1\t...")
        case "search":
            return Tool("search", target, output=detail or "2 files")
    raise ValueError(f"unknown step {text!r}")


def lines(block: str) -> list[str]:
    """One entry a line; a typed line break is written `\\n`."""
    return [line.strip().replace("\\n", "\n") for line in block.splitlines() if line.strip()]


def fields(line: str) -> list[str]:
    """The parts of one entry: a request, phases of actions, words, as the place says."""
    return [part.strip() for part in line.split(" => ")]


def actions(phase: str) -> list[str]:
    """The agent's actions of one phase."""
    return [action.strip() for action in phase.split(" ;; ")]


class Deck:
    """Deals hand-written lines in random order and starts over only when all are used."""

    def __init__(self, rng: Random, cards: list[Any]) -> None:
        self._rng, self._cards, self._left = rng, cards, list[Any]()

    def deal(self) -> Any:
        if not self._left:
            self._left = self._rng.sample(self._cards, len(self._cards))
        return self._left.pop()


class _Builder:
    def __init__(self, world: Json, dest: Path, rng: Random, projects_root: Path) -> None:
        self.world, self.dest, self.rng = world, dest, rng
        self.projects = {
            name: str(projects_root / spec["folder"]) for name, spec in world["projects"].items()
        }
        self.agent = {kind: Deck(rng, lines(words)) for kind, words in world["agent"].items()}
        self.look = {name: Deck(rng, lines(spec["look"])) for name, spec in world["projects"].items()}
        self.after = {name: Deck(rng, lines(spec["after"])) for name, spec in world["projects"].items()}
        self.chatter = Deck(rng, lines(world["chatter"]))
        self.traps = Deck(rng, lines(world["noise"]))
        self.sessions: list[Json] = []
        self.folders: set[str] = set()

    def build(self) -> Json:
        parts = [*self._intents(), *self._twice()]
        self.rng.shuffle(parts)
        groups = self._merge(parts)
        self._add_oneoffs(groups)
        runs: list[tuple[list[Part], Json | None]] = [(group, None) for group in groups]
        for spec in self.world["headless"]:
            runs += [([self._headless_part(spec)], spec) for _ in range(spec["times"])]
        self.rng.shuffle(runs)
        for (group, headless), at in zip(runs, self._times(len(runs)), strict=True):
            self._write(group, headless, at)
        self._forks()
        return self._truth()

    # -- what happens --------------------------------------------------------------------------------------

    def _intents(self) -> Iterator[Part]:
        """Every intent: `corrected` sessions with a correction, `right` ones without."""
        shared: Json = self.world.get("shared", {})
        decks = {name: self._asks(spec) for name, spec in shared.items()}
        for name, spec in self.world["intents"].items():
            asks = decks[spec["task"]] if "task" in spec else self._asks(spec)
            says = Deck(self.rng, lines(spec.get("says", "")))
            pools = self._pools(shared[spec["task"]] if "task" in spec else spec)
            pairs: dict[str, Deck] = {}
            for number in range(spec.get("corrected", 0) + spec["right"]):
                ask, kind = asks.deal()
                do = spec["do"] if "task" in spec else kind["do"]
                phases = fields(pairs.setdefault(do, Deck(self.rng, lines(do))).deal())
                values = self._values(pools)
                prompt = fill(ask, values)
                if number < spec.get("corrected", 0):
                    say = fill(says.deal(), values)
                    via = self._via(spec)
                    steps = self._corrected(spec["project"], prompt, [(say, via)], phases, values)
                    episodes = [{"intent": name, "corrected": True, "say": say, "prompt": prompt}]
                else:
                    steps = self._went_well(spec["project"], prompt, phases[-1], values)
                    episodes = [{"intent": name, "corrected": False, "prompt": prompt}]
                yield Part(spec["project"], spec.get("task", name), steps, episodes)
        for task, spec in shared.items():
            yield from self._both(task, spec, decks[task])

    def _both(self, task: str, spec: Json, asks: Deck) -> Iterator[Part]:
        """Requests in which two wants had to be said, one after the other."""
        both = spec["both"]
        names = both["intents"]
        says = {name: Deck(self.rng, lines(both["says"][name])) for name in names}
        pools = self._pools(spec)
        pairs = Deck(self.rng, lines(both["do"]))
        for _ in range(both["count"]):
            ask, _ = asks.deal()
            values = self._values(pools)
            prompt = fill(ask, values)
            intents = self.world["intents"]
            corrections = [(fill(says[name].deal(), values), self._via(intents[name])) for name in names]
            steps = self._corrected(spec["project"], prompt, corrections, fields(pairs.deal()), values)
            episodes = [
                {"intent": name, "corrected": True, "say": say, "prompt": prompt}
                for name, (say, _) in zip(names, corrections, strict=True)
            ]
            yield Part(spec["project"], task, steps, episodes)

    def _twice(self) -> Iterator[Part]:
        """Wants said in two sessions only: too few to be learned."""
        for number, spec in enumerate(self.world["twice"]):
            for line in lines(spec["cases"]):
                ask, first, say, then = fields(line)
                steps = self._corrected(spec["project"], ask, [(say, self._via(spec))], [first, then], {})
                episode = {"intent": None, "corrected": True, "say": say, "prompt": ask}
                yield Part(spec["project"], f"twice-{number}", steps, [episode])

    def _asks(self, spec: Json) -> Deck:
        kinds = spec.get("kinds", [spec])
        return Deck(self.rng, [(ask, kind) for kind in kinds for ask in lines(kind["asks"])])

    def _pools(self, spec: Json) -> dict[str, Deck]:
        return {name: Deck(self.rng, lines(words)) for name, words in spec.get("vars", {}).items()}

    def _values(self, pools: dict[str, Deck]) -> dict[str, str]:
        return {name: str(deck.deal()) for name, deck in pools.items()}

    def _via(self, spec: Json) -> str:
        weights: Json = spec.get("via", {"reject": 4, "interrupt": 2, "next": 3, "queued": 1})
        return self.rng.choices(_FEEDBACK, [weights.get(via, 0) for via in _FEEDBACK])[0]

    def _went_well(self, project: str, prompt: str, do: str, values: dict[str, str]) -> list[Step]:
        steps: list[Step] = [Prompt(prompt), *self._maybe_say("open", 0.5), *self._maybe_look(project, 0.5)]
        steps += [self._vary(parse_step(fill(text, values)), project) for text in actions(do)]
        return [*steps, *self._maybe_after(project, 0.4), Said(self.agent["done"].deal())]

    def _corrected(
        self,
        project: str,
        prompt: str,
        corrections: list[tuple[str, str]],
        phases: list[str],
        values: dict[str, str],
    ) -> list[Step]:
        """The request, then before each correction a phase that goes wrong, then the phase that is right."""
        steps: list[Step] = [Prompt(prompt), *self._maybe_say("open", 0.5), *self._maybe_look(project, 0.6)]
        for (say, via), phase in zip(corrections, phases, strict=False):
            steps += self._wrong(project, [fill(text, values) for text in actions(phase)], say, via)
            steps += self._maybe_say("redo", 0.5)
            steps += self._maybe_look(project, 0.3)
        right = [parse_step(fill(text, values)) for text in actions(phases[-1])]
        steps += [self._vary(step, project) for step in right]
        steps += self._maybe_after(project, 0.4)
        return [*steps, Said(self.agent["done"].deal())]

    def _wrong(self, project: str, phase: list[str], say: str, via: str) -> list[Step]:
        """A phase up to the action the person reacts to (marked `* `, else the last), and the reaction."""
        marked = [number for number, text in enumerate(phase) if text.startswith("* ")]
        at = marked[0] if marked else len(phase) - 1
        steps = [parse_step(text.removeprefix("* ")) for text in phase]
        before = [self._vary(step, project) for step in steps[:at]]
        action, rest = self._vary(steps[at], project), steps[at + 1 :]
        if not isinstance(action, Tool):
            return [*before, action, *rest, Prompt(say)]
        match via:
            case "reject":
                return [*before, replace(action, fate="rejected", words=say, output="", exit_code=0)]
            case "interrupt":
                return [*before, replace(action, fate="interrupted", output="", exit_code=0), Prompt(say)]
            case "queued":
                return [*before, action, Queued(say)]
        return [
            *before,
            action,
            *rest,
            *self._maybe_after(project, 0.3),
            Said(self.agent["done"].deal()),
            Prompt(say),
        ]

    def _vary(self, step: Step, project: str) -> Step:
        """Agents go to the folder first, or look in the same call."""
        if not isinstance(step, Tool) or step.kind != "run":
            return step
        dice = self.rng.random()
        if dice < 0.08:
            return replace(step, target=f"cd {self.projects[project]} && {step.target}")
        if dice < 0.14:
            first = parse_step(self.look[project].deal())
            if isinstance(first, Tool) and first.kind == "run":
                return replace(step, target=f"{first.target} && {step.target}")
        return step

    def _maybe_look(self, project: str, chance: float) -> list[Step]:
        steps: list[Step] = []
        while self.rng.random() < chance and len(steps) < 4:
            steps.append(parse_step(self.look[project].deal()))
        if self.rng.random() < 0.07:
            steps.append(parse_step(self.traps.deal()))
        return steps

    def _maybe_after(self, project: str, chance: float) -> list[Step]:
        return [parse_step(self.after[project].deal())] if self.rng.random() < chance else []

    def _maybe_say(self, kind: str, chance: float) -> list[Step]:
        return [Said(self.agent[kind].deal())] if self.rng.random() < chance else []

    # -- sessions ------------------------------------------------------------------------------------------

    def _merge(self, parts: list[Part]) -> list[list[Part]]:
        """Some sessions hold two or three different requests of one project."""
        groups: list[list[Part]] = []
        for part in parts:
            open_groups = [
                group
                for group in groups
                if group[0].project == part.project
                and len(group) < 3
                and all(other.task != part.task for other in group)
            ]
            if open_groups and self.rng.random() < 0.2:
                self.rng.choice(open_groups).append(part)
            else:
                groups.append([part])
        return groups

    def _add_oneoffs(self, groups: list[list[Part]]) -> None:
        """One-off requests, half of them in sessions of their own; then next steps and chatter."""
        for line in lines(self.world["oneoffs"]):
            project, _, rest = line.partition(": ")
            part = self._oneoff(project, fields(rest))
            places = [group for group in groups if group[0].project == project]
            if self.rng.random() < 0.5 and places:
                group = self.rng.choice(places)
                group.insert(self.rng.randrange(len(group) + 1), part)
            else:
                groups.append([part])
        asks = {name: Deck(self.rng, lines(spec["steps"])) for name, spec in self.world["projects"].items()}
        for group in groups:
            project = group[0].project
            if self.rng.random() < 0.35:
                group.append(self._oneoff(project, fields(asks[project].deal())))
            if self.rng.random() < 0.35:
                where = self.rng.choice(group)
                where.steps += [Prompt(self.chatter.deal()), Said(self.agent["bye"].deal())]

    def _oneoff(self, project: str, entry: list[str]) -> Part:
        """A request and its actions; with words and other actions after them, one that was corrected once."""
        ask, do = entry[:2]
        episode: Json = {"intent": None, "corrected": len(entry) > 2, "prompt": ask}
        if len(entry) > 2:
            episode["say"] = entry[2]
            steps = self._corrected(project, ask, [(entry[2], self._via({}))], [do, entry[3]], {})
        else:
            steps = self._went_well(project, ask, do, {})
        return Part(project, "", steps, [episode])

    def _headless_part(self, spec: Json) -> Part:
        """A scripted run; its words look like a person's and must not count."""
        ask, *phases = fields(spec["line"].strip())
        steps: list[Step] = [Prompt(ask), *map(parse_step, actions(phases[0]))]
        steps.append(Said(self.agent["done"].deal()))
        if len(phases) > 1:
            steps += [Prompt(phases[1]), *map(parse_step, actions(phases[2])), Said("Done.")]
        episode: Json = {"intent": None, "corrected": False, "prompt": ask}
        return Part(spec["project"], "", steps, [episode])

    def _times(self, count: int) -> list[datetime]:
        """Working hours of about six weeks, in order."""
        start = datetime.fromisoformat(str(self.world["start"])).replace(tzinfo=UTC)
        minutes = sorted(self.rng.sample(range(44 * 11 * 60), count))
        return [
            start + timedelta(days=m // 660, hours=8, minutes=m % 660, seconds=self.rng.randrange(60))
            for m in minutes
        ]

    def _write(self, group: list[Part], headless: Json | None, at: datetime) -> None:
        project = group[0].project
        spec = self.world["projects"][project]
        root = self.projects[project]
        clients: dict[str, int] = self.world["clients"]
        client = (
            headless["source"] if headless else self.rng.choices(list(clients), list(clients.values()))[0]
        )
        cwd = root
        if spec.get("subfolders") and not headless and self.rng.random() < 0.1:
            cwd = f"{root}/{self.rng.choice(spec['subfolders'])}"
        self.folders.add(cwd)
        source, old = client.removesuffix("_old"), client.endswith("_old")
        script = Script(
            session_id=new_uuid(self.rng),
            cwd=cwd,
            git_root=root,
            started_at=at,
            steps=tuple(self._with_noise([step for part in group for step in part.steps], source, headless)),
            branch=self.rng.choice(spec["branches"]),
            headless=headless is not None,
            code_mode=self.rng.random() < 0.4,
        )
        if source == "claude":
            path = write_claude_code(script, self.dest, self.rng, old=old)
        elif source == "codex":
            path = write_codex(script, self.dest, self.rng, old=old)
        else:
            path = write_copilot_cli(script, self.dest, self.rng)
        self.sessions.append(
            {
                "id": script.session_id,
                "source": source,
                "old": old,
                "project": root,
                "driver": "headless" if headless else "human",
                "path": path.relative_to(self.dest).as_posix(),
                "episodes": [episode for part in group for episode in part.episodes],
                "user_words": sum(_counts(step) for step in script.steps),
            }
        )

    def _with_noise(self, steps: list[Step], source: str, headless: Json | None) -> list[Step]:
        """What the person did not type: subagents, compactions, commands of the client, chatty agents."""
        if headless:
            return steps
        starts = [number for number, step in enumerate(steps) if isinstance(step, Prompt)]
        at = self.rng.choice(starts)
        noise: list[Step] = []
        dice = self.rng.random()
        if dice < 0.12 and source == "claude":
            prompt, do, reply = fields(self.rng.choice(lines(self.world["subagents"])))
            tools = tuple(step for text in actions(do) if isinstance(step := parse_step(text), Tool))
            return [*steps[: at + 1], Subagent(prompt, reply, tools), *steps[at + 1 :]]
        if dice < 0.22:
            return [*steps[: at + 1], Said(self.agent["trap"].deal()), *steps[at + 1 :]]
        if dice < 0.30:
            noise = [Compaction(self.rng.choice(lines(self.world["compactions"])))]
        elif dice < 0.36 and source == "claude":
            noise = [Slash(self.rng.choice(["status", "model", "cost", "compact"]))]
        return [*steps[:at], *noise, *steps[at:]]

    def _forks(self) -> None:
        """Copies of some Claude sessions under another id; they count once."""
        candidates = [s for s in self.sessions if s["source"] == "claude" and s["driver"] == "human"]
        for session in self.rng.sample(candidates, min(self.world["forks"], len(candidates))):
            path = fork_claude_code(self.dest / session["path"], new_uuid(self.rng), self.rng)
            copy = {**session, "id": path.stem, "driver": "fork", "fork_of": session["id"]}
            copy |= {"path": path.relative_to(self.dest).as_posix(), "episodes": [], "user_words": 0}
            self.sessions.append(copy)

    def _truth(self) -> Json:
        intents = {}
        for name, spec in self.world["intents"].items():
            intents[name] = {
                "project": self.projects[spec["project"]],
                "corrected": bool(spec.get("corrected")),
                "lesson": spec.get("lesson", []),
                "ran": spec.get("ran"),
                "gone": spec.get("gone"),
                "task": spec.get("task", name),
                "against": spec.get("against", []),
            }
        truth: Json = {
            "world": self.world["world"],
            "sessions": self.sessions,
            "intents": intents,
            "projects": self.projects,
            "needles": self.world["needles"],
            "injection_needles": self.world["injection_needles"],
            "secrets_planted": 0,
            "folders": sorted(self.folders),
        }
        return json.loads(json.dumps(truth))  # type: ignore[no-any-return]


def _counts(step: Step) -> int:
    """How many times the person's own words stand in a step."""
    if isinstance(step, Prompt | Queued):
        return 1
    return int(isinstance(step, Tool) and step.fate == "rejected" and bool(step.words))
