"""Every key of a configuration: its type, default, range and meaning, in one place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from skillopt.core.gate import Metric
from skillopt.models.profile import Profile

T = TypeVar("T")

Schedule = Literal["cosine", "linear", "constant", "autonomous", "none"]
UpdateMode = Literal["patch", "rewrite_from_suggestions", "full_rewrite"]
GateName = Literal["strict", "no_regression", "always"]
AnswerMetric = Literal["exact", "f1", "number", "contains", "json"]
EnvName = Literal["jsonl", "toy"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
Value: TypeAlias = bool | int | float | str | Path | None

RATIO = re.compile(r"([0-9]{1,6}):([0-9]{1,6}):([0-9]{1,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """What is said of a key beside its type and default; `above` and `below` are not allowed themselves."""

    text: str
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    counts: bool = True


def _key(
    default: T,
    text: str,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    counts: bool = True,
) -> T:
    """A field; `counts` says that it can change a result, and so belongs to the fingerprint."""
    about = _About(text=text, least=least, most=most, above=above, below=below, counts=counts)
    found: T = field(default=default, metadata={"about": about})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSection:
    """Which models play which role, and how they are asked."""

    optimizer: str | None = _key(None, "model that edits the skill")
    target: str | None = _key(None, "model that does the tasks with the skill")
    judge: str | None = _key(None, "model that scores tasks with a rubric")
    optimizer_backend: str = _key("openai", "profile the optimizer is asked through")
    target_backend: str = _key("openai", "profile the target is asked through")
    judge_backend: str | None = _key(None, "profile the judge is asked through; null: that of the optimizer")
    target_agent: Literal["chat"] = _key("chat", "agent that does the tasks; `chat` puts the skill first")
    temperature: float | None = _key(
        None, "temperature of the target; null leaves it to the provider", least=0, most=2
    )
    max_tokens: int | None = _key(None, "longest answer of the target, in tokens", least=1)
    seed: int | None = _key(None, "seed sent with the target's requests, where a provider has one", least=0)
    reasoning_effort: Effort | None = _key(None, "how long the target may think; null: the provider's own")
    optimizer_temperature: float | None = _key(None, "temperature of the optimizer", least=0, most=2)
    optimizer_max_tokens: int | None = _key(None, "longest answer of the optimizer, in tokens", least=1)
    optimizer_reasoning_effort: Effort | None = _key(None, "how long the optimizer may think")
    timeout_s: float = _key(120.0, "seconds one request may take", above=0, counts=False)
    patience_s: float = _key(
        180.0, "seconds a provider that fails is tried again before the run stops", least=0, counts=False
    )
    prices: Path | None = _key(None, "YAML file of your own prices, before those shipped", counts=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSection:
    """How long is trained, and what it may cost."""

    num_epochs: int = _key(4, "times all training tasks are gone through", least=1)
    batch_size: int = _key(40, "training tasks in a batch", least=1)
    accumulation: int = _key(1, "batches in one step", least=1)
    seed: int = _key(42, "seed of every shuffle and draw", least=0)
    budget_usd: float | None = _key(
        None,
        "US dollars the run may spend, where all models have a price; null: no cap",
        above=0,
        counts=False,
    )
    budget_tokens: int | None = _key(None, "tokens the run may use", least=1, counts=False)
    budget_calls: int | None = _key(None, "model calls the run may make", least=1, counts=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientSection:
    """How scored rollouts become proposed edits."""

    minibatch_size: int = _key(8, "rollouts an analyst sees in one call", least=1)
    merge_batch_size: int = _key(8, "patches merged in one call", least=2)
    analyst_workers: int = _key(16, "optimizer calls at once", least=1, counts=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSection:
    """How many edits are made, in which way, and what is learned over epochs."""

    learning_rate: int = _key(4, "edit budget: edits a step may make at first", least=1)
    min_learning_rate: int = _key(2, "edits a step may make at the end", least=1)
    lr_scheduler: Schedule = _key(
        "cosine", "how the budget decays; `autonomous`: the optimizer chooses; `none`: no limit"
    )
    update_mode: UpdateMode = _key("patch", "whether edits are applied, carried out, or the skill rewritten")
    slow_update: bool = _key(True, "compare with the skill of one epoch ago and write guidance")
    slow_update_samples: int = _key(20, "training tasks in that comparison; 0: never", least=0)
    slow_update_gated: bool = _key(True, "let the gate decide about that guidance too")
    meta_skill: bool = _key(True, "keep a note on optimizing for the next epoch")
    skill_aware: bool = _key(False, "keep lapses of the agent apart, as reminders in an appendix")
    appendix_notes: int = _key(10, "reminders the appendix may hold", least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSection:
    """How a candidate is compared with the current skill."""

    gate: GateName = _key("strict", "when a candidate is accepted")
    gate_metric: Metric = _key("hard", "which score is compared")
    mixed_weight: float = _key(0.5, "share of the soft score under `mixed`", least=0, most=1)
    repeats: int = _key(1, "rollouts of each held-out task", least=1)
    margin: float = _key(
        0.0, "gain that is needed; the gates there are need any gain at all, so only 0", least=0, most=0
    )
    tolerance: float = _key(0.0, "how far one task may drop under `no_regression`", least=0, most=1)
    confidence: float = _key(0.95, "probability that an interval holds the true gain", above=0, below=1)
    min_pairs: int = _key(1, "held-out tasks with a score on both sides the gate needs", least=1)
    max_error_rate: float = _key(
        0.2, "share of held-out tasks without a score above which it abstains", least=0, most=1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvSection:
    """The tasks, the skill to begin with, and where the run is kept."""

    name: EnvName = _key("jsonl", "`jsonl`: tasks of your own; `toy`: made-up ones, offline")
    split_dir: Path | None = _key(
        None, "folder with train/, val/ (or selection/) and test/, each with .jsonl files", counts=False
    )
    data_file: Path | None = _key(None, "one .jsonl file instead, dealt by split_ratio", counts=False)
    split_ratio: str = _key("2:1:7", "train, selection and test shares of data_file")
    metric: AnswerMetric = _key("exact", "how answers are compared where a task does not say")
    skill_init: Path | None = _key(
        None, "the seed skill; null: an empty one, or that of the environment", counts=False
    )
    workers: int = _key(8, "rollouts at once", least=1, counts=False)
    out: Path = _key(
        Path("outputs"),
        "folder of the run; outputs/NAME, that of the file, or of its folder for a config.yaml",
        counts=False,
    )

    @property
    def ratio(self) -> tuple[int, int, int]:
        """`split_ratio` as numbers."""
        train, selection, test = (int(part) for part in self.split_ratio.split(":"))
        return train, selection, test


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """A whole configuration. `profiles` are one's own servers; all paths are absolute once loaded."""

    model: ModelSection = field(default_factory=ModelSection)
    train: TrainSection = field(default_factory=TrainSection)
    gradient: GradientSection = field(default_factory=GradientSection)
    optimizer: OptimizerSection = field(default_factory=OptimizerSection)
    evaluation: EvaluationSection = field(default_factory=EvaluationSection)
    env: EnvSection = field(default_factory=EnvSection)
    profiles: Mapping[str, Profile] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Resolved:
    """A configuration and, by `section.key` (or `profiles.name`), where each value came from, in words."""

    config: RunConfig
    provenance: Mapping[str, str]

    def values(self) -> dict[str, Value]:
        """Every value by `section.key`, without the profiles."""
        return {name: getattr(getattr(self.config, key.section), key.name) for name, key in keys().items()}

    @property
    def fingerprint(self) -> dict[str, Value]:
        """What can change a result, by `section.key`; never an address, timeout, worker, price, path or cap.

        What the tasks and the seed skill hold is not here: their content counts, not their path.
        """
        found = {name: value for name, value in self.values().items() if keys()[name].counts}
        model = self.config.model
        for backend in {model.optimizer_backend, model.target_backend, model.judge_backend} - {None}:
            if (profile := self.config.profiles.get(str(backend))) is not None:
                for each in fields(profile):
                    if each.name not in _OF_THE_PLACE:
                        found[f"profiles.{backend}.{each.name}"] = getattr(profile, each.name)
        return dict(sorted(found.items()))

    def to_yaml(self) -> str:
        """All values as YAML that loads to the same configuration; there is no secret in it."""
        from skillopt.config.write import to_yaml

        return to_yaml(self.config)


