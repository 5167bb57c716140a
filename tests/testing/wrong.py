"""Parts with one fault each, and a part without: what the suites of `evonas.testing` must tell apart."""

import contextlib
import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evonas.config import TargetConfig
from evonas.evaluation.learners import FromScratch, TrainingSetup
from evonas.exporters import EXPORTERS, Exporter, Labels
from evonas.measuring.backends.backend import BACKENDS
from evonas.objectives.metrics import Metric
from evonas.records import Candidate, Epoch, Fitness, Genome, InputSpec, TaskSpec
from evonas.seeding import stream
from evonas.spaces.genes import Arch, Choice, Optional
from evonas.spaces.space import Space
from evonas.strategies import Exhausted, NSGA2Selection, Problem, Proposal, Report, Strategy
from evonas.strategies.novelty import Novelty
from evonas.tasks import Task, TaskMetric
from evonas.testing import examples
from evonas.testing.exporters import LABELS
from evonas.tracking.tracker import Member, RunInfo

# Spaces

SPEC = TaskSpec("images", InputSpec((1, 8, 8)), (3,))


class Right(Space):
    width = Choice(2, 4, 8)
    norm = Optional(Choice(0.1, 0.9))

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        norm = [nn.BatchNorm2d(arch.width, momentum=arch.norm)] if arch.norm else []
        convolution = nn.Conv2d(task.input_shape[0], arch.width, 3)
        return nn.Sequential(convolution, *norm, nn.Flatten(), nn.Linear(36 * arch.width, task.outputs))


class OneValueNever(Right):
    def sample(self, rng: np.random.Generator) -> Genome:
        return (min(1, super().sample(rng)[0]), *super().sample(rng)[1:])


class OwnGenerator(Right):
    def sample(self, rng: np.random.Generator) -> Genome:
        return super().sample(np.random.default_rng())


class ListsForGenomes(Right):
    def sample(self, rng: np.random.Generator) -> Genome:
        return list(super().sample(rng))  # type: ignore[return-value]


class AnythingGoes(Right):
    def decode(self, genome: Genome) -> Arch:
        return super().decode((genome[0] % 3, *genome[1:3]))


class AnyIndex(Right):
    def decode(self, genome: Genome) -> Arch:
        if len(genome) != 3:
            raise ValueError("not a genome")
        return super().decode((genome[0] % 3, *genome[1:]))


class IdentityOfTheGenome(Right):
    """Two genomes of one network, which differ in a gene that is switched off, are two."""

    def identity(self, genome: Genome) -> str:
        return str(genome)


class IdentityOfTheMoment(Right):
    def identity(self, genome: Genome) -> str:
        return f"{id(object())}-{random.random()}"


class TooSmall(Right):
    def size(self) -> int:
        return 1


class Untold(Right):
    def describe(self, genome: Genome) -> dict[str, Any]:
        return {"width": super().describe(genome)["width"]}


class Unsendable(Right):
    def __init__(self) -> None:
        self.lock = threading.Lock()


class NoNetwork(Right):
    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        return [super().build(arch, task)]  # type: ignore[return-value]


class Changed(Right):
    """A space that builds something else of its network."""

    def changed(self, network: nn.Module) -> nn.Module:
        return network

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        return self.changed(super().build(arch, task))


class OtherShape(Changed):
    def changed(self, network: nn.Module) -> nn.Module:
        return nn.Sequential(network, nn.Linear(3, 4))


class OtherType(Changed):
    def changed(self, network: nn.Module) -> nn.Module:
        return Through(network, lambda x, _: x.double())


class Frozen(Changed):
    def changed(self, network: nn.Module) -> nn.Module:
        return network.requires_grad_(False)


class Detached(Changed):
    def changed(self, network: nn.Module) -> nn.Module:
        return Through(network, lambda x, _: x.detach().requires_grad_())


class Noisy(Changed):
    def changed(self, network: nn.Module) -> nn.Module:
        return Through(network, lambda x, _: x + torch.rand_like(x))


class Infinite(Changed):
    def changed(self, network: nn.Module) -> nn.Module:
        return Through(network, lambda x, _: x / 0)


class OnePasses(Changed):
    """Squeezes a batch of one away."""

    def changed(self, network: nn.Module) -> nn.Module:
        return Through(network, lambda x, _: x.squeeze(0))


