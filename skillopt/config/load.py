"""Loading a configuration: defaults, then files, then the environment, then the command line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from skillopt.config.checks import check_together
from skillopt.config.environment import Environment
from skillopt.config.names import TASK, resolve_name
from skillopt.config.profiles import ProfileFields, read_profile_field, to_profiles
from skillopt.config.schema import SECTIONS, Key, Resolved, RunConfig, Value, keys
from skillopt.config.secrets import is_secret_name, masked, refuse_secret, shown
from skillopt.config.source import Entry, Scalar, Source, quoted_scalar, read_source
from skillopt.config.values import read_text, read_value, unknown_choice
from skillopt.errors import ConfigError

DEFAULT = "default"
_PREFIX = "SKILLOPT_"


def load(
    path: Path, *, overrides: Sequence[str] = (), env: Mapping[str, str], cwd: Path | None = None
) -> Resolved:
    """The configuration of `path`, and where each value came from.

    `overrides` are `section.key=value`. `env` may set a key as `SKILLOPT_SECTION_KEY`; make it with
    `with_dotenv` to read `.env` files too. Relative paths are relative to the file that says them, those of
    the environment and the command line to `cwd` (the current folder). Raises ConfigError, naming the file
    and line, for the first thing that is wrong.
    """
    here = (cwd or Path.cwd()).absolute()
    name = path.name.removesuffix(path.suffix) or "run"
    if name == "config":  # as every example is called: its folder tells them apart
        name = path.absolute().parent.name or name
    layers = _Layers(env=env)
    layers.set("env.out", here / "outputs" / name, DEFAULT)
    for file, source in _files(path, env, (), ""):
        layers.add(source.entries, file.parent, is_file=True)
    layers.add(_variables(env), here)
    layers.add((_override(text) for text in overrides), here)
    return layers.resolved()


@dataclass(slots=True)
class _Layers:
    """Values said so far, the last one winning key by key."""

    env: Mapping[str, str]
    values: dict[str, Value] = field(
        default_factory=lambda: {name: key.default for name, key in keys().items()}
    )
    origins: dict[str, str] = field(default_factory=lambda: dict.fromkeys(keys(), DEFAULT))
    profiles: dict[str, ProfileFields] = field(default_factory=dict)

    def set(self, name: str, value: Value, origin: str) -> None:
        self.values[name] = value
        self.origins[name] = origin

    def add(self, entries: Iterable[Entry], folder: Path, *, is_file: bool = False) -> None:
        """One layer. In a file a key may be said once only, under whichever of its names."""
        said: dict[str, Entry] = {}
        for entry in entries:
            refuse_secret("a key", entry.name, entry.where, self.env)
            if isinstance(entry.value, Scalar):
                is_path = _is_path(entry, entry.value.text, folder)
                refuse_secret(masked(entry.name), entry.value.text, entry.where, self.env, is_path=is_path)
            if entry.names[0] == "profiles":
                read_profile_field(entry, self.profiles)
                continue
            name = resolve_name(entry)
            found = self._task(entry, folder) if name == TASK else {name: self._value(name, entry, folder)}
            for each, value in found.items():
                if is_file and each in said:
                    raise _said_twice(said[each], entry, each)
                said[each] = entry
                self.set(each, value, entry.where)

    def _value(self, name: str, entry: Entry, folder: Path) -> Value:
        return read_value(keys()[name], entry.value, folder, self.env)

    def _task(self, entry: Entry, folder: Path) -> dict[str, Value]:
        """`task` names an environment, or the folder or file with the tasks of one's own."""
        choices = keys()["env.name"].choices
        if not isinstance(entry.value, Scalar):
            raise ConfigError(f"{entry.where}: task must be text, not {entry.value.kind}")
        text = read_text(TASK, entry.value)
        if text in choices:
            return {"env.name": text}
        place = self._value("env.split_dir", entry, folder)
        if isinstance(place, Path) and place.is_dir():
            return {"env.name": "jsonl", "env.split_dir": place, "env.data_file": None}
        if isinstance(place, Path) and place.is_file():
            return {"env.name": "jsonl", "env.split_dir": None, "env.data_file": place}
        error = unknown_choice(TASK, entry.value, choices)
        why = f"it is one of {', '.join(choices)}, or a folder or file with tasks, and {place} is neither"
        raise ConfigError(error.what, why=why, next=error.next)

    def resolved(self) -> Resolved:
        """All layers as one value, checked as a whole."""
        rate = self.values["optimizer.learning_rate"]
        least = self.values["optimizer.min_learning_rate"]
        is_default = self.origins["optimizer.min_learning_rate"] == DEFAULT
        if is_default and isinstance(rate, int) and isinstance(least, int) and rate < least:
            self.set("optimizer.min_learning_rate", rate, f"{DEFAULT}, at most optimizer.learning_rate")
        by_section: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
        for name, value in self.values.items():
            key: Key = keys()[name]
            by_section[key.section][key.name] = value
        sections: dict[str, Any] = {
            section: SECTIONS[section](**fields) for section, fields in by_section.items()
        }
        profiles = to_profiles(self.profiles)
        origins = {**self.origins, **{f"profiles.{name}": said.where for name, said in self.profiles.items()}}
        config = RunConfig(**sections, profiles=MappingProxyType(profiles))
        check_together(config, origins)
        return Resolved(config, MappingProxyType(origins))


