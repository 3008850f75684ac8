"""The rules of the screen, read from `rules.toml`, and what makes a hit a safeguard instead."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

_REACH = 90
_CLOSE = 14
_NEGATORS = (
    r"(?:never|no|not|don'?t|do not|doesn'?t|mustn'?t|shouldn'?t|cannot|can'?t|avoid|refuse|forbid|ban|"
    r"nie|niemals|kein\w*|nicht|ne|jamais|aucune?|pas de|evite[rz]?|nunca|jamas|ningun\w*|evita\w*|mai|non|"
    r"nessun\w*|nao|nenhum\w*|evit\w+|nooit|geen|niet|vermijd|vermeide\w*|nichts)"
)
_TURNS = re.compile(
    # Words after which a negation no longer forbids: "don't forget to", "never without", "nothing but".
    r"[,;:.!?()]|\b(?:but|except|unless|until|instead|rather|only|other|else|than|without|before|if|when|while|"
    r"because|so|then|"
    r"always|hesitat\w*|forget\w*|fail\w*|omit\w*|skip\w*|avoid\w*|stop\w*|miss\w*|refus\w*|neglect\w*|worry|"
    r"mind|afraid|wait\w*|stay\w*|bother|think|limit\w*|just|matter|care|problem\w*|"
    r"and (?:always|then|run|use|do|execute|instead|just|also|make|let|put|call|add|send|get|set)|"
    r"sondern|aber|ausser|ohne|vergess\w*|vergiss|zoger\w*|bevor|stattdessen|dann|wenn|"
    r"mais|sauf|sans|oubli\w*|hesit\w*|avant|alors|si|pero|sino|salvo|sin|olvid\w*|dud\w*|antes|entonces|"
    r"ma|tranne|senza|dimentic\w*|esit\w*|prima|allora|mas|exceto|sem|esquec\w*|"
    r"maar|behalve|zonder|verget\w*|aarzel\w*|voordat|dus)\b"
)
# Romance languages negate twice without turning ("ne ... jamais"); these do not.
_DOUBLED = re.compile(r"\b(?:never|not|no|don'?t|avoid|refuse|nie|niemals|nicht|nooit|niet)\b", re.IGNORECASE)
_FORGETTING = re.compile(
    r"\b(?:oubli|hesit|vergiss|vergess|zoger|olvid|dud|dimentic|esit|esquec|verge[et]|aarzel|forget|fail)\w*\W+$",
    re.IGNORECASE,
)
_NEGATED_BEFORE = re.compile(rf"\b{_NEGATORS}\b", re.IGNORECASE)
_LEFT_OUT = re.compile(
    r"\b(?:without|drop|remove|lose|omit|no|ohne|kein\w*|sans|sin|senza|sem|zonder) "
    r"(?:the |this |that |any )?[`'\"]?$",
    re.IGNORECASE,
)
"""Leaving a flag out: "push without --force"."""
_NEGATED_AFTER = re.compile(
    r"[`'\"]?(?:[- ]\w+){0,3}? (?:(?:is|are) (?:strictly )?"
    r"(?:forbidden|banned|prohibited|not allowed|off limits)|"
    r"(?:ist|sind) verboten|(?:est|sont) interdit\w*|(?:esta|estan) prohibid\w*|e vietat\w*|e proibid\w*|"
    r"(?:nicht|nie|niemals|niet|nooit)(?! (?:zu )?(?:verg|ueberg|uberg|auslass|weglass|oversla))\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding: its name, what it says of the text, and how it is recognised."""

    name: str
    what: str
    pattern: re.Pattern[str]
    guarded: bool
    lines: bool

    def find(self, text: str) -> tuple[int, int] | None:
        """Where the text has it, or None."""
        at = 0
        while match := self.pattern.search(text, at):
            if not (self.guarded and is_forbidden(text, *match.span())):
                return match.span()
            at = match.start() + 1
        return None


def is_forbidden(text: str, start: int, end: int) -> bool:
    """Whether the clause around these words forbids them: "never commit .env", "rm -rf is not allowed"."""
    before = text[max(0, start - _REACH) : start]
    # The last negation decides; one that stands close before it, or a word like "forget", turns it.
    if last := list(_NEGATED_BEFORE.finditer(before))[-1:]:
        lead = before[max(0, last[0].start() - _CLOSE) : last[0].start()]
        turned = _DOUBLED.search(lead) or _FORGETTING.search(lead) or _TURNS.search(before, last[0].end())
        if not turned:
            return True
    if text[start] == "-" and (left := _LEFT_OUT.search(before)):
        return not _NEGATED_BEFORE.search(before[: left.start()])
    return bool(_NEGATED_AFTER.match(text, end))


@lru_cache(maxsize=1)
def load_rules() -> tuple[Rule, ...]:
    """The packaged table, in its order; read once."""
    raw = tomllib.loads(files("skillopt_sleep.safety").joinpath("rules.toml").read_text("utf-8"))
    return tuple(
        Rule(name, table["what"], _compiled(table["patterns"]), table.get("guarded", False), "lines" in table)
        for name, table in raw.items()
    )


def _compiled(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE | re.MULTILINE)
