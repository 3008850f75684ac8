"""The documentation: links lead somewhere, examples run, and drift is noticed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#([\w-]+))?\)")


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_to_files(page: Path) -> None:
    for target, _ in _LINK.findall(page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), f"{page.name} -> {target}"


def python_examples() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for code in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            found.append((page.name, code))
    return found


@pytest.mark.parametrize(("page", "code"), python_examples())
def test_an_example_prints_what_its_comments_say(page: str, code: str, tmp_path: Path) -> None:
    said = [line.partition("  # ")[2] for line in code.splitlines() if line.strip().startswith("print(")]
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert said
    assert done.stdout.splitlines() == said


def test_every_decision_is_short_and_says_what_and_why() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 45, path.name
        assert "## Decision" in text, path.name
        assert "## Why" in text, path.name


def test_drift_is_noticed(tmp_path: Path) -> None:
    for name in ("README.md", "docs", "tools", "pyproject.toml", "plugins", ".claude-plugin", "skillopt"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name)
        else:
            shutil.copy(source, tmp_path)
    page = tmp_path / "docs" / "reference" / "cli.md"
    page.write_text(page.read_text().replace("One night", "Two nights", 1))
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    check = [sys.executable, "tools/docs.py", "--check"]
    done = subprocess.run(check, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.search("^-  run +Two nights", done.stdout, re.MULTILINE)
    assert "make docs" in done.stderr
