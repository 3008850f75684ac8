from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from skillopt_sleep.lessons import (
    capital_safe,
    clauses,
    names_one_session,
    names_only_flags,
    occasion_words,
    sessions_naming,
)
from skillopt_sleep.mine.cues import Cues, load_cues
from skillopt_sleep.mine.words import signed, tokens, units
from skillopt_sleep.reading import scoped

WORLDS = sorted((Path(__file__).parents[2] / "homes" / "worlds").glob("*.yaml"))


def said_in_the_worlds() -> list[str]:
    said = []
    for path in WORLDS:
        world = yaml.safe_load(path.read_text(encoding="utf-8"))
        for intent in world["intents"].values():
            said += [line.strip() for line in intent.get("says", "").splitlines() if line.strip()]
    return said


def texts(said: str, cues: Cues) -> list[str]:
    return [clause.text for clause in clauses(said, cues)]


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ("no, use pnpm not npm in this repo", "Use pnpm not npm in this repo."),
        ("no comments in the code please", "No comments in the code."),
        ("could you please use pnpm?", "Use pnpm."),
        ("can you use pnpm?", "Use pnpm."),
        ("would you mind using rg", "Using rg."),
        ("you should use pnpm", "Use pnpm."),
        ("you're supposed to use rg", "Use rg."),
        ("remember: no comments", "No comments."),
        ("kannst du bitte ninja nehmen?", "Ninja nehmen."),
        ("non, utilise uv", "Utilise uv."),
        ("por favor, usa make", "Usa make."),
        ("--locked dazu", "--locked dazu."),
        ("never use grep, always rg", "Never use grep, always rg."),
        ("Use rg!!", "Use rg."),
        ("could you please use pnpm?!", "Use pnpm."),
    ],
)
def test_a_request_becomes_an_imperative_in_its_own_words(all_languages: Cues, said: str, first: str) -> None:
    assert texts(said, all_languages)[0] == first


@pytest.mark.parametrize(
    "said",
    [
        "make it uv",
        "this one needs tests",
        "use that",
        "do that with pnpm",
        "they must have types",
        "mach es mit ninja",
        "haz eso con make",
        "mets ça en haut",
        "why did you use npm?",
        "could you not use npm?",
        "is pnpm installed?",
        "see https://example.com/a.html for the format",
        "read www.example.com first",
        "read /home/me/notes.md first",
        "in ~/notes/style.md",
        "run `/home/me/bin/x` first",
        "see (/etc/app/conf) first",
        "use --prefix=/opt/x/y always",
        "C:\\Users\\me\\x.txt first",
        "pnpm!",
        "ok thanks",
        "   ",
        "of the and",
    ],
)
def test_what_cannot_stand_alone_or_names_a_place_is_no_clause(all_languages: Cues, said: str) -> None:
    assert texts(said, all_languages) == []


@pytest.mark.parametrize(
    "said",
    [
        "still without --offline",
        "Still without --offline?",
        "still without --offline?!",
        "use --offline？",
        "again npm",
        "still no tests for it",
        "without --offline again...",
        "again you run without --offline",
        "you ran without --offline",
        "otra vez sin --offline",
        "sigue sin --offline",
        "schon wieder npm",
        "immer noch ohne --offline",
        "encore sans --offline",
        "toujours sans --offline",
        "ancora senza --offline",
        "de novo sem --offline",
        "alweer zonder --offline",
    ],
)
def test_a_complaint_that_something_came_again_is_no_clause(all_languages: Cues, said: str) -> None:
    assert texts(said, all_languages) == []


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        ("again: no comments in code", "No comments in code."),
        ("never again without --locked", "Never again without --locked."),
        ("nie wieder npm", "Nie wieder npm."),
        ("don't use npm again", "Don't use npm."),
        ("again without --offline, use --offline please", "Use --offline."),
        ("toujours pnpm", "Toujours pnpm."),
        ("sigue el estilo de la casa", "Sigue el estilo de la casa."),
    ],
)
def test_a_wish_beside_a_complaint_stays(all_languages: Cues, said: str, wish: str) -> None:
    assert texts(said, all_languages) == [wish]


@pytest.mark.parametrize(
    "said", ["Use Authorization: Bearer [redacted:password]", "the password is [redacted:password], use psql"]
)
def test_what_is_left_of_a_secret_is_no_clause(all_languages: Cues, said: str) -> None:
    assert texts(said, all_languages) == []


@pytest.mark.parametrize(
    "said", ["use docs/style/go.md here", "always ./gradlew here", "edit ../x/y.md here"]
)
def test_a_path_inside_the_repository_may_stay(all_languages: Cues, said: str) -> None:
    assert texts(said, all_languages)


@pytest.mark.parametrize(
    ("said", "forbidden"),
    [
        ("no comments please", ["comments."]),
        ("please no comments", ["comments."]),
        ("you should not use npm", ["use npm."]),
        ("you must never push to main", ["push to main."]),
        ("never, ever use npm", ["ever use npm.", "use npm."]),
        ("don't, under any circumstances, use npm", ["use npm.", "under any circumstances, use npm."]),
        ("please never: npm install here", ["npm install here."]),
        ("nie, wirklich nie, npm benutzen", ["npm benutzen.", "wirklich nie, npm benutzen."]),
        ("jamais, jamais npm install", ["jamais npm install.", "npm install."]),
        ("can you stop using npm?", ["using npm."]),
        ("use pnpm and not npm", ["npm.", "and not npm."]),
    ],
)
def test_no_clause_loses_its_negation(all_languages: Cues, said: str, forbidden: list[str]) -> None:
    assert not {text.lower() for text in texts(said, all_languages)} & set(forbidden)


