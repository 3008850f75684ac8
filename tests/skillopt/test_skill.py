"""A skill keeps its bytes, and knows its front matter and regions."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillopt.core.skill import Skill
from skillopt.errors import SkillFormatError

S, E = "<!-- SLOW_UPDATE_START -->", "<!-- SLOW_UPDATE_END -->"
A, AE = "<!-- APPENDIX_START -->", "<!-- APPENDIX_END -->"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# a",
        b"# a\n",
        b"\xef\xbb\xbf---\r\nname: a\r\n---\r\nbody",
        "é\r\n\n\r".encode(),
        b"\x00\x0c\x85"[:2],
    ],
)
def test_round_trip(data: bytes) -> None:
    skill = Skill.from_bytes(data)
    assert skill.to_bytes() == data
    assert skill.sha == hashlib.sha256(data).hexdigest()


@given(st.text(alphabet="-a: \r\n\ufeff", max_size=40))
def test_parts_make_the_whole(text: str) -> None:
    skill = Skill(text)
    assert skill.front_matter + skill.body == text
    assert Skill.from_bytes(skill.to_bytes()) == skill


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\xc3"])
def test_not_utf8(data: bytes) -> None:
    with pytest.raises(SkillFormatError, match="not UTF-8"):
        Skill.from_bytes(data)


def test_lone_surrogate() -> None:
    with pytest.raises(SkillFormatError, match="offset 1"):
        Skill("a\ud800")


@pytest.mark.parametrize(
    ("text", "front"),
    [
        ("---\nname: a\n---\n# b\n", "---\nname: a\n---\n"),
        ("\ufeff---\r\nname: a\r\n---\r\n", "\ufeff---\r\nname: a\r\n---\r\n"),
        ("---\n---\nb", "---\n---\n"),
        ("---\nname: a\n---", "---\nname: a\n---"),
        ("---\nname: a --- b\n ---\n---  \nx", "---\nname: a --- b\n ---\n---  \n"),
        ("# a\n---\nb\n---\n", ""),
        ("---\nname: a\n", ""),
        ("----\na\n----\n", ""),
        ("", ""),
    ],
)
def test_front_matter(text: str, front: str) -> None:
    assert Skill(text).front_matter == front


def test_metadata() -> None:
    assert Skill("\ufeff---\r\nname: a\r\nmetadata: {x: '1'}\r\n---\r\n").metadata() == {
        "name": "a",
        "metadata": {"x": "1"},
    }
    assert Skill("# a").metadata() == {}
    assert Skill("---\n# nothing\n---\n").metadata() == {}


@pytest.mark.parametrize(
    "text",
    [
        "---\na: b: c\n---\n",
        "---\n- a\n---\n",
        "---\nname: a\n",
        "---\n1: a\n---\n",
        "---\na: 2026-99-01\n---\n",
    ],
)
def test_bad_metadata(text: str) -> None:
    with pytest.raises(SkillFormatError):
        Skill(text).metadata()


@pytest.mark.parametrize(
    ("text", "newline"),
    [("", "\n"), ("a\r\nb", "\r\n"), ("a\r\nb\n", "\n"), ("a\r\nb\r\nc\n", "\r\n"), ("a\r", "\n")],
)
def test_newline(text: str, newline: str) -> None:
    assert Skill(text).newline == newline


def test_regions() -> None:
    text = f"# a\n{S}\nslow\n{E}\nmiddle\n{A}{AE}\n"
    slow, appendix = Skill(text).regions()
    assert (slow.name, appendix.name) == ("SLOW_UPDATE", "APPENDIX")
    assert text[slow.start : slow.end] == f"{S}\nslow\n{E}"
    assert text[slow.inner_start : slow.inner_end] == "\nslow\n"
    assert Skill(text).region("APPENDIX") == appendix
    assert Skill(text).region("SKILLOPT_LEARNED") is None


@pytest.mark.parametrize(
    "text",
    [
        f"```\n{S}\n```\n",
        f"~~~~ md\n{S}\n```\n~~~\n{E}{E}\n~~~~\n",
        f"  ```\n{S}\n  ```\n",
        f"write `{S}` to open\n",
        f"---\nnote: '{S}'\n---\n# a\n",
        "<!-- TOC_START -->\n<!-- slow_update_start -->\n",
    ],
)
def test_markers_that_are_text(text: str) -> None:
    assert Skill(text).regions() == ()


def test_a_fence_that_never_closes_hides_no_region() -> None:
    assert len(Skill(f"```\ncode\n{S}\n{E}\n").regions()) == 1
    assert len(Skill(f"``` a ` b\n{S}\n{E}\n").regions()) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"a\n{S}\n", "never closed"),
        (f"{E}\n", "no region of that name"),
        (f"{S}\n{A}\n{AE}\n{E}\n", "still open"),
        (f"{S}{AE}{E}", "no region of that name"),
        (f"{S}{E}\n{S}{E}", "twice"),
        (f"{S}\n```\n{E}\n```\n", "never closed"),
    ],
)
def test_bad_regions(text: str, why: str) -> None:
    with pytest.raises(SkillFormatError, match=why):
        Skill(text).regions()
