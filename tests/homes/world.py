"""The hand-written worlds: how they are loaded and what their entries mean."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import yaml

from skillopt_sleep.experiments.writers import Said, Step, Tool

WORLDS_DIR = Path(__file__).parent / "worlds"
Json: TypeAlias = dict[str, Any]


def world_names() -> list[str]:
    """The names of the worlds there are."""
    return sorted(path.stem for path in WORLDS_DIR.glob("*.yaml"))


def load_world(world: str) -> Json:
    """The parsed YAML of a world."""
    loaded: Json = yaml.safe_load((WORLDS_DIR / f"{world}.yaml").read_text(encoding="utf-8"))
    return loaded


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