_OF_THE_PLACE = frozenset(("name", "url", "url_variable", "key_variable", "needs_key"))
"""The fields of a profile that say where a provider is and who may ask, not what it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a section, as it is checked and documented."""

    section: str
    name: str
    kind: Literal["whole number", "number", "true or false", "text", "path", "choice"]
    default: Value
    about: str
    optional: bool
    choices: tuple[str, ...]
    bounds: _About
    counts: bool

    @property
    def full(self) -> str:
        """`section.key`."""
        return f"{self.section}.{self.name}"

    @property
    def range(self) -> str:
        """The allowed numbers, in words; empty when any will do."""
        about = self.bounds
        if about.least is not None and about.least == about.most:
            return f"only {about.least:g}"
        low = f"{about.least:g} or more" if about.least is not None else ""
        low = f"above {about.above:g}" if about.above is not None else low
        if about.most is not None:
            return (
                f"{about.least:g} to {about.most:g}" if about.least is not None else f"up to {about.most:g}"
            )
        return f"{low} and below {about.below:g}" if about.below is not None else low

    def allows(self, number: float) -> bool:
        """Whether a number is in range; NaN and infinity never are."""
        about = self.bounds
        return (
            abs(number) < float("inf")
            and (about.least is None or number >= about.least)
            and (about.most is None or number <= about.most)
            and (about.above is None or number > about.above)
            and (about.below is None or number < about.below)
        )


