"""One candidate: build it, measure what it costs, and if that is within the limits train it, rung by rung.

The generator's last item is the `Evaluation`; before it comes a `RungReport` at each rung that was passed. Nothing
the space, the task or the network raises leaves it: a failure is a row.
"""

import gc
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from safetensors.torch import save
from torch import Tensor, nn

from evonas.config import Config, TrainingConfig
from evonas.errors import TargetUnavailable, UserError
from evonas.evaluation import augment
from evonas.evaluation.agreement import check_agreement
from evonas.evaluation.costs import TRAIN_MEMORY, costs, parameters
from evonas.evaluation.device_data import to_device
from evonas.evaluation.failures import BuildError, message_of, status_of
from evonas.evaluation.paired_comparison import PairedComparison
from evonas.evaluation.targets import Targets
from evonas.evaluation.training import Trainer, precision
from evonas.measuring.backends.pytorch import available, device_name, lock_name
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.torch_state import cpu_threads, seeded
from evonas.objectives.early_stopping import is_stopped
from evonas.objectives.objectives import Objectives, dominates
from evonas.records import Deferred, Epoch, Evaluation, Fitness, Genome, Job, RungReport, Status
from evonas.seeding import seed_for
from evonas.spaces.space import Space
from evonas.tasks.task import Task


@dataclass
class _Draft:
    """An evaluation in the making. reached: the rungs in order, those that an interrupted attempt reported included."""

    metrics: dict[str, float] = field(default_factory=dict)
    curve: list[Epoch] = field(default_factory=list)
    reached: list[RungReport] = field(default_factory=list)
    latency_samples: dict[str, tuple[float, ...]] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    status: Status = Status.OK
    message: str = ""
    built: bool = False
    batch_size: int = 0
    measure_s: float = 0.0
    train_s: float = 0.0
    weights: bytes | None = None


