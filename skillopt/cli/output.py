"""What the commands print: text or one JSON object, errors as what, why and next, and the exit codes."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from skillopt.errors import SkillOptError

EXIT_OK = 0
EXIT_UNEXPECTED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


def print_json(schema: str, payload: Mapping[str, object], *, ok: bool = True) -> None:
    """Prints one object: `schema` (name and version), `ok`, then `payload`."""
    click.echo(json.dumps({"schema": schema, "ok": ok, **payload}))


def print_error(
    schema: str, error: SkillOptError, *, as_json: bool, payload: Mapping[str, object] | None = None
) -> None:
    """Prints an error: on stderr, or as an object on stdout with `ok: false` and what `payload` is known."""
    if as_json:
        told = {"what": error.what, "why": error.why, "next": error.next}
        print_json(schema, {**(payload or {}), "error": told}, ok=False)
        return
    click.echo(f"error: {printable(error.what)}", err=True)
    for label, text in (("why", error.why), ("next", error.next)):
        if text:
            click.echo(f"  {label}: {printable(text)}", err=True)


def printable(text: str) -> str:
    """`text` on one line, with control, direction and unencodable characters written out as escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


def run_command(group: click.Command, prog_name: str, args: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code; every failure is printed, none escapes.

    Codes are those of `skillopt.errors`; 2 for usage, 130 when interrupted.
    """
    words = list(sys.argv[1:] if args is None else args)
    as_json = "--json" in words[: words.index("--")] if "--" in words else "--json" in words
    schema = f"{prog_name}/error/1"
    try:
        code = group.main(words, prog_name=prog_name, standalone_mode=False)
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        print_error(schema, SkillOptError("interrupted"), as_json=as_json)
        return EXIT_INTERRUPTED
    except SkillOptError as error:
        print_error(schema, error, as_json=as_json)
        return error.exit_code
    except click.ClickException as error:
        print_error(schema, _usage(error, prog_name), as_json=as_json)
        return EXIT_USAGE
    except BrokenPipeError:
        # The reader went away; without this the interpreter complains when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except Exception as error:  # noqa: BLE001  (the outermost boundary: anything left is a defect, shown in full)
        traceback.print_exc(file=sys.stderr)
        why = f"{type(error).__name__}: {error}"
        unexpected = SkillOptError(
            "something unexpected happened", why=why, next="report it with the text above"
        )
        print_error(schema, unexpected, as_json=as_json)
        return EXIT_UNEXPECTED
    return code if isinstance(code, int) else EXIT_OK


def _usage(error: click.ClickException, prog_name: str) -> SkillOptError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else prog_name
    return SkillOptError(error.format_message(), next=f"{path} --help")


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used, so that `--help` stays fast.

    `lazy` maps a name to `(module, attribute, short help)`.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order given."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, attribute, _ = self.lazy[cmd_name]
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands from their short help, without importing them."""
        rows = [(name, help_text) for name, (_, _, help_text) in self.lazy.items()]
        for name in super().list_commands(ctx):
            command = self.commands[name]
            rows.append((name, command.get_short_help_str()))
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
