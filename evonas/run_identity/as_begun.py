"""A config as the evonas meant it that began its run, with what keys of later stood for."""

from collections.abc import Mapping
from typing import Any

from evonas.config import BEFORE, Config, TargetConfig, TrainingConfig
from evonas.store import strategy_before


def as_begun(config: Config, recorded: Mapping[str, Any]) -> Config:
    """A config as the run meant it that it goes on with: before targets had `includes`, their latency was that of the
    network alone; before they had `screen`, each network was measured to the end at once; before they had `any_device`,
    devices were mixed; GPUs ran eager; no window grew, and NSGA-II had other defaults; at rung 0 costs counted by their
    logarithms.

    Args:
        config: which may leave these keys out.
        recorded: the run's config.

    Returns:
        The config; targets, the schedule, the strategy and rung 0 have the run's keys where they leave them out.
    """
    targets = {
        name: _target_as_begun(target, recorded["targets"][name]) if name in recorded["targets"] else target
        for name, target in config.targets.items()
    }
    training = _training_as_begun(config.training, recorded["training"].get("before"))
    config = config.model_copy(update={"targets": targets, "training": training})
    then = strategy_before(recorded["strategy"])
    if recorded["schedule"]["grows"] or any(recorded["strategy"].get(key) is None for key in then):
        return config
    schedule, strategy = config.schedule, config.strategy
    if "grows" not in schedule.model_fields_set:
        schedule = schedule.model_copy(update={"grows": False})
    if strategy.kind == recorded["strategy"]["kind"]:
        options = {key: recorded["strategy"][key] for key in then} | strategy.options
        strategy = type(strategy)(kind=strategy.kind, **options)
    return config.model_copy(update={"schedule": schedule, "strategy": strategy})


def _target_as_begun(target: TargetConfig, recorded: Mapping[str, Any]) -> TargetConfig:
    then = {key: value for key, value in {**BEFORE, "graph": False}.items() if recorded.get(key) == value}
    then["any_device"] = recorded.get("any_device", True)
    return target.model_copy(update={key: value for key, value in then.items() if key not in target.model_fields_set})


def _training_as_begun(training: TrainingConfig, recorded: Mapping[str, Any] | None) -> TrainingConfig:
    before = training.before
    if not (before and recorded) or "costs" in before.model_fields_set:
        return training
    return training.model_copy(update={"before": before.model_copy(update={"costs": recorded["costs"]})})
