"""One candidate, in stages: build it, measure what it costs, and if that is within the limits let it learn, rung by
rung.

The generator's last item is the `Evaluation`; before it comes a `RungReport` at each rung that was passed. Nothing the
space, the task or the network raises leaves it: a failure is a row.
"""

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import torch
from safetensors.torch import save
from torch import nn

from evonas.config import Config, TrainingConfig
from evonas.errors import TargetUnavailable, UnlikeDevice, UserError
from evonas.evaluation.aftermath import GpuLost, settle
from evonas.evaluation.agreement import check_agreement
from evonas.evaluation.batches.device_data import DeviceData, to_device
from evonas.evaluation.batches.device_memory import placed
from evonas.evaluation.build import Builder
from evonas.evaluation.draft import Draft
from evonas.evaluation.failures import Failure, failure_of
from evonas.evaluation.gpu.energy import energy_told
from evonas.evaluation.gpu.errors import GpuProbe
from evonas.evaluation.gpu.memory import GpuMemory, give_back
from evonas.evaluation.gpu.out_of_memory import after_alone, after_half, halved
from evonas.evaluation.gpu.step_clock import clocked
from evonas.evaluation.learn import Learning, OutOfTime
from evonas.evaluation.learners import FromScratch, Learner, TrainingSetup
from evonas.evaluation.looking_ahead import asks_for_the_next
from evonas.evaluation.measure import CostMeasurement
from evonas.evaluation.quantised import QuantisedQuality
from evonas.evaluation.refinement import Refinement
from evonas.evaluation.targets import Targets, prepared
from evonas.evaluation.ties import TieBreaker
from evonas.evaluation.training import augment
from evonas.evaluation.training.precision import begun_with, precision
from evonas.evaluation.training.saved_state import copied
from evonas.evaluation.untrained.costs import Compute, resolve
from evonas.ipc.gpu_share import own_share
from evonas.measuring import float32
from evonas.measuring.backends import mps
from evonas.measuring.backends.pytorch import available, device_name, lock_name
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.identity import multiplies_otherwise
from evonas.measuring.kept_memory import give_memory_back
from evonas.objectives.before_training import is_stopped_before, report_before
from evonas.objectives.objectives import INHERITED, Objectives, dominates
from evonas.records import UNKNOWN, Deferred, Evaluation, Job, RungReport, RunKind, Status
from evonas.spaces.space import Space
from evonas.tasks.task import Task

NOTHING: Mapping[str, str] = MappingProxyType({})
Inherit = Callable[[nn.Module, Task, DeviceData, TrainingConfig], tuple[Mapping[str, float], str]]
"""(network, task, data, training) -> metrics of the task with weights that others share, and what of it is not theirs,
in words. The network is left as it was."""


