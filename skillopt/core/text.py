"""Text that can be stored: half a character, as models and JSON escapes may hold, is none."""

from __future__ import annotations

import re

_HALF = re.compile("[\ud800-\udfff]")


def storable(text: str) -> str:
    """`text` with U+FFFD for each lone surrogate, which UTF-8 has no bytes for."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def utf8(text: str) -> bytes:
    """The bytes of `text`; a lone surrogate is written as its escape, which JSON reads back as it was."""
    return text.encode(errors="backslashreplace")
