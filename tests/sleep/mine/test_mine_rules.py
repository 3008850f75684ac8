from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillopt_sleep.mine.cues import Cues, load_cues
from skillopt_sleep.mine.ops import Op, command_ops
from skillopt_sleep.reading import ScopeKind, Vocabulary, read_rules, read_scope, scoped
from skillopt_sleep.rules import Beside, Flag, Occasion, Swap, Whole, obey


def ops(text: str) -> tuple[Op, ...]:
    """Commands and `@edit PATH`, joined by `;;`."""
    out: list[Op] = []
    for part in filter(None, text.split(" ;; ")):
        out += (
            [Op("edit", (part.removeprefix("@edit "),))] if part.startswith("@edit ") else command_ops(part)
        )
    return tuple(out)


def written(done: tuple[Op, ...]) -> str:
    return " ;; ".join(
        shlex.join(op.tokens) if op.kind == "command" else f"@edit {op.tokens[0]}" for op in done
    )


SEEN = Vocabulary.of(
    ops(
        "npm install ;; npm test ;; npm ci ;; npm run build ;; pnpm install ;; pnpm test ;; yarn add x ;; "
        "python train.py ;; python table.py ;; python -m pytest -q ;; uv run pytest -q ;; "
        "uv run python train.py ;; grep -rn x src ;; rg x src ;; git commit -m x ;; git commit -s -m x ;; "
        "git push ;; git push --force ;; cargo test --locked ;; cargo build ;; cargo fmt ;; make test ;; "
        "terraform plan ;; terraform apply ;; bundle exec rspec ;; helm upgrade x ;; helmfile apply ;; "
        "ninja -C build ;; ruff check . ;; @edit CHANGELOG.md ;; @edit docs/intro.md ;; @edit src/app.py"
    )
)


