"""What looks like a secret: it is refused in a configuration, and never quoted."""

from __future__ import annotations

import re
from collections.abc import Mapping

from skillopt.errors import ConfigError

_NAME = re.compile(
    r"api_?keys?\b|(?:^|_)key$|secret|(?:^|_)token$|(?:access|auth|bearer|refresh|id|api|session|user)_?token"
    r"|passw|passphrase|_pwd$|credential|private_?key|access_?key|authorization|(?:^|_)auth$|bearer"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_VALUE = re.compile(
    r"""
    \b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{12,}     # OpenAI, Anthropic, Stripe and those that follow them
    | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_\w{20,} | \bglpat-[\w-]{16,}
    | \bAKIA[0-9A-Z]{16}\b | \bAIza[\w-]{30,} | \bhf_[A-Za-z0-9]{20,} | \bxox[abeoprs]-[\w-]{10,}
    | \beyJ[\w-]{8,}\.[\w-]{8,}
    | \b[Bb]earer\s+\S{8,}
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY
    | (?<=://)[^/\s@]*:[^/\s@]+(?=@)
    """,
    re.VERBOSE,
)
_PASSWORD = re.compile(r"://[^/\s@]*:[^/\s@]+@")
_SHORTEST = 8
_SHORTEST_WITHIN = 12
_SHOWN = 60
WHERE_SECRETS_GO = (
    "export it (OPENAI_API_KEY, or the key_variable of the profile), or put it into a .env file beside the "
    "configuration"
)


def is_secret_name(name: str) -> bool:
    """Whether a key or variable of this name usually holds a secret."""
    return _NAME.search(_CAMEL.sub("_", name).lower().replace("-", "_").replace(" ", "_")) is not None


def masked(text: str) -> str:
    """`text` with everything that has the shape of a key or password taken out."""
    return _VALUE.sub("[secret]", text)


def shown(text: str) -> str:
    """`text` in quotes, as an error may show it: short, and without what looks like a secret."""
    hidden = masked(text)
    return repr(hidden if len(hidden) <= _SHOWN else f"{hidden[:_SHOWN]}…")


def refuse_secret(name: str, text: str, where: str, env: Mapping[str, str], *, is_path: bool = False) -> None:
    """Raises ConfigError when `text` is shaped like a secret, or holds one that the environment has.

    Folders are called what people like, `sk-learn-experiments` too: of a path only an address with a password
    is shaped like one.
    """
    if (_PASSWORD if is_path else _VALUE).search(text):
        why = "it has the shape of a key or password"
    else:
        found = (
            variable
            for variable, value in env.items()
            if _holds(text, value.strip()) and is_secret_name(variable)
        )
        variable = next(found, None)
        if variable is None:
            return
        why = f"it holds the value of {variable}"
    raise ConfigError(f"{where}: {name} holds a secret", why=why, next=WHERE_SECRETS_GO)


def _holds(text: str, secret: str) -> bool:
    # A path is no secret, whatever the variable is called; a short word may stand in a text by chance.
    if len(secret) < _SHORTEST or secret.startswith(("/", "~")):
        return False
    return secret == text.strip() or (len(secret) >= _SHORTEST_WITHIN and secret in text)
