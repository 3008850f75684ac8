"""Whether a value was drawn at random or is something people write: the tests every way of finding shares.

Values are bytes with one byte a character, so that positions in them are positions in the text.
"""

from __future__ import annotations

import re

LOOKED_AT = 256
_DIGITS = b"0123456789"
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(rb"(?:0x)?[0-9a-f]+", re.IGNORECASE)

_ROOTS = (
    rb"os|process|self|this|cls|config|cfg|conf|settings|options|opts|args|env|environ|request|req|res|response"
    rb"|ctx|context|app|user|data|params|form|body|props|state|event|session|secrets?|vars?|vault|steps|inputs"
    rb"|import\.meta|kwargs|payload|credentials?|creds|auth|client|module|matrix|runner|github|string|system"
)
_PLACEHOLDER = re.compile(
    rb"[$<{\[].*|%[({].*|%\w+%|!(?:vault|secret|ref|sub|env|include)\b.*|\*{3,64}|x{3,64}|\.{3,}.*|_{3,64}|-{3,64}|\?{3,64}"
    rb"|none|null|nil|true|false|undefined"
    rb"|str(?:ing)?|bytes?|int(?:eger)?|bool(?:ean)?|any|unknown|never|object|optional|required|type|redacted"
    rb"|hidden|masked|changeme|change[-_]me"
    rb"|your[-_ ].*|my[-_](?:password|secret|token|key)|placeholder|example"
    rb"|secretstr|varchar.*|text|char|todo|tbd|wrong|invalid|missing|empty|incorrect"
    rb"|(?:await|new|not|in|is|and|or|if|for|return|this|self)|(?:" + _ROOTS + rb")[.?!]\w.*",
    re.IGNORECASE | re.DOTALL,
)
_SECRET_NAME = re.compile(
    rb"passw|pwd|passphrase|secret|token|key|credential|auth|\Apass\Z|_pass", re.IGNORECASE
)
_SAID = re.compile(
    rb"\b(?:the|your|you|is|are|was|must|should|cannot|can|enter|required|invalid|forgot|reset|please|least|for|to|and"
    rb"|or|not|of|with|from|in|new|old|current|confirm|change|passwords?)\b",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(rb"[A-Za-z_$][A-Za-z_$-]*(?:\.[A-Za-z_$]+){0,6}")
_WORDS = re.compile(rb"[A-Za-z]*+\d{0,3}+(?:[-_./: ]++(?:v\d{1,5}+|[A-Za-z]++\d{0,3}+|\d{1,5}+))*+[-_./: ]*+")
_TIME = re.compile(rb"\d{4}-\d\d-\d\d(?:[T ][\d:.+Z-]*)?|\d[\d.,_]*(?:[a-z%]{1,3})?", re.IGNORECASE)
_PATH = re.compile(
    rb"[a-z]:\\|\.{0,2}/[\w.-]+/|\.{1,2}/|~/|@[\w-]+/|[\w.-]+/[\w./-]*\.\w{1,8}\Z|https?:", re.IGNORECASE
)
_FILE_NAME = re.compile(rb"[\w.-]+\.[A-Za-z]{1,5}\d?\Z")


def is_placeholder(value: bytes) -> bool:
    """Whether this stands for a secret that is kept elsewhere: a variable, a call, a type, `<yours>`."""
    return _PLACEHOLDER.fullmatch(value) is not None


def names_a_secret(value: bytes) -> bool:
    """Whether this is the name of a variable, as in `password=db_password`, and not its value."""
    return _IDENTIFIER.fullmatch(value) is not None and _SECRET_NAME.search(value) is not None


def mixes(value: bytes) -> bool:
    """Letters and digits together, with few repetitions."""
    value = value[:LOOKED_AT]
    letters = value.translate(None, _DIGITS)
    return len(letters) < len(value) and letters.lower() != letters.upper() and len(set(value)) >= 6


def is_random(value: bytes) -> bool:
    """Whether this was drawn, not written: no words, path, time, number or version."""
    seen = value[:LOOKED_AT]
    if mixes(seen):
        return not (
            _WORDS.fullmatch(seen) or _TIME.fullmatch(seen) or _PATH.match(seen) or _FILE_NAME.match(seen)
        ) or _has_drawn_word(seen)
    if seen.islower() or seen.isupper():
        return False
    # Long and without a digit: letters of both cases in no order people use, as base64 has.
    return len(seen) >= 20 and len(set(seen)) >= 12 and _turns(seen) * 4 >= len(seen)


def is_time(value: bytes) -> bool:
    """Whether this is a date, a time or an amount."""
    return _TIME.fullmatch(value) is not None


def is_path(value: bytes) -> bool:
    """Whether this names a file."""
    return _PATH.match(value) is not None


def is_member(value: bytes) -> bool:
    """Whether this is written like a variable or a member of one, without any digit."""
    return _IDENTIFIER.fullmatch(value) is not None and (b"." in value or b"_" in value)


def is_sentence(value: bytes) -> bool:
    """Whether this is said about passwords: several words, and among them those of a message."""
    return b" " in value and _SAID.search(value) is not None


def is_identity(value: bytes) -> bool:
    """Whether this is a UUID or a digest, which name things and hide nothing."""
    return bool(_UUID.fullmatch(value) or _HEX.fullmatch(value))


def _has_drawn_word(value: bytes) -> bool:
    """Whether one of the words is too mixed to be one: digits between letters, or many changes of case."""
    return any(
        len(word) >= 12 and mixes(word) and _turns(word) * 4 >= len(word) for word in _SPLIT.split(value)
    )


_SPLIT = re.compile(rb"[^A-Za-z0-9+/=]+")
_TURN = re.compile(rb"[a-z](?=[A-Z0-9])|[0-9](?=[A-Za-z])|[A-Z](?=[0-9])|(?<=[A-Z])[A-Z](?=[a-z])")


def _turns(value: bytes) -> int:
    return len(_TURN.findall(value))
