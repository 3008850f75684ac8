"""What the user has settled: defaults, then `config.yaml`, then the environment, then options."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from skillopt.errors import ConfigError

Key: TypeAlias = Literal[
    "projects", "sources", "since", "skill_tokens", "embedder", "embedder_model", "recall",
    "at", "power", "quiet",
]  # fmt: skip

KEYS: tuple[Key, ...] = (
    "projects", "sources", "since", "skill_tokens", "embedder", "embedder_model", "recall",
    "at", "power", "quiet",
)  # fmt: skip

SKILL_TOKENS = 1500
"""What the learned block of a skill may hold, unless it is settled otherwise."""

AT = "03:00"
"""When a night begins by itself, unless it is settled otherwise."""

POWERS = ("any", "ac")

EMBEDDERS = ("auto", "builtin", "sentence-transformers", "onnx")

VARIABLES: Mapping[Key, str] = MappingProxyType(
    {
        "projects": "SKILLOPT_SLEEP_PROJECTS",
        "sources": "SKILLOPT_SLEEP_SOURCES",
        "since": "SKILLOPT_SLEEP_SINCE",
        "skill_tokens": "SKILLOPT_SLEEP_SKILL_TOKENS",
        "embedder": "SKILLOPT_SLEEP_EMBEDDER",
        "embedder_model": "SKILLOPT_SLEEP_EMBEDDER_MODEL",
        "recall": "SKILLOPT_SLEEP_RECALL",
        "at": "SKILLOPT_SLEEP_AT",
        "power": "SKILLOPT_SLEEP_POWER",
        "quiet": "SKILLOPT_SLEEP_QUIET",
    }
)

_AGE = re.compile(r"([0-9]{1,4})([hdw])")
_FEWEST_TOKENS = 50
_COUNT = re.compile(r"[0-9]{1,3}")
_MOST_RECALLED = 200
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_QUIET = re.compile(r"([0-9]{1,3})([smh])")
_SECONDS = MappingProxyType({"s": 1, "m": 60, "h": 3600})
_HOURS = MappingProxyType({"h": 1, "d": 24, "w": 168})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force and where each came from (`default`, a file, a variable, an option).

    `projects` are the absolute folders that `--all-projects` covers, `sources` the clients that are read;
    empty means all. `since` is `all`, an age or a date: see `since_time`. `skill_tokens` is how many
    tokens the learned block of a skill may hold. `embedder` is one of `EMBEDDERS`, `embedder_model` the
    absolute folder of its model or empty. `recall` is how many of the nearest past episodes are looked at,
    `auto` or a number. `at` is the local time (`HH:MM`) at which a night is due, `power` whether it also runs
    on the battery (`any`) or not (`ac`), `quiet` for how long no transcript must have changed before it
    (`10m`, or `off`).
    """

    projects: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    since: str = "all"
    skill_tokens: int = SKILL_TOKENS
    embedder: str = "auto"
    embedder_model: str = ""
    recall: str = "auto"
    at: str = AT
    power: str = "any"
    quiet: str = "off"
    origins: Mapping[Key, str] = field(
        default_factory=lambda: MappingProxyType(dict.fromkeys(KEYS, "default"))
    )

    @property
    def values(self) -> Mapping[Key, str | int | tuple[str, ...]]:
        """Every setting by its key."""
        return {key: getattr(self, key) for key in KEYS}


def load_settings(
    config_path: Path,
    env: Mapping[str, str],
    *,
    source_names: Sequence[str],
    sources_option: str | None = None,
    since_option: str | None = None,
    options: Mapping[Key, Any] = MappingProxyType({}),
) -> Settings:
    """All layers, the later one winning key by key.

    `source_names` are the clients that can be read; `options` are others that were given. Raises
    ConfigError, naming the layer, for an unknown key, a value of the wrong kind, or an unknown source.
    """
    layers: list[tuple[str, Mapping[Key, Any]]] = [(str(config_path), read_config(config_path))]
    layers += [(name, {key: env[name]}) for key, name in VARIABLES.items() if env.get(name)]
    if sources_option is not None:
        layers.append(("--source", {"sources": sources_option}))
    if since_option is not None:
        layers.append(("--since", {"since": since_option}))
    layers += [("--quiet-for" if key == "quiet" else f"--{key}", {key: options[key]}) for key in options]
    values: dict[Key, Any] = {}
    origins: dict[Key, str] = dict.fromkeys(KEYS, "default")
    for origin, layer in layers:
        for key, value in layer.items():
            values[key] = checked(key, value, origin=origin, source_names=source_names)
            origins[key] = origin
    return Settings(**values, origins=MappingProxyType(origins))


