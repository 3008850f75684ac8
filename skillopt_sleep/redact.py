"""Secrets out of a text before it is stored, shown, embedded or sent.

Known shapes become `[redacted:kind]`; ordinary words, git hashes and UUIDs stay. What a secret looks like is
told in `secrets/`. The time is linear in the text: each way of finding is a search for a few literals, and
only around these is anything matched, by patterns that never read a character more than a few times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

from skillopt_sleep.secrets.controls import strip_controls
from skillopt_sleep.secrets.keys import aws_secrets, private_keys
from skillopt_sleep.secrets.named import named_secrets
from skillopt_sleep.secrets.places import passwords_by_place
from skillopt_sleep.secrets.spans import Span, without
from skillopt_sleep.secrets.tokens import tokens
from skillopt_sleep.secrets.told import told_secrets

__all__ = ["redact", "redact_all", "redact_name", "strip_controls"]

_REDACTED = re.compile(rb"\[redacted:[a-z0-9-]{1,30}\]")
_ROUNDS = 5
_LONG = 4_000
_BETWEEN = "\x00\n"
"""Stands in no cleaned text, and no secret reaches over it."""


def redact(text: str) -> str:
    """The text with every secret of a known shape replaced by `[redacted:kind]`. Redacting twice changes
    nothing more."""
    if not (spans := _spans(text)):
        return text
    for _ in range(_ROUNDS):
        text, around = without(text, spans)
        # What stood beside a secret may look otherwise without it.
        if not _spans(_BETWEEN.join(around)) or not (spans := _spans(text)):
            break
    return text


def redact_all(texts: Iterable[str]) -> list[str]:
    """`redact` of every text, faster than one by one when most are short and hold no secret."""
    given = list(texts)
    if not _spans(_BETWEEN.join(given), are_many=True):
        return given
    return [redact(text) for text in given]


def redact_name(name: str) -> str:
    """`redact` of what tells one thing from another, such as a path or an id: when there was a secret in it,
    the first digits of its digest keep it apart from others."""
    cleaned = redact(name)
    if cleaned == name:
        return name
    return f"{cleaned}#{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _spans(text: str, *, are_many: bool = False) -> list[Span]:
    # One byte a character, so that a place in the bytes is a place in the text. What the encoding cannot
    # hold belongs to no secret and ends one, whatever it is.
    raw = text.encode() if text.isascii() else text.encode("latin-1", "replace")
    # Asked of a text, because asking bytes what is in them takes longer than the answer; and one character
    # first, which is found soonest.
    if "[" in text and "[redacted:" in text:
        # As a variable, which stands for a secret and is none.
        raw = _REDACTED.sub(lambda match: b"$" * len(match.group()), raw)
    spans = tokens(raw)
    low = raw.lower()
    lower = low.decode("latin-1")
    has_dash = "-" in lower
    if has_dash and "PRIVATE" in text:
        spans += private_keys(raw)
    # A long text has most of these, and each way of finding looks for its own.
    is_long = len(text) > _LONG
    has_pass = is_long or "pass" in lower
    has_names = has_pass or "auth" in lower
    has_k = "k" in lower
    if (
        has_names
        or (has_dash and ("-u" in lower or " -p" in lower or "redis-cli" in lower))
        or "@" in lower
        or "%" in lower
        or (has_k and "cookie" in lower)
        or "bearer" in lower
    ):
        spans += passwords_by_place(raw, low, lower, is_long=is_long)
    if (
        has_names
        or (has_k and ("key" in lower or "token" in lower))
        or "cre" in lower
        or "sig" in lower
        or "pwd" in lower
        or ("_" in lower and "_pat" in lower)
    ):
        spans += named_secrets(raw, low, lower, is_long=is_long)
    spans += told_secrets(raw, low, lower, is_long=is_long and not are_many, has_pass=has_pass)
    if not spans:
        return spans
    ids = [span for span in spans if span.kind == "aws"]
    return [*spans, *aws_secrets(raw, ids)] if ids else spans
