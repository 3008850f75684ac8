"""The text of `config.yaml`: read strictly, changed one key at a time with the user's own lines kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from skillopt.errors import ConfigError

HEADER = "# Settings of skillopt-sleep. `skillopt-sleep config show` lists them.\n"


def top_level(text: str, path: Path) -> Mapping[str, Any]:
    """The keys and values of a YAML mapping. Raises ConfigError for anything else and for a repeated key."""
    root = _root(text, path)
    if root is None:
        return {}
    names = [str(key.value) for key, _ in root.value]
    for name in names:
        if names.count(name) > 1:
            raise _unusable(path, f"the key {name!r} is there twice")
    try:
        values = yaml.load(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise _unusable(path, str(error)) from error
    return {str(key): value for key, value in values.items()}


def with_value(text: str, key: str, value: str | Sequence[str], path: Path) -> str:
    """`text` with one key set; every line that does not belong to it stays as it is."""
    line = _line(key, value if isinstance(value, str) else list(value))
    root = _root(text, path)
    if root is None:
        return (text or HEADER).rstrip("\n") + "\n" + line
    if root.flow_style:
        others = {name: known for name, known in top_level(text, path).items() if name != key}
        return HEADER + "".join(_line(name, known) for name, known in others.items()) + line
    lines = text.splitlines(keepends=True)
    for name, node in root.value:
        if name.value == key:
            first, last = name.start_mark.line, _last_line(node)
            return "".join([*lines[:first], line, *lines[last + 1 :]])
    return text.rstrip("\n") + "\n" + line


def _line(key: str, value: Any) -> str:
    # JSON on one line is YAML, and needs no care about what a bare word means. What YAML takes for a line
    # break, or does not take at all, is escaped in the way YAML knows.
    text = "".join(map(_yaml_escaped, json.dumps(value, ensure_ascii=False, default=str)))
    return f"{key}: {text}\n"


def _yaml_escaped(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _root(text: str, path: Path) -> yaml.MappingNode | None:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise _unusable(path, str(error)) from error
    if root is None:
        return None
    if not isinstance(root, yaml.MappingNode):
        raise _unusable(path, "it is not a mapping of settings to values")
    return root


def _last_line(node: yaml.Node) -> int:
    # The end of a block sequence is where the next thing begins, comments between them included.
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    return int(node.end_mark.line)


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"the configuration {path} cannot be used",
        why=why,
        next="repair or remove the file, then run the same command again",
    )