class NumpyWeights(Changed):
    """Initialised by another generator than torch's, so that a seed means nothing."""

    def changed(self, network: nn.Module) -> nn.Module:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(1 + np.random.default_rng().random())
        return network


class Threads(Changed):
    def changed(self, network: nn.Module) -> nn.Module:
        torch.set_num_threads(torch.get_num_threads() + 1)
        return network


class Through(nn.Module):
    def __init__(self, network: nn.Module, function: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.network, self.function = network, function

    def forward(self, x: Tensor) -> Any:
        return self.function(self.network(x), x)


SPACES: dict[str, tuple[type[Space], str]] = {
    "a value that is never drawn": (OneValueNever, "never gave width some of its 3 values"),
    "a generator of its own": (OwnGenerator, "draws from elsewhere"),
    "lists": (ListsForGenomes, "not a tuple of 3 ints"),
    "no check": (AnythingGoes, "decode of a genome with one gene too many is accepted"),
    "any index": (AnyIndex, "decode of a genome with an index that its gene does not have is accepted"),
    "inactive genes in the identity": (IdentityOfTheGenome, "have two identities"),
    "a random identity": (IdentityOfTheMoment, "identit"),
    "a wrong size": (TooSmall, r"size\(\) is 1"),
    "a gene not described": (Untold, "does not name the active genes"),
    "a lock": (Unsendable, "sending the space to a worker raises TypeError"),
    "a list of networks": (NoNetwork, "not an nn.Module"),
    "four outputs": (OtherShape, r"gave \(4, 4\) for four examples, not \(4, 3\)"),
    "double precision": (OtherType, r"gave torch\.float64"),
    "nothing to train": (Frozen, "no trainable parameters"),
    "no gradient": (Detached, "no gradient reaches a parameter"),
    "another output each time": (Noisy, "another output each time"),
    "infinite outputs": (Infinite, "not finite"),
    "no batch of one": (OnePasses, r"gave \(3,\) for one example"),
    "weights of another generator": (NumpyWeights, "built of the same seed"),
    "threads": (Threads, "changes torch's number of threads"),
}


# Tasks


def task(**changes: Any) -> Task:
    return replace(examples.task(), **changes)


def with_metric(metric: TaskMetric) -> Task:
    right = examples.task()
    return replace(right, spec=replace(right.spec, metrics={"own": metric.direction}), metrics={"own": metric})


class Prepared(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _hit(output: Tensor, target: Tensor) -> Tensor:
    return (output.argmax(1) == target).float()


def _tokens() -> Task:
    right = examples.task()
    return replace(
        right, spec=replace(right.spec, input=InputSpec((1, 8, 8), "int64", 200)), prepare=Prepared(Tensor.long)
    )


TASKS: dict[str, tuple[Callable[[], Task], str]] = {
    "another shape": (lambda: task(prepare=Prepared(lambda x: x.float().flatten(1))), r"gave \(8, 64\) for 8 examples"),
    "another type": (lambda: task(prepare=Prepared(Tensor.double)), "gave float64, the spec says float32"),
    "numbers above high": (_tokens, r"gave numbers \d+ to 255, the spec 0 to 199"),
    "not finite": (lambda: task(prepare=Prepared(lambda x: x.float().log())), "not finite"),
    "writes": (lambda: task(prepare=Prepared(lambda x: x.fill_(0).float())), "writes into its input"),
    "of the batch": (
        lambda: task(prepare=Prepared(lambda x: x.float() - x.float().mean())),
        "when others are beside it",
    ),
    "random": (lambda: task(prepare=Prepared(lambda x: x + torch.rand(x.shape))), "another output each time"),
    "a loss an example": (lambda: task(loss=lambda output, y, s: output.sum(1)), "not a scalar tensor"),
    "a loss without gradient": (lambda: task(loss=lambda output, y, s: output.detach().sum()), "no gradient"),
    "a loss that is not finite": (lambda: task(loss=lambda output, y, s: output.log().sum()), "not finite"),
    "one number a batch": (
        lambda: with_metric(TaskMetric(lambda output, y: _hit(output, y).mean())),
        r"the shape \(\), not \(8,\) or \(8, k\)",
    ),
    "three axes": (lambda: with_metric(TaskMetric(lambda output, y: output[:, None])), r"the shape \(8, 1, 2\)"),
    "a batch's number in each row": (
        lambda: with_metric(TaskMetric(lambda output, y: _hit(output, y).mean().expand(len(y)))),
        "others when others are beside it",
    ),
    "several numbers": (lambda: with_metric(TaskMetric(_hit, lambda rows: rows)), "not a tensor of one number"),
    "never finite": (lambda: with_metric(TaskMetric(_hit, lambda rows: rows.mean() * np.nan)), "must be finite"),
    "raises": (lambda: with_metric(TaskMetric(_hit, lambda rows: rows.no)), "metric own raises AttributeError"),
    "random metric": (
        lambda: with_metric(TaskMetric(_hit, lambda rows: torch.rand(()))),
        "random state|another number",
    ),
    "writes into the output": (
        lambda: with_metric(TaskMetric(lambda output, y: output.clamp_(0, 1)[:, 0])),
        "write into their input",
    ),
}


# Learners


class Tampered:
    """Training from scratch, and what a subclass makes of it."""

    trains = True

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        for epoch in FromScratch().epochs(network, candidate, setup):
            yield self.tampered(epoch, network)

    def tampered(self, epoch: Epoch, network: nn.Module) -> Epoch:
        return epoch


class CountsFromNought(Tampered):
    def tampered(self, epoch: Epoch, network: nn.Module) -> Epoch:
        return replace(epoch, epoch=epoch.epoch - 1)


class OneMetric(Tampered):
    def tampered(self, epoch: Epoch, network: nn.Module) -> Epoch:
        return replace(epoch, metrics={"error": epoch.valid_metric})


class OtherMain(Tampered):
    def tampered(self, epoch: Epoch, network: nn.Module) -> Epoch:
        return replace(epoch, valid_metric=1.5)


class Flatters(Tampered):
    def tampered(self, epoch: Epoch, network: nn.Module) -> Epoch:
        return replace(epoch, valid_metric=0.0625, metrics={**epoch.metrics, "error": 0.0625})


class NotFinite(Tampered):
    def tampered(self, epoch: Epoch, network: nn.Module) -> Epoch:
        return replace(epoch, train_loss=float("nan"))


class Remembers(Tampered):
    """The first candidate's loss is in those of all others."""

    def __init__(self) -> None:
        self.seen = 0

    def tampered(self, epoch: Epoch, network: nn.Module) -> Epoch:
        self.seen += 1
        return replace(epoch, train_loss=epoch.train_loss + max(0, self.seen - 4))


class Unseeded(Tampered):
    """What it adds to the weights is drawn from torch's random state."""

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.rand_like(parameter))
        yield from super().epochs(network, candidate, setup)


class DrawsNumbers(Tampered):
    def tampered(self, epoch: Epoch, network: nn.Module) -> Epoch:
        torch.rand(1)
        return epoch


class NoCheckpoint(Tampered):
    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        yield from super().epochs(network, candidate, replace(setup, checkpoint=lambda: None))


class Silent(Tampered):
    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        list(super().epochs(network, candidate, setup))
        return iter(())


class Talkative(Tampered):
    trains = False


class Broken(Tampered):
    def tampered(self, epoch: Epoch, network: nn.Module) -> Epoch:
        raise KeyError("teacher")


class Grows(Tampered):
    def tampered(self, epoch: Epoch, network: nn.Module) -> Epoch:
        network.register_buffer("more", torch.zeros(1))
        return epoch


LEARNERS: dict[str, tuple[Callable[[], Any], str]] = {
    "counts from 0": (CountsFromNought, r"numbered \[0, 1\]; they count from 1"),
    "a metric short": (OneMetric, r"has the metrics \['error'\], the task has \['error', 'f1'\]"),
    "another main metric": (OtherMain, "valid_metric is not the main metric"),
    "flatters": (Flatters, r"error of the last epoch is 0\.0625, but the network that it leaves has"),
    "not finite": (NotFinite, "no finite float"),
    "remembers": (Remembers, "keeps something of the candidates before"),
    "unseeded": (Unseeded, "draw from the candidate's seed alone"),
    "torch's random state": (DrawsNumbers, "changes torch's random state"),
    "no checkpoint": (NoCheckpoint, r"never calls setup\.checkpoint"),
    "no epochs": (Silent, "trains is True, but epochs reports none"),
    "epochs": (Talkative, "trains is False, but epochs reports one"),
    "raises": (Broken, "epochs raises KeyError"),
    "another network": (Grows, "leaves another network"),
}


# Metrics


def _trained(network: nn.Module, *rest: Any) -> float:
    with torch.no_grad():
        next(network.parameters()).add_(1)
    return 1.0


def _backward(network: nn.Module, task: Task, data: Any, training: Any) -> float:
    x, _ = data.sample(4)
    network(data.prepare(x)).sum().backward()
    return 1.0


def _evaluated(network: nn.Module, *rest: Any) -> float:
    network.eval()
    return 1.0


def _hooked(network: nn.Module, *rest: Any) -> float:
    network.register_forward_hook(lambda *_: None)
    return 1.0


METRICS: dict[str, tuple[Metric, str]] = {
    "nothing computes it": (Metric("", compute=None), "nothing computes it"),
    "not finite": (Metric("", compute=lambda *_: float("nan")), "is nan, and must be finite"),
    "a tensor": (Metric("", compute=lambda *_: torch.ones(2)), "not a float"),
    "random": (Metric("", compute=lambda *_: torch.rand(1).item()), "random state"),
    "unseeded": (Metric("", compute=lambda *_: random.random()), "another number each time"),
    "raises": (Metric("", compute=lambda *_: 1 / 0), "raises ZeroDivisionError"),
    "weights": (Metric("", compute=_trained), "changes 0.weight of the network"),
    "gradients": (Metric("", compute=_backward), "changes the .* of the network|changes 1.* of the network"),
    "mode": (Metric("", compute=_evaluated), "changes the modes of the network"),
    "hooks": (Metric("", compute=_hooked), "changes the hooks of the network"),
    "unmeasured": (Metric("", stage="target"), "no target measures it"),
    "of a trained network": (Metric("", stage="trained"), "is a metric of its task"),
}


# Exporters

PT2 = EXPORTERS["pt2"]


def _run_two(file: bytes, x: Any) -> np.ndarray:
    assert PT2.run
    return PT2.run(file, x)[:2]


def _halved(file: bytes, x: Any) -> np.ndarray:
    assert PT2.run
    return PT2.run(file, x) / 2


def _moved(network: nn.Module, x: Any) -> bytes:
    file = PT2.write(network, x)
    network.train()
    return file


def _images_alone(network: nn.Module, x: Any) -> bytes:
    if isinstance(x, Mapping):
        raise TypeError("several inputs")
    return PT2.write(network, x)


def _written_over(file: bytes, labels: Mapping[str, str]) -> bytes:
    return json.dumps(dict(labels)).encode()


EXPORT: dict[str, tuple[Exporter, str]] = {
    "no path": (replace(PT2, hint="torch.export.load"), "no {path} in it"),
    "two examples alone": (replace(PT2, run=_run_two), "for 3 examples has the shape"),
    "another output": (replace(PT2, run=_halved), "differs by 0.5"),
    "the network's mode": (replace(PT2, write=_moved, run=None), "changes the modes of the network"),
    "one input alone": (replace(PT2, write=_images_alone), "several inputs: .*cannot be converted: TypeError"),
    "labels lost": (replace(PT2, labels=Labels(lambda file, labels: file, lambda file: {})), "labels.get gives {} of"),
    "labels instead": (replace(PT2, labels=Labels(_written_over, lambda file: LABELS)), "run with 1 examples raises"),
    "no such backend": (replace(PT2, backends=("tflite",)), "there is no tflite"),
    "no file": (Exporter(lambda network, x: b"", None, "{path}"), "not bytes"),
}


# Backends


class Wrapped:
    """PyTorch's backend, and what a subclass makes of it."""

    def __init__(self, target: str, config: TargetConfig) -> None:
        self.inner = BACKENDS["torch"](target, config)
        self.device, self.state = self.inner.device, self.inner.state

    @property
    def conditions(self) -> Mapping[str, str]:
        return self.inner.conditions

    def load(self, network: Any, inputs: Any) -> Any:
        return self.loaded(self.inner.load(network, inputs))

    def loaded(self, inner: Any) -> Any:
        return inner


class LoadedBy:
    def __init__(self, inner: Any, **changes: Callable[..., Any]) -> None:
        self.passes, self.output, self.memory_mb = inner.passes, inner.output, inner.memory_mb
        for name, change in changes.items():
            setattr(self, name, change)


class FewPasses(Wrapped):
    def loaded(self, inner: Any) -> Any:
        return LoadedBy(inner, passes=lambda count: inner.passes(1))


class Nothing(Wrapped):
    def loaded(self, inner: Any) -> Any:
        return LoadedBy(inner, passes=lambda count: [0.0] * count)


class OutputInDouble(Wrapped):
    def loaded(self, inner: Any) -> Any:
        return LoadedBy(inner, output=lambda: inner.output().astype(np.float64))


class AnotherInput(Wrapped):
    def loaded(self, inner: Any) -> Any:
        return LoadedBy(inner, output=lambda: inner.output()[::-1].copy())


class MemoryInMiB(Wrapped):
    def loaded(self, inner: Any) -> Any:
        return LoadedBy(inner, memory_mb=lambda: inner.memory_mb() * 1e6 / 2**20)


class Undocumented(Wrapped):
    @property
    def conditions(self) -> Mapping[str, str]:
        return {name: text for name, text in self.inner.conditions.items() if name != "threads"}


class WrongBatch(Wrapped):
    @property
    def conditions(self) -> Mapping[str, str]:
        return {**self.inner.conditions, "batch": "1"}


class Clocks(Wrapped):
    @property
    def conditions(self) -> Mapping[str, str]:
        return {**self.inner.conditions, "clock": str(random.random())}


class LeavesEval(Wrapped):
    def load(self, network: Any, inputs: Any) -> Any:
        return self.inner.load(network.eval(), inputs)


class ImagesAlone(Wrapped):
    def load(self, network: Any, inputs: Any) -> Any:
        return self.inner.load(network, InputSpec((3, 8, 8)))


BACKEND: dict[str, tuple[Callable[..., Any], str]] = {
    "too few passes": (FewPasses, "5 passes gave 1 times"),
    "no time": (Nothing, "no milliseconds above 0"),
    "double": (OutputInDouble, "in float64, not float32"),
    "another input": (AnotherInput, "the output differs"),
    "MiB": (MemoryInMiB, "MB of weights more take"),
    "no threads": (Undocumented, "conditions lack threads"),
    "a wrong batch": (WrongBatch, "the condition batch is 1, the config says 2"),
    "a clock in the conditions": (Clocks, "others each time"),
    "modes": (LeavesEval, "changes the modes of the network"),
    "images alone": (ImagesAlone, "a network of tokens"),
}


# Trackers


class Takes:
    def __init__(self, about: RunInfo) -> None:
        self.about = about

    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def front(self, members: Sequence[Member]) -> None: ...

    def close(self, finished: bool) -> None: ...


class NoBrackets(Takes):
    def front(self, members: Sequence[Member]) -> None:
        for member in members:
            for name in member.metrics:
                if "[" in name:
                    raise ValueError(f"{name} is no name")


class OneStart(Takes):
    started: list[str] = []  # noqa: RUF012

    def __init__(self, about: RunInfo) -> None:
        super().__init__(about)
        if about.key in self.started:
            raise FileExistsError(about.key)
        self.started.append(about.key)


class Prints(Takes):
    def close(self, finished: bool) -> None:
        print("view this run at ...")


class ChangesValues(Takes):
    def log(self, step: int, values: Mapping[str, float]) -> None:
        values["step"] = step  # type: ignore[index]


class ChangesMembers(Takes):
    def front(self, members: Sequence[Member]) -> None:
        for member in members:
            member.genes["seen"] = True  # type: ignore[index]


class NeedsCurves(Takes):
    def front(self, members: Sequence[Member]) -> None:
        for member in members:
            max(member.curve["valid_loss"])


class SomeFront(Takes):
    def front(self, members: Sequence[Member]) -> None:
        max(member.candidate for member in members)


class MainThread(Takes):
    def close(self, finished: bool) -> None:
        import signal

        with contextlib.suppress(OSError):
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)


