"""Where a server stands: its home, the environment it was started in, and what is in scope there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from skillopt.errors import ConfigError, RefusedError
from skillopt_sleep.cli.options import Caller, Common, Scope, project_at, scope
from skillopt_sleep.home import StateHome, without_tilde

_PLUGIN = (".codex-plugin/plugin.json", "scripts/skillopt-sleep")


@dataclass(frozen=True, slots=True)
class Place:
    """What every call needs. `clock` gives the moment as aware UTC."""

    home: StateHome
    env: Mapping[str, str]
    cwd: Path
    clock: Callable[[], datetime]

    @property
    def caller(self) -> Caller:
        """The caller of a command that is given now."""
        return Caller(self.env, self.cwd, self.clock())

    @property
    def common(self) -> Common:
        """The options of a command that shows nothing on a terminal."""
        return Common(self.home, as_json=True, quiet=True, verbose=False)

    @property
    def is_plugin_folder(self) -> bool:
        """Whether the server stands where our plugin lies, which is nobody's project."""
        # (where the system does not tell the plugin's launcher the folder of its client)
        return all((self.cwd / part).is_file() for part in _PLUGIN)

    def inside(self, name: str, command: str) -> Path:
        """The file or folder that `name` leads to, links followed.

        Raises RefusedError when it lies outside of the working folder and the user's home; `command` is what
        a person may give for it.
        """
        path = Path(os.path.realpath(self.cwd / without_tilde(Path(name), self.env)))
        roots = [Path(os.path.realpath(root)) for root in (self.cwd, self.caller.user_home)]
        # (a server that was started in `/` would stand everywhere)
        if not any(path.is_relative_to(root) for root in roots if root != Path(root.anchor)):
            raise RefusedError(
                f"{path} lies outside of the working folder and your home.",
                next=f"At a terminal: {command} {path}",
            )
        return path

    def scope(self, project: str, *, all_projects: bool) -> Scope:
        """What a call is about: `project` ("": the one the server stands in) or all of the settings.

        Which clients are read, and how far back, is for the settings alone. Raises ConfigError for a project
        that cannot be meant, RefusedError for one that the settings leave out.
        """
        if project and all_projects:
            raise ConfigError("project and all_projects exclude each other", next="give one of them")
        if not project and not all_projects and self.is_plugin_folder:
            raise ConfigError(
                "which project is meant is not known here",
                why="the client started this server in the folder of its plugin",
                next="give project, the absolute folder the person works in, or all_projects",
            )
        if project and not Path(project).is_absolute():
            raise ConfigError(f"{project!r} is no absolute folder", next="give the whole path of the project")
        caller = self.caller
        asked = {
            "project": Path(project) if project else None,
            "all_projects": all_projects,
            "source": None,
            "since": None,
        }
        chosen = scope(caller, self.home, asked)
        if project and chosen.projects and chosen.project not in (*chosen.projects, project_at(caller, None)):
            raise RefusedError(
                f"{chosen.project} is not among the projects of the settings.",
                next="A person can add it: skillopt-sleep config set projects DIR...",
            )
        return chosen