def _is_path(entry: Entry, text: str, folder: Path) -> bool:
    """Whether the value of an entry is a path: by its key, or because it is there."""
    try:
        name = resolve_name(entry)
    except ConfigError:
        return False
    return _is_there(folder / text) if name == TASK else keys()[name].kind == "path"


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long for a name
        return False


def _files(
    path: Path, env: Mapping[str, str], above: tuple[Path, ...], named_by: str
) -> Iterable[tuple[Path, Source]]:
    """The bases of a file, in their order, then the file itself. Raises ConfigError for a loop."""
    real = Path(os.path.realpath(path))
    if real in above:
        chain = " -> ".join(file.name for file in (*above[above.index(real) :], real))
        raise ConfigError(f"{named_by}: the files inherit in a loop", why=chain, next="remove one _base_")
    source = read_source(path, named_by)
    for base in source.bases:
        is_path = _is_there(path.parent / base.text)
        refuse_secret("_base_", base.text, base.where, env, is_path=is_path)
        yield from _files(path.parent / base.text, env, (*above, real), base.where)
    yield path, source


def _variables(env: Mapping[str, str]) -> Iterable[Entry]:
    for variable in sorted(env):
        section, _, key = variable.removeprefix(_PREFIX).lower().partition("_")
        if not variable.startswith(_PREFIX) or section not in SECTIONS or not key or not env[variable]:
            continue
        entry_name = f"{section}.{key}"
        if entry_name not in keys() and is_secret_name(key):
            continue  # a key somebody named so
        file = env.files.get(variable) if isinstance(env, Environment) else None
        where = f"{variable} in {file}" if file else f"environment variable {variable}"
        yield Entry((section, key), quoted_scalar(env[variable], where), where)


def _override(text: str) -> Entry:
    name, equals, value = text.partition("=")
    names = tuple(part.strip() for part in name.split("."))
    if not equals or not all(names):
        raise ConfigError(
            f"--set {shown(name)} is no section.key=value", next="write it such as --set train.num_epochs=2"
        )
    where = f"--set {masked(name.strip())}"
    return Entry(names, quoted_scalar(value.strip(), where), where)


def _said_twice(first: Entry, second: Entry, name: str) -> ConfigError:
    return ConfigError(
        f"{second.where}: {second.name} says {name} a second time",
        why=f"{first.name} says it in {first.where}",
        next="keep one of them",
    )
