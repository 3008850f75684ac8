from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from skillopt_sleep.mine.cues import load_cues
from skillopt_sleep.mine.feedback import ENOUGH
from skillopt_sleep.mine.heard import Heard
from skillopt_sleep.mine.meaning import Meaning

ENGLISH = frozenset({"en"})
TEXTS = st.lists(
    st.lists(st.sampled_from([f"zebra{letter}" for letter in "abcdefghijkl"]), min_size=1, max_size=6).map(
        " ".join
    ),
    min_size=2,
    max_size=30,
)


@given(TEXTS, st.lists(st.sampled_from("stuvw"), min_size=30, max_size=30))
def test_it_is_what_comparing_with_everything_finds(texts: list[str], sessions: list[str]) -> None:
    meaning = Meaning.of(texts, load_cues(ENGLISH))
    said = list(zip(sessions, texts, strict=False))
    heard = Heard(said, meaning)
    for words in texts:
        for here in "st":
            others = [text for session, text in said if session != here]
            alike = [
                t for t in others if meaning.shared(t, words) >= 3.0 and meaning.likeness(t, words) >= 0.38
            ]
            same = {session for session, text in said if session != here and text in alike}
            assert heard.times(words, here) == min(ENOUGH, len(same))


def test_the_same_words_in_other_sessions_are_heard() -> None:
    said = [(f"s{i}", "never use sudo for pip") for i in range(9)] + [("t", "wrap the lines")]
    meaning = Meaning.of(
        [*(text for _, text in said), *(f"look at module{i}" for i in range(90))], load_cues(ENGLISH)
    )
    heard = Heard(said, meaning)
    assert heard.times("never use sudo for pip", "s0") == ENOUGH
    assert heard.times("wrap the lines", "t") == 0
    assert heard.times("wrap the lines", "s0") == 1
