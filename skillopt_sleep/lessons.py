"""Lessons as a person would write them: whole clauses the user typed, changed only by fixed templates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.words import content, content_of, observes, segments, sentences, strip_ends, tokens
from skillopt_sleep.own_words import own_words

_FEWEST_WORDS = 2
_MOST_WORDS = 28
_URL = re.compile(r"\w+://|www\.")
_PATH = re.compile(r"(?<![\w.*/\\-])(?:~[\w.-]*[/\\]|/[\w.-]+/|[A-Za-z]:\\)")
_NUMBER = re.compile(r"\d")
_ASKS = re.compile(r"[?？؟][\s!?.…！？]*$")
_REDACTED = "[redacted:"
_SHORT = 4
_FEWEST_REQUESTS = 3


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause as typed, cleaned at its ends, with what speaks against it as a sentence of a skill."""

    text: str
    faults: tuple[str, ...]
    starts_plainly: bool
    names_occasion: bool

    @property
    def plainness(self) -> float:
        """Higher is plainer; only used to choose between clauses that prove equally well."""
        words = len(self.text.split())
        terse = 0.15 * max(0, _SHORT - words)
        form = (1.0 if self.starts_plainly else 0.0) + (0.3 if self.names_occasion else 0.0)
        return form - len(self.faults) - terse - 0.02 * abs(words - 8)


def clauses(said: str, cues: Cues) -> tuple[Clause, ...]:
    """The clauses of what was said that can stand alone, whole sentences first; pasted and quoted words are
    not what the person said. Negations are kept with what they negate: a sentence is only cut at a comma or
    colon, never inside. What only tells that something happened again says the reverse of what is wanted."""
    found: dict[str, Clause] = {}
    for sentence in sentences(own_words(said)):
        # What a secret was said with means nothing without it.
        if _REDACTED in sentence:
            continue
        # Asked of the whole, before its ends go: without the "again", nothing shows it any more.
        told = [" ".join(words) for words in segments(sentence) if observes(words, cues)]
        whole = strip_ends(sentence, cues)
        if whole != sentence.strip():
            whole = _ASKS.sub("", whole) if cues["polite"].at(tokens(sentence), 0) else whole
        pieces = [whole]
        cuts = re.split(r"\s*[,:]\s+", whole)
        bare = next((i for i, cut in enumerate(cuts) if _is_bare_negation(cut, cues)), len(cuts))
        for n in range(len(cuts) - 1, 0, -1):
            for start in range(min(bare, len(cuts) - n) + 1):
                pieces.append(strip_ends(", ".join(cuts[start : start + n]), cues))
        for piece in pieces:
            if _overlaps(piece, told):
                continue
            if (clause := _clause(piece, cues)) is not None:
                found.setdefault(clause.text, clause)
    return tuple(found.values())


def _overlaps(piece: str, told: Sequence[str]) -> bool:
    """Whether a part of the piece is one of the segments `told`, or what is left of it."""
    return any(" ".join(words) in segment for segment in told for words in segments(piece))


def _is_bare_negation(part: str, cues: Cues) -> bool:
    """Whether a part only negates and its object comes after the comma; a mere interjection does not."""
    words = tokens(part)
    interjections = sum(end - start for start, end in cues["openers"].spans(words))
    negates = any(end == len(words) for _, end in cues["negators"].spans(words))
    return negates and interjections < len(words) and not content(words, cues)


def _clause(piece: str, cues: Cues) -> Clause | None:
    text = " ".join(piece.split()).strip(" ,;:")
    words = tokens(text)
    if not _FEWEST_WORDS <= len(words) <= _MOST_WORDS or _ASKS.search(text) or not content(words, cues):
        return None
    if _URL.search(text) or _PATH.search(text):
        return None
    if _dangling(words, cues):
        return None
    faults = []
    if cues["persons"].found_in(words[:2]):
        faults.append("speaks to one person")
    if cues["complains"].found_in(words):
        faults.append("complains")
    if _NUMBER.search(text):
        faults.append("a number")
    if cues["question"].at(words, 0):
        faults.append("asks")
    opens = words[cues["also"].at(words, 0) :]
    if cues["because"].at(opens, 0) or (cues["boundaries"].at(opens, 0) and opens[0] not in cues["standing"]):
        faults.append("starts in the middle")
    own_occasion = any(start > 0 for start, _ in cues["when"].spans(words))
    return Clause(_sentence(text), tuple(faults), _plain_start(words, cues), own_occasion)