class Evaluator:
    """What a worker holds for a whole run: the space, the task's data on its device, the targets.

    device: where networks train, "cpu" or "cuda[:i]". Targets have devices of their own. tables: target -> block -> ms,
    of targets whose latency is added up. expected: the driver's `agreement`; empty: none to agree with.

    Raises:
        UserError: the device or a target is not there, the augmentation does not fit the examples, or the space or the
            task is another one than the driver's.
    """

    def __init__(
        self,
        space: Space,
        task: Task,
        config: Config,
        objectives: Objectives,
        device: str = "cpu",
        tables: Mapping[str, Mapping[str, float]] | None = None,
        expected: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        check_agreement(expected, space, task)
        try:
            augment.check(config.training.augment, task.spec.input_shape)
        except ValueError as error:
            raise UserError(f"training.{error}") from None
        self.space, self.task, self.objectives = space, task, objectives
        self.training = config.training
        self.device = available(device, "runtime")
        self.data = to_device(task, self.device)
        local = [config.targets[name] for name in objectives.targets if not config.targets[name].remote]
        cooperative = any(target.quiet for target in local) or not local  # somebody else may measure here
        self.device_lock = DeviceLock(["cpu", lock_name(self.device)], self._settle, cooperative)
        self.targets = Targets(space, config, objectives, tables or {}, self.device_lock, task.spec.input_shape)
        self.targets.prepare()
        self.max_remeasurements = {name: config.targets[name].max_remeasurements for name in self.targets.measured}
        self.conditions = self._conditions()

    def __call__(self, job: Job) -> Iterator[RungReport | Evaluation | Deferred]:
        """Raises nothing of the candidate's: whatever goes wrong with it is in the last item's status and message.

        The last item is a `Deferred` where a target is away that the candidate has to be measured on.
        """
        row, started, paused_s = _Draft(reached=list(job.reached)), time.time(), self.device_lock.paused_s
        try:
            yield from self._attempt(job, row, self.training)
            if row.status is Status.FAILED_OOM and row.batch_size > 1:
                yield from self._attempt_half(job, row)
        except TargetUnavailable as away:
            yield Deferred(job.candidate.index, str(away))
            return
        yield Evaluation(
            job.candidate,
            row.status,
            metrics=row.metrics,
            curve=tuple(row.curve),
            rungs=tuple(row.reached),
            latency_samples=row.latency_samples,
            conditions=self.conditions | row.conditions,
            batch_size=row.batch_size,
            message=row.message,
            measure_s=row.measure_s,
            train_s=row.train_s,
            paused_s=self.device_lock.paused_s - paused_s,
            started_at=started,
            finished_at=time.time(),
            weights=row.weights,
        )

    def _attempt(self, job: Job, row: _Draft, training: TrainingConfig) -> Iterator[RungReport]:
        try:
            with self.device_lock.shared():
                yield from self._evaluate(job, row, training)
        except (KeyboardInterrupt, GeneratorExit, TargetUnavailable):  # not the candidate's
            raise
        except BaseException as error:  # sys.exit() in a network is one
            row.status, row.message = status_of(error, row.built), message_of(error)
        if row.status is Status.FAILED_OOM:
            self._free()  # only now: the error held the frames that hold the tensors

    def _attempt_half(self, job: Job, row: _Draft) -> Iterator[RungReport]:
        """Once more, with half the batches and, scaled linearly (Goyal et al., 2017), half the learning rate.

        What was measured or reported before stays.
        """
        batch = row.batch_size
        half = batch // 2
        rate = self.training.learning_rate * half / batch
        row.status, row.message, row.curve, row.built = Status.OK, "", [], False
        full = len(self.training.milestones) - 1  # that rung is reported with the evaluation alone
        row.reached = [report for report in row.reached if report.rung < full]
        yield from self._attempt(job, row, self.training.model_copy(update={"batch_size": half, "learning_rate": rate}))
        if row.status is Status.FAILED_OOM:
            row.message = f"out of memory at batch sizes {batch} and {half}: {row.message}"
        elif row.status in (Status.OK, Status.STOPPED):
            row.message = f"out of memory at batch size {batch}; trained at {half}"
        else:
            row.message += f" (at batch size {half}, after out of memory at {batch})"

    def _evaluate(self, job: Job, row: _Draft, training: TrainingConfig) -> Iterator[RungReport]:
        start = time.perf_counter()
        try:
            network = self._build(job, row)
            row.batch_size = min(training.batch_size, len(self.data.x_train))
            self._measure(network, job, row, training)
        finally:
            row.measure_s += time.perf_counter() - start
        if message := "" if job.check else self._over_limits(row.metrics):
            row.status, row.message = Status.INFEASIBLE, message
            return
        if job.check:
            return
        yield from self._train(network, job, row, training)
        if row.status is Status.OK and self._may_be_on_front(job, row):
            row.weights = save(weights(network))

    def _build(self, job: Job, row: _Draft) -> nn.Module:
        """The candidate's network on the training device, initialised from the candidate's seed.

        Built on the CPU, so that a seed means the same weights on every device.
        """
        spec = self.task.spec
        with cpu_threads(self.training.threads), seeded(seed_for(job.candidate.seed, "build"), self.device):
            network = self.space.build(self.space.decode(job.candidate.genome), spec)
            if not isinstance(network, nn.Module):
                raise BuildError(f"{_name(self.space)}.build returned {network!r}, not an nn.Module")
            network.to(self.device)
            self._check_output(network)
        if not parameters(network):
            raise BuildError(f"{_name(self.space)}.build returned a network without trainable parameters")
        row.built = True
        return network

    def _check_output(self, network: nn.Module) -> None:
        spec = self.task.spec
        mode = {module: module.training for module in network.modules()}
        with torch.no_grad():
            output = network.eval()(torch.zeros(2, *spec.input_shape, device=self.device))
        for module, training in mode.items():
            module.training = training
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        if shape != (2, spec.outputs):
            raise BuildError(
                f"{_name(self.space)}: two examples {spec.input_shape} gave {shape}, not (2, {spec.outputs})"
            )

    def _measure(self, network: nn.Module, job: Job, row: _Draft, training: TrainingConfig) -> None:
        """Costs, then latencies; what an earlier attempt has reported or measured is taken over instead.

        The memory of half a batch counts twice: no less than a whole one would have taken.

        Raises:
            TargetUnavailable: only a target that cannot be reached can tell whether the candidate is within its limits.
        """
        if row.reached and not job.check:
            known = row.reached[0].metrics
            row.metrics.update({name: value for name, value in known.items() if name != self.task.spec.metric})
            return
        if TRAIN_MEMORY not in row.metrics:
            whole = min(self.training.batch_size, len(self.data.x_train))
            for cost, value in costs(network, self.task, self.data, training):
                # one by one: a failure keeps what is known by then
                row.metrics[cost] = value * whole / row.batch_size if cost == TRAIN_MEMORY else value
        for name in self.targets.tables:
            ms = self.targets.estimate(name, network)
            row.metrics |= {f"latency_ms[{name}]": ms, f"examples_per_s[{name}]": self.targets.examples_per_s(name, ms)}
        self._measure_on_targets(network, job, row)

    def _measure_on_targets(self, network: nn.Module, job: Job, row: _Draft) -> None:
        away: TargetUnavailable | None = None
        for name in self.objectives.targets if job.check else self.targets.measured:
            if name in row.latency_samples or (self._over_limits(row.metrics) and not job.check):
                continue
            try:
                found = self.targets.measure(name, network, job.candidate.genome, job.endpoints)
            except TargetUnavailable as error:
                away = error
                continue
            row.metrics |= {**self.targets.metrics(name, found), f"remeasured[{name}]": 0.0}
            row.latency_samples[name] = found.samples
            row.conditions |= _named(found.conditions, name)
        if away and (job.check or not self._over_limits(row.metrics)):
            raise away

    def _over_limits(self, metrics: Mapping[str, float]) -> str:
        """The limits that the costs break, as text; empty where there are none."""
        return "; ".join(
            f"{limit.key} is {_text(metrics[limit.key])}, the limit {_text(limit.bound)}"
            for limit in self.objectives.limits
            if limit.key in metrics and not limit.trained and limit.excess(metrics[limit.key])
        )

    def _train(self, network: nn.Module, job: Job, row: _Draft, training: TrainingConfig) -> Iterator[RungReport]:
        """Yields the rungs that are passed and were not reported before."""
        rungs = {epoch: rung for rung, epoch in enumerate(training.milestones)}
        known = {report.rung for report in row.reached}
        trainer = Trainer(network, self.data, self.task, training, job.candidate.seed, self.device_lock.checkpoint)
        for epoch in _timed(trainer.epochs(), row):
            row.curve.append(epoch)
            rung = rungs.get(epoch.epoch)
            if rung is None or rung in known:  # a rung reported before was passed
                continue
            metrics = {**row.metrics, self.task.spec.metric: epoch.valid_metric}
            if epoch.epoch == training.epochs:
                metrics = self._remeasure_ties(job, row, metrics)
            report = RungReport(job.candidate.index, rung, metrics)
            row.reached.append(report)
            if is_stopped(self.objectives.fitness(report), _cutoff(job, rung)):
                row.status = Status.STOPPED
                break
            if epoch.epoch < training.epochs:
                yield report
        row.metrics = dict(row.reached[-1].metrics)

    def _remeasure_ties(self, job: Job, row: _Draft, metrics: Mapping[str, float]) -> dict[str, float]:
        """Metrics, after it was measured again beside members of the front where noise would decide who stays.

        Where that fails, what it was measured before stands: it has been trained, and works.
        """
        start = time.perf_counter()
        result = dict(metrics)
        comparison = PairedComparison(self.objectives, job, self.max_remeasurements)
        try:
            while (incumbent := comparison.next(result)) is not None:
                own, other = map(self._untrained, (job.candidate.genome, incumbent.genome))
                found = self.targets.against(incumbent.target, own, other, incumbent.ms, job.endpoints)
                result |= comparison.resolved(incumbent, found, self.targets.metrics(incumbent.target, found))
                row.latency_samples[incumbent.target] = (*row.latency_samples.get(incumbent.target, ()), *found.samples)
                row.conditions[f"against[{incumbent.target}]"] = comparison.against(incumbent.target)
        except Exception as error:
            if status_of(error, built=True) is Status.FAILED_CRASH:  # the GPU is of no use any more
                raise
            row.message = f"not measured again: {message_of(error)}"
        row.measure_s += time.perf_counter() - start
        return result

    def _untrained(self, genome: Genome) -> nn.Module:
        """A network as it is first measured: training changes how its weights lie in memory."""
        with cpu_threads(self.training.threads), seeded(0, self.device):
            return self.space.build(self.space.decode(genome), self.task.spec).to(self.device)

    def _may_be_on_front(self, job: Job, row: _Draft) -> bool:
        fitness = self.objectives.fitness(row.reached[-1])
        return not fitness.violation and not any(dominates(member, fitness) for member in job.front)

    def _conditions(self) -> dict[str, str]:
        own = {
            "host": platform.node(),
            "device": device_name(self.device),
            "torch": str(torch.__version__),  # a class of torch's own, which would travel as such
            "python": platform.python_version(),
            "dtype": precision(self.training, self.device),
            "threads": str(self.training.threads),
        }
        if self.device.type == "cuda":
            own["cuda"] = str(torch.version.cuda)
            own["gpu_memory_mb"] = f"{torch.cuda.get_device_properties(self.device).total_memory / 1e6:.0f}"
        return own

    def _settle(self) -> None:
        """What was given to the training device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _free(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def weights(network: nn.Module) -> dict[str, Tensor]:
    """The state of a network as safetensors takes it: on the CPU, contiguous, each tensor with memory of its own."""
    return {
        name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in network.state_dict().items()
    }


def _named(conditions: Mapping[str, str], target: str) -> dict[str, str]:
    return {f"{key}[{target}]": text for key, text in conditions.items()}


def _timed(epochs: Iterator[Epoch], row: _Draft) -> Iterator[Epoch]:
    """The epochs; adds the time that they take, not what passes between them, to the row."""
    while True:
        start = time.perf_counter()
        try:
            epoch = next(epochs, None)
        finally:
            row.train_s += time.perf_counter() - start
        if epoch is None:
            return
        yield epoch


def _cutoff(job: Job, rung: int) -> tuple[Fitness, ...]:
    """No cutoff: go on. Full training has none."""
    return job.cutoffs[rung] if rung < len(job.cutoffs) else ()


def _text(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def _name(space: Space) -> str:
    return type(space).__name__