@pytest.mark.parametrize(
    ("lesson", "before", "after"),
    [
        # X instead of Y: the whole of Y must match, the rest of the command stays.
        ("Use pnpm instead of npm.", "npm install lodash", "pnpm install lodash"),
        ("Use pnpm, not npm.", "npm test", "pnpm test"),
        ("npm bitte nicht, pnpm nehmen.", "npm test", "pnpm test"),
        ("Usa pnpm en vez de npm.", "npm test", "pnpm test"),
        ("Utilise pnpm au lieu de npm.", "npm test", "pnpm test"),
        ("Use pnpm instead of npm.", "npx npm-check", "npx npm-check"),
        ("Use pnpm instead of npm.", "echo npm", "echo npm"),
        ("Use pnpm instead of npm.", "pnpm install", "pnpm install"),
        ("Use pnpm instead of npm.", "npm ci ;; npm test", "pnpm ci ;; pnpm test"),
        ("Use `npm ci` instead of `npm install`.", "npm install", "npm ci"),
        ("Use `npm ci` instead of `npm install`.", "npm test", "npm test"),
        ("Use `ruff check .`, not `ruff check`.", "ruff check", "ruff check ."),
        ("Never python train.py, use uv run python train.py.", "python train.py", "uv run python train.py"),
        ("Never python train.py, use uv run python train.py.", "python table.py", "python table.py"),
        (
            "Never python train.py, use uv run python train.py.",
            "uv run python train.py",
            "uv run python train.py",
        ),
        ("Use uv run pytest, not python -m pytest.", "python -m pytest -q", "uv run pytest -q"),
        ("Use uv run pytest, not python -m pytest.", "python -m pip list", "python -m pip list"),
        # A flag joins the one command it was said about.
        ("Pass --locked to cargo test.", "cargo test ;; cargo build", "cargo test --locked ;; cargo build"),
        ("git commit always with -s.", "git commit -m x", "git commit -s -m x"),
        ("git commit always with -s.", "git push", "git push"),
        ("git commit never without -s.", "git commit -m x", "git commit -s -m x"),
        ("git commit always with -s.", "git commit -s -m x", "git commit -s -m x"),
        ("git push without --force.", "git push --force", "git push"),
        ("git push without --force.", "rm --force x", "rm --force x"),
        ("Drop the --force.", "git push --force", "git push"),
        # A literal command is completed, not invented.
        ("Use bundle exec rspec.", "rspec spec/a.rb", "bundle exec rspec spec/a.rb"),
        ("Use bundle exec rspec.", "bundle exec rspec spec/a.rb", "bundle exec rspec spec/a.rb"),
        ("Use bundle exec rspec.", "ruby rspec_like.rb", "ruby rspec_like.rb"),
        ("Run cargo test --locked.", "cargo test -q", "cargo test --locked -q"),
        # A before B.
        (
            "Run terraform plan before terraform apply.",
            "terraform apply",
            "terraform plan ;; terraform apply",
        ),
        ("Run terraform plan before terraform apply.", "terraform plan", "terraform plan"),
        (
            "Run terraform plan before terraform apply.",
            "terraform plan ;; terraform apply",
            "terraform plan ;; terraform apply",
        ),
        ("cargo fmt before git commit.", "git commit -m x", "cargo fmt ;; git commit -m x"),
        # Also do A, on an occasion.
        (
            "When running `cargo test`: also run cargo fmt.",
            "cargo test ;; cargo build",
            "cargo test ;; cargo build ;; cargo fmt",
        ),
        ("When running `cargo test`: also run cargo fmt.", "cargo build", "cargo build"),
        ("When running `git commit`: cargo fmt first.", "git commit -m x", "cargo fmt ;; git commit -m x"),
        (
            "When editing `*.py`: also update CHANGELOG.md.",
            "@edit src/app.py",
            "@edit src/app.py ;; @edit CHANGELOG.md",
        ),
        ("When editing `*.py`: also update CHANGELOG.md.", "@edit src/app.ts", "@edit src/app.ts"),
        # A scope holds for what stands under it, whatever kind of rule that is.
        ("When running `npm install`: use pnpm, not npm.", "npm test", "npm test"),
        ("When running `npm install`: use pnpm, not npm.", "npm install x", "pnpm install x"),
        ("When editing `*.md`: run make test.", "cargo test", "cargo test"),
        ("When editing `*.md`: run make test.", "@edit docs/intro.md", "@edit docs/intro.md ;; make test"),
        ("When editing `*.md`: drop the --force.", "git push --force", "git push --force"),
    ],
)
def test_what_obeying_a_lesson_does(all_languages: Cues, lesson: str, before: str, after: str) -> None:
    rules = read_rules(lesson, SEEN, all_languages)
    assert rules
    assert written(obey(rules, "do it", ops(before), all_languages)) == after


@pytest.mark.parametrize(
    ("request_text", "happens"),
    [
        ("bump the version", True),
        ("bumping versions again", True),
        ("explain the router", False),
    ],
)
@pytest.mark.parametrize(
    "lesson",
    [
        "Update CHANGELOG.md whenever you bump the version.",
        'When the request is about "bump": update CHANGELOG.md.',
    ],
)
def test_a_request_can_be_the_occasion(english: Cues, lesson: str, request_text: str, happens: bool) -> None:
    rules = read_rules(lesson, SEEN, english)
    done = obey(rules, request_text, ops("@edit pyproject.toml"), english)
    assert (ops("@edit CHANGELOG.md")[0] in done) is happens


@pytest.mark.parametrize(
    "lesson",
    [
        "No comments in the code.",
        "Use conventional commits.",
        "Be careful.",
        "Do not use rg.",
        "Never npm.",
        "Use make.",
        # Programs nobody ran in training.
        "Use frobnicate instead of npm.",
        "Use npm instead of frobnicate.",
        "Always frobnicate before terraformers.",
        "Always commit with --signoff.",
        # More than the reader can turn into one rule.
        "Use rg, grep, pnpm, npm and uv.",
        "Use pnpm instead of npm and never rg.",
        "Use rg instead of grep, use pnpm instead of npm.",
        "Use pnpm instead of npm. Never use rg.",
        "Run terraform plan before terraform apply, never helm.",
        "",
        "?",
    ],
)
def test_what_cannot_be_read_whole_gives_no_rule(all_languages: Cues, lesson: str) -> None:
    assert read_rules(lesson, SEEN, all_languages) == ()


