"""The plain forms of a text: what a model reads in it, whatever a person sees."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache, partial
from urllib.parse import unquote

_BLANK_LOOKALIKES = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_LOOKALIKES = {
    "Cyrillic": (
        "аbсԁеһіјкӏмоԛрѕтѵԝхуАВСЕԌНІЈКМОРԚЅТѴԜХҮ",
        "abcdehijklmoqpstvwxyABCEGHIJKMOPQSTVWXY",
    ),
    "Greek": ("αβγεηικνορτυχωΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "abyenikvoptuxwABEZHIKMNOPTYX"),
    "Armenian": ("հոսօցքվԍ", "hnuogqvG"),
    "Cherokee": ("ᎪᏴᏟᎠᎬᎻᎥᏦᏞᎷᏢᏚᎢᏙᎳᏃ", "ABCDEHiKLMPSTVWZ"),
}
_HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u02d7\u2043"
_STRAIGHT = str.maketrans(
    {**dict.fromkeys(_HYPHENS, "-"), **dict.fromkeys("’‘‛′´ʼ", "'"), **dict.fromkeys("“”„‟″«»", '"')}
    | dict(zip("øØđĐłŁħĦŧŦıſ", "oOdDlLhHtTis", strict=True))
    | {"ß": "ss", "æ": "ae", "œ": "oe"}
)
_LEET = "013457@$"
_WORD = re.compile(r"[^\W\d_]+")
_SPELLED = re.compile(r"(?<!\w)\w(?:([ .·_*-]{1,2})\w)(?:\1\w){2,}(?!\w)")
_DECORATION = re.compile(r"[*`'\"\\^]+|~~+|(?<=\w)__+(?=\w)")
_BROKEN = re.compile(r"(?<=\w)-?[ \t]*\n[ \t]*(?=\w)")
_LEET_WORD = re.compile(r"(?<![\w@$])(?=[\w@$]*[^\W\d_]{2})(?=[\w@$]*[013457@$])[\w@$]{4,}(?![\w@$])")
_SMALL_CAPITAL = re.compile(r"LATIN LETTER SMALL CAPITAL ([A-Z])")


def is_hidden(char: str) -> bool:
    """Whether a reader does not see this character: controls, format and private characters, fillers."""
    if char in "\n\t":
        return False
    code = ord(char)
    return (
        unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
        or char in _BLANK_LOOKALIKES
        or 0xFE00 <= code <= 0xFE0E
        or 0xE0100 <= code <= 0xE01EF
    )


def foreign_letters(text: str) -> tuple[int, int] | None:
    """The place of the first word in which letters of another script pose as Latin ones, or None.

    A word that mixes them with Latin letters poses; one that holds nothing else does when all around it is
    Latin. A word in its own script does not, nor does a single Greek letter of mathematics.
    """
    words = list(_WORD.finditer(unicodedata.normalize("NFKC", text)))
    folded = [match.group().translate(_folding()) for match in words]
    plain = [word.isascii() for word in folded]
    honest = sum(match.group().isascii() for match in words)
    for match, is_plain in zip(words, plain, strict=True):
        word = match.group()
        if word.translate(_folding()) == word or not is_plain:
            continue
        if any(char.isascii() for char in word) or (len(word) > 2 and 2 * honest > len(words)):
            return match.span()
    return None


def plain_forms(text: str) -> tuple[str, ...]:
    """What rules look at, each form once: the text on one line as it is; in plain letters; the same without
    quotes and emphasis, broken and spelled words joined; and with digits read as the letters they replace."""
    shown = html.unescape(html.unescape(text))
    if "%" in shown:
        shown = unquote(shown, errors="ignore")
    shown = "".join(char for char in shown if not is_hidden(char))
    shown = unicodedata.normalize("NFKD", shown)
    shown = "".join(_small(char) for char in shown if not unicodedata.combining(char))
    shown = shown.translate(_STRAIGHT).translate(_folding())
    joined = _SPELLED.sub(_together, _DECORATION.sub("", _BROKEN.sub("", shown)))
    forms = [_one_line(text), _one_line(shown), _one_line(joined)]
    forms += [_LEET_WORD.sub(partial(_unleet, one=one), forms[2]) for one in "il"]
    return tuple(dict.fromkeys(forms))


def plain_lines(text: str) -> str:
    """The text with its line breaks, in compatibility form and without hidden characters."""
    shown = unicodedata.normalize("NFKC", html.unescape(text))
    return "".join(char for char in shown if not is_hidden(char))


def _unleet(match: re.Match[str], *, one: str) -> str:
    return match.group().translate(_leet(one))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _together(match: re.Match[str]) -> str:
    letters = match.group()[:: len(match[1]) + 1]
    return letters if any(char.isalpha() for char in letters) else match.group()


def _small(char: str) -> str:
    if char.isascii():
        return char
    found = _SMALL_CAPITAL.fullmatch(unicodedata.name(char, ""))
    return found[1].lower() if found else char


@lru_cache(maxsize=1)
def _folding() -> dict[int, int]:
    return {
        ord(theirs): ord(ours)
        for these, those in _LOOKALIKES.values()
        for theirs, ours in zip(these, those, strict=True)
    }


@lru_cache(maxsize=2)
def _leet(one: str) -> dict[int, str]:
    return {
        ord(char): letter
        for char, letter in zip(_LEET, ("o", one, "e", "a", "s", "t", "a", "s"), strict=True)
    }
