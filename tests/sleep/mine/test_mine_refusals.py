"""What was refused without a word did not go well: it speaks against no lesson that would spare it."""

from __future__ import annotations

from spoken import session

from skillopt_sleep.mine.embed import HashedNgrams
from skillopt_sleep.mine.project import mine_project


def test_an_episode_with_a_refusal_is_no_control() -> None:
    sessions = [
        session(0, "Install the dependencies", "$ npm install"),
        session(1, "Install the dependencies", "! npm install", "$ pnpm install"),
        session(2, "Install the dependencies", "$ ls", "! npm install"),
        session(3, "Install the dependencies", "$ pnpm install", "now commit it", "! git commit -m x"),
    ]
    mined = mine_project("/p/web", sessions, HashedNgrams())
    asked = [(episode.session_id, episode.request) for episode in mined.controls]
    assert asked == [
        (sessions[0].id, "Install the dependencies"),
        (sessions[3].id, "Install the dependencies"),
    ]
