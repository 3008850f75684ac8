"""Where a provider is reached and what it can do: named profiles in YAML, no code."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, get_args
from urllib.parse import urlsplit

import yaml

from skillopt.core.task import Json
from skillopt.errors import ConfigError

Structured = Literal["json_schema", "json_object", "none"]
Wire = Literal["chat", "responses"]
"""The protocols of OpenAI: that of chat completions, which everybody speaks, and that of responses."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One provider. The environment may give another address (`url_variable`); the key comes from nowhere
    else (`key_variable`) and is never part of this value."""

    name: str
    url: str
    url_variable: str = ""
    key_variable: str = ""
    needs_key: bool = True
    structured: Structured = "json_schema"
    wire: Wire = "chat"

    def address(self, env: Mapping[str, str]) -> str:
        """The base address, without a slash at the end. Raises ConfigError when it is none."""
        url = (env.get(self.url_variable) if self.url_variable else None) or self.url
        if not _is_address(url.strip()):
            where = self.url_variable if env.get(self.url_variable) else f"the profile {self.name}"
            raise ConfigError(
                f"{where} holds no address of a server", next="use one such as http://127.0.0.1:8000/v1"
            )
        return url.strip().rstrip("/")

    def key(self, env: Mapping[str, str]) -> str | None:
        """The key. Raises ConfigError when one is needed and the environment has none."""
        found = env.get(self.key_variable, "").strip() if self.key_variable else ""
        if not found and self.needs_key:
            raise ConfigError(
                f"there is no key for {self.name}",
                why=f"the environment has no {self.key_variable}",
                next=f"export {self.key_variable}, or put it into a .env file beside the configuration",
            )
        if not (found.isascii() and found.isprintable()):
            raise ConfigError(
                f"{self.key_variable} holds a character that no key has",
                why="a line break, or one that is not ASCII, cannot be sent",
                next="copy the key again, as one line",
            )
        return found or None


def builtin_profiles() -> dict[str, Profile]:
    """The profiles that are shipped, by name."""
    text = files("skillopt.models").joinpath("profiles.yaml").read_text(encoding="utf-8")
    return profiles_from(yaml.safe_load(text), "profiles.yaml")


def profiles_from(data: object, where: str) -> dict[str, Profile]:
    """Profiles as YAML holds them: a mapping of name to fields. Raises ConfigError for anything else."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where}: profiles must be a mapping of name to settings")
    return {str(name): _profile(str(name), fields, where) for name, fields in data.items()}


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half a bracket, a port that is no number
        return False


def find_profile(name: str, profiles: Mapping[str, Profile]) -> Profile:
    """The profile called `name`. Raises ConfigError, with the nearest name, when there is none."""
    if name in profiles:
        return profiles[name]
    near = difflib.get_close_matches(name, profiles, n=1)
    known = ", ".join(sorted(profiles))
    raise ConfigError(
        f"unknown backend or profile {name!r}",
        why=f"known are {known}",
        next=f"did you mean {near[0]}?" if near else "use one of them, or define the profile",
    )


def _profile(name: str, fields: Json, where: str) -> Profile:
    known = {
        "url": str,
        "url_variable": str,
        "key_variable": str,
        "needs_key": bool,
        "structured": str,
        "wire": str,
    }
    if not isinstance(fields, Mapping):
        raise ConfigError(f"{where}: profile {name} must be a mapping")
    for key, value in fields.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"use {', '.join(known)}"
            raise ConfigError(f"{where}: profile {name} has an unknown key {key!r}", next=hint)
        if not isinstance(value, known[key]):
            raise ConfigError(f"{where}: {name}.{key} must be a {known[key].__name__}")
    for key, choices in (("structured", get_args(Structured)), ("wire", get_args(Wire))):
        if fields.get(key, choices[0]) not in choices:
            raise ConfigError(f"{where}: {name}.{key} must be one of {', '.join(choices)}")
    if "url" not in fields:
        raise ConfigError(f"{where}: profile {name} has no url")
    return Profile(name, **fields)  # type: ignore[arg-type]
