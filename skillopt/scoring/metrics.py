"""Metrics that compare an answer with an expected one."""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from skillopt.core.rollout import Score, Trajectory
from skillopt.core.task import Check, Json, plain_json
from skillopt.errors import ConfigError
from skillopt.scoring.checks import compile_check, last_answer, reply_text

AnswerMetric = Literal["exact", "f1", "number", "contains", "json"]
Compare: TypeAlias = Callable[[Trajectory], Score]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_FENCE = re.compile(r"\A\s*```(?:json)?[ \t]*\n(.*)\n[ \t]*```\s*\Z", re.DOTALL | re.IGNORECASE)


def compile_metric(metric: AnswerMetric, expected: Json) -> Compare:
    """The comparison with `expected` (a list: any of them), ready to run.

    Raises ConfigError for an unknown metric or an expected answer it cannot use.
    """
    if metric not in _METRICS:
        raise ConfigError(f"unknown metric {metric}", next=f"use one of {', '.join(_METRICS)}")
    return _METRICS[metric](expected)


def token_f1(answer: str, expected: str) -> float:
    """Harmonic mean of precision and recall over words (SQuAD: lower case, no punctuation, no articles)."""
    said, wanted = _words(answer), _words(expected)
    if not said or not wanted:
        return float(said == wanted)
    shared: int = (Counter(said) & Counter(wanted)).total()
    return 2 * shared / (len(said) + len(wanted))


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.casefold().translate(_PUNCTUATION)).split()


def _by_check(op: str) -> Callable[[Json], Compare]:
    def build(expected: Json) -> Compare:
        check = compile_check(Check(op, expected))

        def compare(trajectory: Trajectory) -> Score:
            passed = check.passes(trajectory)
            return Score(float(passed), float(passed), _told(passed, expected))

        return compare

    return build


def _f1(expected: Json) -> Compare:
    accepted = [str(one) for one in (expected if isinstance(expected, list) else [expected])]
    if not accepted:
        raise ConfigError("at least one expected answer is needed")

    def compare(trajectory: Trajectory) -> Score:
        answer = last_answer(reply_text(trajectory))
        best = max(token_f1(answer, one) for one in accepted)
        return Score(float(best >= 1.0), best, _told(best >= 1.0, expected))

    return compare


def _json(expected: Json) -> Compare:
    try:
        wanted = json.loads(expected) if isinstance(expected, str) else plain_json(expected)
    except ValueError as error:
        raise ConfigError("the expected output is not JSON", why=str(error)) from error

    def compare(trajectory: Trajectory) -> Score:
        text = last_answer(reply_text(trajectory))
        fenced = _FENCE.match(text)
        try:
            said = json.loads(fenced[1] if fenced else text)
        except (ValueError, RecursionError):
            return Score(0.0, 0.0, f"not JSON; {_told(False, expected)}")
        same = said == wanted
        return Score(float(same), _overlap(said, wanted), _told(same, expected))

    return compare


def _overlap(said: object, wanted: object) -> float:
    """The share of the expected fields that are right; 1 or 0 for anything but two objects."""
    if said == wanted:
        return 1.0
    if not (isinstance(said, dict) and isinstance(wanted, dict) and wanted):
        return 0.0
    right = sum(bool(key in said and said[key] == value) for key, value in wanted.items())
    return right / len(said.keys() | wanted.keys())


def _told(passed: bool, expected: Json) -> str:
    return "as expected" if passed else f"expected {json.dumps(plain_json(expected), ensure_ascii=False)}"


_METRICS: Mapping[str, Callable[[Json], Compare]] = MappingProxyType(
    {
        "exact": _by_check("exact"),
        "f1": _f1,
        "number": _by_check("number"),
        "contains": _by_check("contains"),
        "json": _json,
    }
)
