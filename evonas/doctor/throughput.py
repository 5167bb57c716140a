"""How many candidates a day, from a few that are tried."""

import time
from collections.abc import Iterator, Mapping, Sequence

from evonas.components import Components
from evonas.config import Config, RuntimeConfig, TrainingConfig
from evonas.doctor.context import Context, Finding, State, Unknown, parts_of
from evonas.driver.breeding import Breeder
from evonas.records import Evaluation, Job, RungReport
from evonas.runtime import Runtime
from evonas.runtime.ray_pool.nodes import ClusterNode, Nodes
from evonas.strategies import Exhausted
from evonas.text import counted

TRY_S, TRY_MOST_S = 20.0, 90.0
"""Networks are tried for so long; and for so long where not even one has shown how fast it trains."""
TRIALS = 3
DAY_S = 86400


def speed(context: Context) -> Iterator[Finding]:
    components, pool = parts_of(context), context.pool
    if pool is None:
        raise Unknown("there is no worker")
    if context.away:
        raise Unknown(f"target {min(context.away)} cannot be reached")
    assert context.config
    evaluations, costs = trials(components, pool, context.config.training.mean_epochs)
    failed = [each for each in evaluations if each.status.failed]
    if failed:
        text = f"{len(failed)} of {len(evaluations)} random networks {failed[0].status}: {failed[0].message}"
        state: State = "error" if len(failed) == len(evaluations) else "note"
        yield Finding("speed", state, text, "see the message: the space, the task or the training" * (state == "error"))
    if not costs:
        if not failed:
            text = f"after {TRY_MOST_S:g} s no random network was trained for two epochs"
            yield Finding("speed", "note", f"{text}: fewer than {DAY_S / TRY_MOST_S:,.0f} candidates a day and worker")
        return
    each_s = [measure_s + train_s for measure_s, train_s in costs]
    workers = rooms(context.runtime, context.nodes) if context.runtime.kind == "ray" else [1]
    measure_s, train_s = (sum(part) / len(costs) for part in zip(*costs, strict=True))
    a_day = per_day(measure_s, train_s, workers, alone(components))
    context.candidates_per_s = a_day / DAY_S
    stopped = ", with early stopping" if context.config.training.rungs else ""
    text = (
        f"about {float(f'{a_day:.2g}'):,.0f} candidates a day on {counted(sum(workers), 'worker')} "
        f"({counted(len(costs), 'random network')}, {min(each_s):.1f} to {max(each_s):.1f} s each{stopped})"
    )
    yield Finding("speed", "ok", text)


def for_trials(config: Config) -> Config:
    """The config of a worker that reports its first epochs too, and whose measurements are its own."""
    training = config.training
    early = {epoch for epoch in (1, 2) if epoch < training.epochs}
    rungs = tuple(sorted({*training.rungs, *early}))
    changes = {"workers": 1, "max_workers": None, "gpus_per_worker": config.runtime.gpus_at_first, "measurements": None}
    runtime = config.runtime.model_copy(update=changes)
    return config.model_copy(update={"training": training.model_copy(update={"rungs": rungs}), "runtime": runtime})


def trials(
    components: Components, pool: Runtime, mean: float, networks: int = 1 + TRIALS
) -> tuple[list[Evaluation], list[tuple[float, float]]]:
    """Random networks of the search, as its first candidates will be: those evaluated, and seconds of measuring and of
    training that each costs a worker. The first pays for what is set up once: it counts where there is no other.

    mean: epochs that a candidate of the search trains. networks: how many are tried at most.
    """
    breeder = Breeder(components.config, components.space, components.objectives)
    until, evaluations, costs = time.monotonic() + TRY_MOST_S, [], []
    for number in range(networks):
        try:
            job = breeder.breed()
        except Exhausted:
            break
        reached, evaluation = _tried(components.config.training, pool, job, until)
        evaluations += [evaluation] if evaluation else []
        costs += _cost(reached, evaluation, mean)
        until = time.monotonic() + TRY_S if number == 0 else until
        if evaluation is None or time.monotonic() > until:
            break
    return evaluations, costs[1:] or costs


def _cost(reached: Mapping[int, float], evaluation: Evaluation | None, mean: float) -> list[tuple[float, float]]:
    """Of one network, where it can be told; of one that is not evaluated, by its first two epochs."""
    if evaluation:
        share = mean / max(1, len(evaluation.curve))
        return [] if evaluation.status.failed else [(evaluation.measure_s, evaluation.train_s * share)]
    if not {1, 2} <= reached.keys():
        return []
    epoch_s = reached[2] - reached[1]
    return [(max(0.0, reached[1] - epoch_s), epoch_s * mean)]


def _tried(
    training: TrainingConfig, pool: Runtime, job: Job, until: float
) -> tuple[dict[int, float], Evaluation | None]:
    """When a candidate reached each epoch that it reports (s), and what became of it, if that is known in time."""
    reached: dict[int, float] = {}
    submitted = time.monotonic()
    pool.submit(job)
    while True:
        for message in pool.wait(0.5):
            if isinstance(message, RungReport):
                reached[training.milestones[message.rung]] = time.monotonic() - submitted
            else:
                return reached, message
        if time.monotonic() > (min(until, submitted + TRY_S) if 2 in reached else until):
            return reached, None


def per_day(measure_s: float, train_s: float, workers: Sequence[int], alone: str) -> float:
    """Candidates a day. workers: of each machine.

    alone: who stands still while a network is measured: "machine", the other workers beside it; "board", those that
    wait for the same server; "" nobody.
    """
    if alone == "machine":
        return DAY_S * sum(1 / (measure_s + train_s / count) for count in workers if count)
    rate = sum(workers) / (measure_s + train_s)
    return DAY_S * (min(rate, 1 / measure_s) if alone == "board" and measure_s else rate)


def alone(components: Components) -> str:
    """As of `per_day`."""
    measured = [
        components.config.targets[name] for name in components.objectives.targets if name not in components.tables
    ]
    if any(target.quiet and not target.remote for target in measured):
        return "machine"
    return "board" if any(target.remote for target in measured) else ""


def rooms(runtime: RuntimeConfig, nodes: Sequence[ClusterNode]) -> list[int]:
    """Workers of each node: as many as are asked for and as fit."""
    left = (runtime.max_workers or float("inf")) if runtime.workers == "auto" else runtime.workers
    found = []
    for node in nodes:
        of_one = Nodes({"CPU": runtime.cpus_per_worker, "GPU": runtime.gpus_at_first}, runtime.own_memory_mb)
        of_one.update([node], ())
        found.append(int(min(left, of_one.capacity)))
        left -= found[-1]
    return found