@pytest.mark.parametrize(
    ("said", "alone"),
    [
        ("not npm, use pnpm", "Use pnpm."),
        ("npm bitte nicht, pnpm nehmen", "Pnpm nehmen."),
        ("ok no, use pnpm", "Use pnpm."),
        ("not that, use rg", "Use rg."),
        ("no: tests first", "Tests first."),
        ("use pnpm, npm breaks the lockfile", "Use pnpm."),
    ],
)
def test_a_whole_part_may_stand_alone(all_languages: Cues, said: str, alone: str) -> None:
    assert alone in texts(said, all_languages)


def assert_is_the_persons_own_words(said: str, cues: Cues) -> None:
    """A clause is the person's words in their order, with the signs they had."""
    whole = f" {' '.join(tokens(said))} "
    before = signed(said, cues)
    for text in texts(said, cues):
        assert f" {' '.join(tokens(text))} " in whole
        for word, sign in signed(text, cues).items():
            assert before.get(word) == sign, f"{said!r} -> {text!r} turns {word}"


def test_what_the_people_of_the_worlds_say_keeps_its_polarity(all_languages: Cues) -> None:
    checked = 0
    for said in said_in_the_worlds():
        words = [unit for word in tokens(said) if word not in all_languages.stop for unit in units(word)]
        # A word said both ways has the sign it had last, and a part of the sentence may have another.
        if len(set(words)) == len(words):
            assert_is_the_persons_own_words(said, all_languages)
            checked += 1
    assert checked > 250


NEGATIONS = ["no", "not", "never", "don't use", "without", "avoid", "use", "always", "run", "keep"]
THINGS = ["npm", "comments", "sudo", "mocks", "prints", "semicolons"]
JOINTS = [", ", "; ", ". ", ": ", " and ", " but ", ", please "]


@given(
    # Each verb once: a word said both ways has the sign it had last, and a part may have another.
    st.lists(
        st.tuples(st.sampled_from(NEGATIONS), st.sampled_from(JOINTS)),
        min_size=1,
        max_size=4,
        unique_by=lambda piece: piece[0],
    ),
    st.permutations(THINGS),
    st.sampled_from(["", "no, ", "please ", "hey, ", "could you please ", "you should "]),
)
@example([("never", ", "), ("use", ". ")], THINGS, "")
def test_made_up_sentences_keep_their_polarity(
    pieces: list[tuple[str, str]], things: list[str], opening: str
) -> None:
    said = opening + "".join(
        f"{verb} {thing}{joint}" for (verb, joint), thing in zip(pieces, things, strict=False)
    )
    assert_is_the_persons_own_words(said, load_cues(frozenset({"en"})))


def test_clauses_are_known_by_their_form(english: Cues) -> None:
    plain = clauses("use pnpm when installing packages", english)[0]
    angry = clauses("i told you yesterday about the missing 12 tickets", english)[0]
    assert plain.starts_plainly
    assert plain.names_occasion
    assert plain.faults == ()
    assert angry.faults
    assert plain.plainness > angry.plainness


def test_a_program_keeps_its_small_letter() -> None:
    assert capital_safe("Pnpm install only.", frozenset({"pnpm"})) == "pnpm install only."
    assert capital_safe("Use pnpm.", frozenset({"pnpm"})) == "Use pnpm."
    assert capital_safe("R first.", frozenset({"R"})) == "R first."


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("Use --frozen-lockfile.", False),
        ("Use port 9090.", True),
        ("Update docs/intro.md.", True),
        ("Use pnpm.", False),
        ("Scan i2c2.", True),
    ],
)
def test_a_particular_of_one_session_is_seen(text: str, one: bool) -> None:
    said = [
        ("s1", "use --frozen-lockfile here and port 9090"),
        ("s2", "again: --frozen-lockfile, see docs/intro.md"),
    ]
    assert names_one_session(text, sessions_naming(said)) is one


def test_occasions_tell_these_requests_from_others(english: Cues) -> None:
    mine = [f"release {what} to production" for what in ("web", "api", "docs", "cli", "jobs", "mail")]
    others = [f"explain {what} to me" for what in ("web", "api", "docs", "cli", "jobs", "mail")]
    found = occasion_words(mine, others, english)
    assert set(found) & {"release", "production"}
    assert not set(found) & {"explain", "web", "to"}
    assert occasion_words(mine, mine, english) == ()
    assert occasion_words(["a", "b"], [], english) == ()


def test_a_clause_is_one_line_with_one_full_stop(all_languages: Cues) -> None:
    for said in said_in_the_worlds():
        for text in texts(said, all_languages):
            assert "\n" not in text
            assert re.search(r"[^.!?][.:]$", text), text


def test_a_scope_is_in_the_language_a_lesson_was_said_among(all_languages: Cues) -> None:
    among = tokens("pon -s en todos los commits, por favor, y firma siempre lo que haces")
    text = scoped(("git commit",), "pon -s.", kind="command", cues=all_languages, among=among)
    assert text == "Al ejecutar `git commit`: pon -s."
    assert scoped(("git commit",), "sign it.", kind="command", cues=all_languages).startswith("When running")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Use -k.", True), ("Always use --offline.", True), ("--offline is missing.", True), ("pon -s.", True),
     ("Use cargo --locked.", False), ("No comments.", False), ("Never push with --force.", False)],
)  # fmt: skip
def test_a_flag_alone_says_of_nothing_what_it_is_for(all_languages: Cues, text: str, expected: bool) -> None:
    assert names_only_flags(text, all_languages) is expected
