"""Edits change what they say and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillopt.core.edit import Edit, EditOutcome, apply_edits
from skillopt.core.skill import Skill
from skillopt.errors import ConfigError, SkillFormatError

S, E = "<!-- SLOW_UPDATE_START -->", "<!-- SLOW_UPDATE_END -->"
L, LE = "<!-- SKILLOPT_LEARNED_START -->", "<!-- SKILLOPT_LEARNED_END -->"
FRONT = "---\nname: a\n---\n"
LEARNED = "SKILLOPT_LEARNED"

APPENDED = [
    ("", "x", "x\n"),
    ("a\n", "x", "a\n\nx\n"),
    ("a\n\n", "x", "a\n\nx\n"),
    ("a", "x", "a\n\nx"),
    ("- a\n", "- x", "- a\n- x\n"),
    ("1. a\n", "2. x\n", "1. a\n2. x\n"),
    ("2026 was\n", "1x", "2026 was\n\n1x\n"),
    ("a\r\nb\r\n", "x\ny\n", "a\r\nb\r\n\r\nx\r\ny\r\n"),
    (FRONT, "x", FRONT + "x\n"),
    (FRONT.rstrip(), "x", FRONT + "x"),
    (f"a\n{S}\ns\n{E}\n", "x", f"a\n{S}\ns\n{E}\nx\n"),
    (f"a\n{S}\ns\n{E}", "x", f"a\n{S}\ns\n{E}\nx"),
]


@pytest.mark.parametrize(("text", "added", "after"), APPENDED)
def test_append(text: str, added: str, after: str) -> None:
    candidate = apply_edits(Skill(text), [Edit("append", added)])
    assert candidate.text == after
    assert candidate.parent_sha == Skill(text).sha
    assert [report.outcome for report in candidate.reports] == ["applied"]


@pytest.mark.parametrize(
    ("text", "edit", "after"),
    [
        ("a\nb\nc\n", Edit("insert_after", "x", "b"), "a\nb\nx\nc\n"),
        ("a\nb one two\nc\n", Edit("insert_after", "x\n", "one"), "a\nb one two\nx\nc\n"),
        ("a", Edit("insert_after", "x", "a"), "a\nx"),
        ("a\r\nb\r\n", Edit("insert_after", "x\ny", "a"), "a\r\nx\r\ny\r\nb\r\n"),
        ("a b c\n", Edit("replace", "x", "b"), "a x c\n"),
        ("a\r\nb\r\nc", Edit("replace", "x\ny", "a\nb"), "x\r\ny\r\nc"),
        ("a\nb\nc\n", Edit("delete", anchor="b"), "a\nc\n"),
        ("a\nb\nc", Edit("delete", anchor="c"), "a\nb"),
        ("a\r\nb", Edit("delete", anchor="b"), "a"),
        ("a\nb c\n", Edit("delete", anchor=" c"), "a\nb\n"),
        ("a\nb\nc\n", Edit("delete", anchor="\na\nb\n"), "c\n"),
        (FRONT + "a", Edit("delete", anchor="a"), FRONT),
        (f"a\n{S}\na\n{E}\n", Edit("replace", "x", "a"), f"x\n{S}\na\n{E}\n"),
        ("---\nname: b\n---\nb\n", Edit("replace", "x", "b"), "---\nname: b\n---\nx\n"),
    ],
)
def test_anchored(text: str, edit: Edit, after: str) -> None:
    candidate = apply_edits(Skill(text), [edit])
    assert candidate.text == after
    assert candidate.applied == (edit,)


@pytest.mark.parametrize(
    ("text", "edit", "outcome"),
    [
        ("a\n", Edit("insert_after", "x", "z"), "anchor_not_found"),
        ("a\n", Edit("replace", "x", "z"), "anchor_not_found"),
        ("a\n", Edit("delete", anchor="z"), "anchor_not_found"),
        ("a a\n", Edit("replace", "x", "a"), "anchor_ambiguous"),
        ("aaa\n", Edit("replace", "x", "aa"), "anchor_ambiguous"),
        ("a\n", Edit("append", " \n"), "empty"),
        ("a\n", Edit("replace", "", "a"), "empty"),
        ("a\n", Edit("delete", "x", " "), "empty"),
        ("a\n", Edit("insert_after", "x"), "empty"),
        ("a\nb\n", Edit("append", "a"), "duplicate"),
        ("a\r\nb\r\n", Edit("append", "a\nb"), "duplicate"),
        ("a\nb\n", Edit("insert_after", "b", "a"), "duplicate"),
        ("a\n", Edit("replace", "a", "a"), "duplicate"),
        (FRONT + "b\n", Edit("replace", "name: z", "name: a"), "protected"),
        (FRONT + "b\n", Edit("delete", anchor="---\nb"), "protected"),
        ("b\n", Edit("replace", FRONT, "b"), "protected"),
        (f"a\n{S}\ns\n{E}\nb\n", Edit("replace", "x", "s"), "protected"),
        (f"a\n{S}\ns\n{E}\nb\n", Edit("delete", anchor=f"a\n{S}"), "protected"),
        (f"a\n{S}\ns\n{E}\nb\n", Edit("delete", anchor=E), "protected"),
        (f"a\n{S}\ns\n{E}\nb\n", Edit("delete", anchor=f"a\n{S}\ns\n{E}\nb"), "protected"),
        (f"a\n{S}\ns\n{E}\nb\n", Edit("insert_after", "```", "a"), "applied"),
        (f"a\n{S}\ns\n{E}\nb\n```\n", Edit("insert_after", "``` py", "a"), "protected"),
        (f"a {S}\ns\n{E}\n", Edit("insert_after", "x", "a"), "protected"),
        ("a\n", Edit("append", f"x {S} y"), "protected"),
        ("a\n", Edit("append", f"```\n{E}\n```"), "protected"),
        ("<!-- SLOW_\n", Edit("replace", "_UPDATE_START -->", "_"), "protected"),
        (f"a\n{S}\n", Edit("append", "x"), "protected"),
    ],
)
def test_outcomes(text: str, edit: Edit, outcome: str) -> None:
    candidate = apply_edits(Skill(text), [edit])
    assert [report.outcome for report in candidate.reports] == [outcome]
    assert (candidate.text == text) == (outcome != "applied")


def test_each_edit_sees_the_one_before() -> None:
    edits = [
        Edit("append", "- b"),
        Edit("append", "- b"),
        Edit("insert_after", "- c", "- b"),
        Edit("delete", anchor="- z"),
    ]
    candidate = apply_edits(Skill("- a\n"), edits)
    assert candidate.text == "- a\n- b\n- c\n"
    assert [report.outcome for report in candidate.reports] == [
        "applied",
        "duplicate",
        "applied",
        "anchor_not_found",
    ]


def test_a_lone_surrogate_from_a_model_is_no_accident() -> None:
    assert apply_edits(Skill("a\n"), [Edit("append", "x\ud800")]).text == "a\n\nx?\n"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", f"{L}\n- x\n{LE}\n"),
        ("a", f"a\n\n{L}\n- x\n{LE}"),
        ("a\n", f"a\n\n{L}\n- x\n{LE}\n"),
        ("a\r\n", f"a\r\n\r\n{L}\r\n- x\r\n{LE}\r\n"),
        (FRONT, f"{FRONT}\n{L}\n- x\n{LE}\n"),
        (f"a\n{L}\n- b\n{LE}\nc", f"a\n{L}\n- b\n- x\n{LE}\nc"),
        (f"a\n{L}\nb\n{LE}\nc", f"a\n{L}\nb\n\n- x\n{LE}\nc"),
        (f"{L}{LE}", f"{L}\n- x\n{LE}"),
        (f"```\n{L}\n```\n", f"```\n{L}\n```\n\n{L}\n- x\n{LE}\n"),
        ("```\nopen", f"```\nopen\n\n{L}\n- x\n{LE}"),
    ],
)
def test_append_within(text: str, after: str) -> None:
    assert apply_edits(Skill(text), [Edit("append", "- x")], within=LEARNED).text == after


@pytest.mark.parametrize(
    ("edit", "after"),
    [
        (Edit("delete", anchor="- one"), f"one\n\n{L}\n- two\n{LE}\n\nuser\n"),
        (Edit("replace", "- 2", "- two"), f"one\n\n{L}\n- one\n- 2\n{LE}\n\nuser\n"),
        (Edit("insert_after", "- 1b", "- one"), f"one\n\n{L}\n- one\n- 1b\n- two\n{LE}\n\nuser\n"),
        (Edit("delete", anchor="- one\n- two"), "one\n\nuser\n"),
        (Edit("delete", anchor="user"), None),
        (Edit("delete", anchor=LE), None),
    ],
)
def test_within_reaches_the_region_only(edit: Edit, after: str | None) -> None:
    text = f"one\n\n{L}\n- one\n- two\n{LE}\n\nuser\n"
    assert apply_edits(Skill(text), [edit], within=LEARNED).text == (after or text)


def test_within_an_unknown_region() -> None:
    with pytest.raises(ConfigError, match="unknown region TOC"):
        apply_edits(Skill(""), [], within="TOC")


# --- properties -----------------------------------------------------------------------------------------

PIECES = [
    "a",
    "b",
    " ",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    "- ",
    "```\n",
    "`",
    "---\n",
    "\ufeff",
    "é",
    "name: x\n",
    "~~~\n",
]
MARKERS = [S, E, L, LE, f"{S}\ns\n{E}\n", f"\n{L}\n- l\n{LE}\n"]
plain = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
documents = st.lists(st.sampled_from(PIECES + MARKERS), max_size=14).map("".join)
edits = st.builds(Edit, st.sampled_from(["append", "insert_after", "replace", "delete"]), plain, plain)


def protected(skill: Skill) -> dict[str, str] | None:
    try:
        return {region.name: skill.text[region.start : region.end] for region in skill.regions()}
    except SkillFormatError:
        return None


@given(documents, st.lists(edits, max_size=4))
def test_front_matter_and_regions_survive_anything(text: str, changes: list[Edit]) -> None:
    skill = Skill(text)
    candidate = apply_edits(skill, changes)
    after = Skill(candidate.text)
    assert after.front_matter.rstrip("\r\n") == skill.front_matter.rstrip("\r\n")
    assert protected(after) == protected(skill)
    assert [report.edit for report in candidate.reports] == changes
    if not candidate.applied:
        assert candidate.text == text


@given(documents, st.lists(edits, max_size=4))
def test_within_leaves_all_else_alone(text: str, changes: list[Edit]) -> None:
    skill = Skill(text)
    region = skill.region(LEARNED) if protected(skill) is not None else None
    after = apply_edits(skill, changes, within=LEARNED).text
    if region is None:
        assert after.startswith(text)
    else:
        assert after.startswith(text[: region.start].rstrip("\r\n"))
        assert after.endswith(text[region.end :].lstrip("\r\n"))
    if "\n" not in text.replace("\r\n", "") and "\r\n" in text:
        assert "\n" not in after.replace("\r\n", "")


@given(documents, st.sampled_from(["- one", "two\nlines", "- a\r\n- b", "é"]))
def test_append_then_delete_restores_the_bytes(text: str, lesson: str) -> None:
    skill = Skill(text)
    if protected(skill) is None or skill.region(LEARNED) is not None:
        return
    added = apply_edits(skill, [Edit("append", lesson)], within=LEARNED)
    if not added.applied:
        return
    removed = apply_edits(Skill(added.text), [Edit("delete", anchor=lesson)], within=LEARNED)
    assert [report.outcome for report in removed.reports] == [EditOutcome.APPLIED]
    assert removed.text == text


@given(plain, edits)
def test_an_edit_touches_one_place(text: str, edit: Edit) -> None:
    skill = Skill(text)
    after = apply_edits(skill, [edit]).text
    if after == text:
        return
    at = text.find(edit.anchor.strip("\r\n")) if edit.op != "append" else len(text)
    if at >= 0 and edit.op != "append":
        kept = text[:at].rstrip("\r\n") if edit.op == "delete" else text[:at]
        assert after.startswith(kept)
    elif edit.op == "append":
        assert after.startswith(text)
