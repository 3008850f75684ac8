"""What the optimizer and the judge are told: a markdown file each, its variables declared at the top."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from skillopt.core.skill import Skill

_USER = "\n# user\n"
_SYSTEM = "# system\n"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt in two parts, with `$name` where a value goes."""

    name: str
    system: str
    user: str
    variables: frozenset[str]

    def fill(self, **values: object) -> tuple[str, str]:
        """The system and the user message. Raises ValueError unless exactly the declared values are given."""
        if values.keys() != self.variables:
            odd = ", ".join(sorted(values.keys() ^ self.variables))
            raise ValueError(f"prompt {self.name}: missing or unknown {odd}")
        texts = {name: str(value) for name, value in values.items()}
        return Template(self.system).substitute(texts), Template(self.user).substitute(texts)


def load_prompt(name: str) -> Prompt:
    """The prompt of that name."""
    document = Skill(files("skillopt.prompts").joinpath(f"{name}.md").read_text(encoding="utf-8"))
    declared = document.metadata().get("variables") or []
    system, found, user = document.body.lstrip().removeprefix(_SYSTEM).partition(_USER)
    if not found or not isinstance(declared, list):
        raise ValueError(f"prompt {name} is not made of a system and a user part")
    return Prompt(name, system.strip(), user.strip(), frozenset(map(str, declared)))


def prompts_sha(names: Mapping[str, Prompt]) -> str:
    """Hash of the words of some prompts: with other words a run is another run."""
    text = "\0".join(f"{name}\0{names[name].system}\0{names[name].user}" for name in sorted(names))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
