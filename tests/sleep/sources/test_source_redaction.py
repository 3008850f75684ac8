"""Texts of a session are redacted together, huge ones as far as they are kept: as if each were whole."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from skillopt_sleep.redact import redact, strip_controls
from skillopt_sleep.session import Action, AgentText, Driver, UserTurn
from skillopt_sleep.sources.draft import MAX_COMMAND_CHARS, MAX_REPLY_CHARS, MAX_TEXT_CHARS, Draft, clean

KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "MIIEpAIBAAKCAQEAx7d9Q2lK0aZfW3Yt\n" * 40
    + "-----END RSA PRIVATE KEY-----"
)
PIECES = st.sampled_from(
    [
        "words and words ",
        "\n",
        "é\u2028 ",
        "a" * 900 + " ",
        "x" * 9_000,
        "y" * 20_000 + " ",
        "\x1b[31mred ",
        " " * 3_000,
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a ",
        'password="hunter2 and more" ',
        "password=",
        "hunter2secret9 ",
        "https://me:s3cr3tpw@host/x ",
        "AKIAIOSFODNN7EXAMPLQ ",
        "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYab ",
        KEY,
        KEY[:600],
        "\r\n-----BEGIN",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    ]
)
TEXTS = st.lists(PIECES, max_size=14).map("".join)


def wholly(text: str, limit: int) -> str:
    text = redact(strip_controls(text)).strip()
    return text if len(text) <= limit else text[:limit].rstrip() + "…"


@given(TEXTS, st.sampled_from([200, 2_000, 4_000]))
@settings(max_examples=400, deadline=None)
def test_a_huge_text_is_clipped_as_if_it_were_redacted_whole(text: str, limit: int) -> None:
    assert clean(text, limit) == wholly(text, limit)


@given(st.lists(st.tuples(st.sampled_from(["say", "reply", "act"]), TEXTS), max_size=12))
@settings(max_examples=200, deadline=None)
def test_texts_redacted_together_are_as_if_each_were_alone(parts: list[tuple[str, str]]) -> None:
    draft = Draft()
    expected: list[tuple[str, ...]] = []
    for how, text in parts:
        if how == "act":
            draft.act("", "command", "Bash", command=text, text=text, at=None)
            expected.append((wholly(text, MAX_COMMAND_CHARS), wholly(text, MAX_TEXT_CHARS)))
        elif how == "say":
            if draft.say(text, "prompt", None):
                expected.append((wholly(text, 20_000),))
        else:
            draft.reply(text, None)
            if wholly(text, MAX_REPLY_CHARS):
                expected.append((wholly(text, MAX_REPLY_CHARS),))
    session = draft.session(
        session_id="s",
        source="claude",
        path=Path("/t"),
        content_sha="",
        driver=Driver.HUMAN,
        project_of=lambda _cwd, _root: None,
    )
    told = [
        (event.command, event.text) if isinstance(event, Action) else (event.text,)
        for event in session.events
        if isinstance(event, Action | AgentText | UserTurn)
    ]
    assert told == expected
