"""Memory: what a training is said to take, what its validation takes, and the fence of a process; and energy."""

from collections.abc import Sequence
from statistics import mean, median, pstdev

import torch

from evonas.evaluation.training.scoring import score
from evonas.evaluation.untrained.costs import train_memory_mb
from evonas.measuring.benchmark import LatencyBenchmark
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.reference import reference

from .session import Row, Session
from .subject import INPUT, NETWORKS, config, data, examples, task

ENERGY_S = 15.0


def memory(session: Session) -> None:
    """Training memory three times, the peak of a validation pass beside it, and a fence."""
    if session.dry:
        asks = "training memory of two networks, three times; the peak of a validation pass; whether a fence holds"
        session.tell("memory", skipped="no GPU", asks=asks)
        return
    own, place = task(examples(False)), data(False)
    recipe = config(False).training
    for name in ("small", "large"):
        network = NETWORKS[name]().cuda()
        found = [train_memory_mb(network, own, place, recipe) for _ in range(3)]
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        score(network, place.valid, place, own, recipe)
        peak = torch.cuda.max_memory_allocated() - before
        session.tell("memory", net=name, train_memory_mb=found, validation_mb=peak / 1e6)
        del network
        torch.cuda.empty_cache()
    with session.processes.Pool(1) as pool:
        session.tell("memory", **pool.apply(fenced))


def fenced() -> Row:
    """A process that may have a twentieth of the card asks for a fifth, and goes on."""
    torch.cuda.set_per_process_memory_fraction(0.05)
    total = torch.cuda.mem_get_info()[1]
    try:
        torch.empty(int(0.2 * total), dtype=torch.uint8, device="cuda")
    except torch.OutOfMemoryError as error:
        works = torch.ones(4, device="cuda").sum().item() == 4
        return {"fence": 0.05, "raised": type(error).__name__, "works_on": works}
    return {"fence": 0.05, "raised": None, "works_on": True}


def energy(session: Session) -> None:
    """Energy of a pass, five times each."""
    if session.dry:
        session.tell("energy", skipped="no GPU", asks="energy of a pass of two networks, five times each")
        return
    lock = DeviceLock(["cpu"])
    target = config(False).targets["gpu"]
    benchmark = LatencyBenchmark("gpu", target, reference(), lock, {"energy_mj"})
    for name in ("small", "large"):
        if session.lacks(ENERGY_S, "energy", net=name):
            continue
        network = NETWORKS[name]().eval()
        found = [benchmark.measure(network, INPUT).energy_mj or 0.0 for _ in range(5)]
        session.tell("energy", net=name, mj=median(found), cv=spread(found))


def spread(values: Sequence[float]) -> float:
    """The coefficient of variation."""
    return pstdev(values) / mean(values)
