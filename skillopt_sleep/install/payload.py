"""The plugin that comes with the program: all of it, or the files that one client needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skillopt.errors import StorageError
from skillopt_sleep.install.wiring import OwnFile

NAME = "skillopt-sleep"
"""Of the plugin, its skill and its MCP server."""

MARKETPLACE = "skillopt"
SKILL = f"skills/{NAME}/SKILL.md"
ON_START = "hooks/session-start.sh"
ON_END = "hooks/session-end.sh"
_MANIFEST = ".claude-plugin/plugin.json"


def plugin_folder() -> Path:
    """Where the plugin is: inside the installed package, or in the checkout the package runs from."""
    here = Path(__file__).resolve()
    for folder in (here.with_name("plugin"), here.parents[2] / "plugins" / "claude-code"):
        if (folder / _MANIFEST).is_file():
            return folder
    raise StorageError(
        "the plugin that belongs to this program is missing",
        why=f"{here.with_name('plugin')} should hold it",
        next="install the package again",
    )


def file_of_plugin(name: str, target: Path) -> OwnFile:
    """One file of the plugin, to lie at `target`. Raises StorageError when the package is incomplete."""
    path = plugin_folder() / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read", why=error.strerror or str(error), next="install the package again"
        ) from error
    # Some ways to unpack a package drop the permission to execute.
    return OwnFile(target, data, 0o700 if data.startswith(b"#!") else 0o600)


def whole_plugin(target: Path) -> Iterator[OwnFile]:
    """Every file of the plugin, to lie below `target`."""
    folder = plugin_folder()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            name = path.relative_to(folder).as_posix()
            yield file_of_plugin(name, target / name)
