"""Whether a remark is a correction: through whole sessions, as the miner sees them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from spoken import session

from skillopt_sleep.mine.cues import Cues, load_cues
from skillopt_sleep.mine.episodes import Episode, mine_episodes, turns_of
from skillopt_sleep.mine.feedback import Remark, is_ack, spoken_names, weigh
from skillopt_sleep.mine.ops import change_between, command_ops
from skillopt_sleep.mine.words import tokens
from skillopt_sleep.session import Driver


def mined(cues: Cues, *scripts: tuple[str, ...]) -> tuple[Episode, ...]:
    return mine_episodes([session(day, *script) for day, script in enumerate(scripts)], cues).episodes


CORRECTIONS = [
    ("no, use pnpm not npm in this repo", "npm install", "pnpm install"),
    ("use pnpm", "npm install", "pnpm install"),
    ("from now on use pnpm", "npm install", "pnpm install"),
    ("We use pnpm here, not npm", "npm test", "pnpm test"),
    ("stop, pnpm please, never npm", "npm test", "pnpm test"),
    ("wrong: we use biome", "eslint .", "biome check ."),
    ("rg instead of grep, grep walks node_modules", "grep -rn x src", "rg x src"),
    ("again: uv run pytest, the venv is managed by uv", "python -m pytest", "uv run pytest"),
    ("you forgot the changelog", "git commit -m x", "@edit CHANGELOG.md | x ;; git commit --amend"),
    (
        "no comments please",
        "@edit src/p.py | # parse\ndef parse(): pass",
        "@edit src/p.py | def parse(): pass",
    ),
    ("nein, mit pnpm", "npm test", "pnpm test"),
    ("npm bitte nicht, nimm pnpm", "npm test", "pnpm test"),
    ("non, pnpm stp", "npm test", "pnpm test"),
    ("con pnpm, no npm", "npm test", "pnpm test"),
]


@pytest.mark.parametrize(("said", "before", "after"), CORRECTIONS)
def test_a_correction_names_or_changes_what_was_done(
    all_languages: Cues, said: str, before: str, after: str
) -> None:
    (episode,) = mined(all_languages, ("do the work", f"$ {before}", said, f"$ {after}"))
    (correction,) = episode.corrections
    assert correction.text == said
    assert correction.request == "do the work"
    assert episode.corrected
    assert correction.certain


NO_CORRECTIONS = [
    ("now push it please", "git commit -m x", "git push"),
    ("push it", "git commit -m x", "git push"),
    ("ok, now with pnpm", "npm install", "pnpm install"),
    ("no idea why it fails", "pytest -q", "@read tests/test_a.py"),
    ("no idea why it fails", "pytest -q", "pytest -q -x"),
    ("stop the training run", "python train.py", "pkill -f train.py"),
    ("stop the training run", "sbatch train.sh", "scancel 12"),
    ("fix the broken build", "make build", "@edit src/a.c | x ;; make build"),
    ("revert the bump", "@edit pyproject.toml | 2", "git checkout pyproject.toml"),
    ("why did it fail?", "make build", "@read log"),
    ("what does this target do?", "make build", "@read Makefile"),
    ("does this need a changelog?", "git commit -m x", "@read CHANGELOG.md"),
    ("next, write the docs", "git commit -m x", "@edit docs/a.md | x"),
    ("great. now the docs for it", "make build", "@edit docs/a.md | x"),
    ("also add tests for it", "@edit src/p.py | x", "@edit tests/test_p.py | x"),
    ("the coffee machine is broken again", "eslint .", ""),
    ("i'm back in five minutes", "eslint .", ""),
    ("don't worry about it", "eslint .", ""),
]


@pytest.mark.parametrize(("said", "before", "after"), NO_CORRECTIONS)
def test_words_alone_are_no_correction(english: Cues, said: str, before: str, after: str) -> None:
    script = ["do the work", f"$ {before}", said, *([f"$ {after}"] if after else [])]
    assert not any(episode.corrected for episode in mined(english, tuple(script)))


@pytest.mark.parametrize(
    "said",
    ["fix the broken build", "stop the training run", "don't forget the changelog", "no, use pnpm"],
)
def test_the_first_words_of_a_session_are_a_request(english: Cues, said: str) -> None:
    (episode,) = mined(english, (said, "$ make build"))
    assert episode.request == said
    assert not episode.corrected


@pytest.mark.parametrize("said", ["użyj ninja", "ninjaを使って", "ninja", "brug ninja her"])
@pytest.mark.parametrize(
    "stopped", [("! make build", "!~ "), ("$ make build", "^C", "")], ids=["rejected", "interrupted"]
)
def test_a_rejection_or_interruption_speaks_in_any_language(
    english: Cues, said: str, stopped: tuple[str, ...]
) -> None:
    *before, how = stopped
    (episode,) = mined(english, ("build it", *before, how + said, "$ ninja -C build"))
    (correction,) = episode.corrections
    assert correction.strong
    assert correction.via == ("rejection" if how else "prompt")


def test_words_typed_while_the_agent_works_are_strong(english: Cues) -> None:
    (episode,) = mined(english, ("build it", "$ make build", "~ ninja not make", "$ ninja -C build"))
    assert [(c.via, c.strong) for c in episode.corrections] == [("queued", True)]


def test_one_episode_may_hold_two_corrections(english: Cues) -> None:
    (episode,) = mined(
        english,
        ("build it", "$ make", "no, use ninja", "$ make -j build", "Ninja instead of make!", "$ ninja"),
    )
    first, second = episode.corrections
    assert (first.text, second.text) == ("no, use ninja", "Ninja instead of make!")
    assert [op.program for op in episode.first] == ["make"]
    assert [op.program for op in second.before] == ["make"]
    assert [op.program for op in episode.final] == ["ninja"]
    assert first.id != second.id


def test_what_others_say_helps_and_is_marked_as_such(english: Cues) -> None:
    clear = ("run them", "$ npm test", "no, use pnpm not npm", "$ pnpm test")
    vague = ("add axios", "$ @read package.json ;; npm add axios", "pnpm for this", "$ pnpm add axios")
    together = mined(english, clear, ("install", "$ npm i", "use pnpm, not npm", "$ pnpm i"), vague)
    assert [episode.corrected for episode in together] == [True, True, True]


def test_an_episode_keeps_what_was_done_first_across_an_acknowledgement(english: Cues) -> None:
    (episode,) = mined(
        english,
        ("add axios", "$ npm add axios", "thanks", "$ npm test", "no, use pnpm not npm", "$ pnpm test"),
    )
    assert [op.key for op in episode.first] == ["npm add", "npm test"]


@pytest.mark.parametrize(
    ("text", "acted", "ack"),
    [
        ("thanks", True, True),
        ("hm ok", True, True),
        ("great work", False, True),
        ("ok do it with pnpm", True, False),
        ("no", True, False),
        ("use pnpm", False, False),
        ("thanks, but please use pnpm for this one", False, False),
        ("danke dir", True, True),
        ("muy bien", True, True),
        ("", True, True),
    ],
)
def test_acknowledgements(all_languages: Cues, text: str, acted: bool, ack: bool) -> None:
    assert is_ack(text, acted, all_languages) is ack


@pytest.mark.parametrize("driver", [driver for driver in Driver if driver is not Driver.HUMAN])
def test_only_a_persons_sessions_have_episodes(english: Cues, driver: Driver) -> None:
    theirs = session(0, "do it", "$ npm test", "no, use pnpm", "$ pnpm test", driver=driver)
    assert mine_episodes([theirs], english).episodes == ()
    assert mine_episodes([replace(theirs, driver=Driver.HUMAN)], english).episodes
    assert mine_episodes([replace(theirs, driver=Driver.HUMAN, project=None)], english).episodes == ()


def test_actions_before_any_words_belong_to_nobody() -> None:
    (turn,) = turns_of(session(0, "$ ls", "do it", "$ npm test").events)
    assert [a.command for a in turn.actions] == ["npm test"]
    assert turns_of(session(0, "$ ls", "   ").events) == ()


def remark(said: str, before: str, after: str, **more: object) -> Remark:
    a, b = command_ops(before), command_ops(after)
    change = change_between(a, b, frozenset(spoken_names(tokens(said))), {})
    values: dict[str, object] = {
        "request": "", "via": "prompt", "interrupted": False, "usual": False, "heard": 0
    }  # fmt: skip
    return Remark(said, before=a, change=change, **(values | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "more", [{"via": "rejection"}, {"interrupted": True}, {"via": "queued"}, {"usual": True}, {"heard": 3}]
)
def test_each_structural_cue_adds_weight(english: Cues, more: dict[str, object]) -> None:
    plain = weigh(remark("pnpm", "npm test", "pnpm test"), english)
    assert weigh(remark("pnpm", "npm test", "pnpm test", **more), english).total > plain.total


def test_no_words_suffice_without_structure(english: Cues) -> None:
    said = "no, always use it and never that"
    weight = weigh(remark(said, "make build", ""), english)
    assert not weight.structure
    assert not weight.is_correction


def test_what_was_only_heard_elsewhere_is_not_certain(english: Cues) -> None:
    weight = weigh(remark("kotest only", "", "", heard=3), english)
    assert weight.is_correction
    assert not weight.is_certain


def test_longer_speeches_weigh_less(english: Cues) -> None:
    said = "use pnpm not npm"
    long = said + " because" + " and so on" * 30
    assert (
        weigh(remark(long, "npm test", "pnpm test"), english).total
        < weigh(remark(said, "npm test", "pnpm test"), english).total
    )


def test_mining_does_not_depend_on_the_order_of_the_table() -> None:
    scripts = [("do the work", f"$ {before}", said, f"$ {after}") for said, before, after in CORRECTIONS]
    sessions = [session(day, *script) for day, script in enumerate(scripts)]
    one = {e.id: len(e.corrections) for e in mine_episodes(sessions, load_cues()).episodes}
    other = {e.id: len(e.corrections) for e in mine_episodes(sessions[::-1], load_cues()).episodes}
    assert one == other


SERIES = [
    (
        "run the tests of orders",
        "test users please",
        "pytest tests/test_orders.py",
        "pytest tests/test_users.py",
    ),
    ("logs of carts", "show the plans logs", "kubectl logs deploy/carts", "kubectl logs deploy/plans"),
    (
        "how many rows in posts?",
        "rows of tags",
        'psql -c "select 1 from posts"',
        'psql -c "select 1 from tags"',
    ),
    ("restart db1", "reboot db2 please", "ssh db1 sudo reboot", "ssh db2 sudo reboot"),
    ("step 3", "and 4", "python run.py 3", "python run.py 4"),
    ("the user table", "the order table too", "psql -c '\\d users'", "psql -c '\\d orders'"),
]


@pytest.mark.parametrize("via", ["prompt", "queued"])
@pytest.mark.parametrize(("request_", "said", "before", "after"), SERIES)
def test_the_same_work_on_the_next_thing_is_a_request(
    english: Cues, request_: str, said: str, before: str, after: str, via: str
) -> None:
    series = weigh(remark(said, before, after, request=request_, via=via, usual=True), english)
    assert not series.is_correction
    for more in ({"via": "rejection"}, {"interrupted": True}):
        assert weigh(remark(said, before, after, request=request_, **more), english).structure


def test_a_correcting_word_makes_the_next_thing_a_correction(english: Cues) -> None:
    said = "no, the cluster is eu"
    before, after = "kubectl --cluster us get pods", "kubectl --cluster eu get pods"
    assert weigh(remark(said, before, after, request="pods of the us cluster"), english).is_correction


def test_what_two_files_share_is_neither_lost_nor_gained(english: Cues) -> None:
    weight = weigh(
        remark("now the payment tests", "pytest tests/test_auth.py", "pytest tests/test_billing.py"), english
    )
    assert not {"names what went", "its words came true"} & set(weight.structure)
