"""What networks of a run take on this machine, measured again as the search measures them."""

import platform
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from evonas.components import remotes
from evonas.errors import TargetUnavailable, UserError
from evonas.evaluation.targets import Targets, prepared
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.identity import identity, of_rows, unlike
from evonas.objectives.objectives import Objectives
from evonas.runs.rebuild import config_of, space_of, task_of
from evonas.spaces.units import built

if TYPE_CHECKING:
    from evonas.records import Endpoint, Genome, Measurement
    from evonas.runs.run import Run
    from evonas.spaces.space import Space
    from evonas.tasks import Task

Measure = Callable[["Genome"], "Iterator[tuple[str, Measurement]]"]
"""Of a genome each target with what the network takes there."""


def measuring(
    run: "Run",
    target: str | None,
    space: "Space | None" = None,
    task: "Task | None" = None,
    servers: "Mapping[str, Endpoint] | None" = None,
    any_kind: bool = False,
) -> "Measure":
    """What measures a network of a run on one target or on each.

    Args:
        run: whose targets.
        target: of the run; None: each.
        space, task: of the run, where they are at hand.
        servers: target -> where it is measured, of those with a `resource`.
        any_kind: also on another kind of device than the run's.

    Raises:
        UserError: no such target, the target's device is not here, or it is of another kind than that on which the run
            has measured.
    """
    config = config_of(run.folder, run.description)
    if target is not None and target not in config.targets:
        raise UserError(f"--target: no target {target!r}; the run has {', '.join(config.targets) or 'none'}")
    if not config.targets:
        raise UserError("the run has no targets to measure on")
    names = [target] if target else list(config.targets)
    own, spec = space_of(run.description, space), task_of(run.description)
    objectives = Objectives(config, spec)
    included = any(config.targets[name].includes == "prepare" for name in names)
    preparation = prepared(config, objectives, task or run.task()) if included else None
    targets = Targets(own, config, objectives, {}, DeviceLock(["cpu"]), spec.input, preparation)
    endpoints = {**remotes(config, config.targets).endpoints, **(servers or {})}
    kinds = {} if any_kind else recorded_kinds(run)
    for name in names:
        _check(name, kinds, targets.kind(name), platform.node())

    def measure(genome: "Genome") -> "Iterator[tuple[str, Measurement]]":
        for name in names:
            whole, inputs = targets.whole(name, built(own, genome, spec))
            try:
                found = targets.part(name, whole, inputs, endpoints)
            except TargetUnavailable as away:
                raise UserError(str(away)) from None
            _check(name, kinds, identity(found.conditions), where_of(found))
            yield name, found

    return measure


def recorded_kinds(run: "Run") -> Mapping[str, Mapping[str, str]]:
    """Target -> the kind of device that a run has measured it on, of those that are one kind for the whole run."""
    recorded = run.description["config"].get("targets", {})
    strict = [name for name, section in recorded.items() if not section.get("any_device", True)]  # as before the key
    return of_rows(map(dict, run.evaluations["conditions"]), strict)


def where_of(found: "Measurement") -> str:
    """The machine that a measurement was made on."""
    return found.conditions.get("host") or found.conditions.get("address") or platform.node()


def _check(name: str, kinds: Mapping[str, Mapping[str, str]], here: Mapping[str, str], where: str) -> None:
    """
    Raises:
        UserError: what stands in one column would be of two kinds of device.
    """
    if here and (what := unlike(name, kinds.get(name, {}), here, where)):
        raise UserError(f"{what}; one column takes one kind of device: measure on a machine of that kind")
