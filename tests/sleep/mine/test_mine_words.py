from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillopt_sleep.mine.cues import Cues, PhraseSet, cues_for, load_cues
from skillopt_sleep.mine.words import (
    content,
    segments,
    sentences,
    signed,
    signs,
    stem,
    strip_ends,
    tokens,
    units,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Use `uv run pytest`, please.", ("use", "uv", "run", "pytest", "please")),
        ("pass --frozen-lockfile!", ("pass", "--frozen-lockfile")),
        ("update CHANGELOG.md.", ("update", "changelog.md")),
        ("use “rg”, not 'grep'", ("use", "rg", "not", "grep")),
        ("don’t", ("don't",)),
        ("n'utilise pas npm", ("utilise", "pas", "npm")),
        ("e.g. fix(parser): x", ("e.g", "fix", "parser", "x")),
        ("ＡＢＣ", ("abc",)),
        ("... — ...", ()),
        ("", ()),
    ],
)
def test_tokens_are_words_without_the_punctuation_around_them(text: str, expected: tuple[str, ...]) -> None:
    assert tokens(text) == expected


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    words = tokens(text)
    assert all(word and word == word.strip() for word in words)
    assert all(tokens(word) in ((word,), ()) for word in words if word.isalnum())
    segments(text)
    sentences(text)
    signed(text, load_cues())
    strip_ends(text, load_cues())


@pytest.mark.parametrize(
    "family",
    [
        ("test", "tests", "testing", "tested"),
        ("commit", "commits", "committing", "committed"),
        ("run", "running", "runs"),
        ("comment", "comments"),
        ("übersetze", "übersetzen"),
        ("install", "installed", "installing"),
        ("utilise", "utiliser"[:-1]),
    ],
)
def test_inflections_share_a_stem(family: tuple[str, ...]) -> None:
    assert len({stem(word) for word in family}) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("pnpm", "npm"), ("rg", "grep"), ("uv", "uvx"), ("pytest", "test"), ("make", "cmake")]
)
def test_names_of_tools_keep_stems_of_their_own(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_a_flag_says_its_words() -> None:
    assert units("--context") == (stem("context"),)
    assert units("--frozen-lockfile") == (stem("frozen"), stem("lockfile"))
    assert units("pytest") == ("pytest",)


def test_content_leaves_function_words_out(english: Cues) -> None:
    assert content(tokens("please use the pnpm in 3 repos"), english) == ("pnpm", "repo")


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("no comments", "", "comments"),
        ("no comments in the code please", "", "comments code"),
        ("without sudo", "", "sudo"),
        ("never without uv", "uv", ""),
        ("kubectl never without --context", "kubectl context", ""),
        ("use pnpm instead of npm", "pnpm", "npm"),
        ("rg rather than grep", "rg", "grep"),
        ("pnpm, not npm", "pnpm", "npm"),
        ("use pnpm not npm here", "pnpm", "npm"),
        ("no npm please, use pnpm", "pnpm", "npm"),
        ("don't use grep here, use rg", "rg", "grep"),
        ("don't npm install use pnpm", "pnpm", "npm install"),
        ("npm is gone", "", "npm"),
        ("we moved off npm", "", "npm"),
        ("don't forget the changelog", "changelog", ""),
        ("do not forget signoff", "signoff", ""),
        ("still no changelog", "changelog", ""),
        ("again no ticket", "ticket", ""),
        ("you forgot the changelog", "changelog", ""),
        ("avoid sudo", "", "sudo"),
        ("rebase and not merge", "rebase", "merge"),
        # German
        ("npm bitte nicht", "", "npm"),
        ("pip nicht, uv nehmen", "uv", "pip"),
        ("yarn statt npm", "yarn", "npm"),
        ("nie ohne tests", "tests", ""),
        ("kein npm", "", "npm"),
        ("nicht vergessen: changelog", "changelog", ""),
        ("schon wieder kein ticket", "ticket", ""),
        # French
        ("pas de npm", "", "npm"),
        ("utilise uv au lieu de pip", "uv", "pip"),
        ("jamais sans uv", "uv", ""),
        ("n'oublie pas le changelog", "changelog", ""),
        ("encore pas de ticket", "ticket", ""),
        # Spanish
        ("usa pnpm en vez de npm", "pnpm", "npm"),
        ("nunca npm", "", "npm"),
        ("nunca sin uv", "uv", ""),
        ("no olvides el changelog", "changelog", ""),
        ("sin comentarios", "", "comentarios"),
    ],
)
def test_what_is_wanted_and_what_is_not(all_languages: Cues, text: str, wanted: str, unwanted: str) -> None:
    for cues in (all_languages, cues_for([tokens(text)] * 3)):
        found = signed(text, cues)
        assert {stem(w) for w in wanted.split()} <= {w for w, sign in found.items() if sign > 0}
        assert {stem(w) for w in unwanted.split()} <= {w for w, sign in found.items() if sign < 0}


def test_there_is_one_sign_for_each_word(english: Cues) -> None:
    words = ("never", "without", "uv", "and", "not", "npm", "is", "gone")
    assert len(signs(words, english)) == len(words)
    assert signs((), english) == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("no, use pnpm please", "use pnpm"),
        ("ugh, again: use pnpm thanks", "use pnpm"),
        ("could you please use pnpm", "use pnpm"),
        ("you should use pnpm", "use pnpm"),
        ("nein, bitte pnpm nehmen danke", "pnpm nehmen"),
        ("no comments please", "no comments"),
        ("you should not use npm", "you should not use npm"),
        ("--locked please", "--locked"),
        ("please", "please"),
    ],
)
def test_only_manners_are_taken_off_the_ends(all_languages: Cues, text: str, left: str) -> None:
    assert strip_ends(text, all_languages) == left


@pytest.mark.parametrize(
    ("said", "languages"),
    [
        (["use pnpm in this repo", "what does it do?", "run the tests"], {"en"}),
        (["nimm bitte ninja und nicht make", "was ist das hier", "bau die firmware"], {"de"}),
        (["utilise uv dans ce dépôt", "lance les tests avec le panel", "qui est la"], {"fr"}),
        (["usa make y no otra cosa", "lanza los tests de la app", "el panel no va"], {"es"}),
        (["run the tests for me"] * 5 + ["nimm das bitte nicht mehr und mach es so"] * 5, {"en", "de"}),
        ([], set(load_cues().stop_by_language)),
    ],
)
def test_cues_are_of_the_languages_a_person_writes(said: list[str], languages: set[str]) -> None:
    assert set(cues_for([tokens(text) for text in said]).stop_by_language) == languages


def test_a_language_met_once_in_a_while_does_not_count() -> None:
    said = ["run the tests for me please"] * 30 + ["nimm das bitte nicht mehr und mach es so"]
    assert set(cues_for([tokens(text) for text in said]).stop_by_language) == {"en"}


def test_every_language_has_every_set_of_cues() -> None:
    everything = load_cues()
    languages = everything.stop_by_language
    assert set(languages) == {"en", "de", "fr", "es", "it", "pt", "nl"}
    for language in languages:
        own = load_cues(frozenset({language}))
        assert set(own.sets) == set(everything.sets)
        assert all(found.by_head for found in own.sets.values())


def test_the_longest_phrase_is_found() -> None:
    phrases = PhraseSet.of(["do", "do not", "do not use", "never"])
    words = ("please", "do", "not", "use", "it", "never")
    assert list(phrases.spans(words)) == [(1, 4), (5, 6)]
    assert phrases.at(words, 99) == 0
    assert "never" in phrases
    assert "not" not in phrases