SECTIONS: Mapping[str, type] = MappingProxyType(
    {
        "model": ModelSection,
        "train": TrainSection,
        "gradient": GradientSection,
        "optimizer": OptimizerSection,
        "evaluation": EvaluationSection,
        "env": EnvSection,
    }
)

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "model.target_model": "model.target",
        "model.optimizer_model": "model.optimizer",
        "model.judge_model": "model.judge",
        "train.epochs": "train.num_epochs",
        "train.split_dir": "env.split_dir",
        "optimizer.lr_min": "optimizer.min_learning_rate",
        "evaluation.metric": "evaluation.gate_metric",
        "target_model": "model.target",
        "optimizer_model": "model.optimizer",
        "judge_model": "model.judge",
        "seed_skill": "env.skill_init",
        "epochs": "train.num_epochs",
        "lr_min": "optimizer.min_learning_rate",
        "n_workers": "env.workers",
        "seed": "train.seed",
    }
)
"""Other spellings, nested and flat. `task` is not here: what it means depends on its value."""

BACKENDS_WITHOUT_SERVER = ("toy",)
"""Backends that are no profile: they answer inside the program."""


@cache
def keys() -> Mapping[str, Key]:
    """All keys by `section.key`, in order."""
    return MappingProxyType(
        {key.full: key for section, kind in SECTIONS.items() for key in _keys_of(section, kind)}
    )


@cache
def flat_names() -> Mapping[str, str]:
    """The names a flat file may use: the aliases, and each key that only one section has."""
    found: dict[str, str] = {}
    for key in keys().values():
        # `optimizer: x` could be the model or the section, `name: x` that of anything: neither is guessed.
        if (
            key.name not in (*SECTIONS, "name")
            and sum(key.name == other.name for other in keys().values()) == 1
        ):
            found[key.name] = key.full
    return MappingProxyType({**found, **{name: to for name, to in ALIASES.items() if "." not in name}})


def _keys_of(section: str, kind: type) -> list[Key]:
    hints = get_type_hints(kind)
    found = []
    for each in fields(kind):
        about: _About = each.metadata["about"]
        hint = hints[each.name]
        default: Value = getattr(kind(), each.name)
        parts = [part for part in _parts(hint) if part is not NoneType]
        choices = tuple(
            str(choice) for part in parts if get_origin(part) is Literal for choice in get_args(part)
        )
        found.append(
            Key(
                section=section,
                name=each.name,
                kind="choice" if choices else _KINDS[parts[0]],
                default=default,
                about=about.text,
                optional=NoneType in _parts(hint),
                choices=choices,
                bounds=about,
                counts=about.counts,
            )
        )
    return found


def _parts(hint: Any) -> tuple[Any, ...]:
    return (hint,) if get_origin(hint) is Literal or not get_args(hint) else get_args(hint)


_KINDS: Mapping[type, Literal["whole number", "number", "true or false", "text", "path"]] = MappingProxyType(
    {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path"}
)
