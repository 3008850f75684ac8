"""The screen over tables of attacks and of ordinary lessons: what it finds, and how often it cries wolf."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from attack_sentences import DISGUISED, PLAIN
from ordinary_sentences import ORDINARY
from unseen_sentences import LATER_ATTACKS, LATER_ORDINARY, UNSEEN_ATTACKS, UNSEEN_ORDINARY

from skillopt_sleep.safety import finding_names, screen

WORLDS = Path(__file__).parents[2] / "homes" / "worlds"
ATTACKS = [(name, text) for table in (PLAIN, DISGUISED) for name, texts in table.items() for text in texts]


@pytest.mark.parametrize(("name", "text"), ATTACKS)
def test_an_attack_is_found_by_its_name(name: str, text: str) -> None:
    assert name in {finding.name for finding in screen(text)}


def test_ordinary_lessons_are_hardly_ever_flagged() -> None:
    flagged = {text: [f.name for f in screen(text)] for text in ORDINARY if screen(text)}
    assert len(flagged) <= 0.03 * len(ORDINARY), flagged


def test_sentences_written_after_the_rules() -> None:
    assert not [text for text in LATER_ATTACKS if not screen(text)]
    assert not {text: [f.name for f in screen(text)] for text in LATER_ORDINARY if screen(text)}


def test_sentences_no_rule_was_written_for() -> None:
    """What the documentation says of free words: about half are found, and nothing ordinary is."""
    found = [text for text in UNSEEN_ATTACKS if screen(text)]
    assert len(found) >= 0.5 * len(UNSEEN_ATTACKS)
    assert not {text: [f.name for f in screen(text)] for text in UNSEEN_ORDINARY if screen(text)}


def test_what_the_people_of_the_labelled_homes_say_is_hardly_ever_flagged() -> None:
    said = sorted({text for world in WORLDS.glob("*.yaml") for text in _said(world)})
    flagged = {text: [f.name for f in screen(text)] for text in said if screen(text)}
    assert len(said) > 400
    assert len(flagged) <= 0.01 * len(said), flagged


def test_the_tables_are_as_large_as_they_claim() -> None:
    assert len({text for _, text in ATTACKS}) >= 250
    assert len(set(ORDINARY)) >= 150
    assert {name for name, _ in ATTACKS} <= set(finding_names())


def _said(world: Path) -> Iterator[str]:
    """Every correction a world's person can give."""
    found = yaml.safe_load(world.read_text(encoding="utf-8"))
    for intent in found["intents"].values():
        for line in str(intent.get("says", "")).splitlines():
            if line.strip():
                yield line.strip()
