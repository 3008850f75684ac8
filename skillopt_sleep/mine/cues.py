"""Function words of the languages the rule reader knows, as data (`cues.toml`)."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

Phrase = tuple[str, ...]
_REFERENCE = "en"
_SURE = 0.2


@dataclass(frozen=True, slots=True)
class PhraseSet:
    """Phrases of one or more lower-case words, looked up at a position of a token list."""

    by_head: Mapping[str, tuple[Phrase, ...]]

    @classmethod
    def of(cls, phrases: Iterable[str]) -> PhraseSet:
        """Build from phrases separated by blanks; longest first under each head."""
        heads: dict[str, set[Phrase]] = {}
        for phrase in phrases:
            words = tuple(phrase.lower().split())
            if words:
                heads.setdefault(words[0], set()).add(words)
        return cls({head: tuple(sorted(found, key=lambda p: (-len(p), p))) for head, found in heads.items()})

    def at(self, words: Sequence[str], start: int) -> int:
        """Number of words of the longest phrase that stands at `start`; 0 for none."""
        if start >= len(words):
            return 0
        for phrase in self.by_head.get(words[start], ()):
            if tuple(words[start : start + len(phrase)]) == phrase:
                return len(phrase)
        return 0

    def spans(self, words: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Every (start, end) where a phrase stands, leftmost longest, without overlap."""
        i = 0
        while i < len(words):
            n = self.at(words, i)
            if n:
                yield i, i + n
            i += max(n, 1)

    def found_in(self, words: Sequence[str]) -> bool:
        """Whether any phrase stands anywhere."""
        return next(self.spans(words), None) is not None

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and (word,) in self.by_head.get(word, ())


@dataclass(frozen=True, slots=True)
class ScopeWords:
    """How a scope is put before a lesson in one language; `{occasion}` and `{lesson}` are filled in."""

    words: str
    command: str
    files: str
    joiner: str


@dataclass(frozen=True, slots=True, eq=False)
class Cues:
    """The cue phrases of every language together, and the scope templates of each."""

    stop: frozenset[str]
    stop_by_language: Mapping[str, frozenset[str]]
    sets: Mapping[str, PhraseSet]
    scopes: Mapping[str, ScopeWords]

    def __getitem__(self, name: str) -> PhraseSet:
        return self.sets[name]

    def language_of(self, words: Iterable[str]) -> str:
        """The language whose function words are most frequent; English when none stands out."""
        found = self.languages_of(words)
        return _REFERENCE if _REFERENCE in found else found[0]

    def languages_of(self, words: Iterable[str]) -> tuple[str, ...]:
        """The languages that have most of the words as function words; all of them when none has any."""
        seen = list(words)
        counts = {lang: sum(w in stop for w in seen) for lang, stop in self.stop_by_language.items()}
        most = max(counts.values())
        return tuple(lang for lang, n in counts.items() if n == most)

    def knows(self, words: Sequence[str]) -> bool:
        """Whether enough of some words are function words of one of the languages to be sure of it."""
        most = max(sum(w in stop for w in words) for stop in self.stop_by_language.values())
        return most >= _SURE * len(words)


@lru_cache(maxsize=32)
def load_cues(languages: frozenset[str] = frozenset()) -> Cues:
    """The packaged table, of some languages or (by default) of all; read once for each choice."""
    raw = tomllib.loads(files("skillopt_sleep.mine").joinpath("cues.toml").read_text("utf-8"))
    tables = {lang: table for lang, table in raw.items() if not languages or lang in languages}
    stops = {lang: frozenset(table["stop"].split()) for lang, table in tables.items()}
    return Cues(
        stop=frozenset().union(*stops.values()),
        stop_by_language=stops,
        sets={
            name: PhraseSet.of(p for table in tables.values() for p in table[name])
            for name, phrases in raw[_REFERENCE].items()
            if isinstance(phrases, list)
        },
        scopes={
            lang: ScopeWords(t["scope_words"], t["scope_command"], t["scope_files"], t["or"])
            for lang, t in tables.items()
        },
    )


def cues_for(texts: Sequence[Sequence[str]]) -> Cues:
    """The cues of the languages a person writes in, from the words of their texts: a short word of one
    language may mean something else in another. A language counts from a tenth of the
    texts that are surely of one."""
    everything = load_cues()
    spoken = Counter(found[0] for words in texts if len(found := everything.languages_of(words)) == 1)
    sure = spoken.total()
    most = max(spoken.values(), default=0)
    return load_cues(frozenset(lang for lang, n in spoken.items() if 10 * n >= sure or n == most))
