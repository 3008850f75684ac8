"""Options that several commands share, and what they come to once the surroundings are known."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from skillopt_sleep.home import StateHome, user_home, without_tilde
from skillopt_sleep.scope import project_of
from skillopt_sleep.settings import SKILL_TOKENS, Key, Settings, load_settings, since_time

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the environment, the working folder, and the moment (aware UTC)."""

    env: Mapping[str, str]
    cwd: Path
    now: datetime

    @classmethod
    def from_process(cls) -> Caller:
        """The caller of this process."""
        try:
            cwd = Path.cwd()
        except OSError:
            # The folder was removed under the shell, or closed to us; its name is still known there.
            cwd = Path(os.environ.get("PWD") or "/")
        return cls(env=dict(os.environ), cwd=cwd, now=datetime.now(UTC))

    @property
    def user_home(self) -> Path:
        return user_home(self.env)

    @property
    def user_name(self) -> str:
        """The person's login name, for receipts; it says who decided, it proves nothing."""
        return next(
            (self.env[key] for key in ("LOGNAME", "USER", "USERNAME") if self.env.get(key)), "unknown"
        )


@dataclass(frozen=True, slots=True)
class Common:
    """The options every command has; `quiet` and `verbose` are off where there is nothing to tell."""

    home: StateHome
    as_json: bool
    quiet: bool
    verbose: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """Which sessions a command is about. `project` is None for `--all-projects`, which `projects` may narrow
    (empty: every one). `sources` are names, never empty; `skill_tokens` is the room in a skill."""

    project: str | None
    projects: tuple[str, ...]
    sources: tuple[str, ...]
    since: datetime | None
    skill_tokens: int = SKILL_TOKENS

    @property
    def folders(self) -> list[str] | None:
        """The projects in scope, None for every one."""
        return [self.project] if self.project is not None else list(self.projects) or None

    @property
    def title(self) -> str:
        """The scope in words."""
        if self.project is not None:
            return self.project
        return f"{len(self.projects)} projects of the settings" if self.projects else "all projects"


def common_options(command: Decorated) -> Decorated:
    """`--home` and `--json`; read them with `common`."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."),
        click.option(
            "--home",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Folder of the state (SKILLOPT_SLEEP_HOME, default ~/.skillopt-sleep).",
        ),
    ):
        command = option(command)
    return command


def progress_options(command: Decorated) -> Decorated:
    """`--quiet` and `--verbose`, of the commands that read transcripts; read them with `common`."""
    for option in (
        click.option(
            "--verbose", is_flag=True, help="Tell on stderr what was left out of each file, and times."
        ),
        click.option("--quiet", is_flag=True, help="No progress on stderr."),
    ):
        command = option(command)
    return command


def scope_options(command: Decorated) -> Decorated:
    """`--project`, `--all-projects`, `--source`, `--since`; read them with `scope`."""
    return project_options(reading_options(command))


def reading_options(command: Decorated) -> Decorated:
    """`--source` and `--since`."""
    for option in (
        click.option(
            "--since", metavar="WHEN", help="Only sessions since then: 30d, 2026-11-01 or all (default all)."
        ),
        click.option(
            "--source", metavar="NAMES", help="Clients to read, with commas: claude,codex,... (default all)."
        ),
    ):
        command = option(command)
    return command


def project_options(command: Decorated) -> Decorated:
    """`--project` and `--all-projects`, of the commands that need all that is known of a project."""
    for option in (
        click.option("--all-projects", is_flag=True, help="Every project, each apart."),
        click.option(
            "--project",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="The project (default: the git root of the current folder).",
        ),
    ):
        command = option(command)
    return command


def nightly_options(command: Decorated) -> Decorated:
    """`--at`, `--power` and `--quiet-for`, of what runs nights by itself; read them with
    `nightly_settings`."""
    for option in (
        click.option(
            "--quiet-for",
            metavar="TIME",
            help="Wait until no transcript has changed for so long: 10m, or off (setting `quiet`).",
        ),
        click.option("--power", metavar="any|ac", help="Whether it runs on the battery (setting `power`)."),
        click.option("--at", metavar="HH:MM", help="When it is due each day (setting `at`, default 03:00)."),
    ):
        command = option(command)
    return command


def nightly_given(options: Mapping[str, Any]) -> dict[Key, str]:
    """The settings that `nightly_options` were given for."""
    named: tuple[tuple[Key, str], ...] = (("at", "at"), ("power", "power"), ("quiet", "quiet_for"))
    return {key: options[name] for key, name in named if options[name] is not None}


def nightly_settings(caller: Caller, home: StateHome, options: Mapping[str, Any]) -> Settings:
    """The settings with `nightly_options` over them. Raises ConfigError for what cannot be meant."""
    given = nightly_given(options)
    return load_settings(home.config, caller.env, source_names=source_names(), options=given)


def common(caller: Caller, options: Mapping[str, Any]) -> Common:
    """The values of `common_options` and `progress_options`."""
    return Common(
        home=StateHome.locate(options["home"], caller.env),
        as_json=options["as_json"],
        quiet=options.get("quiet", False),
        verbose=options.get("verbose", False),
    )


def scope(caller: Caller, home: StateHome, options: Mapping[str, Any]) -> Scope:
    """The values of `scope_options` over the settings. Raises ConfigError for what cannot be meant."""
    if options["project"] is not None and options["all_projects"]:
        raise click.UsageError("--project and --all-projects exclude each other")
    settings = load_settings(
        home.config,
        caller.env,
        source_names=source_names(),
        sources_option=options["source"],
        since_option=options["since"],
    )
    return Scope(
        project=None if options["all_projects"] else project_at(caller, options["project"]),
        projects=tuple(filter(None, (project_at(caller, Path(folder)) for folder in settings.projects))),
        sources=settings.sources or source_names(),
        since=since_time(settings.since, caller.now),
        skill_tokens=settings.skill_tokens,
    )


def project_at(caller: Caller, folder: Path | None) -> str | None:
    """The project of a folder named from the working folder, or of that one."""
    from skillopt_sleep.sources.draft import MAX_PATH_CHARS, clean  # only some commands have a project

    folder = caller.cwd if folder is None else caller.cwd / without_tilde(folder, caller.env)
    # A folder that is gone may still have sessions; its name is all there is to go by.
    exists = os.path.exists(folder)  # noqa: PTH110  (`Path.exists` raises for a folder one may not enter)
    # Sessions are kept with the folder they name redacted, and it is asked for as it is kept.
    return project_of(clean(str(folder) if exists else os.path.normpath(folder), MAX_PATH_CHARS))


def source_names() -> tuple[str, ...]:
    """The names of the clients that can be read."""
    from skillopt_sleep.sources.registry import SOURCES  # the readers are only needed by some commands

    return tuple(SOURCES)
