"""What the recorded agent can really read in a lesson: rules about the commands and files it knows.

The reader never guesses. A rule names commands, flags or files that the agent has seen in this project's
training sessions (`Vocabulary`); the whole of what is forbidden must match; a flag joins the one command it
was said about. Whatever cannot be read this way gives no rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.ops import Op
from skillopt_sleep.mine.words import content, sentences, signs, tokens
from skillopt_sleep.rules import Beside, Flag, Occasion, Rule, Scoped, Swap, Whole, Words

ScopeKind = Literal["command", "files", "words"]
_TOKEN = re.compile(r"[^\s,;:!?()\[\]{}\"“”«»<>`]+|[,;:!?()\n`“”«»—–]")
_FULL_STOP = re.compile(r"(?<=[^./=])\.+$")
_CODELIKE = re.compile(r"^-|[./=_@]|\d|-\w")
_FILE = re.compile(r"^[\w./-]*[\w-]+\.[A-Za-z]\w{0,9}$")
_SHORTEST_NAME = 5


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The commands, flags and files an agent has met in training; nothing held out is in it.

    `files` gives the name of a file by that name, or by what stands before its ending, in lower case.
    """

    prefixes: frozenset[Words]
    programs: frozenset[str]
    files: Mapping[str, str]

    @classmethod
    def of(cls, ops: Iterable[Op]) -> Vocabulary:
        """Collect from operations of training episodes."""
        prefixes: set[Words] = set()
        files: dict[str, str] = {}
        for op in ops:
            if op.kind == "command":
                words = (op.program, *op.tokens[1:])
                prefixes.update(words[:n] for n in range(1, min(len(words), 6) + 1))
            elif op.kind == "edit":
                path = PurePosixPath(op.tokens[0])
                files[path.name.lower()] = path.name
                if len(path.stem) >= _SHORTEST_NAME:
                    files.setdefault(path.stem.lower(), path.name)
        return cls(frozenset(prefixes), frozenset(p[0] for p in prefixes), files)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    sign: int
    segment: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class _Mention:
    words: Words
    sign: int
    start: int
    end: int
    kind: str = field(default="command")


def read_rules(lesson: str, vocabulary: Vocabulary, cues: Cues) -> tuple[Rule, ...]:
    """The rules a lesson states, as far as they can be read with this vocabulary; often none.

    A lesson of several sentences gives none, nor does one that says more about commands than the rule:
    nothing unread rides in on what was read.
    """
    occasion, body = read_scope(lesson, cues)
    if len(sentences(body)) > 1:
        return ()
    rules = _read(body, occasion, vocabulary, cues)
    return rules if occasion == Occasion() else tuple(Scoped(occasion, rule) for rule in rules)


def _read(
    body: str, occasion: Occasion, vocabulary: Vocabulary, cues: Cues
) -> tuple[Swap | Whole | Flag | Beside, ...]:
    words = _signed_words(body, cues)
    lower = [w.text.lower() for w in words]
    mentions = _mentions(words, lower, vocabulary, cues)
    commands = [m for m in mentions if m.kind == "command"]
    wanted = [m for m in commands if m.sign > 0]
    unwanted = [m for m in commands if m.sign < 0]
    flags = [m for m in mentions if m.kind == "flag"]
    files = [m for m in mentions if m.kind == "file" and m.sign > 0]

    if not unwanted and (ordered := _ordered(lower, wanted, occasion, cues)) is not None:
        return (ordered,)
    if wanted and unwanted:
        new, old = _nearest(wanted, unwanted)
        if new.words == old.words or {m.words for m in commands} - {new.words, old.words}:
            return ()
        return (Swap(old.words, new.words),)
    if flags:
        of = wanted[0].words if wanted else occasion.command
        return tuple(
            Flag(m.words[0], of, m.sign > 0, first=m.sign > 0 and cues["first"].found_in(lower))
            for m in flags
            if of or (m.sign < 0 and any(m.words[0] in p for p in vocabulary.prefixes))
        )
    if unwanted:
        return ()
    when = occasion if occasion != Occasion() else _own_occasion(words, lower, mentions, cues)
    if files and when != Occasion() and cues["edit_verbs"].found_in(lower):
        return (Beside(when, file=files[0].words[0]),)
    if wanted and when != Occasion() and cues["also"].found_in(lower):
        return (Beside(when, command=wanted[0].words),)
    if len(wanted) == 1 and len(wanted[0].words) > 1:
        return (Whole(wanted[0].words, when),)
    if len(wanted) == 1 and when != Occasion():
        return (Beside(when, command=wanted[0].words),)
    return ()