TRACKERS: dict[str, tuple[type[Takes], str]] = {
    "brackets": (NoBrackets, "front, of 2 networks raises ValueError"),
    "one start": (OneStart, "the constructor raises FileExistsError"),
    "prints": (Prints, "prints .* into the output of the search"),
    "changes values": (ChangesValues, "log changes the values"),
    "changes members": (ChangesMembers, "changes the search or the networks"),
    "needs curves": (NeedsCurves, "front, of 2 networks raises KeyError"),
    "some front": (SomeFront, "front, of 0 networks raises ValueError"),
    "main thread": (MainThread, "close raises ValueError: signal only works in main thread"),
}


# Strategies


class Draws(Strategy):
    """Random search, and what a subclass makes of it."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.novelty = problem, Novelty(problem.space)
        self.genomes: dict[int, Genome] = {}
        self.told: dict[int, Fitness] = {}

    def ask(self, index: int) -> Proposal:
        return Proposal(self.novelty.sample(stream(self.problem.seed, "breed", index)), (), "random")

    def register(self, index: int, genome: Genome) -> None:
        self.genomes[index] = genome
        self.novelty.add(genome)

    def tell(self, report: Report) -> None:
        self.told[report.index] = report.fitness

    def tell_failed(self, index: int) -> None:
        self.told.pop(index, None)

    def selection(self) -> Any:
        return NSGA2Selection(self.problem.generation)


class Repeats(Draws):
    """The same fifty genomes over and over."""

    def ask(self, index: int) -> Proposal:
        return replace(super().ask(index), genome=self.problem.space.sample(stream(0, "again", index % 50)))


class Arrays(Draws):
    def ask(self, index: int) -> Proposal:
        return replace(super().ask(index), genome=tuple(np.array(super().ask(index).genome)))


class Foresees(Draws):
    def ask(self, index: int) -> Proposal:
        return replace(super().ask(index), parents=(index,))


class PredictsOthers(Draws):
    def ask(self, index: int) -> Proposal:
        return replace(super().ask(index), predicted={"latency": 1.0})


class OneStream(Draws):
    """One generator for all candidates, which asking advances."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.rng = np.random.default_rng(problem.seed)

    def ask(self, index: int) -> Proposal:
        return Proposal(self.novelty.sample(self.rng), (), "random")


