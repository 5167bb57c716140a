"""A search is tried out with one random network, which says how many candidates its budget holds."""

from evonas.components import Components, assemble, check_endpoints
from evonas.config import Config
from evonas.doctor.throughput import DAY_S, alone, for_trials, per_day, trials
from evonas.driver.budget_forecast import forecast
from evonas.driver.cost_forecast import cost_forecast
from evonas.errors import UserError
from evonas.machine import machine_cores, machine_memory
from evonas.prices import Prices, names_of_this_machine
from evonas.runtime.ray_pool.nodes import in_memory
from evonas.runtime.serial import Serial


def dry_run(components: Components) -> list[str]:
    """Build, measure and begin to train one random network of a search, in this process. Nothing is recorded.

    Args:
        components: of the search.

    Returns:
        Lines: what the network took, and what fits into the budget.

    Raises:
        UserError: the network fails, or nothing is known of it in time.
    """
    config = components.config
    trial = assemble(_for_dry_run(config), components.space, components.task)
    check_endpoints(trial)
    runtime = Serial(trial.factory, trial.config.runtime, (), trial.remotes)
    try:
        evaluations, costs = trials(trial, runtime, config.training.mean_epochs, networks=1)
    finally:
        runtime.close()
    if failed := [each for each in evaluations if each.status.failed]:
        raise UserError(f"a random network {failed[0].status}: {failed[0].message}")
    if not costs:
        raise UserError("a random network did not train for two epochs in time; nothing can be said of the budget")
    ((measure_s, train_s),) = costs
    count = workers(config)
    rate = per_day(measure_s, train_s, [count], alone(trial)) / DAY_S
    took = f"a random network: {measure_s:.3g} s to measure, {train_s:.3g} s to train; {count} at a time"
    return [*filter(None, (took, forecast(config, rate), _cost(config, rate)))]


def _cost(config: Config, candidates_per_s: float) -> str:
    """What it will cost; of this machine alone, empty where nobody asks for money and no price is known."""
    if config.runtime.address != "local":
        return "what a cluster costs an hour says evonas doctor" if config.budget.usd else ""
    names = names_of_this_machine()
    usd_per_hour = Prices(config.runtime.own_prices).of(names)
    if usd_per_hour is None:
        return cost_forecast(config, 0.0, names[:1], candidates_per_s) if config.budget.usd else ""
    return cost_forecast(config, usd_per_hour, (), candidates_per_s)


def workers(config: Config) -> int:
    """How many candidates are evaluated at a time, as far as this machine can tell."""
    runtime = config.runtime
    if runtime.kind == "serial":
        return 1
    if runtime.workers != "auto":
        return runtime.workers
    here = {"CPU": machine_cores(), "memory": machine_memory()}
    fit = in_memory(int(machine_cores() / (runtime.cpus_per_worker or 1)), here, runtime.own_memory_mb)
    return max(1, min(fit, runtime.max_workers or fit))


def _for_dry_run(config: Config) -> Config:
    """The config of the trial, in this process."""
    trial = for_trials(config)
    return trial.model_copy(update={"runtime": trial.runtime.model_copy(update={"kind": "serial"})})