def scoped(
    occasion: Sequence[str], lesson: str, *, kind: ScopeKind, cues: Cues, among: Sequence[str] = ()
) -> str:
    """Put a scope before a lesson in the lesson's language, by a fixed template; where its words leave that
    open, in the one that `among` is in, the words it was said among."""
    possible = cues.languages_of(tokens(lesson))
    spoken = [language for language in cues.languages_of(among) if language in possible]
    template = cues.scopes[spoken[0] if len(spoken) == 1 else cues.language_of(tokens(lesson))]
    quote = '"' if kind == "words" else "`"
    named = [f"{quote}{o}{quote}" for o in occasion]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} {template.joiner} {named[-1]}"
    text = lesson[:1].lower() + lesson[1:] if lesson[:2].istitle() and len(lesson) > 1 else lesson
    return getattr(template, kind).format(occasion=listed, lesson=text)  # type: ignore[no-any-return]


def read_scope(lesson: str, cues: Cues) -> tuple[Occasion, str]:
    """The occasion that `scoped` put before a lesson, and the lesson without it."""
    for template in cues.scopes.values():
        for kind, text in (
            ("command", template.command),
            ("files", template.files),
            ("words", template.words),
        ):
            quote = '"' if kind == "words" else "`"
            head, middle = (re.escape(p) for p in text.removesuffix("{lesson}").split("{occasion}"))
            if match := re.match(f"{head}({quote}.+?){middle}", lesson):
                named = re.findall(f"{quote}([^{quote}]+){quote}", match[1])
                body = lesson[match.end() :]
                if kind == "command":
                    return Occasion(command=tuple(named[0].split())), body
                if kind == "files":
                    return Occasion(suffix=named[0].removeprefix("*")), body
                return Occasion(stems=frozenset(s for n in named for s in content(tokens(n), cues))), body
    return Occasion(), lesson


def _signed_words(text: str, cues: Cues) -> list[_Word]:
    """Tokens as typed with the sign of the negation they stand under (see `words.signed`)."""
    out: list[_Word] = []
    segment, quoted = 0, False
    raw = _TOKEN.findall(text.replace("’", "'"))
    ends = {i for i, p in enumerate(raw) if _FULL_STOP.search(p)}
    # A full stop after quoted code stands alone; inside the quotes it is a word ("ruff check .").
    closing = {i for i, p in enumerate(raw) if not p.strip(".") and raw[:i].count("`") % 2 == 0 < i}
    ends |= {i for i in closing if raw[i - 1] == "`"}
    pieces = [_FULL_STOP.sub("", p) if i in ends else p for i, p in enumerate(raw)]
    current: list[tuple[str, bool]] = []
    for i, piece in enumerate([*pieces, "\n"]):
        if piece == "`":
            quoted = not quoted
            continue
        if len(piece) == 1 and piece in ",;:!?()\n“”«»—–":
            out.extend(_sign_segment(current, segment, cues))
            current, segment = [], segment + 1
            continue
        if piece.strip("'\"*") and not (i in ends and not piece.strip(".")):
            current.append((piece.strip("'\"*"), quoted))
        if i in ends:
            out.extend(_sign_segment(current, segment, cues))
            current, segment = [], segment + 1
    return out


