"""What a supernet is worth: whether it ranks networks as they are when each is trained alone."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau
from torch import nn

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData
from evonas.evaluation.training.loop import Trainer
from evonas.evaluation.untrained.costs import parameters
from evonas.records import Genome
from evonas.seeding import seed_for, stream
from evonas.spaces.space import Space
from evonas.supernet.bank import Bank
from evonas.supernet.inheriting import inherited
from evonas.supernet.networks import Networks
from evonas.tasks.task import Task
from evonas.text import counted, describe_error

WEAK = 0.3
"""Below it a supernet decides hardly better than a coin."""
DRAWN = 10
"""So many networks are drawn for each that is trained; of those that were drawn, in the order of their parameters, the
trained ones are evenly spaced by rank."""
FIELLER = 0.437
"""Variance of Fisher's z of Kendall's tau, times n - 4 (Fieller, Hartley & Pearson 1957)."""


@dataclass(frozen=True, slots=True)
class Worth:
    """How inherited metrics rank networks that were trained alone. Correlations are Kendall's tau-b, 1: the same order,
    0: none that can be told.

    Args:
        metric: of the task.
        networks: so many.
        tau: of the inherited metric with the trained one.
        low, high: its 95 % interval over such networks.
        params_tau: what the number of parameters does, more being taken to be better.
        bias: mean of inherited less trained, in the metric's unit.
        inherited, trained: the metric of each network.
        params: of each.
    """

    metric: str
    networks: int
    tau: float
    low: float
    high: float
    params_tau: float
    bias: float
    inherited: Sequence[float]
    trained: Sequence[float]
    params: Sequence[float]

    @property
    def is_weak(self) -> bool:
        """Whether it should rather not decide anything."""
        return self.tau < WEAK

    def __str__(self) -> str:
        interval = f"95 % interval {self.low:.2f} to {self.high:.2f}"
        words = (
            f"Kendall tau {self.tau:.2f} ({interval}) with {self.metric} of {counted(self.networks, 'network')} "
            f"trained alone; that of params is {self.params_tau:.2f}; inherited less trained {self.bias:+.3g}"
        )
        if self.is_weak:
            words += ". IT RANKS HARDLY BETTER THAN CHANCE: train it for longer, or do without"
        if self.params_tau >= self.tau:
            words += ". The number of parameters ranks no worse and costs nothing: training.before: params"
        return words


def judged(
    metric: str, sign: int, inherited: Sequence[float], trained: Sequence[float], params: Sequence[int]
) -> Worth:
    """What ranks are worth.

    Args:
        metric: its name.
        sign: 1 where less of it is better, else -1.
        inherited, trained, params: of each network.
    """
    tau = _tau(inherited, trained)
    low, high = interval(tau, len(trained))
    return Worth(
        metric,
        len(trained),
        tau,
        low,
        high,
        -sign * _tau(params, trained),
        float(np.mean(np.subtract(inherited, trained))),
        list(inherited),
        list(trained),
        list(map(float, params)),
    )


def interval(tau: float, count: int) -> tuple[float, float]:
    """The 95 % interval of Kendall's tau, by Fisher's z; of four networks or fewer it is everything.

    Args:
        tau: of the networks.
        count: how many they are.
    """
    if count <= 4:
        return -1.0, 1.0
    z, half = math.atanh(max(-0.999999, min(0.999999, tau))), 1.96 * math.sqrt(FIELLER / (count - 4))
    return math.tanh(z - half), math.tanh(z + half)


Within = Callable[[nn.Module], bool]
"""Whether a network is within the limits of a search."""


def stratified(
    space: Space, networks: Networks, count: int, seed: int, within: Within = lambda network: True
) -> tuple[list[Genome], int]:
    """Networks from the smallest to the largest, all of them different.

    Args:
        space: of the networks.
        networks: which builds them.
        count: how many, at most.
        seed: of what is drawn.
        within: which networks may be among them.

    Returns:
        The networks, and how many of those drawn are not within the limits. Where few are within, more are drawn.
    """
    rng = stream(seed, "supernet audit")
    sizes: dict[Genome, int] = {}
    seen, beyond, drawn = set(), 0, 0
    while drawn < DRAWN * count or (beyond and len(sizes) < count and drawn < DRAWN * DRAWN * count):
        drawn += 1
        genome = space.canonical(space.sample(rng))
        if (identity := space.identity(genome)) in seen:
            continue
        seen.add(identity)
        try:
            network = networks(genome)
            if within(network):
                sizes[genome] = parameters(network)
            else:
                beyond += 1
        except Exception:  # a candidate that a search would record as failed
            continue
    ordered = sorted(sizes, key=lambda genome: (sizes[genome], genome))
    places = np.unique(np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int))
    return [ordered[place] for place in places], beyond


@dataclass(frozen=True, slots=True)
class Examined:
    """What networks are compared in.

    Args:
        space, task, data: of the search.
        config: how a network is trained in it, to the end.
        seed: of what is drawn.
        metric: of the task, by which they are compared.
        within: which networks are within the limits of the search.
        checkpoint: called between two steps of training, which it may delay.
    """

    space: Space
    task: Task
    data: DeviceData
    config: TrainingConfig
    seed: int
    metric: str
    within: Within = lambda network: True
    checkpoint: Callable[[], None] = lambda: None


def audited(bank: Bank, examined: Examined, count: int, say: Callable[[str], None]) -> Worth | None:
    """Train networks alone, and compare.

    Args:
        bank: of the supernet.
        examined: in what.
        count: of networks.
        say: takes lines for people.

    Returns:
        What the ranks are worth; None where no network can be trained.
    """
    space, task, data, metric, seed = examined.space, examined.task, examined.data, examined.metric, examined.seed
    networks = Networks(space, task.spec, data.device, seed)
    rows = []
    chosen, beyond = stratified(space, networks, count, seed, examined.within)
    if beyond:
        say(f"audit: {counted(beyond, 'network')} beyond the limits of the search left out")
    if len(chosen) < count:
        say(f"audit: {counted(len(chosen), 'network')}, for no more were found")
    for number, genome in enumerate(chosen, 1):
        try:
            own = seed_for(seed, "supernet audit", number)
            network = Networks(space, task.spec, data.device, own)(genome)
            metrics, had = inherited(network, bank, task, data, examined.config)
            found, lacking = metrics[metric], f" (but for {had.lacking})" if had.lacking else ""
            alone = _alone(network, examined, own)[metric]
        except Exception as error:  # a candidate that a search would record as failed
            say(f"left out: network {genome}: {describe_error(error)}")
            continue
        say(f"network {number} of {len(chosen)}: {metric} {found:.4g} inherited{lacking}, {alone:.4g} trained alone")
        rows.append((found, alone, parameters(network)))
    if not rows:
        return None
    return judged(metric, 1 if task.spec.metrics[metric] == "minimize" else -1, *map(list, zip(*rows, strict=True)))


def _alone(network: nn.Module, examined: Examined, seed: int) -> Mapping[str, float]:
    *_, last = Trainer(network, examined.data, examined.task, examined.config, seed, examined.checkpoint).epochs()
    return last.metrics


def _tau(a: Sequence[float], b: Sequence[float]) -> float:
    """0 where one of them is the same for all networks."""
    found = float(kendalltau(a, b).statistic) if len(a) > 1 else 0.0
    return 0.0 if math.isnan(found) else found