class CountsAsks(Draws):
    """What was asked before decides, not what was told."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.asked: set[int] = set()

    def ask(self, index: int) -> Proposal:
        self.asked.add(index)
        return replace(super().ask(index), operator=f"random-{len(self.asked)}")


class FirstWord(Draws):
    """The first report of a candidate is kept."""

    def tell(self, report: Report) -> None:
        self.told.setdefault(report.index, report.fitness)

    def ask(self, index: int) -> Proposal:
        best = min(self.told, key=lambda known: (self.told[known].values, known), default=None)
        return replace(super().ask(index), parents=() if best is None else (best,))

    def tell_failed(self, index: int) -> None:
        self.told.pop(index, None)


class BreedsOfAll(Draws):
    def ask(self, index: int) -> Proposal:
        return replace(super().ask(index), parents=(index // 2,) if index else ())


class NeedsValues(Draws):
    def tell(self, report: Report) -> None:
        self.best = min(report.fitness.values[0], 9.0)


class NeedsReports(Draws):
    def tell_failed(self, index: int) -> None:
        del self.told[index]


class OneSelection(Draws):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.one = NSGA2Selection(4)

    def selection(self) -> Any:
        return self.one


class WorstFirst(NSGA2Selection):
    def members(self) -> Any:
        return super().members()[::-1]


class Reversed(Draws):
    def selection(self) -> Any:
        return WorstFirst(6)


class GivesUp(Draws):
    def ask(self, index: int) -> Proposal:
        if self.problem.space.size() <= len(self.genomes) + 1:
            raise Exhausted("nearly all")
        return super().ask(index)


class NeverEnds(Draws):
    def ask(self, index: int) -> Proposal:
        try:
            return super().ask(index)
        except Exhausted:
            return Proposal(self.genomes[0], (), "again")


STRATEGIES: dict[str, tuple[type[Draws], str]] = {
    "repeats": (Repeats, r"is the network of candidate \d+ again"),
    "numbers of numpy": (Arrays, "not a tuple of ints"),
    "its own parent": (Foresees, "has the parents .*, who are not born"),
    "predictions of others": (PredictsOthers, r"predicted names \['latency'\]"),
    "one stream": (OneStream, "gives two genomes"),
    "counts what is asked": (CountsAsks, "no search could be resumed"),
    "the first report": (FirstWord, "does not replace the one before"),
    "breeds of failures": (BreedsOfAll, "which failed"),
    "needs values": (NeedsValues, "a report without values"),
    "needs reports": (NeedsReports, "the strategy raises KeyError"),
    "one selection": (OneSelection, r"selection\(\)"),
    "worst first": (Reversed, "best first"),
    "gives up": (GivesUp, "exhausted before all 9 networks"),
    "never ends": (NeverEnds, "raise Exhausted"),
}
