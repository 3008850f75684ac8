from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from skillopt.errors import ConfigError
from skillopt_sleep.settings import load_settings, since_time
from skillopt_sleep.settings_file import with_value

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = ("claude", "codex")


@pytest.mark.parametrize(
    ("since", "moment"),
    [
        ("all", None),
        ("30d", datetime(2026, 10, 22, 12, tzinfo=UTC)),
        ("12h", datetime(2026, 11, 21, 0, tzinfo=UTC)),
        ("2w", datetime(2026, 11, 7, 12, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T10:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01T10:00+02:00", datetime(2026, 11, 1, 8, tzinfo=UTC)),
        ("9999w", datetime(1835, 4, 4, 12, tzinfo=UTC)),
    ],
)
def test_since_names_a_moment(since: str, moment: datetime | None) -> None:
    found = since_time(since, NOW)

    assert found == moment
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize("since", ["", "30", "d", "-3d", "30D", "2026-13-01", "yesterday", "٣d", "99999w"])
def test_since_is_nothing_else(since: str) -> None:
    with pytest.raises(ValueError, match="neither an age nor a date"):
        since_time(since, NOW)


def test_the_later_layer_wins(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("sources: [claude]\nsince: 2026-11-01\nprojects: [~/web]\nskill_tokens: 900\n")
    env = {"SKILLOPT_SLEEP_SOURCES": "codex", "SKILLOPT_SLEEP_PROJECTS": "/a:/b:/a"}

    of_file = load_settings(config, {}, source_names=NAMES)
    of_env = load_settings(config, env, source_names=NAMES)
    of_options = load_settings(config, env, source_names=NAMES, sources_option="all", since_option="1d")

    assert (of_file.sources, of_file.since) == (("claude",), "2026-11-01")
    assert of_file.projects == (str(Path.home() / "web"),)
    assert {of_file.origins[key] for key in ("projects", "sources", "since")} == {str(config)}
    assert (of_env.sources, of_env.projects) == (("codex",), ("/a", "/b"))
    assert of_env.origins["projects"] == "SKILLOPT_SLEEP_PROJECTS"
    assert (of_options.sources, of_options.since) == ((), "1d")
    assert of_options.origins == {
        "projects": "SKILLOPT_SLEEP_PROJECTS",
        "sources": "--source",
        "since": "--since",
        "skill_tokens": str(config),
        "embedder": "default",
        "embedder_model": "default",
        "recall": "default",
        "at": "default",
        "power": "default",
        "quiet": "default",
    }
    assert of_file.skill_tokens == 900


def test_a_wrong_value_names_its_layer(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SKILLOPT_SLEEP_SINCE"):
        load_settings(tmp_path / "none", {"SKILLOPT_SLEEP_SINCE": "x"}, source_names=NAMES)


@pytest.mark.parametrize("value", ["", "-1", "49", "1.5", "many", "1e4", "9999999"])
def test_a_budget_of_tokens_is_a_whole_number_of_some_size(tmp_path: Path, value: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"skill_tokens: {value!r}\n")
    with pytest.raises(ConfigError, match="skill_tokens"):
        load_settings(config, {}, source_names=NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# mine\n",
        "since: 1d",
        "since: 1d\n# about the sources\nsources: [claude]  # here\n",
        "sources:\n  - claude  # one\n  - codex\n\n# about since\nsince: 1d\n",
        "projects:\n- /a\n- /b\n# end\n",
        "{since: 1d, sources: [claude]}\n",
    ],
)
@pytest.mark.parametrize(
    ("key", "value"), [("since", "30d"), ("sources", ("codex",)), ("projects", ("/ü: #",))]
)
def test_setting_one_key_keeps_the_others_and_every_comment(text: str, key: str, value: str) -> None:
    after = with_value(text, key, value, Path("config.yaml"))

    written = value if isinstance(value, str) else list(value)
    assert yaml.safe_load(after) == {**(yaml.safe_load(text) or {}), key: written}
    for line in text.splitlines():
        if line.startswith("#"):
            assert line in after.splitlines()
    assert with_value(after, key, value, Path("config.yaml")) == after
