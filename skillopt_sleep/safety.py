"""What a person must look at before words enter a skill: more than a lesson may ask of an agent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from skillopt_sleep.proposal import Finding, Lesson
from skillopt_sleep.redact import redact

ECHO_MIN_WORDS = 6
"""A held-out text shorter than this is common speech, not an answer that leaked."""

_OUR_COMMENT = re.compile(r"<!-- (?:id: [0-9a-f]{8}|SKILLOPT_LEARNED_(?:START|END)) -->")

_FETCH = (
    r"\b(?:curl|wget|nc|ncat|netcat|scp|rsync|ssh|ftp|Invoke-WebRequest|iwr)\b"
    r"(?=[^\n]{0,80}?(?:://|[|><@]|\s-\w|\d\.\d|[\w-]\.[a-z]{2,}(?:[/:\s]|$)))"
)
_ALTERNATIVES: dict[str, tuple[str, tuple[str, ...]]] = {
    "permissions": (
        "speaks of what an agent is allowed to do",
        (
            r"\bpermissions?\b",
            r"bypass.?permission|dangerously|allowed[-_ ]tools|allow[-_]all|auto-?approve",
            r"--yolo\b|--full-auto\b|--no-sandbox\b|\bsandbox[-_]mode\b|approval[-_ ]policy",
            r"never ask (?:me |the user )?for (?:approval|confirmation)",
            r"\bsudo\b|\bchmod\b",
        ),
    ),
    "hooks": (
        "speaks of the hooks of an agent, or of skipping those of git",
        (
            r"\.(?:claude|codex|copilot|github)/hooks|\bhooks\.json\b|core\.hooksPath|--no-verify\b",
            r"\b(?:Pre|Post)ToolUse\b|\bUserPromptSubmit\b|\bSession(?:Start|End)\b",
            r"\b(?:agent|claude|codex|copilot|session|tool)(?:'s)? hooks?\b",
        ),
    ),
    "settings": (
        "speaks of the settings of an agent or of the machine",
        (
            r"\bsettings(?:\.local)?\.json\b|\.claude\.json\b|\.codex/config",
            r"\bmcp[-_]?(?:config|servers?)\b|\.mcp\.json\b",
            r"\b(?:agent|claude|codex|copilot)(?:'s)? settings\b",
            r"\.(?:bash|zsh)rc\b|\.gitconfig\b|\bcrontab\b|LD_PRELOAD",
        ),
    ),
    "network": (
        "fetches from, or sends to, the network",
        (
            # A fetch has somewhere to go or something to run; the name of a program alone has not.
            _FETCH,
            r"\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b",
        ),
    ),
    "credentials": (
        "names a place where credentials lie",
        (
            r"\.ssh\b|\.aws\b|\.gnupg\b|\.netrc\b|\.npmrc\b|\.pypirc\b|\.kube\b|(?<!\w)\.env\b",
            r"\bid_(?:rsa|ed25519|ecdsa|dsa)\b|/etc/(?:passwd|shadow)",
            r"\bcredentials?\b|\bkeychain\b|\bprivate[-_ ]keys?\b",
        ),
    ),
    "concealment": (
        "asks to ignore earlier instructions or to keep something from the person",
        (
            r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:previous|earlier|prior|above)\b",
            r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\binstructions?\b",
            r"\b(?:do not|don['’]t|never|without)\s+(?:tell|mention|inform)(?:ing)?\b",
            r"\b(?:do not|don['’]t|never)\s+(?:reveal|show the user)\b",
            r"\bsecretly\b|\bsystem prompt\b",
        ),
    ),
    "url": (
        "holds an address of the network",
        (r"\b[a-z][a-z0-9+.-]{1,15}://\S|\bwww\.\w|\bgit@[\w.-]+:",),
    ),
    "machine-path": (
        "holds a path of one machine",
        (
            r"(?<![\w./~-])/(?:home|users|root|opt|var|etc|tmp|mnt|srv|private|usr)/[^\s`'\"]+",
            r"\b[a-z]:\\[\w\\]",
        ),
    ),
    "structure": (
        "would open or close front matter, a code fence or a heading of the skill",
        (r"^[ \t]*(?:---|\.\.\.|\+\+\+)[ \t]*$", r"^[ \t]*(?:`{3,}|~{3,})", r"^[ \t]*#{1,6}\s"),
    ),
    "expansion": (
        "would be run or filled in by a client when it loads the skill",
        (r"!`|\$ARGUMENTS\b|\$\{[A-Z_]+\}|\{\{|\{%",),
    ),
    "encoded": ("holds a long encoded word", (r"(?<![\w+/=-])[0-9a-f]{32,}(?![\w+/=-])",)),
}
_RULES = tuple(
    (name, what, re.compile("|".join(alternatives), re.IGNORECASE | re.MULTILINE))
    for name, (what, alternatives) in _ALTERNATIVES.items()
)
_SAFEGUARD = re.compile(
    r"\b(?:never|not|no|without|drop|remove|avoid|don['’]t|nie|kein|ohne|jamais|sans|nunca|sin)\s+"
    r"(?:(?:use|pass|the|this|with|to|mit|avec|con)\s+){0,2}--no-verify\b",
    re.IGNORECASE,
)
"""Asking to keep the hooks of git is no way around them."""
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_-]{40,}")
_BLANK_LOOKALIKES = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def screen(added: str, held_out: Sequence[str] = ()) -> tuple[Finding, ...]:
    """Every kind of finding in the words a change adds, each kind once, with the words around its place.

    `held_out` are texts the optimizer must not have seen: words of held-out sessions, literals of checks.
    """
    # Only cleaned words are quoted: a finding is stored and shown.
    text = redact(added)
    findings = [*_hidden_characters(text), *_comments(text), *_long_words(text), *_echoes(text, held_out)]
    if text != added:
        at = max(text.find("[redacted:"), 0)
        findings.append(Finding("secret", "holds what looks like a secret", _around(text, at, at + 10)))
    # Compatibility forms (full-width letters, ligatures) read the same to a model, so rules see through them.
    plain = unicodedata.normalize("NFKC", _OUR_COMMENT.sub("", text))
    plain = _SAFEGUARD.sub("", "".join(c for c in plain if not _is_hidden(c)))
    for name, what, pattern in _RULES:
        if match := pattern.search(plain):
            findings.append(Finding(name, what, _around(plain, match.start(), match.end())))
    unique = {finding.name: finding for finding in reversed(findings)}
    return tuple(sorted(unique.values(), key=lambda finding: finding.name))


def screen_lessons(
    lessons: Iterable[Lesson], occasions: Iterable[str] = (), held_out: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """`screen` over what lessons add to a file: their sentences and the occasions of the description."""
    return screen("\n\n".join([*(lesson.text for lesson in lessons), *occasions]), held_out)


def _hidden_characters(text: str) -> Iterable[Finding]:
    for at, char in enumerate(text):
        if _is_hidden(char):
            where = f"U+{ord(char):04X} in {_around(text, at, at + 1)}"
            yield Finding("hidden-characters", "holds characters a reader cannot see", where)
            return


def _is_hidden(char: str) -> bool:
    if char in "\n\t":
        return False
    code = ord(char)
    return (
        unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
        or char in _BLANK_LOOKALIKES
        or 0xFE00 <= code <= 0xFE0E
        or 0xE0100 <= code <= 0xE01EF
    )


def _comments(text: str) -> Iterable[Finding]:
    rest = _OUR_COMMENT.sub("", text)
    if match := re.search(
        r"(?:<|&lt;)!--|--(?:>|&gt;)|SKILLOPT_LEARNED|SLOW_UPDATE_|APPENDIX_(?:START|END)", rest
    ):
        yield Finding(
            "html-comment", "holds a comment or marker readers do not see", _around(rest, *match.span())
        )


def _long_words(text: str) -> Iterable[Finding]:
    for match in _LONG_WORD.finditer(text):
        word = match.group()
        if (
            any(c.islower() for c in word)
            and any(c.isupper() for c in word)
            and any(c.isdigit() for c in word)
        ):
            yield Finding("encoded", "holds a long encoded word", _around(text, *match.span()))
            return


def _echoes(text: str, held_out: Sequence[str]) -> Iterable[Finding]:
    spoken = f" {_words(text)} "
    for other in held_out:
        words = _words(other)
        if words.count(" ") + 1 >= ECHO_MIN_WORDS and f" {words} " in spoken:
            yield Finding("echo", "repeats words that were held out from learning", words[:80])
            return


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _around(text: str, start: int, end: int) -> str:
    piece = text[max(0, start - 20) : min(end, start + 60) + 20]
    shown = "".join(f"\\u{{{ord(c):x}}}" if _is_hidden(c) else c for c in piece)
    return re.sub(r"\s+", " ", shown).strip()
