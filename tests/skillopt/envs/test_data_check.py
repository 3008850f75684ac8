"""Tasks of one's own, looked at before they are used: all that is wrong, each with its line."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from skillopt.core.task import Split
from skillopt.envs.data_check import check_data
from skillopt.envs.near import near_pairs
from skillopt.errors import ConfigError

TEXT = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen and on and on, on"
WORDS = TEXT.replace(",", "").split()


def write(folder: Path, **splits: list[dict[str, Any] | str]) -> Path:
    for name, rows in splits.items():
        (folder / name).mkdir(parents=True)
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (folder / name / "t.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def row(task_id: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {"id": task_id, "input": text or f"ask {task_id}", **(more or {"expected_output": "yes"})}


def check(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("skillopt")
    return subprocess.run(
        [program, "data", "check", *words], cwd=cwd, env={"HOME": str(cwd)}, capture_output=True, text=True
    )


def test_what_each_split_holds(tmp_path: Path) -> None:
    train = [row("a"), row("b", metric="f1", expected_output="x"), row("c", judge="kind?"), row("d")]
    folder = write(
        tmp_path / "d", train=train, val=[row("e", checks=[{"op": "contains", "arg": "x"}])], test=[row("f")]
    )
    (folder / "train" / "more.jsonl").write_text(json.dumps(row("g")) + "\n\n")
    done = check("d", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "train          5 tasks in 2 files: 3 by exact, 1 by f1, 1 by judge",
        "selection      1 tasks in 1 file: 1 by checks",
        "test           1 tasks in 1 file: 1 by exact",
        "d: good",
    ]
    data = json.loads(check("d", "--json", cwd=tmp_path).stdout)
    assert data["splits"]["train"] == {"files": 2, "tasks": 5, "scored_by": {"exact": 3, "f1": 1, "judge": 1}}
    assert (data["ok"], data["errors"], data["warnings"]) == (True, [], [])


def test_every_error_is_told_with_its_line(tmp_path: Path) -> None:
    train = [
        row("a"),
        "{",
        row("a"),
        {"id": "x"},
        row("y", expected_output="1", judge="?"),
        "[]",
        row("z", metric="f2", expected_output=""),
    ]
    write(tmp_path, train=train, val=[row("b"), row("a", "other")])
    done = check(".", "--json", cwd=tmp_path)
    data = json.loads(done.stdout)
    assert (done.returncode, data["ok"]) == (2, False)
    assert [error["where"] for error in data["errors"]] == [
        "train/t.jsonl:2", "train/t.jsonl:4", "train/t.jsonl:5", "train/t.jsonl:6", "train/t.jsonl:7",
        ".", "train/t.jsonl:3", "val/t.jsonl:2",
    ]  # fmt: skip
    told = [error["what"] for error in data["errors"]]
    assert told[5] == ". has no folder test/"
    assert told[6] == "id a stands twice in train, first in train/t.jsonl:1"
    assert told[7] == "id a is in train (train/t.jsonl:1) and in selection"
    assert data["error"]["what"].startswith("train/t.jsonl:2: the line is not JSON")
    text = check(".", cwd=tmp_path)
    assert text.returncode == 2
    assert "error: train/t.jsonl:4: task x has no input" in text.stderr
    assert "8 errors: correct it" in text.stderr
    assert "good" not in text.stdout


def test_an_empty_split_is_an_error(tmp_path: Path) -> None:
    report = check_data(write(tmp_path, train=[row("a")], val=[], test=[row("c")]))
    assert [error.what for error in report.errors] == ["split selection has no tasks"]


def test_what_is_only_to_be_looked_at(tmp_path: Path) -> None:
    text = " ".join(WORDS)
    near = text.replace("one", "eleventy").title() + "!"
    far = " ".join([*WORDS[3:], "x", "y", "z"])
    folder = write(
        tmp_path / "d",
        train=[
            row("a", text),
            row("b", "Twice"),
            row("c", "Twice"),
            row("d", far),
            row("n", "add 3 and 4 " + text),
        ],
        val=[
            row("e", text, expected_output="another"),
            row("f", near, expected_output="x", metrics="f1"),
            row("m", "add 3 and 5 " + text),
        ],
        test=[row("g")],
    )
    report = check_data(folder)
    assert report.errors == ()
    assert sorted(warning.what.replace(f"{folder}/", "") for warning in report.warnings) == [
        "'metrics' is not read",
        "the input of c is that of b",
        "the input of e (selection) is the same as a (train, train/t.jsonl:1)",
        "the input of f (selection) is 90% that of a (train, train/t.jsonl:1)",
    ]
    done = check("d", cwd=tmp_path)
    assert done.returncode == 0
    assert f"d: good, {len(report.warnings)} to look at" in done.stdout


def test_a_task_of_two_splits_is_an_error_whatever_its_id(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        train=[row("a", "How many?"), row("b", "How many?", expected_output="no")],
        val=[row("c", "How many?")],
        test=[row("d"), row("e", "How many?", metric="f1", expected_output="yes"), row("f", "d", judge="?")],
    )
    report = check_data(folder)
    assert [(error.where, error.what.replace(f"{folder}/", "")) for error in report.errors] == [
        (
            f"{folder}/val/t.jsonl:1",
            "task c (selection) asks and checks the same as a (train, train/t.jsonl:1)",
        )
    ]
    assert not any(" c " in warning.what and " a " in warning.what for warning in report.warnings)


def test_one_file_is_dealt(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    file.write_text("\n".join(json.dumps(row(str(i))) for i in range(10)))
    assert [each.n_tasks for each in check_data(file).splits] == [2, 1, 7]
    assert "3 tasks" in check("all.jsonl", "--ratio", "5:3:2", cwd=tmp_path).stdout
    assert check("all.jsonl", "--ratio", "5:3", cwd=tmp_path).returncode == 2
    file.write_text(json.dumps(row("1")))
    assert [error.what for error in check_data(file).errors] == [
        "split train gets no task", "split selection gets no task"
    ]  # fmt: skip


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no tasks at"):
        check_data(tmp_path / "no")
    assert check("no", cwd=tmp_path).returncode == 2


def test_near_texts_are_found_as_by_comparing_every_pair() -> None:
    draw = random.Random(5)
    texts = []
    for _ in range(150):
        words = [draw.choice(WORDS) for _ in range(draw.randint(8, 40))]
        texts.append(" ".join(words))
        for _ in range(draw.randint(0, 3)):
            words[draw.randrange(len(words))] = draw.choice(WORDS)
        texts.append(" ".join(words) + draw.choice(["", "!", " 7"]))
    groups = [draw.choice(list(Split)) for _ in texts]
    found = {(a, b) for a, b, _ in near_pairs(texts, groups)}

    def counted(text: str) -> set[tuple[str, int]]:
        words = text.replace("!", "").split()
        return {(word, words[:at].count(word)) for at, word in enumerate(words)}

    wanted = {
        (a, b)
        for b in range(len(texts))
        for a in range(b)
        if groups[a] is not groups[b]
        and texts[a].count("7") == texts[b].count("7")
        and len(counted(texts[a]) & counted(texts[b])) >= 0.9 * len(counted(texts[a]) | counted(texts[b]))
    }
    assert found == wanted
    assert len(wanted) > 10
