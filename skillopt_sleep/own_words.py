"""What a person said themselves in a prompt, without what they pasted or quoted from elsewhere.

A prompt may hold a page, a log or a file with sentences that ask for things. Nothing marks them for sure, so
this leaves out what has the form of a paste; such words may still be shown as what was said in a session, but
no lesson is made of them.
"""

from __future__ import annotations

import re

LONG = 10
"""A prompt with more lines than this holds a paste: only its short first paragraph is taken as said."""

_LEAD = 3
_LONG_LINE = 500
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n?(?:.*?^[ \t]*\1[^\n]*$|.*)", re.MULTILINE | re.DOTALL)
_CLOSED_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n.*?^[ \t]*\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
_OPENING = re.compile(r"<([A-Za-z][\w-]{0,40})(?: [^<>]{0,200})?>")
_CLOSING = re.compile(r"</([A-Za-z][\w-]{0,40})\s*>")
_PASTED_LINE = re.compile(
    r">|\t| {4,}\S|\|"  # quoted, indented code, a table
    r"|\[?\d{4}-\d\d-\d\d[T ]?|\[?\d\d:\d\d:\d\d"
    r"|\[?(?:ERROR|WARN(?:ING)?|INFO|DEBUG|TRACE|FATAL|CRITICAL|NOTICE|PASS|FAIL)\b"
    r"|(?:error|warning|fatal|remote|hint|npm|yarn|pnpm)(?:\[\w+\])?(?: (?:ERR!|WARN|error|warning))?: ?\S"
    r"|npm (?:ERR!|WARN|notice)(?!\w)|Traceback \(|\s*at \S+ ?\(|\s*File \"[^\"]+\", line \d"
    r"|(?:\$|>>>|\.\.\.|#|%|PS [^>]{0,80}>) \S|(?:diff --git|index [0-9a-f]{7}|@@ |\+\+\+ |--- )"
)
_QUOTED = re.compile(
    r"“[^”\n]{12,}”|„[^“”\n]{12,}[“”]|«[^»\n]{12,}»|\"[^\"\n]{12,}\"|(?<!\w)'[^'\n]{12,}'(?!\w)"
)
_FEW_WORDS = 4


def own_words(text: str) -> str:
    """The text without fenced and indented code, quoted lines, logs, marked-up blocks and long quotations; of
    a long one only the short paragraph it begins with. What is left keeps its order; gaps end sentences."""
    text = _without_blocks(_FENCE.sub("\n", text))
    lines = [line for line in text.split("\n") if len(line) <= _LONG_LINE and not _PASTED_LINE.match(line)]
    if sum(bool(line.strip()) for line in lines) > LONG:
        lines = _first_paragraph(lines)
    return _QUOTED.sub(_without_quotation, "\n".join(lines)).strip()


def outside_marked_pastes(text: str) -> str:
    """The text without what is put in beyond doubt: fenced code and `<tag>...</tag>`, both closed."""
    return _without_blocks(_CLOSED_FENCE.sub("\n", text))


def _without_blocks(text: str) -> str:
    """What stands outside `<tag>...</tag>`; a tag that is never closed is only a word."""
    ends = {match[1]: match.end() for match in _CLOSING.finditer(text)}
    kept: list[str] = []
    at = 0
    for match in _OPENING.finditer(text):
        if match.start() >= at and ends.get(match[1], 0) > match.end():
            kept += [text[at : match.start()], "\n"]
            at = ends[match[1]]
    return "".join(kept) + text[at:]


def _first_paragraph(lines: list[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if line.strip():
            found.append(line)
        elif found:
            break
    return found if len(found) <= _LEAD else []


def _without_quotation(match: re.Match[str]) -> str:
    return "\n" if len(match.group().split()) >= _FEW_WORDS else match.group()
