"""A skill document as exact text: front matter, body, and the protected regions inside it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

import yaml

from skillopt.core.task import Json
from skillopt.errors import SkillFormatError

SkillKind = Literal["skill", "memory"]

REGION_NAMES = ("SLOW_UPDATE", "APPENDIX", "SKILLOPT_LEARNED")
"""The protected regions an editor of the body can neither enter nor cross."""

_BOM = "\ufeff"
_FRONT_MATTER = re.compile(rf"{_BOM}?---[ \t]*\r?\n(?:.*?\r?\n)??---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_OPENED_FRONT_MATTER = re.compile(rf"{_BOM}?---[ \t]*\r?\n")
_MARKER = re.compile(rf"<!--[ \t]*({'|'.join(REGION_NAMES)})_(START|END)[ \t]*-->")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})([^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Region:
    """A protected region: `[start, end)` with its markers, `[inner_start, inner_end)` between them.

    Offsets are in characters of the skill text.
    """

    name: str
    start: int
    inner_start: int
    inner_end: int
    end: int


@dataclass(frozen=True, slots=True)
class Skill:
    """The markdown document under training, kept to the byte.

    `kind` is `memory` for CLAUDE.md and its like. Raises SkillFormatError when the text is not UTF-8.
    """

    text: str
    kind: SkillKind = "skill"

    def __post_init__(self) -> None:
        try:
            self.text.encode()
        except UnicodeEncodeError as error:
            raise SkillFormatError(
                f"the skill holds a character that UTF-8 cannot store, at offset {error.start}",
                next="remove the lone surrogate from the text",
            ) from error

    @classmethod
    def from_bytes(cls, data: bytes, kind: SkillKind = "skill") -> Skill:
        """Reads UTF-8; byte order mark, line endings and a missing final newline are kept.

        Raises SkillFormatError when the bytes are not UTF-8.
        """
        try:
            return cls(data.decode("utf-8"), kind)
        except UnicodeDecodeError as error:
            raise SkillFormatError(
                f"the skill is not UTF-8 text, byte {error.start} cannot be read",
                why=error.reason,
                next="save the file as UTF-8",
            ) from error

    def to_bytes(self) -> bytes:
        """The very bytes `from_bytes` read."""
        return self.text.encode()

    @property
    def sha(self) -> str:
        """Hex sha256 of the bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def front_matter(self) -> str:
        """The front matter verbatim, with its `---` lines; empty when there is none."""
        found = _FRONT_MATTER.match(self.text)
        return found.group() if found else ""

    @property
    def body(self) -> str:
        """All that follows the front matter: `front_matter + body == text`."""
        return self.text[len(self.front_matter) :]

    @property
    def newline(self) -> str:
        r"""The line ending most lines have: `\n` or `\r\n`."""
        crlf = self.text.count("\r\n")
        return "\r\n" if crlf > self.text.count("\n") - crlf else "\n"

    def metadata(self) -> dict[str, Json]:
        """The front matter as YAML reads it, empty when there is none.

        Raises SkillFormatError when it is not closed, not YAML, or not a mapping.
        """
        front = self.front_matter
        if not front:
            if _OPENED_FRONT_MATTER.match(self.text):
                raise SkillFormatError("the front matter is never closed", next="end it with a line of ---")
            return {}
        content = "\n".join(front.rstrip("\r\n").split("\n")[1:-1])
        try:
            data = yaml.safe_load(content)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise SkillFormatError(
                "the front matter is not YAML", why=" ".join(str(error).split())
            ) from error
        if data is None:
            return {}
        if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
            raise SkillFormatError("the front matter is not a list of `key: value` lines")
        return data

    def regions(self) -> tuple[Region, ...]:
        """The protected regions in document order. Markers in front matter or code are text.

        Raises SkillFormatError when a marker lacks its partner, regions nest, or one occurs twice.
        """
        found: list[Region] = []
        opened: re.Match[str] | None = None
        for marker in _markers(self.text, len(self.front_matter)):
            name, side = marker.groups()
            if side == "START":
                if opened is not None:
                    raise _bad_marker(self.text, marker, f"region {opened[1]} is still open")
                if any(region.name == name for region in found):
                    raise _bad_marker(self.text, marker, "the region occurs twice")
                opened = marker
            elif opened is None or opened[1] != name:
                raise _bad_marker(self.text, marker, "no region of that name is open")
            else:
                found.append(Region(name, opened.start(), opened.end(), marker.start(), marker.end()))
                opened = None
        if opened is not None:
            raise _bad_marker(self.text, opened, "the region is never closed")
        return tuple(found)

    def region(self, name: str) -> Region | None:
        """The region called `name`, None when the document has none. Raises as `regions`."""
        return next((region for region in self.regions() if region.name == name), None)


def has_marker(text: str) -> bool:
    """Whether `text` holds a region marker anywhere, in code too."""
    return _MARKER.search(text) is not None


def _bad_marker(text: str, marker: re.Match[str], why: str) -> SkillFormatError:
    line = text.count("\n", 0, marker.start()) + 1
    return SkillFormatError(
        f"line {line}: the marker {marker.group()} is out of place",
        why=why,
        next="pair every START marker with its END, without nesting",
    )


def _markers(text: str, start: int) -> list[re.Match[str]]:
    """Markers from offset `start` on that stand in neither a code fence nor a code span."""
    if not _MARKER.search(text, start):
        return []
    return [
        marker
        for line_start, line_end in _lines_outside_fences(text, start)
        for marker in _MARKER.finditer(text, line_start, line_end)
        if text.count("`", line_start, marker.start()) % 2 == 0
    ]


def _lines_outside_fences(text: str, start: int) -> list[tuple[int, int]]:
    """Spans of the lines outside code fences. A fence that is never closed hides nothing: an open quote in a
    user's file must not make a protected region writable."""
    outside: list[tuple[int, int]] = []
    fenced: list[tuple[int, int]] = []
    fence = ""
    position = start
    while position < len(text):
        end = text.find("\n", position) + 1 or len(text)
        found = _FENCE.match(text, position, end)
        if not fence and found and not (found[1][0] == "`" and "`" in found[2]):
            fence = found[1]
            fenced = [(position, end)]
        elif fence:
            fenced.append((position, end))
            if found and found[1][0] == fence[0] and len(found[1]) >= len(fence) and not found[2].strip():
                fence = ""
        else:
            outside.append((position, end))
        position = end
    return outside + fenced if fence else outside