def test_an_agent_without_vocabulary_reads_no_command(all_languages: Cues) -> None:
    nothing = Vocabulary.of([])
    for lesson in ("Use pnpm instead of npm.", "git commit always with -s.", "Drop the --force."):
        assert read_rules(lesson, nothing, all_languages) == ()


def test_a_vocabulary_holds_only_what_was_done() -> None:
    known = Vocabulary.of(ops("/usr/bin/git commit -m secret ;; @edit docs/Guide.md ;; @edit a.md"))
    assert known.programs == {"git"}
    assert ("git", "commit") in known.prefixes
    assert known.files == {"guide.md": "Guide.md", "guide": "Guide.md", "a.md": "a.md"}


KINDS: list[tuple[ScopeKind, tuple[str, ...], Occasion]] = [
    ("command", ("git commit",), Occasion(command=("git", "commit"))),
    ("files", ("*.py",), Occasion(suffix=".py")),
    ("words", ("release",), Occasion(stems=frozenset({"releas"}))),
    ("words", ("release", "deploy"), Occasion(stems=frozenset({"releas", "deploy"}))),
]


@pytest.mark.parametrize(("kind", "names", "occasion"), KINDS)
@pytest.mark.parametrize(
    "lesson",
    ["Use pnpm, not npm.", "Immer mit ninja bauen und nicht mit make.", "Siempre con make y no con npm."],
)
def test_a_scope_can_be_read_back(
    all_languages: Cues, kind: ScopeKind, names: tuple[str, ...], occasion: Occasion, lesson: str
) -> None:
    text = scoped(names, lesson, kind=kind, cues=all_languages)
    found, body = read_scope(text, all_languages)
    assert found == occasion
    assert body.lower() == lesson.lower()
    assert read_scope(lesson, all_languages) == (Occasion(), lesson)


COMMANDS = st.lists(
    st.lists(
        st.sampled_from(["npm", "pnpm", "install", "test", "-q", "--locked", "x", "run"]),
        min_size=1,
        max_size=4,
    ).map(lambda words: Op("command", tuple(words))),
    max_size=5,
).map(tuple)
RULES = [
    Swap(("npm",), ("pnpm",)),
    Swap(("npm", "install"), ("npm", "ci")),
    Flag("-q", ("npm", "test"), wanted=True),
    Flag("-q", (), wanted=False),
    Whole(("npm", "run", "test")),
    Beside(Occasion(command=("npm",)), command=("pnpm", "install"), before=True),
]


@given(COMMANDS, st.sampled_from(RULES))
def test_obeying_twice_is_obeying_once(done: tuple[Op, ...], rule: Swap) -> None:
    cues = load_cues(frozenset({"en"}))
    once = obey([rule], "x", done, cues)
    assert obey([rule], "x", once, cues) == once


@given(COMMANDS)
def test_only_what_a_rule_names_is_touched(done: tuple[Op, ...]) -> None:
    cues = load_cues(frozenset({"en"}))
    for op, now in zip(done, obey([Swap(("npm", "test"), ("make", "test"))], "", done, cues), strict=True):
        assert (now == op) is (op.tokens[:2] != ("npm", "test"))
    untouched = tuple(op for op in done if op.tokens[0] != "npm")
    assert obey([Flag("--force", ("npm",), wanted=True)], "", untouched, cues) == untouched
    assert obey([], "", done, cues) == done


def test_looks_and_edits_are_never_rewritten(english: Cues) -> None:
    done = (Op("look", ("npm",)), Op("edit", ("npm",)), Op("command", ("npm",)))
    assert obey([Swap(("npm",), ("pnpm",))], "", done, english) == (*done[:2], Op("command", ("pnpm",)))