class Evaluator:
    """What a worker holds for a whole run: the space, the task's data on its device, the targets.

    Args:
        space: the networks.
        task: what they learn.
        config: the whole config.
        objectives: of the config and the task.
        device: where networks train, "cpu" or "cuda[:i]". Targets have devices of their own.
        tables: target -> block -> ms, of targets whose latency is added up.
        learner: how networks get their weights.
        metrics: name -> what computes it of a network; default: evonas's own that the objectives need.
        inherit: what finds the task's metrics with the weights of a supernet, where these decide at rung 0.
        expected: the driver's `agreement`; empty: none to agree with.
        owner: of what it measures, for other searches that wait meanwhile: the run folder.
        begun: what the rows of the run so far have alike.

    Raises:
        UserError: the device or a target is not there or another one than before, the augmentation does not fit the
            examples, or the space or the task is another one than the driver's.
    """

    def __init__(
        self,
        space: Space,
        task: Task,
        config: Config,
        objectives: Objectives,
        device: str = "cpu",
        tables: Mapping[str, Mapping[str, float]] | None = None,
        *,
        learner: Learner | None = None,
        metrics: Mapping[str, Compute] | None = None,
        inherit: Inherit | None = None,
        expected: Mapping[str, str] = NOTHING,
        owner: str = "",
        begun: RunKind = UNKNOWN,
    ) -> None:
        check_agreement(expected, space, task)
        augment.check(config.training.augment, task)
        self.space, self.task, self.objectives = space, task, objectives
        self.device = available(device, "runtime")
        if self.device.type == "cpu" and config.training.precision == "float16":
            raise UserError(
                "training.precision: float16 is for GPUs without bfloat16, and this worker trains on a CPU, where it "
                "is far slower; give float32, or auto"
            )
        self.memory = GpuMemory(self.device, own_share())
        self.training = begun_with(config.training, begun, self.device)
        local = [config.targets[name] for name in objectives.targets if not config.targets[name].remote]
        # Somebody else may measure here, or clock a training with the device to itself.
        cooperative = any(target.quiet for target in local) or not local or config.runtime.gpus_per_worker == "auto"
        self.device_lock = DeviceLock(["cpu", lock_name(self.device)], self._synchronize, cooperative, owner)
        with self.device_lock.shared():  # others may measure while this one starts
            self.data = to_device(task, self.device)
            self.targets = Targets(
                space,
                config,
                objectives,
                tables or {},
                self.device_lock,
                task.spec.input,
                (preparation := prepared(config, objectives, task)),
                begun,
            )
            self.targets.prepare()
        metrics = resolve(objectives.network_metrics) if metrics is None else metrics
        self._inherit = inherit
        again = {name: config.targets[name].max_remeasurements for name in self.targets.measured}
        self._builder = Builder(space, task.spec, self.device, self.training.threads, asks_for_the_next(task))
        refinement = Refinement(objectives, self.targets, self._builder)
        self._costs = CostMeasurement(objectives, self.targets, metrics, task, self.data, self.training, refinement)
        ties = TieBreaker(objectives, self.targets, self._builder, again)
        quality = QuantisedQuality(objectives, config, task, preparation)
        self._learning = Learning(learner or FromScratch(), objectives, refinement, ties, quality)
        gpus = [torch.device(target.device) for target in local if target.device.startswith("cuda")]
        self.gpus = GpuProbe([self.device, *(gpus if torch.cuda.is_available() else [])])
        self.conditions = self._conditions()
        trains = float32.of_training(self.conditions)
        if why := multiplies_otherwise(platform.node(), begun.float32, trains):
            raise UserError(why)
        own = precision(self.training, self.device) if self.training.precision == "auto" else ""
        self.kind = RunKind(self.targets.kinds, own, self.card, trains)

    @property
    def card(self) -> str:
        """The GPU that it trains on, by a name that no other has; "" for none."""
        return lock_name(self.device) if self.device.type == "cuda" else ""

    @property
    def worn(self) -> bool:
        """Whether a process should do no more candidates with it: what compilers load, they never let go."""
        return self.targets.worn

    def __call__(self, job: Job) -> Iterator[RungReport | Evaluation | Deferred]:
        """Evaluate a candidate. Raises nothing of its: whatever goes wrong is in the last item's status and message.

        Args:
            job: the candidate, and what it is compared with.

        Yields:
            A `RungReport` at each rung that is passed, then an `Evaluation`, or a `Deferred` where a target cannot be
            reached that the candidate has to be measured on, the time of the job came, or the GPU is gone.
        """
        if job.precision not in ("", self.conditions["dtype"]):
            self.training = self.training.model_copy(update={"precision": job.precision})
            self.conditions["dtype"] = job.precision
        draft, paused_s = Draft(list(job.reached)), self.device_lock.paused_s
        try:
            yield from self._attempt(job, draft, self.training, self.data)
            if draft.status is Status.FAILED_OOM and self.memory.shared:
                yield from self._attempt_alone(job, draft)
            if draft.status is Status.FAILED_OOM and draft.batch_size > 1:
                yield from self._attempt_half(job, draft)
            self.memory.tidy()
            give_memory_back()
        except (TargetUnavailable, OutOfTime, GpuLost) as reason:
            unlike = reason.url if isinstance(reason, UnlikeDevice) else ""
            yield Deferred(job.candidate.index, str(reason), isinstance(reason, GpuLost), unlike)
            return
        yield draft.finished(job, self.conditions, self.device_lock.paused_s - paused_s)

    def _attempt(self, job: Job, draft: Draft, training: TrainingConfig, data: DeviceData) -> Iterator[RungReport]:
        """
        Raises:
            GpuLost: the GPU is gone, which is not the candidate's fault.
        """
        failure: Failure | None = None
        try:
            with self.device_lock.shared():
                yield from self._stages(job, draft, training, data)
        except (KeyboardInterrupt, GeneratorExit, TargetUnavailable, OutOfTime):  # not the candidate's
            raise
        except BaseException as error:  # sys.exit() in a network is one
            failure = failure_of(error, draft.built)
        if failure:  # only now: the error held the frames that hold the tensors
            if failure.status is Status.FAILED_OOM:
                give_back(self.device)
            failure = settle(failure, self.gpus)
            draft.status, draft.message, draft.log = failure.status, failure.message, failure.log

    def _attempt_alone(self, job: Job, draft: Draft) -> Iterator[RungReport]:
        """With neighbours, who may have what it lacks, waiting: the same training as in a GPU of its own."""
        draft.begin_again(len(self.training.rungs))
        unclocked = replace(job, clocked=False)  # alone, it would tell that nobody slows it down
        with self.memory.alone(self.device_lock, lock_name(self.device)):
            yield from self._attempt(unclocked, draft, self.training, self.data)
        draft.message = after_alone(draft.status, draft.message)

    def _attempt_half(self, job: Job, draft: Draft) -> Iterator[RungReport]:
        batch = draft.batch_size
        draft.begin_again(len(self.training.rungs))
        yield from self._attempt(job, draft, halved(self.training, batch), replace(self.data, validation_parts=2))
        draft.message = after_half(draft.status, draft.message, batch)

    def _stages(self, job: Job, draft: Draft, training: TrainingConfig, data: DeviceData) -> Iterator[RungReport]:
        start = time.perf_counter()
        try:
            network = self._builder.build(job.candidate)
            draft.built = True
            draft.batch_size = min(training.batch_size, len(self.data.train))
            self._costs.measure(network, job, draft, training, data)
        finally:
            draft.measure_s += time.perf_counter() - start
        if job.kind == "measure":
            return
        last = draft.reached[-1] if draft.reached else None
        if message := self._costs.over_limits(draft.metrics):
            draft.status, draft.message = Status.INFEASIBLE, message
            return
        if self._is_stopped_before(network, job, draft):
            return
        if draft.reached and draft.reached[-1] is not last:
            yield draft.reached[-1]
        energy = energy_told(self.card, own_share(), draft)
        with energy, clocked(job.clocked, self.device_lock, self.device, draft) as checkpoint:
            setup = TrainingSetup(self.task, data, training, checkpoint, draft.conditions.__setitem__)
            yield from self._learning.learn(network, job, draft, setup)
        if draft.status is Status.OK and self._may_be_on_front(job, draft):
            draft.weights = weights(network)

    def _is_stopped_before(self, network: nn.Module, job: Job, draft: Draft) -> bool:
        """Whether it is not worth a training; the draft gets rung 0, where there is one that it had not reached."""
        if not job.before or draft.reached:
            return False
        if self._inherit:
            self._take_inherited(self._inherit, network, draft)
        report = report_before(job, draft.metrics, self.objectives)
        draft.reached.append(report)
        draft.metrics = dict(report.metrics)
        if is_stopped_before(report, job, self.objectives):
            draft.status, draft.batch_size = Status.STOPPED, 0
            return True
        return False

    def _take_inherited(self, inherit: Inherit, network: nn.Module, draft: Draft) -> None:
        start = time.perf_counter()
        found, lacking = inherit(network, self.task, self.data, self.training)
        draft.metrics |= {INHERITED + name: found[name] for name in self.objectives.inherited}
        if lacking:
            draft.conditions["not_inherited"] = lacking
        draft.measure_s += time.perf_counter() - start

    def _may_be_on_front(self, job: Job, draft: Draft) -> bool:
        fitness = self.objectives.fitness(draft.reached[-1])
        return not fitness.violation and not any(dominates(member, fitness) for member in job.front)

    def _conditions(self) -> dict[str, str]:
        own = {
            "host": platform.node(),
            "device": device_name(self.device),
            "torch": str(torch.__version__),  # a class of torch's own, which would travel as such
            "python": platform.python_version(),
            "dtype": precision(self.training, self.device),
            "threads": str(self.training.threads),
            **float32.conditions(torch, self.device.type),
        }
        if self.device.type == "cuda":
            own["cuda"] = str(torch.version.cuda)
            if streamed := placed(self.task.splits.train, self.task.splits.valid, self.device):
                own["examples"] = streamed
            own["gpu_memory_mb"] = f"{torch.cuda.get_device_properties(self.device).total_memory / 1e6:.0f}"
            own["gpu_data_mb"] = f"{torch.cuda.memory_allocated(self.device) / 1e6:.0f}"  # what each process has there
            own["mps"] = "yes" if mps.is_running() else "no"
        return own

    def _synchronize(self) -> None:
        """Wait until what was given to the training device is done: another has it now."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            self.memory.lend()


def weights(network: nn.Module) -> bytes:
    """The state of a network, in safetensors."""
    return save(copied(network.state_dict()))