def read_config(path: Path) -> Mapping[Key, Any]:
    """The keys of a configuration file, values as written; empty when there is no file.

    Raises ConfigError for a file that is not YAML, not a mapping, or holds an unknown or repeated key.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError("it is not a file")  # (a pipe would be waited for without end)
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the configuration {path} cannot be read",
            why=str(error),
            next="repair or remove the file, then run the same command again",
        ) from error
    from skillopt_sleep.settings_file import top_level  # reads YAML, which only a home with a file needs

    return {known_key(name, origin=str(path)): value for name, value in top_level(text, path).items()}


def known_key(name: str, *, origin: str) -> Key:
    """`name` when it is a key. Raises ConfigError with the nearest valid one."""
    for key in KEYS:
        if name == key:
            return key
    raise ConfigError(
        f"{name!r} is not a setting ({origin})",
        why=_choices(name, KEYS),
        next="`skillopt-sleep config show` lists every setting with its value",
    )


def checked(key: Key, value: Any, *, origin: str, source_names: Sequence[str]) -> Any:
    """A value of `key` as `Settings` holds it, from YAML or text. Raises ConfigError naming `origin`."""
    check: Callable[[Any], Any] = {
        "projects": _projects,
        "sources": lambda value: _sources(value, source_names),
        "since": _since,
        "skill_tokens": _skill_tokens,
        "embedder": _embedder,
        "embedder_model": _embedder_model,
        "recall": _recall,
        "at": _at,
        "power": _power,
        "quiet": _quiet,
    }[key]
    try:
        return check(value)
    except ValueError as error:
        raise ConfigError(
            f"the value of {key} cannot be used ({origin})",
            why=str(error),
            next=_EXAMPLES[key],
        ) from error


_EXAMPLES: Mapping[Key, str] = MappingProxyType(
    {
        "projects": "give absolute folders, for example ~/code/web",
        "sources": "give names with commas between them, or all",
        "since": "give an age (30d, 12h, 2w), a date (2026-11-01) or all",
        "skill_tokens": f"give a number, for example {SKILL_TOKENS}",
        "embedder": f"give one of {', '.join(EMBEDDERS)}",
        "embedder_model": "give the absolute folder of a model on this machine",
        "recall": "give auto, or how many of the nearest past episodes to look at: 20, or 0 for none",
        "at": "give a time of the day, for example 03:00",
        "power": f"give one of {', '.join(POWERS)}",
        "quiet": "give how long no transcript must have changed, for example 10m, or off",
    }
)


def since_time(since: str, now: datetime) -> datetime | None:
    """The moment (aware UTC) that a `since` text names, None for `all`. A date begins at midnight UTC.

    Raises ValueError for any other text.
    """
    if since == "all":
        return None
    if age := _AGE.fullmatch(since):
        return now - timedelta(hours=int(age[1]) * _HOURS[age[2]])
    try:
        return datetime.combine(date.fromisoformat(since), time(), UTC)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(since)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{since!r} is neither an age nor a date") from None


def time_of_day(at: str) -> time:
    """The time that an `at` text names. Raises ValueError for any other text."""
    if not (found := _TIME.fullmatch(at)):
        raise ValueError(f"{at!r} is no time of the day")
    return time(int(found[1]), int(found[2]))


def quiet_time(quiet: str) -> timedelta:
    """How long a `quiet` text says. Raises ValueError for any other text."""
    if quiet == "off":
        return timedelta()
    if not (found := _QUIET.fullmatch(quiet)):
        raise ValueError(f"{quiet!r} is neither some minutes nor off")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def _projects(value: Any) -> tuple[str, ...]:
    folders = value.split(os.pathsep) if isinstance(value, str) else value
    if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
        raise ValueError(f"a list of folders is needed, not {value!r}")
    paths = [_written_out(folder) for folder in folders if folder]
    for path in paths:
        if not path.is_absolute():
            raise ValueError(f"{str(path)!r} is relative: it would name another folder in every place")
    return tuple(dict.fromkeys(str(path) for path in paths))


def _written_out(folder: str) -> Path:
    if "\0" in folder:
        raise ValueError(f"{folder!r} is no name of a folder")
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{folder!r}: {error}") from error


def _sources(value: Any, source_names: Sequence[str]) -> tuple[str, ...]:
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"a list of names is needed, not {value!r}")
    if names == ["all"]:
        return ()
    if isinstance(value, str) and not any(names):
        raise ValueError("no name is given")
    for name in names:
        if name not in source_names:
            raise ValueError(f"{name!r} is not a source; {_choices(name, [*source_names, 'all'])}")
    return tuple(dict.fromkeys(names))


def _since(value: Any) -> str:
    # YAML reads 2026-11-01 as a date.
    text = value.isoformat() if isinstance(value, date) else value
    if not isinstance(text, str):
        raise ValueError(f"{value!r} is neither an age nor a date")
    since_time(text, datetime.now(UTC))
    return text


def _skill_tokens(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{2,6}", text) or int(text) < _FEWEST_TOKENS:
        raise ValueError(f"a whole number from {_FEWEST_TOKENS} to 999999 is needed, not {value!r}")
    return int(text)


def _embedder(value: Any) -> str:
    if value not in EMBEDDERS:
        raise ValueError(f"{value!r} is not an embedder; {_choices(str(value), EMBEDDERS)}")
    return str(value)


def _embedder_model(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a folder is needed, not {value!r}")
    if value and not (path := _written_out(value)).is_absolute():
        raise ValueError(f"{str(path)!r} is relative: it would name another folder in every place")
    return str(_written_out(value)) if value else ""


def _recall(value: Any) -> str:
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if text != "auto" and not (_COUNT.fullmatch(text) and int(text) <= _MOST_RECALLED):
        raise ValueError(f"{value!r} is neither auto nor a number up to {_MOST_RECALLED}")
    return text


def _at(value: Any) -> str:
    # YAML reads 22:30 without quotes as a number to the base of sixty.
    if isinstance(value, int) and not isinstance(value, bool) and 60 <= value < 24 * 60:
        value = f"{value // 60}:{value % 60:02}"
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no time of the day")
    return f"{time_of_day(value.strip()):%H:%M}"


def _power(value: Any) -> str:
    if value not in POWERS:
        raise ValueError(f"{value!r} is neither; {_choices(str(value), POWERS)}")
    return str(value)


def _quiet(value: Any) -> str:
    # YAML reads off as false.
    text = "off" if value is False else value
    if not isinstance(text, str):
        raise ValueError(f"{value!r} is neither some minutes nor off")
    quiet_time(text)
    return text


def _choices(name: str, valid: Sequence[str]) -> str:
    from difflib import get_close_matches

    nearest = get_close_matches(name, valid, n=1, cutoff=0.5)
    meant = f"did you mean {nearest[0]}? " if nearest else ""
    return f"{meant}valid: {', '.join(valid)}"
