"""`skillopt skill`: check a skill file against the format, and apply a patch to it."""

from __future__ import annotations

import difflib
import json
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

from skillopt.cli.output import EXIT_OK, EXIT_USAGE, json_option, print_error, print_json, say, say_text
from skillopt.core.edit import Edit, EditOp, apply_edits
from skillopt.core.skill import REGION_NAMES, Skill
from skillopt.core.skill_format import check_skill
from skillopt.errors import ConfigError, SkillFormatError, StorageError
from skillopt.store.files import write_atomic

_OPS: tuple[EditOp, ...] = get_args(EditOp)
_FILE = click.Path(path_type=Path)


@click.group()
def skill() -> None:
    """Check a skill file, or edit it by hand."""


@skill.command()
@click.argument("file", type=_FILE)
@json_option
def check(file: Path, as_json: bool) -> int:
    """Say whether FILE meets the Agent Skills format; exit 2 when it does not."""
    try:
        findings = check_skill(Skill.from_bytes(_read(file)), file.absolute().parent.name)
    except SkillFormatError as error:
        print_error("skillopt/skill-check/1", error, as_json=as_json)
        return EXIT_USAGE
    payload: dict[str, object] = {"file": str(file), "findings": [asdict(finding) for finding in findings]}
    if not findings:
        if as_json:
            print_json("skillopt/skill-check/1", payload)
        else:
            say(f"{file}: good")
        return EXIT_OK
    failed = SkillFormatError(
        f"{file} does not meet the Agent Skills format",
        why="; ".join(finding.message for finding in findings),
        next=f"correct it, then run: skillopt skill check {file}",
    )
    print_error("skillopt/skill-check/1", failed, as_json=as_json, payload=payload)
    return EXIT_USAGE


@skill.command()
@click.argument("patch", type=_FILE)
@click.argument("file", type=_FILE)
@click.option("--within", type=click.Choice(REGION_NAMES), help="Confine the edits to one protected region.")
@click.option("--write", is_flag=True, help="Change FILE; without it only the diff is shown.")
@json_option
def apply(patch: Path, file: Path, within: str | None, write: bool, as_json: bool) -> None:
    """Apply the edits of PATCH to FILE: {"edits": [{"op", "anchor", "text"}]}.

    Every edit is reported with its outcome; one that cannot be applied changes nothing.
    """
    before = Skill.from_bytes(_read(file))
    before.regions()
    candidate = apply_edits(before, _edits(patch), within=within)
    after = Skill(candidate.text)
    if write and after != before:
        # The target of a link changes, the link and the file's mode stay.
        target = file.resolve()
        write_atomic(target, after.to_bytes(), stat.S_IMODE(target.stat().st_mode))
    diff = "".join(_diff(before.text, after.text, str(file)))
    if as_json:
        edits = [
            {"op": r.edit.op, "anchor": r.edit.anchor, "text": r.edit.text, "outcome": r.outcome}
            for r in candidate.reports
        ]
        hashes = {"before_sha": before.sha, "after_sha": after.sha}
        written = write and after != before
        print_json(
            "skillopt/skill-apply/1",
            {"file": str(file), "edits": edits, **hashes, "written": written, "diff": diff},
        )
        return
    for n, report in enumerate(candidate.reports, 1):
        say(f"edit {n} ({report.edit.op}): {report.outcome.replace('_', ' ')}")
    say_text(diff)
    if after == before:
        say(f"{file}: unchanged")
    else:
        say(f"{file}: written" if write else "nothing written; add --write to change the file")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {file}", next="check the path") from error
    except OSError as error:
        raise StorageError(f"cannot read {file}", why=error.strerror or str(error)) from error


def _edits(patch: Path) -> list[Edit]:
    try:
        data = json.loads(_read(patch))
    except (ValueError, RecursionError) as error:
        raise _not_a_patch(patch, f"it is not JSON: {error}") from error
    rows = data.get("edits") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise _not_a_patch(patch, 'it has no list "edits"')
    return [_edit(patch, n, row) for n, row in enumerate(rows, 1)]


def _edit(patch: Path, n: int, row: Any) -> Edit:
    if not isinstance(row, dict):
        raise _not_a_patch(patch, f"edit {n} is not an object")
    op = next((known for known in _OPS if known == row.get("op")), None)
    if op is None:
        near = difflib.get_close_matches(str(row.get("op")), _OPS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(_OPS)}"
        raise _not_a_patch(patch, f"edit {n} has the unknown op {row.get('op')!r}, {hint}")
    if unknown := sorted(row.keys() - {"op", "anchor", "text", "rationale", "evidence"}):
        raise _not_a_patch(patch, f"edit {n} has an unknown key {unknown[0]}")
    texts = {key: row.get(key, "") for key in ("text", "anchor", "rationale")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise _not_a_patch(patch, f"edit {n}: anchor, text and rationale must be text")
    return Edit(op, **texts)


def _not_a_patch(patch: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{patch} is not a patch", why=why, next='write {"edits": [{"op": "append", "text": "..."}]}'
    )


def _diff(before: str, after: str, name: str) -> list[str]:
    lines = difflib.unified_diff(_lines(before), _lines(after), f"{name} (before)", f"{name} (after)")
    return [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]


def _lines(text: str) -> list[str]:
    """Lines as a diff counts them: ended by a line feed and nothing else."""
    return [line + "\n" for line in text.split("\n")[:-1]] + (
        [last] if (last := text.split("\n")[-1]) else []
    )
