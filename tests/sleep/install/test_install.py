"""Each client is wired and unwired: to the byte, twice as once, and never over somebody else's words."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skillopt import __version__
from skillopt.errors import BackendError, ConfigError
from skillopt_sleep.disk import Disk
from skillopt_sleep.install.record import read_installed
from skillopt_sleep.journal import recover
from skillopt_sleep.proposal import file_sha

CLIENTS = ("claude", "codex", "copilot", "vscode")
CONFIG = {
    "claude": ".claude/settings.json",
    "codex": ".codex/config.toml",
    "copilot": ".copilot/mcp-config.json",
    "vscode": ".config/Code/User/mcp.json",
}
MINE = {
    "claude": '{\n    "model":   "opus",\n  "permissions": {"allow": ["Bash(ls)"]} }\n',
    "codex": '# mine\r\nmodel = "x"\r\n\r\n[mcp_servers.other]\r\ncommand = "y" # z\r\n',
    "copilot": '{"mcpServers": {"other": {"type": "local", "command": "x", "args": []}}}',
    "vscode": '{\n  // mine\n  "servers": {\n    "a": {"command": "x"}, // c\n  },\n}\n',
}


def parsed(client: str, path: Path) -> dict[str, Any]:
    text = path.read_text()
    found: dict[str, Any] = tomllib.loads(text) if client == "codex" else json.loads(text)
    return found


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("has_mine", [True, False])
@pytest.mark.parametrize("has_hooks", [True, False])
def test_there_twice_and_back_to_the_byte(person: Any, client: str, has_mine: bool, has_hooks: bool) -> None:
    person.has_hooks = has_hooks
    if has_mine:
        person.write(CONFIG[client], MINE[client]).chmod(0o640)
    before = person.tree()
    assert person.install(client, is_dry=True).is_changed
    assert person.tree() == before
    assert not read_installed(person.state).clients
    assert person.install(client).is_changed
    wired = person.tree()
    assert wired != before
    assert not person.install(client).is_changed
    assert person.tree() == wired
    assert stat.S_IMODE((person.home / CONFIG[client]).stat().st_mode) == (0o640 if has_mine else 0o600)
    done = person.uninstall(client)
    assert (done.is_changed, done.notes) == (True, ())
    assert person.tree() == before
    assert not person.uninstall(client).is_changed


def test_what_each_client_is_told(person: Any) -> None:
    person.has_hooks = True
    for client in CLIENTS:
        person.install(client)
    program = str(person.program)
    copy = person.state.path / "plugin"
    claude = parsed("claude", person.home / CONFIG["claude"])
    assert claude == {
        "extraKnownMarketplaces": {"skillopt": {"source": {"source": "directory", "path": str(copy)}}},
        "enabledPlugins": {"skillopt-sleep@skillopt": True},
    }
    codex = parsed("codex", person.home / CONFIG["codex"])["mcp_servers"]["skillopt-sleep"]
    assert (codex["command"], codex["args"]) == (program, ["mcp"])
    assert "CODEX_HOME" in codex["env_vars"]
    copilot = parsed("copilot", person.home / CONFIG["copilot"])["mcpServers"]["skillopt-sleep"]
    bare = {"PYTHONPATH": "", "PYTHONHOME": "", "PYTHONSAFEPATH": "1"}
    assert copilot == {"type": "local", "command": program, "args": ["mcp"], "env": bare, "tools": ["*"]}
    code = parsed("vscode", person.home / CONFIG["vscode"])["servers"]["skillopt-sleep"]
    assert code == {"type": "stdio", "command": program, "args": ["mcp"], "env": bare}
    skill = (copy / "skills/skillopt-sleep/SKILL.md").read_bytes()
    for folder in (".codex", ".copilot"):
        assert (person.home / folder / "skills/skillopt-sleep/SKILL.md").read_bytes() == skill
    assert (person.state.path / "engine").read_text() == f"{program}\n"
    assert os.access(copy / "scripts/skillopt-sleep", os.X_OK)
    open_to_others = [p for p in person.state.path.rglob("*") if p.stat().st_mode & 0o077]
    assert not open_to_others
    asked = subprocess.run(
        ["sh", copy / "scripts/skillopt-sleep", "--engine"],
        env={"HOME": str(person.home)}, cwd=person.home, capture_output=True, text=True,
    )  # fmt: skip
    assert asked.stdout == f"{program}\n"


def test_the_hooks_that_are_installed_note_a_session_and_tell_of_a_proposal(person: Any) -> None:
    person.has_hooks = True
    person.env = {"SKILLOPT_SLEEP_HOME": str(person.home / "a state's")}
    person.install("codex")
    person.install("copilot")
    hooks = json.loads((person.home / ".codex/hooks.json").read_text())["hooks"]
    (start,), (end,) = (hooks[event][0]["hooks"] for event in ("SessionStart", "SessionEnd"))
    others = json.loads((person.home / ".copilot/hooks/skillopt-sleep.json").read_text())["hooks"]
    (waiting := person.state.proposals / "p").mkdir(parents=True)
    (waiting / "proposal.json").write_text("{}")
    for command in (end["command"], others["sessionEnd"][0]["bash"]):
        said = subprocess.run(
            ["sh", "-c", command], input='{"session_id": "s-1"}', env={"HOME": "/x"}, text=True
        )
        assert said.returncode == 0
    queued = {path.name for path in (person.state.path / "queue").glob("*.json")}
    assert queued == {"codex-s-1.json", "copilot-s-1.json"}
    for command in (start["command"], others["sessionStart"][0]["bash"]):
        said = subprocess.run(["sh", "-c", command], env={"HOME": "/x"}, text=True, capture_output=True)
        assert "1 proposal waits" in said.stdout
    assert not any("trusted_hash" in str(text) for text in person.tree().values())


def test_another_state_is_named_to_the_client(person: Any) -> None:
    other = person.home / "other state"
    person.env = {"SKILLOPT_SLEEP_HOME": str(other)}
    for client in CLIENTS:
        person.install(client)
    args = ["mcp", "--home", str(other)]
    assert parsed("codex", person.home / CONFIG["codex"])["mcp_servers"]["skillopt-sleep"]["args"] == args
    assert parsed("claude", person.home / CONFIG["claude"])["env"] == {"SKILLOPT_SLEEP_HOME": str(other)}


def add_elsewhere(client: str, text: str) -> str:
    if client == "codex":
        return text + '[mcp_servers.skillopt-sleep.tools.sleep_status]\nmode = "approve"\n\n[later]\na = 1\n'
    return text.replace("{", '{"later": {"a": 1}, ', 1)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("has_mine", [True, False])
def test_after_an_edit_elsewhere_only_ours_goes(person: Any, client: str, has_mine: bool) -> None:
    path = person.home / CONFIG[client]
    if has_mine:
        person.write(CONFIG[client], MINE[client])
    person.install(client)
    path.write_bytes(add_elsewhere(client, path.read_bytes().decode()).encode())
    assert not person.install(client).is_changed
    person.uninstall(client)
    left = path.read_bytes().decode()
    assert "skillopt" not in left
    assert "later" in left
    if has_mine:
        assert all(word in left for word in MINE[client].split() if word.isalpha())
        assert ("\r\n" in left) == ("\r\n" in MINE[client])
    if client != "vscode":
        mine = parsed(client, person.write("mine", MINE[client])) if has_mine else {}
        assert parsed(client, path) == {**mine, "later": {"a": 1}}


@pytest.mark.parametrize("client", CLIENTS)
def test_another_program_is_told_instead_of_the_one_before(person: Any, client: str) -> None:
    before = person.tree()
    person.install(client)
    person.program = person.write("new/skillopt-sleep", "#!/bin/sh\n")
    (person.home / "new").rename(person.home.parent / "new")
    person.program = person.home.parent / "new" / "skillopt-sleep"
    assert person.install(client).is_changed
    assert (person.state.path / "engine").read_text() == f"{person.program}\n"
    if client != "claude":
        assert str(person.program) in (person.home / CONFIG[client]).read_text()
    person.uninstall(client)
    assert person.tree() == before


FOREIGN = {
    "codex": '[mcp_servers.skillopt-sleep]\ncommand = "another"\n',
    "copilot": '{"mcpServers": {"skillopt-sleep": {"command": "another"}}}',
    "vscode": '{"servers": {"skillopt-sleep": {"command": "another"}}}',
}
BROKEN = {"claude": '{"a": 1,}', "codex": "[a", "copilot": "{", "vscode": "]"}


@pytest.mark.parametrize(
    ("client", "text"),
    [
        *FOREIGN.items(),
        *BROKEN.items(),
        *((client, b"\xff\xfe") for client in CLIENTS),
        *((client, '{"a": ' + "[" * 100_000) for client in CLIENTS),
        ("codex", "mcp_servers = {}\n"),
    ],
)
def test_what_is_foreign_or_broken_is_refused(person: Any, client: str, text: str | bytes) -> None:
    person.write(CONFIG[client], text)
    before = person.tree()
    with pytest.raises(ConfigError) as refused:
        person.install(client)
    assert str(person.home / CONFIG[client]) in refused.value.what
    is_foreign = text in FOREIGN.values()
    assert ("says something else" in refused.value.why) == is_foreign
    if isinstance(text, str) and not is_foreign:
        assert str(person.state.path if client == "claude" else person.program) in refused.value.next
    assert person.tree() == before
    assert not (person.state.path / "engine").exists()


def test_a_foreign_skill_is_refused_and_an_edited_one_stays(person: Any) -> None:
    skill = person.write(".codex/skills/skillopt-sleep/SKILL.md", "mine")
    with pytest.raises(ConfigError, match="left as it is"):
        person.install("codex")
    skill.unlink()
    person.install("codex")
    skill.write_text("edited")
    with pytest.raises(ConfigError, match="left as it is"):
        person.install("codex")
    outcome = person.uninstall("codex")
    assert skill.read_text() == "edited"
    assert ("keep", str(skill), True) in {(s.action, s.path, s.is_theirs) for s in outcome.planned.steps}


def test_a_newer_version_takes_the_place_of_what_an_older_one_left(person: Any) -> None:
    before = person.tree()
    person.install("claude")
    person.install("codex")
    new = person.tree()
    skill = person.home / ".codex/skills/skillopt-sleep/SKILL.md"
    record = person.state.path / "installed.json"
    gone = person.state.path / "plugin" / "of-the-older-one" / "file"
    gone.parent.mkdir()
    gone.write_text("old")
    told = json.loads(record.read_text().replace(__version__, "0.0.9"))
    old = file_sha(b"old")
    told["files"] = [
        {**each, "sha": old} if each["path"] == str(skill) else each for each in told["files"]
    ] + [{"path": str(gone), "sha": old, "clients": ["claude"]}]
    told["folders"].append({"path": str(gone.parent)})
    record.write_text(json.dumps(told))
    skill.write_text("old")
    assert person.install("codex").is_changed
    assert person.install("claude").is_changed
    assert person.tree() == new
    assert not gone.parent.exists()
    person.uninstall("codex")
    person.uninstall("claude")
    assert person.tree() == before


def test_an_entry_somebody_made_into_another_stays(person: Any) -> None:
    person.install("copilot")
    path = person.home / CONFIG["copilot"]
    path.write_text(FOREIGN["copilot"])
    with pytest.raises(ConfigError, match="left as it is"):
        person.install("copilot")
    person.uninstall("copilot")
    assert path.read_text() == FOREIGN["copilot"]


def test_what_was_there_by_hand_stays(person: Any) -> None:
    person.install("copilot")
    kept = person.tree()
    (person.state.path / "installed.json").unlink()
    assert person.install("copilot").is_changed
    for _ in range(2):
        (note,) = person.uninstall("copilot").notes
        assert "mcpServers.skillopt-sleep that was not put there from here" in note
        assert "`copilot mcp remove skillopt-sleep`" in note
    assert person.tree() == kept


def test_links_stay_links(person: Any) -> None:
    real = person.write("dotfiles/codex.toml", MINE["codex"])
    link = person.home / CONFIG["codex"]
    link.parent.mkdir()
    link.symlink_to("../dotfiles/codex.toml")
    before = person.tree()
    person.install("codex")
    assert link.is_symlink()
    assert "skillopt-sleep" in real.read_text()
    person.uninstall("codex")
    assert person.tree() == before


@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_that_became_a_link_since_is_followed(person: Any, client: str) -> None:
    path = person.write(CONFIG[client], MINE[client])
    person.install(client)
    moved = person.home / "dotfiles"
    moved.mkdir()
    path.rename(moved / path.name)
    path.symlink_to(moved / path.name)
    assert not person.install(client).planned.changes
    person.uninstall(client)
    assert path.is_symlink()
    assert (moved / path.name).read_bytes() == MINE[client].encode()
    assert not (person.home / ".codex" / "skills").exists()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.mkdir(),
        os.mkfifo,
        lambda path: (path.write_text("{}"), path.chmod(0o444)),
        lambda path: (path.write_text("{}"), os.link(path, path.with_name("twin"))),
    ],
    ids=["dangling link", "folder", "pipe", "read-only", "hard link"],
)
def test_what_is_no_plain_file_is_refused(person: Any, client: str, spoil: Callable[[Path], object]) -> None:
    path = person.home / CONFIG[client]
    path.parent.mkdir(exist_ok=True, parents=True)
    spoil(path)
    with pytest.raises(ConfigError, match="left as it is"):
        person.install(client)


@pytest.mark.parametrize(
    ("client", "name", "text"),
    [
        ("codex", ".codex/config.toml", '[plugins."skillopt-sleep@skillopt"]\nenabled = true\n'),
        ("copilot", ".copilot/settings.json", '{"enabledPlugins": {"skillopt-sleep@skillopt": true}}'),
    ],
)
def test_a_plugin_that_brings_the_same_is_told(person: Any, client: str, name: str, text: str) -> None:
    assert not any("brings the same" in note for note in person.install(client).notes)
    person.uninstall(client)
    person.write(name, text)
    assert any("brings the same" in note for note in person.install(client).notes)


def test_what_cannot_be_told_from_its_surroundings_stays(person: Any) -> None:
    person.install("codex")
    path = person.home / CONFIG["codex"]
    words = 'a = """\n[mcp_servers.skillopt-sleep]\n"""\nb = """\n[x]\n"""\n'
    path.write_text(words + path.read_text())
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="left as it is"):
        person.uninstall("codex")
    assert path.read_bytes() == before


def test_the_skill_goes_with_the_last_client_that_reads_it(person: Any) -> None:
    before = person.tree()
    person.install("copilot")
    person.install("vscode")
    skill = person.home / ".copilot/skills/skillopt-sleep/SKILL.md"
    person.uninstall("copilot")
    assert skill.exists()
    person.uninstall("vscode")
    assert person.tree() == before
    assert not (person.state.path / "engine").exists()


def test_every_kin_of_vs_code_that_is_there_is_wired(person: Any) -> None:
    for product in ("Code - Insiders", "VSCodium"):
        (person.home / ".config" / product / "User").mkdir(parents=True)
    person.install("vscode")
    assert len(list(person.home.glob(".config/*/User/mcp.json"))) == 3
    for folder in (person.home / ".config").iterdir():
        (folder / "User" / "mcp.json").unlink()
        (folder / "User").rmdir()
    with pytest.raises(BackendError, match="no VS Code") as missing:
        person.install("vscode")
    assert missing.value.exit_code == 4


def test_a_marketplace_of_that_name_from_elsewhere_stays(person: Any) -> None:
    text = '{"extraKnownMarketplaces": {"skillopt": {"source": {"source": "github", "repo": "a/b"}}}}'
    path = person.write(CONFIG["claude"], text)
    outcome = person.install("claude")
    assert path.read_text() == text
    assert any("a/b" in note for note in outcome.notes)
    assert (person.state.path / "engine").exists()


@pytest.mark.parametrize("is_ours", [True, False])
def test_what_claude_noted_of_ours_by_itself_goes_too(person: Any, is_ours: bool) -> None:
    person.install("claude")
    copy = str(person.state.path / "plugin") if is_ours else "/elsewhere"
    theirs = {"mine": {"installLocation": "y"}}
    known = {"skillopt": {"source": {"source": "directory", "path": copy}}, **theirs}
    plugins = {"version": 2, "plugins": {"skillopt-sleep@skillopt": [{}], "a@mine": [{}]}}
    paths = [
        person.write(f".claude/plugins/{name}.json", json.dumps(value, indent=2))
        for name, value in (("known_marketplaces", known), ("installed_plugins", plugins))
    ]
    person.uninstall("claude")
    left = [theirs, {"version": 2, "plugins": {"a@mine": [{}]}}] if is_ours else [known, plugins]
    assert [json.loads(path.read_text()) for path in paths] == left


@pytest.mark.parametrize(("client", "stride"), [("codex", 1), ("claude", 23)])
def test_killed_at_every_write_it_is_finished_or_never_begun(person: Any, client: str, stride: int) -> None:
    """At each of the few writes of one client, at some of the many of the other."""
    person.write(CONFIG[client], MINE[client])
    before = person.tree()
    person.install(client)
    wired = person.tree()
    person.uninstall(client)

    class KilledError(BaseException):
        pass

    for act, old, new in ((person.install, before, wired), (person.uninstall, wired, before)):
        step = 1 - stride
        while True:
            step += stride
            seen: list[str] = []

            def die(name: str, seen: list[str] = seen, fatal: int = step) -> None:
                seen.append(name)
                if len(seen) == fatal:
                    raise KilledError

            try:
                act(client, Disk(die))
            except KilledError:
                recover(person.state.path, Disk())
                now = person.tree()
                assert now in (old, new), seen
                is_wired = read_installed(person.state).client(client) is not None
                assert is_wired == (now == wired), seen
                # Back to where it began, for the next step.
                (person.uninstall if act == person.install else person.install)(client)
                assert person.tree() == old
                continue
            break
        assert step > 10
        assert person.tree() == new


def test_a_full_disk_changes_nothing(person: Any) -> None:
    def full(name: str) -> None:
        if name == "rename":
            raise OSError(28, "No space left on device")

    before = person.tree()
    with pytest.raises(Exception, match="could not be written"):
        person.install("codex", Disk(full))
    assert person.tree() == before


def test_two_states_do_not_take_from_each_other(person: Any) -> None:
    person.install("codex")
    other = replace(person, env={"SKILLOPT_SLEEP_HOME": str(person.home / "other")})
    with pytest.raises(ConfigError, match="left as it is"):
        other.install("codex")
    assert not other.uninstall("codex").is_changed
