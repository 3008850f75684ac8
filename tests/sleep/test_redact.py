"""Secrets go, ordinary words stay, and it takes linear time. The secrets here are made up."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillopt_sleep.redact import redact, strip_controls
from skillopt_sleep.secrets import controls, keys, named, places, shapes, tokens, told
from tests.patterns import gives_back, patterns_of, takes_in_two_ways

RANDOM = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC3dE5f"
SECRETS = [
    ("sk-" + RANDOM, "openai"),
    ("sk-proj-" + RANDOM, "openai"),
    ("sk-ant-api03-" + RANDOM, "anthropic"),
    ("ghp_" + RANDOM[:36], "github"),
    ("gho_" + RANDOM[:36], "github"),
    ("ghs_" + RANDOM[:36], "github"),
    ("github_pat_" + RANDOM, "github"),
    ("glpat-" + RANDOM[:20], "gitlab"),
    ("xoxb-123456789012-" + RANDOM[:24], "slack"),
    ("npm_" + RANDOM[:36], "npm"),
    ("hf_" + RANDOM[:34], "huggingface"),
    ("sk_live_" + RANDOM[:24], "stripe"),
    ("rk_live_" + RANDOM[:24], "stripe"),
    ("AIza" + RANDOM[:35], "google"),
    ("ya29." + RANDOM, "google"),
    ("AKIA" + "IOSFODNN7EXAMPLE", "aws"),
    ("ASIA" + "IOSFODNN7EXAMPLE", "aws"),
    ("SG." + RANDOM[:22] + "." + RANDOM + "abc", "sendgrid"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0." + RANDOM, "jwt"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE" + RANDOM + "\n-----END RSA PRIVATE KEY-----", "private-key"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\n" + RANDOM + "\n" + RANDOM, "private-key"),
]


@pytest.mark.parametrize(("secret", "kind"), SECRETS)
@pytest.mark.parametrize(
    "frame", ["{}", "use {} now", "KEY={}", '{{"key": "{}"}}', "'{}'", "x\n{}\ny", "({})"]
)
def test_known_shapes_are_replaced_wherever_they_stand(secret: str, kind: str, frame: str) -> None:
    cleaned = redact(frame.format(secret))
    assert secret not in cleaned
    assert RANDOM[:16] not in cleaned
    assert cleaned == frame.format(f"[redacted:{kind}]")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("postgres://bob:hunter2@db.example/x", "postgres://bob:[redacted:password]@db.example/x"),
        ("redis://:hunter2@cache", "redis://:[redacted:password]@cache"),
        ("curl -u bob:hunter2 https://x", "curl -u bob:[redacted:password] https://x"),
        ("curl --user 'bob:hunter2' x", "curl --user 'bob:[redacted:password]' x"),
        ("mysql -u root -phunter2 shop", "mysql -u root -p[redacted:password] shop"),
        ("password=hunter2", "password=[redacted:password]"),
        ("gitlab_pat: 9fK2mQ7vT1zL8wR4sD0xJ6bN", "gitlab_pat: [redacted:secret]"),
        ("DB_PASSWORD='correct horse'", "DB_PASSWORD='[redacted:password]'"),
        ('{"password": "hunter2"}', '{"password": "[redacted:password]"}'),
        ("the password is hunter2!", "the password is [redacted:password]"),
        ("token: 9f8a7b6c5d4e3f2a", "token: [redacted:secret]"),
        (f"api_key = {RANDOM}", "api_key = [redacted:secret]"),
        ("login --token 9f8a7b6c5d", "login --token [redacted:secret]"),
        (f"Authorization: Bearer {RANDOM}", "Authorization: Bearer [redacted:password]"),
        (f"AWS_SECRET_ACCESS_KEY={RANDOM}", "AWS_SECRET_ACCESS_KEY=[redacted:secret]"),
        (f"export STRIPE_KEY={RANDOM}", "export STRIPE_KEY=[redacted:secret]"),
        (f"AKIAIOSFODNN7EXAMPLE,{RANDOM}", "[redacted:aws],[redacted:aws]"),
        ("//r.example/:_authToken=9f8a7b6c5d4e", "//r.example/:_authToken=[redacted:secret]"),
    ],
)  # fmt: skip
def test_secrets_known_by_what_stands_before_them(text: str, cleaned: str) -> None:
    assert redact(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "use sk-toolkit for task-management, not sk-learn-something-long",
        "commit 237af73786b093176c62842dac71a044146870e8 broke it",
        "session f0057d22-2ba9-489a-b68d-b4bbc9f9e1f8",
        "the token: a word; max_tokens=4096; token_count: 12",
        "rename the password field, the password: see the vault",
        "fix the tokenizer, the secret is to start early",
        "git commit -m 'fix token: rotate them'",
        "docker run -u 1000:1000 x",
        "http://localhost:8080/@scope/pkg and git@github.com:me/repo.git",
        "PASSWORD=$DB_PASSWORD and token=${TOKEN} and password=<yours>",
        "password = os.environ['DB_PASSWORD']",
        "api_key: str",
        "pnpm install --frozen-lockfile",
        "authorization: everyone may read",
        "basic authentication-header-names",
        "npm_config_registry=https://registry.example",
        "keyboard=abcdefghij0123456789",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text


PIECES = st.sampled_from(
    [secret for secret, _ in SECRETS]
    + ["password=", "token: ", "://", "u:p@", "-u ", "Bearer ", "[redacted:x]", " ", "\n"]
    + ["'", '"', "=", "KEY", "a1", " is "]
)


@given(st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "module", [controls, keys, named, places, shapes, told, tokens], ids=lambda module: module.__name__
)
def test_no_pattern_can_take_more_than_linear_time(module: ModuleType) -> None:
    for name, pattern in patterns_of(module):
        # What a value looks like is asked of its first few characters only.
        assert module is shapes or gives_back(pattern) == [], name
        assert takes_in_two_ways(pattern) == [], name


@pytest.mark.parametrize(
    "text",
    [
        "x" + '\\"' * 5_000 + "-----END RSA PRIVATE KEY-----",
        "token=" + "v1_" * 80 + "!",
        "Authorization: x" + "-v1" * 5_000 + "!",
    ],
)
def test_what_can_be_read_in_two_ways_is_read_once(text: str) -> None:
    assert redact(text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://x\x1b\\link", "xlink"),
        ("a\r\nb\rc", "a\nbc"),
        ("bell\x07 nul\x00 del\x7f c1\x9b", "bell nul del c1"),
        ("lone \ud800 half", "lone � half"),
        ("naïve – 漢字 🙂", "naïve – 漢字 🙂"),
    ],
)
def test_control_characters(text: str, cleaned: str) -> None:
    assert strip_controls(text) == cleaned
