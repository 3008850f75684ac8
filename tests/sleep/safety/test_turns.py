"""A negation guards only what it forbids: words that turn it leave the finding."""

from __future__ import annotations

import pytest

from skillopt_sleep.safety import screen

GUARDED = [
    "Never commit .env files.",
    "Never run git push --force here.",
    "Please don't use sudo for that.",
    "No rm -rf in scripts.",
    "rm -rf is forbidden.",
    "Avoid curl -k in CI.",
    "Die .env-Datei nie committen.",
    "Ne lance jamais git push --force.",
    "Nunca uses sudo.",
    "Push without --force.",
    "Never push without asking me.",
]
TURNED = [
    "Never forget to run git push --force.",
    "Don't hesitate to use sudo.",
    "Never push without --force.",
    "Don't use npm, run sudo make instead.",
    "Do not stop before you ran rm -rf build.",
    "Never do anything but git push --force.",
    "No npm and run rm -rf node_modules.",
    "Don't wait: git push --force.",
    "It is not nice. Use sudo.",
    "Never not use sudo.",
    "Vergiss nie, sudo zu nutzen.",
    "N'oublie jamais git push --force.",
    "Nunca olvides usar sudo.",
    "Never skip git push --force.",
    "Don't worry about sudo.",
    "Never commit unless you ran git reset --hard.",
]


@pytest.mark.parametrize("text", GUARDED)
def test_a_safeguard_is_no_finding(text: str) -> None:
    assert screen(text) == ()


@pytest.mark.parametrize("text", TURNED)
def test_a_turned_negation_is_one(text: str) -> None:
    assert screen(text) != ()
