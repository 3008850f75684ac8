"""Secrets out of a text before it is stored, shown, embedded or sent.

Known shapes become `[redacted:kind]`. Every pattern starts at a token boundary and has no nested repetition,
so the time is linear in the text. Ordinary words, git hashes and UUIDs stay.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)|[@-Z\\^_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def strip_controls(text: str) -> str:
    """The text without terminal escape sequences and control characters (newline and tab stay), and with
    lone surrogates, which no file can hold, replaced."""
    if text.isascii() and text.isprintable():
        return text
    text = _ESCAPE.sub("", text.replace("\r\n", "\n"))
    return _SURROGATE.sub("�", _CONTROL.sub("", text))


class _Rule(NamedTuple):
    kind: str
    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    is_secret: Callable[[str], bool] | None = None


def _token(kind: str, needles: str, body: str, is_secret: Callable[[str], bool] | None = None) -> _Rule:
    return _Rule(kind, tuple(needles.split()), re.compile(rf"(?<![A-Za-z0-9])(?:{body})"), is_secret)


def _looks_random(value: str) -> bool:
    """Letters and digits mixed, with few repetitions: not a word, not a number."""
    has_digit = any(char.isdigit() for char in value)
    has_letter = any(char.isalpha() for char in value)
    return has_digit and has_letter and _entropy(value) >= 2.5


def _entropy(value: str) -> float:
    if not value:
        return 0.0
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())


_RULES: tuple[_Rule, ...] = (
    _token("anthropic", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{10,}"),
    _token("openai", "sk-", r"sk-(?:proj|svcacct|admin|or|lf)-[A-Za-z0-9_-]{16,}", _looks_random),
    _token("openai", "sk-", r"sk-[A-Za-z0-9_-]{20,}", _looks_random),
    _token("github", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{16,}"),
    _token("gitlab", "glpat- gldt- glrt- glptt-", r"gl(?:pat|dt|rt|ptt)-[A-Za-z0-9_.-]{16,}"),
    _token("slack", "xox xapp-", r"(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}"),
    _token("slack", "hooks.slack.com/services/", r"hooks\.slack\.com/services/[A-Za-z0-9/_-]{10,}"),
    _token("npm", "npm_", r"npm_[A-Za-z0-9]{30,}"),
    _token("pypi", "pypi-", r"pypi-[A-Za-z0-9_-]{40,}"),
    _token("huggingface", "hf_", r"hf_[A-Za-z0-9]{20,}"),
    _token("stripe", "_live_ _test_ whsec_", r"(?:(?:sk|rk|pk)_(?:live|test)|whsec)_[A-Za-z0-9]{10,}"),
    _token("google", "AIza", r"AIza[A-Za-z0-9_-]{30,}"),
    _token("google", "ya29.", r"ya29\.[A-Za-z0-9_.-]{16,}"),
    _token("google", "GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{16,}"),
    _token("sendgrid", "SG.", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    _token("token", "gsk_ dckr_pat_ lin_api_ ntn_ r8_ figd_ shpat_ sntrys_ dop_v1_",
           r"(?:gsk|dckr_pat|lin_api|ntn|r8|figd|shpat|sntrys|dop_v1)_[A-Za-z0-9_-]{20,}", _looks_random),
    _token("token", "xai- pplx- hvs. ATATT AGE-SECRET-KEY-1",
           r"(?:xai-|pplx-|hvs\.|ATATT|AGE-SECRET-KEY-1)[A-Za-z0-9_=-]{20,}", _looks_random),
    _token("jwt", "eyJ", r"(?<![_-])eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]{6,}){1,4}"),
)  # fmt: skip

_ANY_TOKEN = re.compile("|".join(sorted({re.escape(needle) for rule in _RULES for needle in rule.needles})))

_AWS_ID = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])")
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_AWS_NEAR = 240
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")

_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
# Without possessive repetition, which Python before 3.11.3 gets wrong; it ends at the first line that fails.
_PEM_BODY = re.compile(r"(?:(?:\s|\\[nr])+[A-Za-z0-9+/=]{20,})*")

_URL_PASSWORD = re.compile(r"(://[^\s/@:\"'<>]{0,100}:)([^\s/\"'<>]{1,200})(?=@)")
_USER_FLAG = re.compile(
    r"(?<!\S)((?:-u|--user|--proxy-user)(?:\s{1,4}|=)[\"']?[^\s:\"']{1,100}:)([^\s\"']{1,200})"
)
_MYSQL_FLAG = re.compile(
    r"\b((?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n|;&]{0,200}?\s-p)([^\s-][^\s]{2,100})"
)
_SSHPASS = re.compile(r"\b(sshpass\s{1,4}-p\s{0,4})(\S{3,200})")
_AUTH_HEADER = re.compile(
    r"(?i)\b(authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer|basic|token)\s{1,3})([^\s\"']{6,})"
)
_BEARER = re.compile(r"(?i)\b((?:bearer|basic)\s{1,3})([A-Za-z0-9._~+/=-]{16,})")

_KEYWORDS = (
    r"password|passwd|passphrase|pwd|_pass|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|"
    r"account[_-]?key|signing[_-]?key|encryption[_-]?key|credentials?|_auth"
)  # fmt: skip
_ASSIGNED = re.compile(
    r"(?<![A-Za-z0-9_.-])"
    rf"(?P<name>[A-Za-z0-9_.-]{{0,40}}?(?P<word>{_KEYWORDS})[A-Za-z0-9_]{{0,20}})"
    r"(?P<eq>[\"']?\s{0,3}(?:=>|:=|=|:|(?<=\s)is(?=\s))\s{0,3})"
    r"(?P<value>\"[^\"\n]{1,500}\"|'[^'\n]{1,500}'|[^\s\"'&;,(){}\[\]<>`|]{1,500})",
    re.IGNORECASE,
)
_FLAGGED = re.compile(
    r"(?<!\S)(?P<name>--?[A-Za-z0-9-]{0,30}?(?P<word>password|passwd|passphrase|secret|token|api-key|access-key))"
    r"(?P<eq>[ \t]{1,3})(?P<value>\"[^\"\n]{1,500}\"|'[^'\n]{1,500}'|[^\s\"'-][^\s\"']{0,500})",
    re.IGNORECASE,
)
_KEY_VARIABLE = re.compile(
    r"(?<![A-Za-z0-9_])(?P<name>[A-Z0-9_]{0,40}?(?P<word>KEY|SALT|AUTH|PAT|DSN|SIGNATURE)[A-Z0-9_]{0,20})"
    r"(?P<eq>=)(?P<value>\"[^\"\n]{1,500}\"|'[^'\n]{1,500}'|[^\s\"'&;,(){}\[\]<>`|]{1,500})"
)
_ANY_NAME = re.compile(r"passw|passphrase|pwd|_pass|secret|token|key|credential|_auth")
_PLACEHOLDER = re.compile(
    r"[$<*%{\[].*|\[redacted.*|x{3,}|\.{3,}|none|null|nil|true|false|undefined|string|str|bytes|int|bool|optional"
    r"|required|changeme|your[_-].*|(?:os|process|self|config|settings|env|secrets?)\.\w.*",
    re.IGNORECASE | re.DOTALL,
)
_PASSWORD_WORDS = ("pass", "pwd")


def redact(text: str) -> str:
    """The text with every secret of a known shape replaced by `[redacted:kind]`. Redacting twice changes
    nothing more."""
    if "PRIVATE KEY" in text:
        text = _redact_pem(text)
    text = _redact_aws(text)
    if _ANY_TOKEN.search(text):
        for rule in _RULES:
            if any(needle in text for needle in rule.needles):
                text = rule.pattern.sub(_replacer(rule), text)
    return _redact_named(text)


def _replacer(rule: _Rule) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        found = match.group()
        return f"[redacted:{rule.kind}]" if rule.is_secret is None or rule.is_secret(found) else found

    return replace


def _redact_pem(text: str) -> str:
    parts: list[str] = []
    at = 0
    has_end = True
    while begin := _PEM_BEGIN.search(text, at):
        end = _PEM_END.search(text, begin.end()) if has_end else None
        has_end = end is not None
        body = _PEM_BODY.match(text, begin.end())
        stop = end.end() if end else body.end() if body else begin.end()
        parts += [text[at : begin.start()], "[redacted:private-key]"]
        at = stop
    return "".join(parts) + text[at:]


def _redact_aws(text: str) -> str:
    ids = [match.start() for match in _AWS_ID.finditer(text)]
    if ids:
        parts: list[str] = []
        at = 0
        nearest = 0
        for match in _AWS_SECRET.finditer(text):
            while nearest + 1 < len(ids) and ids[nearest + 1] <= match.start():
                nearest += 1
            near = any(abs(match.start() - place) <= _AWS_NEAR for place in ids[nearest : nearest + 2])
            if near and not _HEX.fullmatch(match.group()):
                parts += [text[at : match.start()], "[redacted:aws]"]
                at = match.end()
        text = "".join(parts) + text[at:]
        text = _AWS_ID.sub("[redacted:aws]", text)
    return text


def _redact_named(text: str) -> str:
    """Secrets known by what stands before them: a URL, a flag, a header, a name."""
    lower = text.lower()
    if "://" in text:
        text = _URL_PASSWORD.sub(_keep_prefix, text)
    if "-u" in text or "--" in text:
        text = _USER_FLAG.sub(_keep_prefix, text)
    if "mysql" in lower or "mariadb" in lower:
        text = _MYSQL_FLAG.sub(_keep_prefix, text)
    if "sshpass" in lower:
        text = _SSHPASS.sub(_keep_prefix, text)
    if "authorization" in lower:
        text = _AUTH_HEADER.sub(_keep_prefix, text)
    if "bearer" in lower or "basic" in lower:
        text = _BEARER.sub(lambda m: _keep_prefix(m) if _looks_random(m.group(2)) else m.group(), text)
    if _ANY_NAME.search(lower):
        text = _ASSIGNED.sub(_assigned, text)
        text = _FLAGGED.sub(_assigned, text)
    return _KEY_VARIABLE.sub(_key_variable, text) if "=" in text else text


def _keep_prefix(match: re.Match[str]) -> str:
    value = match.group(2)
    if _PLACEHOLDER.fullmatch(value) or (value.isdigit() and match.group(1)[-2:-1].isdigit()):
        return match.group()
    return f"{match.group(1)}[redacted:password]"


def _split_quotes(value: str) -> tuple[str, str]:
    quote = value[0] if value[:1] in "\"'" and value[-1:] == value[:1] and len(value) > 1 else ""
    return quote, value[1:-1] if quote else value


def _assigned(match: re.Match[str]) -> str:
    quote, value = _split_quotes(match["value"])
    word = match["word"].lower()
    if not value or _PLACEHOLDER.fullmatch(value):
        return match.group()
    tight = match["eq"] == "=" or match["name"].startswith("-")
    if any(part in word for part in _PASSWORD_WORDS):
        secret = len(value) >= (3 if tight or quote else 6) and (tight or bool(quote) or not value.isalpha())
        kind = "password"
    else:
        secret = len(value) >= 8 and _looks_random(value)
        secret = secret or (len(value) >= 24 and " " not in value and _entropy(value) >= 3.5)
        kind = "secret"
    return f"{match['name']}{match['eq']}{quote}[redacted:{kind}]{quote}" if secret else match.group()


def _key_variable(match: re.Match[str]) -> str:
    quote, value = _split_quotes(match["value"])
    if len(value) < 16 or _PLACEHOLDER.fullmatch(value) or not _looks_random(value) or _entropy(value) < 3.0:
        return match.group()
    return f"{match['name']}={quote}[redacted:secret]{quote}"
