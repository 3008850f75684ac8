"""From a configuration to the parts of a run, every one checked before anything is spent."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from skillopt.config.checks import check_ready
from skillopt.config.schema import BACKENDS_WITHOUT_SERVER, Resolved, RunConfig
from skillopt.core.gate import Always, NoRegression, Strict
from skillopt.core.schedule import EditBudget
from skillopt.core.skill import Skill
from skillopt.core.splits import check_held_out
from skillopt.core.task import Split
from skillopt.envs.jsonl import JsonlEnvironment
from skillopt.errors import ConfigError
from skillopt.models.metered import Caps
from skillopt.models.prices import Price, Prices, builtin_prices, prices_from
from skillopt.protocols import Environment, Gate
from skillopt.runs.backends import Backend, backend_of
from skillopt.train.config import TrainConfig
from skillopt.train.model_optimizer import OptimizerSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run needs, without anything open yet. `judge` is None when no task has a rubric, `optimizer`
    when a skill is only scored."""

    resolved: Resolved
    environment: Environment
    skill: Skill
    gate: Gate
    train: TrainConfig
    settings: OptimizerSettings
    target: Backend
    optimizer: Backend | None
    judge: Backend | None
    prices: Prices
    caps: Caps

    @property
    def config(self) -> RunConfig:
        """The configuration."""
        return self.resolved.config


def plan(resolved: Resolved, env: Mapping[str, str], *, trains: bool = True, needs_keys: bool = True) -> Plan:
    """Checks a configuration against what it names: files, tasks, the skill, profiles and, unless nothing is
    to be asked, keys. A plan that only scores (not `trains`) needs no optimizer.

    Raises ConfigError, or SkillFormatError for the seed skill.
    """
    config = resolved.config
    check_ready(resolved, trains=trains)
    settings = optimizer_settings(config)
    train = train_config(config)
    environment = environment_of(config)
    if trains:
        check_held_out({split: environment.tasks(split) for split in Split})
    skill = skill_of(config.env.skill_init, environment)
    needs_judge = isinstance(environment, JsonlEnvironment) and environment.needs_judge
    backend = functools.partial(backend_of, config=config, env=env, needs_key=needs_keys)
    made = Plan(
        resolved=resolved,
        environment=environment,
        skill=skill,
        gate=gate_of(config),
        train=train,
        settings=settings,
        target=backend("target"),
        optimizer=backend("optimizer") if trains else None,
        judge=backend("judge") if needs_judge else None,
        prices=prices_of(config.model.prices),
        caps=Caps(config.train.budget_usd, config.train.budget_tokens, config.train.budget_calls),
    )
    for asked in (made.target, made.optimizer, made.judge):
        if asked is not None:
            made.caps.check_price(asked.model, made.prices)
    return made


def environment_of(config: RunConfig) -> Environment:
    """The tasks. Raises ConfigError, naming file and line, for tasks that cannot be used."""
    env = config.env
    if env.name == "toy":
        from skillopt.envs.toy import ToyEnvironment

        return ToyEnvironment()
    path = env.split_dir or env.data_file
    if path is None:
        raise ConfigError("no tasks are named", next="set env.split_dir or env.data_file")
    return JsonlEnvironment.load(path, metric=env.metric, ratio=env.ratio, seed=config.train.seed)


def skill_of(path: Path | None, environment: Environment) -> Skill:
    """The skill in `path`, else the environment's own seed, else an empty one.

    Raises ConfigError when the file cannot be read.
    """
    if path is None:
        from skillopt.envs.toy import ToyEnvironment, toy_skill

        return toy_skill() if isinstance(environment, ToyEnvironment) else Skill("")
    try:
        return Skill.from_bytes(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"cannot read the skill {path}", why=error.strerror or str(error), next="check env.skill_init"
        ) from error


def gate_of(config: RunConfig) -> Gate:
    """The gate of the evaluation section."""
    evaluation = config.evaluation
    rules = Always if evaluation.gate == "always" else Strict
    gate = rules(
        min_pairs=evaluation.min_pairs,
        max_error_rate=evaluation.max_error_rate,
        metric=evaluation.gate_metric,
        mixed_weight=evaluation.mixed_weight,
        confidence=evaluation.confidence,
    )
    if evaluation.gate != "no_regression":
        return gate
    return NoRegression(gate, evaluation.tolerance, thorough=True)


def train_config(config: RunConfig) -> TrainConfig:
    """The settings of the loop. Raises ConfigError for an edit budget that would grow."""
    optimizer, evaluation = config.optimizer, config.evaluation
    kind = optimizer.lr_scheduler
    # A budget that begins below the default end stays where it begins.
    end = min(optimizer.min_learning_rate, optimizer.learning_rate) if kind in ("cosine", "linear") else 1
    return TrainConfig(
        epochs=config.train.num_epochs,
        batch_size=config.train.batch_size,
        edit_budget=EditBudget(kind, optimizer.learning_rate, end),
        accumulation=config.train.accumulation,
        repeats=evaluation.repeats,
        slow_update_samples=optimizer.slow_update_samples if optimizer.slow_update else 0,
        slow_update_gated=optimizer.slow_update_gated,
        meta_skill=optimizer.meta_skill,
        measures_seed=True,
        metric=evaluation.gate_metric,
        mixed_weight=evaluation.mixed_weight,
        seed=config.train.seed,
        workers=config.env.workers,
    )


def optimizer_settings(config: RunConfig) -> OptimizerSettings:
    """The settings of the optimizer."""
    optimizer, gradient = config.optimizer, config.gradient
    return OptimizerSettings(
        update_mode=optimizer.update_mode,
        minibatch_size=gradient.minibatch_size,
        merge_batch_size=gradient.merge_batch_size,
        max_edits=optimizer.learning_rate,
        autonomous=optimizer.lr_scheduler == "autonomous",
        skill_aware=optimizer.skill_aware,
        appendix_notes=optimizer.appendix_notes,
        seed=config.train.seed,
    )


def prices_of(path: Path | None) -> Prices:
    """The shipped prices, with one's own before them. Raises ConfigError for a file that holds none."""
    shipped = builtin_prices().over(dict.fromkeys(BACKENDS_WITHOUT_SERVER, Price(0.0, 0.0, 0.0)))
    if path is None:
        return shipped
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"cannot read the prices {path}", why=str(error), next="check model.prices"
        ) from error
    return shipped.over(prices_from(data, str(path)))