def _plain_start(words: Sequence[str], cues: Cues) -> bool:
    words = words[cues["also"].at(words, 0) :]
    return bool(
        cues["verbs"].at(words, 0) or cues["edit_verbs"].at(words, 0) or cues["standing"].at(words, 0)
        or cues["negators"].at(words, 0)
        or cues["imperatives"].at(words, 0)
    )  # fmt: skip


def _dangling(words: Sequence[str], cues: Cues) -> bool:
    """Whether a pronoun stands for something outside the clause; "this repo" names its noun."""
    for i, word in enumerate(words):
        if word in ("it", "them", "one", "ones", "he", "she", "they", "es", "ihn", "ça", "eso", "esto"):
            return True
        following = words[i + 1] if i + 1 < len(words) else ""
        if word in ("this", "that", "these", "those", "cela") and (not following or following in cues.stop):
            return True
    return False


def _sentence(text: str) -> str:
    """Capital at the start unless a name of code stands there, one full stop at the end."""
    first = text.split()[0]
    plain = first.replace("'", "").replace("’", "").rstrip(",:").isalpha() and first.islower()
    text = text[0].upper() + text[1:] if plain and len(first) > 1 else text
    text = re.sub(r"[\s!.…]+$", "", text)
    return text if text.endswith((":", "?")) else f"{text}."


def capital_safe(text: str, programs: frozenset[str]) -> str:
    """Undo the capital of a sentence that starts with the name of a program."""
    first = text.split()[0].strip(".,:;")
    if first.lower() in programs and first not in programs:
        return text[0].lower() + text[1:]
    return text


def sessions_naming(said: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """The sessions that have each word. `said` are (session id, everything the person said and the agent did
    there) of the training episodes."""
    sessions: dict[str, set[str]] = {}
    for session, words in said:
        for token in tokens(words):
            sessions.setdefault(token, set()).add(session)
    return sessions


def names_one_session(text: str, sessions: Mapping[str, Set[str]]) -> bool:
    """Whether the clause names something particular (code, a quoted text) that only one session has.

    `sessions` as `sessions_naming` gives them.
    """
    particular = [t for t in tokens(text) if re.search(r"[./_=#@]|\d|\w-\w", t)]
    return any(len(sessions.get(t, ())) < 2 for t in particular)


def names_only_flags(text: str, cues: Cues) -> bool:
    """Whether all that a clause names are flags ("use -k"): of which command, it does not say."""
    plain = ("verbs", "complains", "standing", "negators")
    named = [w for w in tokens(text) if w not in cues.stop and not any(w in cues[kind] for kind in plain)]
    return bool(named) and all(word.startswith("-") for word in named)


def occasion_words(
    requests: Sequence[str], others: Sequence[str], cues: Cues, most: int = 3
) -> tuple[str, ...]:
    """Up to `most` words that tell these requests from the `others`, as people typed them, each in a fifth of
    them (at least three); empty when they find fewer than half of the requests, or more others than these."""
    requests = [own_words(request) for request in requests]
    mine = [dict(zip(content_of(r, cues), _surfaces(r, cues), strict=True)) for r in requests]
    theirs = [set(content_of(r, cues)) for r in others]
    counts = Counter(s for bag in mine for s in bag)
    needed = max(_FEWEST_REQUESTS, len(mine) / 5)
    elsewhere = Counter(s for bag in theirs for s in bag)
    cost = {s: 2 * elsewhere[s] * len(mine) / (len(theirs) + 1) for s in counts}
    chosen: list[str] = []
    left = list(mine)
    while len(chosen) < most:
        gain = {s: sum(s in bag for bag in left) for s in counts if s not in chosen}
        worth = {s: n - cost[s] for s, n in gain.items() if n >= needed and n > cost[s]}
        if not worth:
            break
        best = max(worth, key=lambda s: (worth[s], counts[s], s))
        chosen.append(best)
        left = [bag for bag in left if best not in bag]
    hits = sum(any(s in bag for s in chosen) for bag in mine)
    false = sum(any(s in bag for s in chosen) for bag in theirs)
    if not chosen or 2 * hits < len(mine) or false > hits:
        return ()
    return tuple(Counter(bag[s] for bag in mine if s in bag).most_common(1)[0][0] for s in chosen)


def _surfaces(request: str, cues: Cues) -> list[str]:
    return [w for w in tokens(request) if w not in cues.stop and not w.isdigit()]
