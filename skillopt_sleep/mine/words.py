"""What a person typed, as words: tokens, stems, clauses, and which words stand under a negation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from skillopt_sleep.mine.cues import Cues

_TOKEN = re.compile(r"[^\s,;:!?()\[\]{}\"“”«»<>…]+")
_BREAK = re.compile(r"[,;:!?()\n“”«»…]|\.(?=\s|$)|\s[-–—]+\s|[–—]")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+|;\s*|\s[-–—]+\s|\s*—\s*")
_ELISION = re.compile(r"^n'(?=\w)")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": " ", "´": "'"})


def normalise(text: str) -> str:
    """Lower case, compatibility form, straight quotes; backticks become blanks."""
    return unicodedata.normalize("NFKC", text).translate(_QUOTES).lower()


@lru_cache(maxsize=16384)
def tokens(text: str) -> tuple[str, ...]:
    """Words and code-like tokens in order, lower case, without the punctuation around them."""
    found = (_ELISION.sub("", t.strip("'\"*_").rstrip(".")) for t in _TOKEN.findall(normalise(text)))
    return tuple(t for t in found if t and t.strip("-–—./'"))


def segments(text: str) -> tuple[tuple[str, ...], ...]:
    """The tokens between punctuation marks, empty ones left out."""
    return tuple(found for part in _BREAK.split(normalise(text)) if (found := tokens(part)))


def sentences(text: str) -> tuple[str, ...]:
    """The sentences as typed, without blanks around them."""
    return tuple(part.strip() for part in _SENTENCE.split(text) if part.strip())


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A rough stem that joins inflections in the languages of the cue table: test/tests/testing."""
    if not word.isalpha():
        return word
    for suffix in ("ing", "ies", "ed", "es", "en", "s", "e"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:7]


@lru_cache(maxsize=65536)
def parts(token: str) -> tuple[str, ...]:
    """The alphanumeric parts of a code-like token: `--frozen-lockfile` is frozen, lockfile."""
    return tuple(p for p in re.split(r"[\W_]+", token.lower()) if p)


def units(word: str) -> tuple[str, ...]:
    """What a word is compared by: its stem, or the stems of its parts (`--context` says context)."""
    found = parts(word)
    return (
        tuple(stem(p) for p in found if not p.isdigit())
        if len(found) != 1 or found[0] != word
        else (stem(word),)
    )


def content(words: Sequence[str], cues: Cues) -> tuple[str, ...]:
    """Stems of the words that carry meaning, in order."""
    return tuple(stem(w) for w in words if w not in cues.stop and not w.isdigit())


@lru_cache(maxsize=65536)
def signed(text: str, cues: Cues) -> Mapping[str, int]:
    """Each content stem with +1, or -1 where it stands under a negation ("not npm", "npm nicht", "X instead
    of Y"). A stem seen both ways keeps the sign it had last."""
    return MappingProxyType(
        {
            unit: sign
            for words in segments(text)
            for word, sign in zip(words, signs(words, cues), strict=True)
            if word not in cues.stop and word not in cues["negators"]
            for unit in units(word)
        }
    )


def signs(words: Sequence[str], cues: Cues) -> list[int]:
    """The sign of each word of one segment. A negation reaches to the segment's end or to the next verb of
    use; standing at the end it reaches back ("npm bitte nicht"), as does a word like "is gone"."""
    out = [1] * len(words)
    sign, i = 1, 0
    while i < len(words):
        n = cues["instead_of"].at(words, i) or cues["negators"].at(words, i)
        if n:
            rest = words[i + n :]
            if i > 0 and all(w in cues.stop for w in rest):
                out[:i] = [-sign] * i
                break
            # Two negations ask for X ("never without X", "don't forget X"), and so does a complaint that it
            # is missing ("still no X").
            asked = sign < 0 and cues["without"].at(words, i)
            near = (i - 2, i - 1, i + n, i + n + 1)
            asked = asked or any(k >= 0 and cues["forgetting"].at(words, k) for k in near)
            asked = asked or any(cues["complaint"].at(words, k) == i - k for k in range(max(0, i - 3), i))
            sign = 1 if asked else -1
            i += n
            continue
        if n_gone := cues["gone"].at(words, i):
            out[:i] = [-1] * i
            i += n_gone
            continue
        if sign < 0 and words[i] in cues["verbs"] and i > 1 and words[i - 1] not in cues.stop:
            sign = 1
        out[i] = sign
        i += 1
    return out


def observes(words: Sequence[str], cues: Cues) -> bool:
    """Whether the words of one segment tell what came about once more ("still without X", "again npm", "you
    ran without X"): the wish is the reverse of what they say, or nobody can tell."""
    negations = list(cues["negators"].spans(words))
    first = min((start for start, _ in negations), default=len(words))
    # "Never again X" is a wish: the complaint is what is denied. One that stands alone only interjects.
    complaints = [
        (start, end)
        for start, end in cues["complaint"].spans(words)
        if end - start < len(words) and not any(stop == start for _, stop in negations)
    ]
    lacks = first < len(words) and cues["without"].at(words, first) > 0
    if lacks and (complaints or cues["persons"].at(words, 0)):
        return True
    return any(
        (start == 0 and cues["complains"].at(words, 0)) or (end == first < len(words))
        for start, end in complaints
    )


@lru_cache(maxsize=32768)
def content_of(text: str, cues: Cues) -> tuple[str, ...]:
    """`content` of the tokens of a text."""
    return content(tokens(text), cues)


def strip_ends(text: str, cues: Cues) -> str:
    """The text without interjections at its start and politeness at its end; the middle as typed."""
    changed = True
    text = text.strip()
    while changed:
        changed = False
        for match in re.finditer(r"^[\s,.:!;–—-]*([^\s,.:!;?]+(?:\s+[^\s,.:!;?]+){0,3}?)[,.:!;–—]+\s*", text):
            if cues["openers"].at(tokens(match[1]), 0) == len(tokens(match[1])) > 0 and match.end() < len(
                text
            ):
                text, changed = text[match.end() :].strip(), True
        lead = _polite_lead(text, cues)
        if lead:
            text, changed = text[lead:].lstrip(" ,:"), True
        words = text.split()
        for n in (4, 3, 2, 1):
            tail = tokens(" ".join(words[-n:]))
            if len(words) > n and tail and cues["closers"].at(tail, 0) == len(tail):
                text, changed = " ".join(words[:-n]).rstrip(" ,.;:-–—!"), True
                break
    # A dash that begins a flag stays.
    return re.sub(r"^(?:[\s,;:–—]|-+(?=\s))+", "", text).rstrip(" ,;:-–—")


def _polite_lead(text: str, cues: Cues) -> int:
    """How many characters of a request form stand before the instruction ("could you please", "you should").
    None before a negation: "you should not" must keep its "not" in a whole sentence."""
    words = list(re.finditer(r"\S+", text))
    lower = [normalise(m[0]).strip(",.:!") for m in words]
    n = cues["polite"].at(lower, 0)
    if not n or n >= len(words) or cues["negators"].at(lower, n):
        return 0
    return words[n].start()
