"""The simple commands in a shell text, as words; for any input, in linear time."""

from __future__ import annotations

import re

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
_REDIRECTION = re.compile(r"&>>?|\d*(?:<<<|<<-?|<>|>>|>&|<&|>\||<|>)")
_OPERATORS = ("&&", "||", ";;", "|&", ";", "|", "&", "(", ")", "\n")
_RESERVED = frozenset(
    ["if", "then", "elif", "else", "fi", "while", "until", "do", "done", "{", "}", "!", "esac"]
)
_WORD_ENDS = frozenset(" \t\r\n;|&()<>")
_MAX_DEPTH = 40


def simple_commands(text: str, *, assignments: bool = False) -> tuple[tuple[str, ...], ...]:
    """Splits shell text into simple commands, each a tuple of words with quotes removed.

    Commands end at `&&`, `||`, `;`, `|`, `&`, parentheses and line breaks outside quotes. Redirections,
    comments, here-document bodies and reserved words (`if`, `do` ...) belong to no command; leading
    `NAME=value` words are dropped unless `assignments`. A substitution (`$(...)`, backticks) stays as written
    inside its word. Prefixes such as `sudo` are commands like any other. Never raises: a quote that is never
    closed is a plain character when it is the last of its kind, else it runs to the end.
    """
    return tuple(_Scanner(text, assignments).commands())


class _Scanner:
    """One pass over `text`; `at` only moves forward, so the time is linear."""

    def __init__(self, text: str, assignments: bool) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.keep_assignments = assignments
        # Looking ahead for a partner that is not there, once per opener, would be quadratic.
        self.last = {closer: self.text.rfind(closer) for closer in "'\"`}"}

    def commands(self, depth: int = 0) -> list[tuple[str, ...]]:
        """Commands up to the end, or inside a substitution (`depth` > 0) up to its closing parenthesis."""
        found: list[tuple[str, ...]] = []
        words: list[str] = []
        here_documents: list[tuple[str, bool]] = []
        parentheses = 0
        while self.at < len(self.text):
            self._skip_blanks()
            if self.at >= len(self.text):
                break
            redirection = None if self._is_process_substitution() else self._match(_REDIRECTION)
            if redirection is not None:
                self._redirect(redirection, here_documents, depth)
            elif operator := self._operator():
                self.at += len(operator)
                self._finish(words, found)
                if operator == "\n":
                    self._skip_here_documents(here_documents)
                parentheses += (operator == "(") - (operator == ")")
                if depth and parentheses < 0:
                    return found
            else:
                words.append(self._word(depth))
        self._finish(words, found)
        return found

    def _finish(self, words: list[str], found: list[tuple[str, ...]]) -> None:
        first = 0
        while first < len(words) and (
            words[first] in _RESERVED or (not self.keep_assignments and _ASSIGNMENT.match(words[first]))
        ):
            first += 1
        if words[first:]:
            found.append(tuple(words[first:]))
        words.clear()

    # --- between words

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.at)
        return found.group() if found else None

    def _operator(self) -> str:
        return next((op for op in _OPERATORS if self.text.startswith(op, self.at)), "")

    def _skip_blanks(self) -> None:
        while self.at < len(self.text):
            if self.text[self.at] in " \t\r":
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            elif self.text[self.at] == "#":
                self.at = self._find("\n", len(self.text))
            else:
                return

    def _find(self, needle: str, default: int) -> int:
        found = self.text.find(needle, self.at)
        return found if found >= 0 else default

    def _is_process_substitution(self) -> bool:
        return self.text.startswith(("<(", ">("), self.at)

    def _redirect(self, operator: str, here_documents: list[tuple[str, bool]], depth: int) -> None:
        self.at += len(operator)
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1
        if self.at >= len(self.text) or self.text[self.at] in _WORD_ENDS:
            return
        target = self._word(depth)
        here = operator.lstrip("0123456789")
        if here in ("<<", "<<-"):
            here_documents.append((target, here == "<<-"))

    def _skip_here_documents(self, here_documents: list[tuple[str, bool]]) -> None:
        for delimiter, is_indented in here_documents:
            while self.at < len(self.text):
                end = self._find("\n", len(self.text))
                line = self.text[self.at : end].rstrip("\r")
                self.at = end + 1
                if (line.lstrip("\t") if is_indented else line) == delimiter:
                    break
        here_documents.clear()

    # --- words

    def _word(self, depth: int) -> str:
        parts: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if self._is_process_substitution():
                parts.append(self._substitution(2, depth))
            elif char in _WORD_ENDS:
                break
            elif char == "\\":
                escaped = self.text[self.at + 1 : self.at + 2]
                parts.append("" if escaped == "\n" else escaped or char)
                self.at += 2
            elif char in "'\"`" and self.last[char] > self.at:
                parts.append(self._quoted(char, depth))
            elif char == "$":
                parts.append(self._dollar(depth))
            else:
                parts.append(char)
                self.at += 1
        return "".join(parts)

    def _quoted(self, quote: str, depth: int) -> str:
        if quote == '"':
            return self._double_quoted(depth)
        start = self.at
        self.at += 1
        end = self._find(quote, len(self.text))
        self.at = end + 1
        return self.text[start + 1 : end] if quote == "'" else self.text[start : self.at]

    def _double_quoted(self, depth: int) -> str:
        parts: list[str] = []
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                break
            if char == "\\":
                escaped = self.text[self.at + 1 : self.at + 2]
                parts.append("" if escaped == "\n" else escaped if escaped in '$`"\\' else char + escaped)
                self.at += 2
            elif char == "$" and self.text.startswith("$(", self.at):
                parts.append(self._dollar(depth))
            else:
                parts.append(char)
                self.at += 1
        return "".join(parts)

    def _dollar(self, depth: int) -> str:
        text, start = self.text, self.at
        if text.startswith("$(", start):
            return self._substitution(2, depth)
        if text.startswith("${", start):
            self.at = self._find("}", 0) + 1 if self.last["}"] > start else start + 2
            return text[start : self.at]
        if text.startswith("$'", start):
            return self._ansi_quoted()
        self.at += 1
        return "$"

    def _ansi_quoted(self) -> str:
        start = self.at + 2
        self.at = start
        while self.at < len(self.text) and self.text[self.at] != "'":
            self.at += 2 if self.text[self.at] == "\\" else 1
        content = self.text[start : self.at]
        self.at += 1
        return content.replace("\\n", "\n").replace("\\t", "\t").replace("\\'", "'").replace("\\\\", "\\")

    def _substitution(self, opening: int, depth: int) -> str:
        """A `$(...)` or `<(...)` as written; its end is found by reading the commands in it."""
        start = self.at
        self.at += opening
        if depth < _MAX_DEPTH:
            self.commands(depth + 1)
        return self.text[start : self.at]
