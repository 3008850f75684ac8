"""What happens in a home, before it is dealt out to clients and days: requests, corrections, noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

from world import Deck, Json, actions, fields, fill, lines, parse_step

from skillopt_sleep.experiments.writers import Compaction, Prompt, Queued, Said, Slash, Step, Subagent, Tool

_FEEDBACK = ("reject", "interrupt", "next", "queued")


@dataclass
class Part:
    """One request and what followed, ready to become part of a session."""

    project: str
    task: str
    steps: list[Step]
    episodes: list[Json] = field(default_factory=list)


class Plot:
    """Deals the lines of one world into parts of sessions; `projects` are folders by name."""

    def __init__(self, world: Json, projects: dict[str, str], rng: Random) -> None:
        self.world, self.projects, self.rng = world, projects, rng
        self.agent = {kind: Deck(rng, lines(words)) for kind, words in world["agent"].items()}
        self.look = {name: Deck(rng, lines(spec["look"])) for name, spec in world["projects"].items()}
        self.after = {name: Deck(rng, lines(spec["after"])) for name, spec in world["projects"].items()}
        self.chatter = Deck(rng, lines(world["chatter"]))
        self.traps = Deck(rng, lines(world["noise"]))

    def groups(self) -> list[list[Part]]:
        """The parts of every session a person has, in random order."""
        parts = [*self._intents(), *self._twice()]
        self.rng.shuffle(parts)
        groups = self._merge(parts)
        self._add_oneoffs(groups)
        return groups

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
        """What varies from session to session; `a | b` holds values that belong together."""
        return {names: Deck(self.rng, lines(words)) for names, words in spec.get("vars", {}).items()}

    def _values(self, pools: dict[str, Deck]) -> dict[str, str]:
        values: dict[str, str] = {}
        for names, deck in pools.items():
            dealt = str(deck.deal()).split(" | ") if " | " in names else [str(deck.deal())]
            values |= dict(zip(names.split(" | "), dealt, strict=True))
        return values

    def _via(self, spec: Json) -> str:
        weights: Json = spec.get("via", {"reject": 4, "interrupt": 2, "next": 3, "queued": 1})
        return self.rng.choices(_FEEDBACK, [weights.get(via, 0) for via in _FEEDBACK])[0]

    def _went_well(self, project: str, prompt: str, do: str, values: dict[str, str]) -> list[Step]:
        steps: list[Step] = [Prompt(prompt), *self._maybe_say("open", 0.5), *self._maybe_look(project, 0.5)]
        if self.rng.random() < 0.08:
            steps += [Said(self.agent["ask"].deal()), Prompt(self.agent["agreed"].deal())]
        steps += self._right(project, do, values)
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
        steps += self._right(project, phases[-1], values)
        steps += self._maybe_after(project, 0.4)
        return [*steps, Said(self.agent["done"].deal())]

    def _right(self, project: str, phase: str, values: dict[str, str]) -> list[Step]:
        """The phase nobody objects to; now and then a command has to be run twice."""
        steps: list[Step] = []
        for text in actions(phase):
            step = self._vary(parse_step(fill(text, values)), project)
            if isinstance(step, Tool) and step.kind == "run" and self.rng.random() < 0.04:
                steps.append(replace(step, output="connection timed out", exit_code=1))
            steps.append(step)
        return steps

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
        """A request and its actions; with words and other actions after them, one that was corrected once.

        Words after `~ ` stop the agent by accident and correct nothing.
        """
        ask, do = entry[:2]
        episode: Json = {"intent": None, "corrected": len(entry) > 2, "prompt": ask}
        if len(entry) > 2 and entry[2].startswith("~ "):
            episode["corrected"] = False
            steps = self._corrected(project, ask, [(entry[2][2:], "interrupt")], [do, entry[3]], {})
        elif len(entry) > 2:
            episode["say"] = entry[2]
            steps = self._corrected(project, ask, [(entry[2], self._via({}))], [do, entry[3]], {})
        else:
            steps = self._went_well(project, ask, do, {})
        return Part(project, "", steps, [episode])

    def headless_part(self, spec: Json) -> Part:
        """A scripted run; its words look like a person's and must not count."""
        ask, *phases = fields(spec["line"].strip())
        steps: list[Step] = [Prompt(ask), *map(parse_step, actions(phases[0]))]
        steps.append(Said(self.agent["done"].deal()))
        if len(phases) > 1:
            steps += [Prompt(phases[1]), *map(parse_step, actions(phases[2])), Said("Done.")]
        episode: Json = {"intent": None, "corrected": False, "prompt": ask}
        return Part(spec["project"], "", steps, [episode])

    def with_noise(self, steps: list[Step], source: str) -> list[Step]:
        """What the person did not type: subagents, compactions, commands of the client, chatty agents."""
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
