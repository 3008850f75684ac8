"""An entry goes into the texts people write, comes out to the character, and moves nothing else."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skillopt_sleep.install import json_text, toml_text
from skillopt_sleep.install.edit import without_cuts
from skillopt_sleep.install.jsonc import parse

KEYS = ("mcpServers", "skillopt-sleep")
VALUE = {"command": "/a b/skillopt-sleep", "args": ["mcp"]}

JSON = {
    "empty": "",
    "empty object": "{}",
    "spread empty object": "{\n}\n",
    "one line": '{"a": 1, "mcpServers": {"x": {"command": "y"}}}',
    "place is there": '{\n  "mcpServers": {}\n}\n',
    "tabs": '{\n\t"mcpServers": {\n\t\t"x": {"command": "y"}\n\t}\n}',
    "windows": '{\r\n    "mcpServers": {\r\n        "x": 1\r\n    }\r\n}\r\n',
    "byte order mark": '\ufeff{\n  "a": 1\n}\n',
    "odd layout": '{\n    "a":   1,\n  "b": {"c": [1,\n2]} }\n',
    "braces in strings": '{"a": "}{,\\"", "b": "// no comment"}',
}
WITH_COMMENTS = {
    "comments": '// mine\n{\n  "mcpServers": {\n    "x": 1 // last, here\n    /* end } */\n  }\n}\n',
    "trailing commas": '{\n  "mcpServers": {\n    "x": [1, 2,], // c\n  },\n}\n',
    "all of it": '{ /* , */ "mcpServers": { "x": 1, /* } */ }, // z\n}',
}


@pytest.mark.parametrize("name", [*JSON, *WITH_COMMENTS])
def test_json_takes_an_entry_and_gives_it_back(name: str) -> None:
    text, with_comments = {**JSON, **WITH_COMMENTS}[name], name in WITH_COMMENTS
    edited = json_text.with_entry(text, KEYS, VALUE, is_item=False, with_comments=with_comments)
    before = parse(text, with_comments=with_comments).value if text.strip() else {}
    after = parse(edited.text, with_comments=with_comments).value
    assert after == {**before, "mcpServers": {**before.get("mcpServers", {}), "skillopt-sleep": VALUE}}
    assert list(after)[: len(before)] == list(before)
    assert without_cuts(edited.text, edited.cuts) == text
    assert ("\r\n" in text) == ("\r\n" in edited.text)
    # As after an edit elsewhere: found by its name, and every comment stays.
    left = json_text.without_entry(edited.text, KEYS, None, is_item=False, with_comments=with_comments)
    rest = {**before, "mcpServers": before.get("mcpServers", {})}
    assert parse(left, with_comments=with_comments).value == rest
    assert all(mark in left for mark in ("mine", "last, here", "end }", "// z", "/* } */") if mark in text)


def test_a_comma_at_the_end_stays() -> None:
    for text in (
        '{\n  "mcpServers": {\n    "x": 1, // one\n  },\n}\n',
        '{"mcpServers": {"x": 1,}, }',
        '{"a": [],}',
    ):
        edited = json_text.with_entry(text, KEYS, VALUE, is_item=False, with_comments=True)
        left = json_text.without_entry(edited.text, KEYS, None, is_item=False, with_comments=True)
        if "mcpServers" not in text:
            left = json_text.without_entry(left, KEYS[:1], None, is_item=False, with_comments=True)
        assert left == text


def test_items_of_a_list_come_and_go_one_by_one() -> None:
    text = '{"hooks": {"SessionEnd": [{"hooks": []}]}}'
    keys = ("hooks", "SessionEnd")
    one = json_text.with_entry(text, keys, {"n": 1}, is_item=True, with_comments=False)
    two = json_text.with_entry(one.text, keys, {"n": 2}, is_item=True, with_comments=False)
    assert json.loads(two.text)["hooks"]["SessionEnd"] == [{"hooks": []}, {"n": 1}, {"n": 2}]
    assert without_cuts(two.text, (*two.cuts, *one.cuts)) == text
    left = json_text.without_entry(two.text, keys, {"n": 1}, is_item=True, with_comments=False)
    assert json.loads(left)["hooks"]["SessionEnd"] == [{"hooks": []}, {"n": 2}]


@pytest.mark.parametrize(
    "text",
    ["[]", '"x"', "{", '{"a": }', '{"a": 1,}', "{} x", '{"a": NaN}', "// c\n{}", '{"mcpServers": []}',
     '{"mcpServers": {"skillopt-sleep": 1}}', '{"mcpServers": {}, "mcpServers": {}}', "[" * 9000],
)  # fmt: skip
def test_json_that_cannot_take_it_is_refused(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        json_text.with_entry(text, KEYS, VALUE, is_item=False, with_comments=False)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["mcpServers", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(
            ["mcpServers", "a", 'q"'],
        ),
        VALUES,
    ),
    st.sampled_from([None, 1, 4, "\t"]),
)
def test_any_json_gives_it_back(value: dict[str, Any], indent: int | str | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if not isinstance(value.get("mcpServers", {}), dict):
        with pytest.raises(ValueError, match="not an object"):
            json_text.with_entry(text, KEYS, VALUE, is_item=False, with_comments=False)
        return
    edited = json_text.with_entry(text, KEYS, VALUE, is_item=False, with_comments=True)
    assert without_cuts(edited.text, edited.cuts) == text
    left = json_text.without_entry(edited.text, KEYS, None, is_item=False, with_comments=False)
    assert json.loads(left) == {**value, "mcpServers": value.get("mcpServers", {})}


TABLE = ("mcp_servers", "skillopt-sleep")
TOML = {
    "empty": "",
    "no newline at the end": 'model = "x"',
    "comments": '# c\nmodel = "x" # y\n\n[mcp_servers.a]\ncommand = "b"\n# end\n',
    "windows": 'a = 1\r\n[b]\r\nx = [\r\n"[c]",\r\n]\r\n',
    "dotted": 'mcp_servers.x.command = "a"\n',
    "in a text": 'a = """\n[mcp_servers.skillopt-sleep]\n"""\n',
}


@pytest.mark.parametrize("name", TOML)
def test_toml_takes_a_table_and_gives_it_back(name: str) -> None:
    text = TOML[name]
    edited = toml_text.with_table(text, TABLE, VALUE)
    before = tomllib.loads(text)
    servers = {**before.get("mcp_servers", {}), "skillopt-sleep": VALUE}
    assert tomllib.loads(edited.text) == {**before, "mcp_servers": servers}
    assert edited.text.startswith(text)
    assert without_cuts(edited.text, edited.cuts) == text


@pytest.mark.parametrize("name", [name for name in TOML if name != "in a text"])
def test_a_table_is_found_by_its_name_after_an_edit(name: str) -> None:
    later = '[mcp_servers."skillopt-sleep".tools.x]\nmode = "y"\n\n# about z\n[z]\ny = 1\n'
    left = toml_text.without_table(toml_text.with_table(TOML[name], TABLE, VALUE).text + later, TABLE)
    assert tomllib.loads(left) == {**tomllib.loads(TOML[name]), "z": {"y": 1}}
    assert left.endswith("# about z\n[z]\ny = 1\n")
    assert left.startswith(TOML[name].rstrip())


@pytest.mark.parametrize(
    "text",
    ["mcp_servers = {}\n", "[a", "x = 1\nx = 2\n", "mcp_servers = 1\n", "[mcp_servers.skillopt-sleep]\n"],
)
def test_toml_that_cannot_take_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        toml_text.with_table(text, TABLE, VALUE)


def test_a_table_without_a_header_of_its_own_is_left() -> None:
    with pytest.raises(ValueError, match="no header"):
        toml_text.without_table('[mcp_servers]\nskillopt-sleep = { command = "x" }\n', TABLE)
