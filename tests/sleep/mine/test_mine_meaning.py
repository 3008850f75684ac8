from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skillopt_sleep.mine.cues import Cues, cues_for, load_cues
from skillopt_sleep.mine.meaning import Meaning
from skillopt_sleep.mine.words import tokens

WORLDS = sorted((Path(__file__).parents[2] / "homes" / "worlds").glob("*.yaml"))


def lines(block: str) -> list[str]:
    return [line.strip() for line in block.splitlines() if line.strip()]


def labelled_pairs() -> Iterator[tuple[Meaning, str, str, bool]]:
    """Every two sentences said in one project of the worlds, and whether they ask for the same."""
    for path in WORLDS:
        intents = yaml.safe_load(path.read_text(encoding="utf-8"))["intents"]
        for project in sorted({i["project"] for i in intents.values()}):
            here = {name: i for name, i in intents.items() if i["project"] == project}
            said = [(name, line) for name, i in here.items() for line in lines(i.get("says", ""))]
            asked = [line for i in here.values() for line in lines(i.get("asks", ""))]
            written = [line for _, line in said] + asked
            meaning = Meaning.of(written, cues_for([tokens(line) for line in written]))
            for (one, a), (other, b) in itertools.permutations(said, 2):
                yield meaning, a, b, one == other


def test_the_same_want_in_other_words_is_told_from_another_want(record_property: object) -> None:
    found = [(m.restates(a, b), m.contradicts(a, b), same) for m, a, b, same in labelled_pairs()]
    hits = sum(restates and same for restates, _, same in found)
    false = sum(restates and not same for restates, _, same in found)
    alike = sum(same for _, _, same in found)
    precision, recall = hits / (hits + false), hits / alike
    told = f"precision {precision:.3f}, recall {recall:.3f} of {alike} pairs; {false} false"
    record_property("restates", told)  # type: ignore[operator]
    assert precision >= 0.9, told
    assert recall >= 0.55, told
    # What one person says of one want rarely contradicts itself.
    assert sum(contradicts and same for _, contradicts, same in found) <= 0.06 * alike


WEIGHED = """
import itertools, sys
from skillopt_sleep.mine.views import View
from skillopt_sleep.mine.cues import load_cues
from skillopt_sleep.mine.meaning import Meaning
from skillopt_sleep.mine.words import content, tokens
texts = sys.stdin.read().splitlines()
cues = load_cues()
meaning = Meaning.of(texts, cues)
pairs = list(itertools.combinations(texts, 2))
print([meaning.likeness(a, b).hex() for a, b in pairs], [meaning.shared(a, b).hex() for a, b in pairs])
view = View.of([dict.fromkeys(set(content(tokens(t), cues)), 0.7) for t in texts])
print(view.tile(slice(None), slice(None)).tobytes().hex())
"""


def test_every_process_weighs_alike() -> None:
    """To the last bit, though each process orders its sets in its own way."""
    intents = yaml.safe_load(WORLDS[0].read_text(encoding="utf-8"))["intents"]
    said = "\n".join(line for intent in intents.values() for line in lines(intent.get("says", "")))
    outputs = {
        subprocess.run(
            [sys.executable, "-c", WEIGHED],
            input=said,
            env={"PYTHONHASHSEED": seed, "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            check=True,
            encoding="utf-8",
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


@pytest.fixture
def meaning(english: Cues) -> Meaning:
    said = ["use rg, not grep", "rg instead of grep", "pnpm not npm", "use pnpm please", "no comments please"]
    return Meaning.of([*said, "find the cookie", "install axios", "write a parser", "run the tests"], english)


@pytest.mark.parametrize(
    ("lesson", "said"),
    [
        ("Use rg, not grep.", "rg instead of grep"),
        ("Use rg.", "we use rg, not grep"),
        ("No comments.", "please no comments in here"),
        ("Pnpm not npm.", "stop, pnpm please, never npm"),
    ],
)
def test_what_restates(meaning: Meaning, lesson: str, said: str) -> None:
    assert meaning.restates(lesson, said)
    assert not meaning.contradicts(lesson, said)


@pytest.mark.parametrize(
    ("lesson", "said"),
    [
        ("Use grep instead of rg.", "use rg, not grep"),
        ("Do not use rg.", "use rg, not grep"),
        ("Never rg.", "please use rg"),
        ("Comments in the code.", "no comments please"),
        ("Use npm, not pnpm.", "pnpm not npm"),
    ],
)
def test_the_opposite_never_restates(all_languages: Cues, meaning: Meaning, lesson: str, said: str) -> None:
    for cues in (meaning.cues, all_languages):
        own = Meaning(meaning.telling, meaning.unseen, cues)
        assert own.contradicts(lesson, said)
        assert own.contradicts(said, lesson)
        assert not own.restates(lesson, said)


def test_words_that_are_everywhere_say_little(english: Cues) -> None:
    common = Meaning.of([f"the build of module{i} is done" for i in range(50)], english)
    assert not common.restates("Build module3 with ninja.", "build module7 as root")
    assert common.shared("ninja build", "ninja clean") > common.shared("build x", "build y")


TEXTS = st.text("abc nopm-,.!", max_size=30)


@given(TEXTS, TEXTS)
def test_likeness_is_symmetric_and_between_nothing_and_one(a: str, b: str) -> None:
    meaning = Meaning.of([a, b, "npm and pnpm"], load_cues(frozenset({"en"})))
    assert 0.0 <= meaning.likeness(a, b) <= 1.0
    assert meaning.likeness(a, b) == pytest.approx(meaning.likeness(b, a))
    assert meaning.contradicts(a, b) == meaning.contradicts(b, a)
    assert not meaning.contradicts(a, a)
    assert not (meaning.restates(a, b) and meaning.contradicts(a, b))


def test_nothing_restates_nothing(english: Cues) -> None:
    empty = Meaning.of([], english)
    assert not empty.restates("", "")
    assert not empty.restates("use the", "use the")
    assert empty.likeness("rg", "rg") == pytest.approx(1.0)
