"""The demo, as `make demo` runs it: what it shows, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from skillopt_sleep.demo.scratch import CLIENT_FOLDERS, PROJECTS, make_scratch, snapshot
from skillopt_sleep.demo.story import STEPS

ROOT = Path(__file__).resolve().parent.parent.parent
BUNDLE = ROOT / "skillopt_sleep" / "demo" / "home"

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("demo")]


def run_demo(folder: Path, *arguments: str) -> str:
    """Run the demo with `folder/home` as HOME and `folder/tmp` for temporary files; its standard output."""
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    path = os.pathsep.join((str(Path(sys.executable).parent), os.defpath))
    env = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "PATH": path, "LANG": "C.UTF-8"}
    env |= {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-m", "skillopt_sleep.demo", *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list((folder / "home").iterdir()), "the demo wrote into the HOME of its caller"
    return done.stdout


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("demo")
    return run_demo(folder), folder


@pytest.mark.parametrize(
    "shown",
    [
        r"claude +\d+ +\d+ +\d+",
        r"codex +\d+ +\d+ +\d+",
        r"copilot +\d+ +\d+ +\d+",
        r"\d+ tasks recur:",
        r"corrected in \d+ of \d+ sessions",
        r'you said: "pnpm, not npm',
        r"corrections in held-out sessions: [3-9] replayed",
        r"not replayable; said again in [2-9] of \d held-out sessions",
        r'Not enough yet: something like ".*draft.*" was said in 2 sessions',
        r"sealed +\d",
        r"\+- .*pnpm.* <!-- id: [0-9a-f]{8} -->",
        r"Adopted \d lessons into .*storefront.*SKILL\.md",
        r"Adopted \d lessons into .*billing.*SKILL\.md",
        r"\ndescription: \"Use when ",
        r"\n- .*pnpm.* <!-- id",
        r"\n\?\? \.agents/skills/skillopt-sleep-learned/SKILL\.md",
        r"52 sessions of 2 projects known, 49 driven by you",
        r"Removed .*SKILL\.md; it did not exist before\.",
        r"Checked: all \d+ files .* byte for byte as before\.",
    ],
)
def test_it_shows(ran: tuple[str, Path], shown: str) -> None:
    assert re.search(shown, ran[0]), ran[0]


def test_it_learns_what_was_wanted_and_nothing_else(ran: tuple[str, Path]) -> None:
    lessons = {line for line in ran[0].splitlines() if re.match(r"\+- .* <!-- id", line)}
    wanted = ("pnpm", "CHANGELOG.md", "./dev test", "conventional")
    assert [sum(word in line for line in lessons) for word in wanted] == [1, 1, 1, 1], lessons
    assert len(lessons) == len(wanted)


def test_every_command_comes_with_an_explanation_in_order(ran: tuple[str, Path]) -> None:
    at = 0
    for step in STEPS:
        at = ran[0].index(step.told, at)
        at = ran[0].index(f"\n$ {step.command[0]}", at)


def test_the_result_does_not_depend_on_where_the_projects_lie(tmp_path: Path) -> None:
    nights = [lessons_of(tmp_path / name) for name in ("a", "b/much/deeper", "code-c")]
    assert nights[0] == nights[1] == nights[2]
    assert len(nights[0]) == 2


def lessons_of(home: Path) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """A night on the bundled home, put into `home`: of each proposal the project and its lessons."""
    home.mkdir(parents=True)
    scratch = make_scratch(home)
    measured = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}
    program = Path(sys.executable).with_name("skillopt-sleep")
    done = subprocess.run(
        [program, "run", "--all-projects", "--json"],
        cwd=home,
        env={**scratch.env, **measured},
        capture_output=True,
        check=True,
    )
    return [
        (Path(p["project"]).name, [(lesson["text"], lesson["sessions"]) for lesson in p["lessons"]])
        for p in json.loads(done.stdout)["proposals"]
    ]


def test_it_has_no_colours_in_a_pipe(ran: tuple[str, Path]) -> None:
    assert "\x1b" not in ran[0]


def test_its_folder_is_gone(ran: tuple[str, Path]) -> None:
    assert not list((ran[1] / "tmp").iterdir())


def test_undo_restored_every_byte(tmp_path: Path) -> None:
    run_demo(tmp_path, "--keep")
    (home,) = (tmp_path / "tmp").iterdir()
    for name, files in PROJECTS.items():
        project = home / "code" / name
        found = [path for path in project.rglob("*") if path.is_file() and ".git" not in path.parts]
        assert {p.relative_to(project).as_posix(): p.read_text() for p in found} == files
        assert not (project / ".agents").exists()
        assert not (project / ".claude").exists()
    for hidden, plain in CLIENT_FOLDERS.items():
        recorded = sorted(p.read_text() for p in (BUNDLE / plain).rglob("*") if p.is_file())
        kept = sorted(p.read_text() for p in (home / hidden).rglob("*") if p.is_file())
        assert kept == sorted(text.replace("/home/robin", str(home.resolve())) for text in recorded)


def test_the_check_sees_a_changed_byte_a_new_file_and_a_new_mode(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    before = snapshot(scratch)
    readme = scratch.project("billing") / "README.md"
    text = readme.read_text()
    readme.write_text(text.replace("Billing", "billing"))
    assert snapshot(scratch) != before
    readme.write_text(text)
    assert snapshot(scratch) == before
    readme.chmod(0o600)
    assert snapshot(scratch) != before
    readme.chmod(0o644)
    (tmp_path / ".skillopt-sleep").mkdir()
    assert snapshot(scratch) == before
    (scratch.project("billing") / "left").symlink_to("README.md")
    assert snapshot(scratch) != before


def test_the_bundle_is_what_its_script_writes(tmp_path: Path) -> None:
    script = ROOT / "experiments" / "demo_home" / "build.py"
    subprocess.run([sys.executable, script, tmp_path / "home"], check=True)
    written = {p.relative_to(tmp_path / "home"): p.read_bytes() for p in files_of(tmp_path / "home")}
    assert written == {p.relative_to(BUNDLE): p.read_bytes() for p in files_of(BUNDLE)}


def test_the_bundle_is_small_and_of_the_real_formats() -> None:
    assert sum(path.stat().st_size for path in files_of(BUNDLE)) < 600_000
    transcripts = [path for path in files_of(BUNDLE) if path.suffix == ".jsonl"]
    assert 40 <= len(transcripts) <= 60
    for path in transcripts:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert isinstance(json.loads(line), dict)


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
