"""What a person must look at before words enter a skill: more than a lesson may ask of an agent."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from skillopt_sleep.mine.cues import load_cues
from skillopt_sleep.mine.words import tokens
from skillopt_sleep.proposal import Finding, Lesson
from skillopt_sleep.redact import redact
from skillopt_sleep.safety.echo import echoed, quoted_literal
from skillopt_sleep.safety.plain import foreign_letters, is_hidden, plain_forms, plain_lines
from skillopt_sleep.safety.rules import load_rules

_OUR_COMMENT = re.compile(r"<!-- (?:id: [0-9a-f]{8}|SKILLOPT_LEARNED_(?:START|END)) -->")
_COMMENT = re.compile(
    r"(?:<|&lt;)\s?!\s?--|--\s?(?:>|&gt;)|SKILLOPT_LEARNED|SLOW_UPDATE_|APPENDIX_(?:START|END)", re.IGNORECASE
)
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_LONG = 40
_TOO_LONG = 1200
_SEEN_WITHOUT_RULE = {
    "echo": "repeats words that were held out from learning",
    "encoded": "holds encoded words",
    "hidden-characters": "holds characters a reader cannot see",
    "html-comment": "holds a comment or marker readers do not see",
    "lookalike-letters": "holds letters of another script that pose as Latin ones",
    "polarity-not-read": "is in a language whose negations are not read: it may ask for the reverse",
    "secret": "holds what looks like a secret",
    "too-long": "is longer than a lesson",
}


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the optimizer must not have seen: `texts` of held-out sessions, `literals` of their checks; and
    what it was `heard` in training, which may be repeated."""

    texts: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()


def finding_names() -> tuple[str, ...]:
    """Every name a finding can have, in alphabetical order."""
    return tuple(sorted({*_SEEN_WITHOUT_RULE, *(rule.name for rule in load_rules())}))


def screen(added: str, held_out: Sequence[str] | HeldOut = ()) -> tuple[Finding, ...]:
    """Every kind of finding in the words a change adds, each kind once, with the words around its place."""
    # Only cleaned words are quoted: a finding is stored and shown.
    text = redact(added)
    hidden_out = held_out if isinstance(held_out, HeldOut) else HeldOut(tuple(held_out))
    found = {
        **{finding.name: finding for finding in _by_rules(_OUR_COMMENT.sub("", text))},
        **{finding.name: finding for finding in _by_sight(text, hidden_out)},
    }
    # The night reads words that were cleaned before: what is left of a secret tells that there was one.
    if text != added or "[redacted:" in added:
        at = max(text.find("[redacted:"), 0)
        found["secret"] = _seen("secret", _around(text, at, at + 10))
    return tuple(found[name] for name in sorted(found))


def screen_lessons(
    lessons: Iterable[Lesson], occasions: Iterable[str] = (), held_out: Sequence[str] | HeldOut = ()
) -> tuple[Finding, ...]:
    """`screen` over what lessons add to a file: each sentence with the condition it carries, named in the
    finding by the lesson's id, then the occasions of the description."""
    given = held_out if isinstance(held_out, HeldOut) else HeldOut(tuple(held_out))
    found: list[Finding] = []
    named: dict[str, set[str]] = {}
    for lesson in lessons:
        heard = (*given.heard, *(quote.words for quote in lesson.train))
        for finding in screen(lesson.text, replace(given, heard=heard)):
            found.append(replace(finding, lesson=lesson.id))
        if lesson.mode == "restated" and not _is_read(lesson):
            found.append(
                replace(_seen("polarity-not-read", _around(redact(lesson.text), 0, 60)), lesson=lesson.id)
            )
        for occasion in lesson.occasions:
            named.setdefault(occasion, set()).add(lesson.id)
    for occasion in dict.fromkeys([*named, *occasions]):
        owners = named.get(occasion, {""})
        found += [replace(f, lesson=owner) for owner in sorted(owners) for f in screen(occasion)]
    return tuple({(finding.lesson, finding.name): finding for finding in reversed(found)}.values())[::-1]


def _is_read(lesson: Lesson) -> bool:
    """Whether what a lesson without a rule was made of is in a language of the cues: in another one, words
    for and against the same thing look alike."""
    said = [quote.words for quote in lesson.train] or [lesson.text]
    return load_cues().knows([word for words in said for word in tokens(words)])


def _by_rules(text: str) -> Iterator[Finding]:
    forms, lines = plain_forms(text), plain_lines(text)
    for rule in load_rules():
        for form in (lines,) if rule.lines else forms:
            if span := rule.find(form):
                yield Finding(rule.name, rule.what, _around(form, *span))
                break


def _by_sight(text: str, held_out: HeldOut) -> Iterator[Finding]:
    hidden = next((at for at, char in enumerate(text) if is_hidden(char)), None)
    if hidden is not None:
        where = f"U+{ord(text[hidden]):04X} in {_around(text, hidden, hidden + 1)}"
        yield _seen("hidden-characters", where)
    if span := foreign_letters(text):
        yield _seen("lookalike-letters", _around(text, *span))
    rest = _OUR_COMMENT.sub("", text)
    if match := _COMMENT.search(rest):
        yield _seen("html-comment", _around(rest, *match.span()))
    for match in _LONG_WORD.finditer(rest):
        if _is_encoded(match.group()):
            yield _seen("encoded", _around(rest, *match.span()))
            break
    if len(text) > _TOO_LONG:
        yield _seen("too-long", f"{len(text)} characters")
    said = echoed(text, held_out.texts, held_out.heard) or quoted_literal(
        text, held_out.literals, held_out.heard
    )
    if said:
        yield _seen("echo", _around(said, 0, 60))


def _is_encoded(word: str) -> bool:
    """Whether a long word mixes everything, as no name does, or is base64 or hex of readable text."""
    bare = word.strip("=-_/+")
    kinds = (any(c.islower() for c in bare), any(c.isupper() for c in bare), any(c.isdigit() for c in bare))
    if len(bare) >= _LONG and all(kinds):
        return True
    return _is_text(_from_hex(bare)) or (sum(kinds) >= 2 and _is_text(_from_base64(word)))


def _from_hex(word: str) -> bytes:
    try:
        return bytes.fromhex(word)
    except ValueError:
        return b""


def _from_base64(word: str) -> bytes:
    plain = word.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_text(data: bytes) -> bool:
    return len(data) >= 8 and all(32 <= byte < 127 or byte in (9, 10, 13) for byte in data)


def _seen(name: str, where: str) -> Finding:
    return Finding(name, _SEEN_WITHOUT_RULE[name], where)


def _around(text: str, start: int, end: int) -> str:
    piece = text[max(0, start - 20) : min(end, start + 60) + 20]
    shown = "".join(f"\\u{{{ord(c):x}}}" if is_hidden(c) else c for c in piece)
    return re.sub(r"\s+", " ", shown).strip()
