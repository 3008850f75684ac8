"""Passwords told in words, in SQL and to some programs: a name, and then no sign but a space or a verb."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from skillopt_sleep.secrets.shapes import is_path, is_placeholder, is_sentence, is_time, mixes
from skillopt_sleep.secrets.spans import Span, found

_QUOTED = rb"(?:'(?P<sq>[^'\n]{3,200}+)'|\"(?P<dq>[^\"\n]{3,200}+)\")"
_VALUE = rb"(?:" + _QUOTED + rb"|(?P<bare>[^\s\"'`<>,;(){}\[\]|]{4,}+))"
_SAYS = (
    rb"(?:[ \t]{0,2}+[:=][ \t]{0,4}+|\s{1,3}+(?:is|es|est|era|ist|lautet|\xe9|\xe8)"
    rb"(?:[ \t]{1,3}+(?:still|now|immer noch|noch|jetzt|ahora|toujours|ancora|ainda|nog))?+\s{1,3}+)"
)
_NEAR = 100
_IN_SQL = re.compile(rb"\b(?:with|encrypted|set|login|by|(?:user|role)[ \t]{1,4}[^\s;]{1,60})\s{1,4}\Z")
_IN_WORDS = re.compile(rb"\b(?:use|using|with|the|my|our|its|set|sudo)[ \t]{1,3}\Z")
_OF_A_SHARE = re.compile(rb"\bsmb[a-z]{0,12}+\b[^|;&\n]{0,90}\Z")
_OF_A_CLUSTER = re.compile(rb"\bsecret\b[^|;&]{0,90}\Z")
_ENDING = b".,;:!?"


class _Told(NamedTuple):
    value: bytes
    before: bytes
    is_quoted: bool
    is_bare: bool
    """Whether but a space stands between the name and the value."""


def _is_said(told: _Told) -> bool:
    """Said in words are many things: only letters and digits together are surely a password."""
    value = told.value
    return (
        len(value) >= 6 and mixes(value) and not (is_path(value) or is_time(value) or is_placeholder(value))
    )


def _is_said_of_a_key(told: _Told) -> bool:
    """Of `clave`, which is any key or clue in Spanish."""
    return _is_said(told) and told.value.isalnum()


def _is_given(told: _Told) -> bool:
    return not is_placeholder(told.value)


def _is_after_its_name(told: _Told) -> bool:
    """Of `password`: said, or after a space quoted in SQL, or drawn in a sentence that hands it over."""
    if not told.is_bare:
        return _is_said(told)
    if told.is_quoted and _IN_SQL.search(told.before):
        return _is_given(told) and not is_sentence(told.value)
    return len(told.value) >= 8 and _is_said(told) and _IN_WORDS.search(told.before) is not None


def _is_of_a_share(told: _Told) -> bool:
    return _is_given(told) and _OF_A_SHARE.search(told.before) is not None


def _is_of_a_cluster(told: _Told) -> bool:
    return _is_given(told) and _OF_A_CLUSTER.search(told.before) is not None


class _Way(NamedTuple):
    needle: str
    pattern: bytes
    is_secret: Callable[[_Told], bool]


def _word(word: bytes, rest: bytes = b"") -> bytes:
    """A whole word with what says its value. Its own letters come first, because they are found soonest."""
    return word + rb"(?<![\w$.-]" + word + rb")" + rest + _SAYS + _VALUE


_IDENTIFIED = _Way(
    "identified",
    rb"identified\s{1,4}+(?:with\s{1,4}+\S{1,60}+\s{1,4}+)?+by\s{1,4}+(?:password\s{1,4}+)?+" + _QUOTED,
    _is_given,
)
_PASSWORD = _Way(
    "passwor",
    rb"passwor[dt](?<![\w$.-]passwor[dt])(?:" + _SAYS + rb"|(?P<gap>[ \t]{1,4}+))" + _VALUE,
    _is_after_its_name,
)
_SHORT = (
    _Way("pw", _word(b"pw"), _is_said),
    _Way("clave", _word(b"clave"), _is_said_of_a_key),
    _Way("senha", _word(b"senha"), _is_said),
    _Way("wachtwoord", _word(b"wachtwoord"), _is_said),
    _Way("kennwort", _word(b"kennwort"), _is_said),
    _Way("from-literal", rb"from-literal[= ][\"']?[\w.-]{1,64}+=" + _VALUE, _is_of_a_cluster),
)
_MOT_DE_PASSE = _Way("mot de passe", _word(b"mot de passe"), _is_said)
_CONTRASENA = _Way("contrase", _word(b"contrase", rb"\xf1a"), _is_said)
_SHARE = _Way("smb", rb"-u(?<= -u)[ \t]{0,4}+[^\s%\"'=]{1,64}+%(?P<bare>[^\s\"'%]{3,}+)", _is_of_a_share)
_ORACLE = _Way(
    "jdbc:oracle:", rb"jdbc:oracle:\w{1,8}+:[^\s/@\"':]{1,64}+/(?P<bare>[^\s@\"']{2,200}+)@", _is_given
)


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    # Compiled when a text first needs it, as names are.
    return re.compile(pattern)


def told_secrets(raw: bytes, low: bytes, lower: str, *, is_long: bool, has_pass: bool) -> list[Span]:
    """Every password of these ways in the text (one byte a character, and the same in lower case, as bytes
    and as text). A long one is no command and nothing a person said, and is not asked for all of them;
    `has_pass` is false where those letters are not in it."""
    # Asked one by one, because most texts are short and have none: a loop would take longer than the answers.
    ways: list[_Way] = []
    if "identified" in lower:
        ways.append(_IDENTIFIED)
    if has_pass and "passwor" in lower:
        ways.append(_PASSWORD)
    if not is_long:
        if has_pass and "mot de passe" in lower:
            ways.append(_MOT_DE_PASSE)
        if (
            "pw" in lower
            or "clave" in lower
            or "senha" in lower
            or "wachtwoord" in lower
            or "kennwort" in lower
            or "from-literal" in lower
        ):
            ways += [way for way in _SHORT if way.needle in lower]
        if "\xf1" in lower:
            ways.append(_CONTRASENA)
        if "%" in lower and "smb" in lower:
            ways.append(_SHARE)
        if "@" in lower and "jdbc:" in lower:
            ways.append(_ORACLE)
    spans: list[Span] = []
    for way in ways:
        spans += found(_of(way, raw, low), len(raw))
    return spans


def _of(way: _Way, raw: bytes, low: bytes) -> Iterator[Span]:
    for match in _compiled(way.pattern).finditer(low):
        groups = match.groupdict()
        is_quoted = groups.get("bare") is None
        start, end = match.span(match.lastgroup or 0)
        if not is_quoted and way.is_secret is not _is_given:
            end = start + len(raw[start:end].rstrip(_ENDING))
        before = low[max(0, match.start() - _NEAR) : match.start()]
        told = _Told(raw[start:end], before, is_quoted, groups.get("gap") is not None)
        if end > start and way.is_secret(told):
            yield Span(start, end, 2, "password")
