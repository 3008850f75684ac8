"""Secrets known by the name before them: `password=`, `"api_key": "..."`, `--token ...`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from skillopt_sleep.secrets.shapes import (
    LOOKED_AT,
    is_identity,
    is_member,
    is_path,
    is_placeholder,
    is_random,
    is_sentence,
    mixes,
    names_a_secret,
)
from skillopt_sleep.secrets.spans import Span, found

_TAIL = rb"(?P<tail>[a-z0-9_-]{0,32}+)"
_PLAIN = rb"[^\s\"'`<>&;,(){}\[\]|]"
# Values that stand for a secret kept elsewhere are passed over here, where it costs least.
_VALUE = (
    rb"(?![bruf]{0,2}\\{0,3}[\"'`]?(?:\[redacted|\$|<|\{|\.\.|\*\*|pass|none\b|null\b|true\b|false\b|os\.|process\.|self\.))"
    rb"(?:[bruf]{1,2}(?=[\"']))?(?P<open>\\{0,3})(?:\"(?P<dq>[^\"\n]*+)|'(?P<sq>[^'\n]*+)"
    rb"|`(?P<bq>[^`\n]*+)|%22(?P<pq>[^\s%\"']*+)|(?P<bare>" + _PLAIN + rb"++))"
)
# What closes a name (`"name"`, `["name"]`, `**name**`), then the sign, then space. A value may stand on the
# line after a colon; the line after `=` is another variable.
_CLOSED = rb"(?=[\\\"'`\])*]*+[ \t]*+[=:,>%])\\{0,3}[\"'`]?[\])*]{0,2}+[ \t]{0,8}+"
_TIGHT = rb"(?P<tight>={1,3}(?!=)|:=|%3d)(?P<space>[ \t]{0,8}+)"
_LOOSE = (
    rb"(?:=>[ \t]{0,8}+|:(?!:)\*{0,2}\s{0,8}+|%3a|>(?=[^\s<>=]{4,200}</)"
    rb"|(?P<comma>,)(?=[ \t]?\\{0,3}[\"'])[ \t]?)"
)
_FLAG = rb"(?P<flag>[ \t]{1,8}+(?:\\\r?\n[ \t]*+)?)(?![-=:])"
_IS = rb"\s{1,3}(?P<is>is|was|lautet|ist|est|es)\s{1,3}"
_OPENED = rb"[bruf]{0,2}\\{0,3}[\"'`]"
_TWO = rb"(?=(?:" + _OPENED + rb")?[^\s\"'`]{2})"
_SIX = rb"(?=" + _OPENED + rb"[^\"'`\n]{3}|" + _PLAIN + rb"[^\s\"'`]{5})"
_DRAWN = (
    rb"(?=" + _OPENED + rb"[^\s\"'`]{8}|" + _PLAIN + rb"{8})"
    rb"(?=(?:" + _OPENED + rb"|%22)?(?:[^\s\"'`&;,(){}\[\]|<>]{0,48}?[0-9]|[^\s\"'`]{20}))"
)

# What else may stand in a password that no quotes hold together, and what shows that it ended before.
_FURTHER = re.compile(rb"[&;,(){}\[\]|]++" + _PLAIN + rb"*+")
_NEXT_NAME = re.compile(rb"[&;,(){}\[\]|]++\s{0,2}\\?[\"']?[A-Za-z_][\w.-]{0,60}\\?[\"']?\s{0,2}[=:]")
_AT_ITS_END = re.compile(rb"(?:[;|&]{1,2}[a-z/.]++|[&;,(){}\[\]|]++)(?=[\s\"'`<>\\]|\Z)|[)\]}]++[.;,:]")
_CALLED = re.compile(
    rb"[A-Za-z_$][\w$]*+(?:(?:\.|::|->|\?\.)[A-Za-z_$][\w$]*+){0,6}(?:\([^)\n]{0,200}\)|\[[^\]\n]{0,200}\])"
)
_ENDING = b".,;:"

_OF_A_TAIL = frozenset(
    b"age algo algorithm at board bucket budget class cls code cost costs count counter counts created "
    b"date dir down enabled endpoint env error errors expiration expires expiry field fields file filename "
    b"files format frame frames func function handler header hint id ids in index input ization ize ized "
    b"izer izers kind label len length limit limits line lines list manager map match max message min "
    b"module name names param params path paths pattern placeholder policy position prefix press price "
    b"provider rate rates ref refs regex required reset ring scope scopes service size source state status "
    b"storage store stream strength suffix text time timeout ttl type types up updated uri url usage valid "
    b"validation validator var version word words ".split()
)  # fmt: skip
_NO_SECRET_BEFORE = re.compile(
    rb"(?:public|partition|sort|foreign|primary|idempotency|cache|lookup|react|composite|unique|hot|short|mon|don|tur"
    rb"|host|hoc|jo|translation|i18n|map|row|group|object)[_-]?\Z"
)
_KEY_BEFORE = re.compile(
    rb"(?:api|access|private|account|signing|encryption|secret|license|master|storage|shared|service|auth|client"
    rb"|app|write|admin|deploy|webhook|hmac|aes|rsa|jwt|crypt|session|subscription)\Z"
)


class _Named(NamedTuple):
    value: bytes
    is_quoted: bool
    is_tight: bool
    is_said: bool
    is_listed: bool
    before: bytes
    capital: bool


class _Name(NamedTuple):
    needle: str
    pattern: bytes
    kind: str
    is_secret: Callable[[_Named], bool]


def _is_password(named: _Named) -> bool:
    value = named.value
    if is_placeholder(value) or names_a_secret(value) or is_sentence(value):
        return False
    if named.is_tight or named.is_quoted:
        if named.is_listed:
            return mixes(value)
        return len(value) >= 3 and not (named.is_tight and not named.is_quoted and is_member(value))
    ordinary = value.isalpha() or is_path(value) or is_member(value)
    if named.is_said:
        ordinary = ordinary or value.replace(b"-", b"").replace(b"'", b"").rstrip(b"!?").isalpha()
    return len(value) >= 6 and not ordinary


def _is_short_password(named: _Named) -> bool:
    """Of `pass` and `pwd`, which are other words too."""
    if not (named.is_tight or named.is_quoted) and not _is_setting(named):
        return False
    if named.value.isdigit() or named.value[:1] in b"/~.":
        return False
    return _is_password(named)


def _is_setting(named: _Named) -> bool:
    """Whether a bare value is that of a setting, as in `db_pass: x`: the name goes on before, and the value
    was drawn; `first_pass: v2.1` was not."""
    value = named.value
    drawn = mixes(value) and (value.isalnum() or is_random(value))
    return not named.is_said and named.before[-1:] in (b"_", b"-") and drawn


def _is_drawn(named: _Named) -> bool:
    value = named.value
    return len(value) >= 8 and b" " not in value and not is_placeholder(value) and is_random(value)


def _is_long_drawn(named: _Named) -> bool:
    return len(named.value) >= 12 and _is_drawn(named)


def _is_key(named: _Named) -> bool:
    """`key` alone names many things; what stands before it tells."""
    if _NO_SECRET_BEFORE.search(named.before):
        return False
    if named.before[-1:] in b"_-" or named.capital or _KEY_BEFORE.search(named.before):
        return bool(named.before or named.is_tight) and _is_long_drawn(named)
    return len(named.value) >= 24 and not is_identity(named.value) and _is_drawn(named)


def _word(word: str, rest: bytes = _TAIL, *, password: bool = False) -> bytes:
    """A name with `word` in it, a sign and a value; after `--word`, `-word` or `-x-word` a space is a sign.
    What could be no password, or nothing drawn, is no match."""
    literal = word.encode()
    said = rb"|" + _IS + _SIX if password else b""
    return (
        literal + rb"(?P<dash>(?<=-" + literal + rb"))?" + rest
        + rb"(?:" + _CLOSED + rb"(?:" + _TIGHT + (_TWO if password else _DRAWN)
        + rb"|" + _LOOSE + (_SIX if password else _DRAWN) + rb")" + said
        + rb"|(?(dash)" + _FLAG + (_TWO if password else _DRAWN) + rb"|(?!)))"
        + _VALUE
    )  # fmt: skip


_PASS = (
    rb"(?:(?P<long>w|phrase|code)"
    + _TAIL
    + rb"|(?<!bypass)(?<!compass)(?<!trespass)(?<!surpass)e?\d{0,3}+(?![a-z_-]))"
)
_KEY = rb"(?P<tail>s?\d{0,3}(?![a-z])|[_-][a-z0-9_-]{0,32}+|[a-z]{1,24}+)"
_END = rb"(?P<tail>)(?![a-z])"
_NAMES = (
    _Name("pass", _word("pass", _PASS, password=True), "password", _is_password),
    _Name("pwd", _word("pwd", password=True), "password", _is_short_password),
    _Name("secret", _word("secret"), "secret", _is_drawn),
    _Name("token", _word("token"), "secret", _is_drawn),
    _Name("credential", _word("credential"), "secret", _is_drawn),
    _Name("key", _word("key", _KEY), "secret", _is_key),
    _Name("auth", _word("auth", _END), "secret", _is_long_drawn),
    _Name("sig", _word("sig", rb"(?:nature)?(?P<tail>)(?![a-z])"), "secret", _is_long_drawn),
    _Name("_pat", _word("_pat", _END), "secret", _is_long_drawn),
)


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    # Compiled when a text first needs it: together they take longer than a short command.
    return re.compile(pattern)


def named_secrets(raw: bytes, low: bytes, lower: str, *, is_long: bool) -> list[Span]:
    """Every value in the text (one byte a character, and the same in lower case, as bytes and as text) that
    its name gives away. In a long text a pattern finds its first letters sooner than they are asked for."""
    spans: list[Span] = []
    for name in _NAMES:
        if is_long or name.needle in lower:
            first = _compiled(name.pattern).search(low)
            if first:
                spans += found(_after(name, raw, low, first), len(raw))
    return spans


def _after(name: _Name, raw: bytes, low: bytes, first: re.Match[bytes]) -> Iterator[Span]:
    search = first.re.search
    match: re.Match[bytes] | None = first
    walked_from, walked_to, word_end = 0, -1, 0
    while match:
        group = match.lastgroup or "bare"
        start, at = match.span(group)
        if not _is_of_something_else(match):
            if group == "bare":
                # A word with many names in it is walked through once.
                if not walked_from <= at <= walked_to:
                    walked_from, walked_to = at, _walked(raw, at)
                    word_end = walked_to
                    while word_end > start + 1 and raw[word_end - 1] in _ENDING:
                        word_end -= 1
                end = start if _is_called(raw, start, at) else max(start + 1, word_end)
            else:
                end = _end_of_quoted(raw, start, at, match["open"])
            if end > start and _is_secret(name, match, raw, low, start, end):
                at = max(end, at)
                yield Span(start, end, 2, name.kind)
            elif group != "bare":
                # What is quoted may be a text with another name and value in it.
                at = start
        match = search(low, at)


def _is_secret(name: _Name, match: re.Match[bytes], raw: bytes, low: bytes, start: int, end: int) -> bool:
    is_quoted = match.lastgroup not in (None, "bare")
    # The beginning tells: what is far behind it must not, so that a text may be looked at in part.
    named = _Named(
        value=raw[start : min(end, start + LOOKED_AT)],
        is_quoted=is_quoted,
        is_tight=match["flag"] is not None or (match["tight"] is not None and not match["space"]),
        is_said=name.kind == "password" and match["is"] is not None,
        is_listed=match["comma"] is not None,
        before=low[max(0, match.start() - 16) : match.start()],
        capital=raw[match.start()] == ord("K"),
    )
    is_short = name.needle == "pass" and match["long"] is None
    return (_is_short_password if is_short else name.is_secret)(named)


def _is_of_something_else(match: re.Match[bytes]) -> bool:
    """Whether the name is that of a fact about a secret: `token_count`, `password_field`, `tokenizer`."""
    tail = match["tail"]
    if not tail:
        return False
    last = tail.replace(b"-", b"_").rpartition(b"_")[2]
    return last in _OF_A_TAIL or tail.startswith((b"ize", b"ization"))


def _end_of_quoted(raw: bytes, start: int, end: int, opened: bytes) -> int:
    """Where the value ends: before the quote, which may be escaped as the first one was."""
    if not opened:
        quote = raw[end : end + 1]
        while quote and quote in b"\"'" and raw[end - 1 : end] == b"\\" and end > start:
            further = raw.find(quote, end + 1)
            if further < 0 or raw.find(b"\n", end + 1, further) >= 0:
                break
            end = further
    while end > start and raw[end - 1] == ord("\\"):
        end -= 1
    return end


def _is_called(raw: bytes, start: int, at: int) -> bool:
    """Whether a value without quotes, of which `at` is the first sign, is a piece of code."""
    return raw[at : at + 1] in (b"(", b"[") and _CALLED.match(raw, start) is not None


def _walked(raw: bytes, end: int) -> int:
    """Where the word ends that goes on at `end`, and no quotes hold together."""
    while further := _FURTHER.match(raw, end):
        if _NEXT_NAME.match(raw, end) or _AT_ITS_END.match(raw, end):
            break
        if raw[end : end + 2] in (b"&&", b"||"):
            break
        end = further.end()
    return end