def _sign_segment(pieces: Sequence[tuple[str, bool]], segment: int, cues: Cues) -> list[_Word]:
    found = signs([text.lower() for text, _ in pieces], cues)
    return [_Word(text, sign, segment, quoted) for (text, quoted), sign in zip(pieces, found, strict=True)]


def _mentions(
    words: Sequence[_Word], lower: Sequence[str], vocabulary: Vocabulary, cues: Cues
) -> list[_Mention]:
    """Commands, flags and files named in the text, leftmost longest."""
    out: list[_Mention] = []
    i = 0
    while i < len(words):
        end = _command_end(words, lower, i, vocabulary, cues)
        word = words[i]
        if end > i:
            out.append(_Mention(tuple(w.text for w in words[i:end]), word.sign, i, end))
            i = end
            continue
        if word.text.startswith("-") and len(word.text) > 1:
            out.append(_Mention((word.text,), word.sign, i, i + 1, "flag"))
        elif (name := vocabulary.files.get(lower[i])) is not None or _FILE.match(word.text):
            out.append(_Mention((name or word.text,), word.sign, i, i + 1, "file"))
        i += 1
    return out


def _command_end(
    words: Sequence[_Word], lower: Sequence[str], start: int, vocabulary: Vocabulary, cues: Cues
) -> int:
    """Where the command that starts here ends; `start` when none does. It reaches as far as commands seen
    in training go, then over anything that looks like code: the whole of it must match later."""
    if PurePosixPath(words[start].text).name not in vocabulary.programs:
        return start
    end = start + 1
    here = words[start].segment
    while end < len(words) and words[end].segment == here:
        program, *rest = (w.text for w in words[start : end + 1])
        grown = (PurePosixPath(program).name, *rest)
        if (
            (
                grown in vocabulary.prefixes
                and not (
                    lower[end] in cues["boundaries"]
                    and not words[end].quoted
                    and grown[:-1] not in vocabulary.prefixes
                )
            )
            or words[end].quoted
            or _CODELIKE.search(words[end].text)
        ):
            end += 1
        else:
            break
    common = lower[start] in cues.stop or lower[start] in cues["verbs"] or lower[start] in cues["boundaries"]
    if common and end == start + 1 and not words[start].quoted:
        return start
    return end


def _nearest(wanted: Sequence[_Mention], unwanted: Sequence[_Mention]) -> tuple[_Mention, _Mention]:
    return min(
        ((w, u) for w in wanted for u in unwanted),
        key=lambda p: (abs(p[0].start - p[1].start), p[0].start),
    )


def _ordered(
    lower: Sequence[str], wanted: Sequence[_Mention], occasion: Occasion, cues: Cues
) -> Beside | None:
    """ "A before B", "A first" (on an occasion), "A after B"."""
    for name, before in (("before", True), ("after", False)):
        for start, end in cues[name].spans(lower):
            anchor = next((m for m in wanted if end <= m.start <= end + 2), None)
            act = next((m for m in wanted if m is not anchor and not start <= m.start < end), None)
            if anchor is not None and act is not None:
                return Beside(Occasion(command=anchor.words), command=act.words, before=before)
            if act is not None and anchor is None and occasion.command:
                return Beside(occasion, command=act.words, before=before)
    if len(wanted) == 1 and occasion.command and cues["first"].found_in(lower):
        return Beside(occasion, command=wanted[0].words, before=True)
    return None


def _own_occasion(
    words: Sequence[_Word], lower: Sequence[str], mentions: Sequence[_Mention], cues: Cues
) -> Occasion:
    """The occasion the lesson's own words give: what follows "whenever", "when", "on" in its segment."""
    taken = {i for m in mentions for i in range(m.start, m.end)}
    for start, end in cues["when"].spans(lower):
        tail = [
            lower[i]
            for i in range(end, len(lower))
            if words[i].segment == words[start].segment and i not in taken
        ]
        stems = frozenset(content(tail, cues))
        if stems:
            return Occasion(stems=stems)
    return Occasion()
