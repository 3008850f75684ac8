"""Secrets come from the environment or a `.env` file, and from there go nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from skillopt.config.environment import read_dotenv, with_dotenv
from skillopt.config.load import load
from skillopt.config.secrets import is_secret_name, masked
from skillopt.errors import ConfigError

KEY = "sk-proj-" + "Ab3" * 8
PLAIN = "correct horse battery"


def refused(folder: Path, text: str, *overrides: str) -> str:
    path = folder / "a.yaml"
    path.write_text(text)
    env = {"MY_SERVER_KEY": PLAIN, "OPENAI_API_KEY": KEY}
    with pytest.raises(ConfigError) as caught:
        load(path, overrides=overrides, env=env)
    error = caught.value
    told = f"{error.what} {error.why} {error.next}"
    assert KEY not in told
    assert PLAIN not in told
    return told


@pytest.mark.parametrize(
    "text",
    [
        f"api_key: {KEY}",
        f"openai_api_key: {PLAIN}",
        f"model: {{api_key: {PLAIN}}}",
        f"model: {{optimizer_api_key: {PLAIN}}}",
        f"model: {{apiKey: {PLAIN}}}",
        f"env: {{password: {PLAIN}}}",
        f"secret: {PLAIN}",
        f"HF_TOKEN: {PLAIN}",
        "token:",
        f"profiles: {{mine: {{url: http://a.test, api_key: {PLAIN}}}}}",
        f"profiles: {{mine: {{url: http://a.test, key: {PLAIN}}}}}",
        f"profiles: {{mine: {{url: http://me:{KEY}@a.test}}}}",
        "profiles: {mine: {url: 'http://a.test/v1?api_key=1234'}}",
        f"target_model: {KEY}",
        f"target_model: {PLAIN}",
        f"out: runs/{PLAIN}/x",
        "split_dir: postgres://me:pass1234@db/x",
        f"profiles: {{mine: {{url: http://a.test, key_variable: {KEY}}}}}",
    ],
)
def test_a_secret_in_a_file_is_refused_and_told_where_it_goes(tmp_path: Path, text: str) -> None:
    told = refused(tmp_path, text)
    assert "secret" in told
    assert ".env file" in told


def test_a_key_where_the_name_of_its_variable_belongs(tmp_path: Path) -> None:
    told = refused(tmp_path, "profiles: {mine: {url: http://a.test, key_variable: my key 12345678}}")
    assert "name of an environment variable" in told
    assert "12345678" not in told


@pytest.mark.parametrize(
    "override",
    [f"model.api_key={PLAIN}", f"api_key={KEY}", f"model.target={KEY}", f"train.seed={KEY}", KEY, f"{KEY}=1"],
)
def test_a_secret_on_the_command_line_is_not_quoted(tmp_path: Path, override: str) -> None:
    refused(tmp_path, "", override)


@pytest.mark.parametrize(
    "text",  # where KEY stands
    ["seed: 1\nx: [KEY", "seed: KEY", "gate: KEY", "KEY: 1", "seed: *KEY", "_base_: KEY", "KEY: 1\nKEY: 1",
     "split_ratio: KEY", "target_backend: 'KEY'", "task: KEY", 'seed: "KEY', "profiles: {KEY: 1}",
     "profiles: {KEY: {url: x}}", "profiles: {a: {url: http://a.test, KEY: x}}", "seed: !KEY 1",
     "train: {KEY: {a: 1}}"],
)  # fmt: skip
def test_no_message_quotes_a_secret(tmp_path: Path, text: str) -> None:
    refused(tmp_path, text.replace("KEY", KEY))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OPENAI_API_KEY", True), ("apikey", True), ("hf_token", True), ("password", True), ("key", True),
        ("AWS_SECRET_ACCESS_KEY", True), ("auth", True), ("clientSecret", True), ("access-token", True),
        ("max_tokens", False), ("budget_tokens", False), ("optimizer_max_tokens", False), ("keyboard", False),
        ("monkey", False), ("PWD", False), ("OLDPWD", False), ("db_pwd", True), ("author", False),
    ],
)  # fmt: skip
def test_names_of_secrets(name: str, expected: bool) -> None:
    assert is_secret_name(name) is expected


def test_what_only_looks_like_the_value_of_a_secret_variable_is_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"out: {tmp_path}/test-key/x\ntarget_model: dummy")
    env = {
        "PWD": str(tmp_path),
        "SECRET_DIR": str(tmp_path),
        "OPENAI_API_KEY": "test-key",
        "A_TOKEN": "dummy",
    }
    assert load(path, env=env).config.env.out == tmp_path / "test-key" / "x"


def test_a_folder_may_be_called_like_a_key(tmp_path: Path) -> None:
    place = tmp_path / "sk-learn-experiments"
    (place / "pk_of_all_the_tasks").mkdir(parents=True)
    (place / "base.yaml").write_text("task: pk_of_all_the_tasks\nskill_init: sk-learn-seed-skill.md\n")
    path = tmp_path / "a.yaml"
    path.write_text("_base_: sk-learn-experiments/base.yaml\n")
    resolved = load(path, overrides=[f"env.out={place}/out"], env={})
    env = resolved.config.env
    assert (env.split_dir, env.out) == (place / "pk_of_all_the_tasks", place / "out")
    assert env.skill_init == place / "sk-learn-seed-skill.md"
    kept = tmp_path / "kept.yaml"
    kept.write_text(resolved.to_yaml())
    assert load(kept, env={}).config == resolved.config
    # Nothing is called so: it is a key.
    for text in ("_base_: sk-learn-nothing-of-that.yaml", f"task: sk-{'learn' * 60}"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="holds a secret"):
            load(path, env={})


def test_what_looks_like_a_secret_is_masked() -> None:
    for text in (KEY, "ghp_" + "a1" * 15, "Bearer abcdefghij", "http://me:pw@host/", "AKIA" + "A" * 16):
        assert "[secret]" in masked(f"see {text} here")
    for text in (
        "gpt-5.5-mini",
        "task-1",
        "http://host:80/v1",
        "risk-adjusted-return-model",
        "disk-usage-of-all",
    ):
        assert masked(text) == text


def test_a_dotenv_file_adds_to_the_environment_and_takes_nothing_away(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    for folder, text in (
        (
            near,
            "export HERE\nexport A='1 # x'\nB=\"two\\nlines\"\nC=${A}\nEMPTY=\n\nBOTH=near\nHERE=file\r\n",
        ),
        (far, "BOTH=far\nFAR=1 # said\n"),
    ):
        folder.mkdir()
        (folder / ".env").write_text(text, newline="")
    env = with_dotenv({"HERE": "process"}, [near, far, tmp_path])
    wanted = {
        "HERE": "process",
        "A": "1 # x",
        "B": "two\nlines",
        "C": "${A}",
        "EMPTY": "",
        "BOTH": "near",
        "FAR": "1",
    }
    assert dict(env) == wanted
    assert len(env) == 7
    assert "near" not in repr(env)
    assert "BOTH" in repr(env)


def test_a_setting_in_a_dotenv_file_says_so(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SKILLOPT_TRAIN_SEED=7\nSKILLOPT_MODEL_API_KEY=mine\n")
    (tmp_path / "a.yaml").write_text("")
    resolved = load(tmp_path / "a.yaml", env=with_dotenv({}, [tmp_path]))
    assert resolved.provenance["train.seed"] == f"SKILLOPT_TRAIN_SEED in {tmp_path}/.env"


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"A=1\n\nsk-secret-word here\n", ".env:3: this is not NAME=value"),
        (b"A='open\n", ".env:1: this is not NAME=value"),
        (b"A=\xff", "cannot read"),
        (b"A=" + b"x" * 1_000_001, "is too large"),
    ],
)
def test_a_bad_dotenv_file_is_named_and_not_quoted(tmp_path: Path, data: bytes, where: str) -> None:
    (tmp_path / ".env").write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read_dotenv(tmp_path)
    assert where in caught.value.what
    assert "secret" not in str(caught.value)


def test_a_folder_called_dotenv_is_no_file(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert read_dotenv(tmp_path) == {}


def test_nothing_written_holds_a_secret(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\nMY_SERVER_KEY='{PLAIN}'\n")
    (tmp_path / "a.yaml").write_text(
        "target_backend: mine\nprofiles: {mine: {url: http://a.test, key_variable: MY_SERVER_KEY}}"
    )
    resolved = load(tmp_path / "a.yaml", env=with_dotenv({}, [tmp_path]))
    for text in (resolved.to_yaml(), repr(resolved), str(resolved.fingerprint)):
        assert KEY not in text
        assert PLAIN not in text
