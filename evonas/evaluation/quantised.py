"""How good a network is in 8 bits: the task's metrics through the runtime of a target, on validation examples.

That is known of trained weights alone: it is found out behind training, and at a rung where something depends on it.
"""

import math
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import nn

from evonas.config import Config, TargetConfig
from evonas.errors import UserError
from evonas.evaluation.draft import Draft
from evonas.evaluation.task_metrics import rows
from evonas.evaluation.training.loop import Diverged
from evonas.inputs import mapped
from evonas.installing import how_to_install
from evonas.measuring.backends.export import refusals_named, to_file
from evonas.measuring.backends.running import RUNNERS
from evonas.measuring.torch_state import cpu_threads
from evonas.objectives.objectives import Objectives
from evonas.records import Inputs
from evonas.seeding import stream
from evonas.tasks.shipped import Preparation, Shipped
from evonas.tasks.task import Array, Split, Task

CALIBRATED_BY = 128
"""Training examples by which the ranges of activations are found, of every candidate; a file that is shipped has more
(exporters/int8.py), these among them."""
JUDGED_BY = 2000
"""Validation examples that a network in 8 bits is tried with, at most: the same ones for all networks."""
LIBRARIES = {"onnxruntime": "onnxruntime", "executorch": "executorch", "litert": "ai_edge_litert"}


class QuantisedQuality:
    """The metrics of a task on the targets of dtype int8 that an objective, a limit or `record` names them with.

    A target that is on another machine is judged here, by the same runtime: its arithmetic of whole numbers is the same
    but for the rounding of single kernels.

    Args:
        objectives: that say which.
        config: with the targets.
        task: with its data.
        preparation: of the task, for targets that include it.

    Raises:
        UserError: the library of a runtime is not installed here.
    """

    def __init__(self, objectives: Objectives, config: Config, task: Task, preparation: Preparation | None) -> None:
        self._judged = {name: metrics for name, metrics in objectives.judged.items() if metrics}
        self._configs, self._task, self._preparation = config.targets, task, preparation
        self._decisive = {*objectives.names, *(limit.key for limit in objectives.limits)}
        self._named = objectives.named
        for name in self._judged:
            backend = self._configs[name].backend
            if find_spec(LIBRARIES[backend]) is None:
                what = f"targets.{name}: what is in 8 bits is judged on the workers, and {backend} is not installed"
                raise UserError(f"{what}; {how_to_install(backend)}")

    def at_rung(self, network: nn.Module, draft: Draft) -> dict[str, float]:
        """What of it decides, by its column; the arguments are those of `at_end`."""
        return self._found(network, draft, self._decisive)

    def at_end(self, network: nn.Module, draft: Draft) -> dict[str, float]:
        """All that is named.

        Args:
            network: with its weights, left as it is.
            draft: gets the time that it takes, and in the conditions how many examples each number is of.

        Returns:
            Column -> value.

        Raises:
            Diverged: a value is not finite.
            ExportError: the network cannot be converted, or its file not be loaded.
        """
        return self._found(network, draft, self._named)

    def _found(self, network: nn.Module, draft: Draft, wanted: "set[str] | frozenset[str]") -> dict[str, float]:
        start, found = time.perf_counter(), dict[str, float]()
        for target, metrics in self._judged.items():
            names = [name for name in metrics if f"{name}[{target}]" in wanted]
            if names:
                found |= {f"{name}[{target}]": value for name, value in self._of(target, network, names, draft).items()}
        draft.measure_s += time.perf_counter() - start
        if lost := [key for key, value in found.items() if not math.isfinite(value)]:
            raise Diverged(f"metric {lost[0]} is {found[lost[0]]}; it is not defined in 8 bits")
        return found

    def _of(self, target: str, network: nn.Module, names: list[str], draft: Draft) -> dict[str, float]:
        config, splits = self._configs[target], self._task.splits
        whole, inputs = self._whole(config, network)
        calibrating, judging = chosen(splits.train, CALIBRATED_BY), chosen(splits.valid, JUDGED_BY)
        with cpu_threads(config.threads):  # ExecuTorch has one pool of threads in a process: the target's
            batches = [x for x, _, _ in self._batches(splits.train, calibrating, config)]
            file = to_file(whole, inputs, config, batches)
            with refusals_named(whole, inputs, config):
                run = RUNNERS[config.backend](file, config.threads)
            draft.conditions[f"calibrated_by[{target}]"] = f"{len(calibrating)} of {len(splits.train)}"
            draft.conditions[f"judged_by[{target}]"] = f"{len(judging)} of {len(splits.valid)}"
            return self._judge(run, self._batches(splits.valid, judging, config), names)

    @torch.inference_mode()
    def _judge(
        self, run: Callable[[Any], Array], batches: Iterator[tuple[Any, Array, int]], names: list[str]
    ) -> dict[str, float]:
        found: dict[str, list[torch.Tensor]] = {name: [] for name in names}
        for x, y, count in batches:
            output, targets = torch.from_numpy(run(x)[:count]), torch.from_numpy(y[:count])
            for name, parts in found.items():
                parts.append(rows(name, self._task.metrics[name].statistics(output, targets), count))
        return {name: float(self._task.metrics[name].reduce(torch.cat(parts))) for name, parts in found.items()}

    def _whole(self, config: TargetConfig, network: nn.Module) -> tuple[nn.Module, Inputs]:
        if config.includes == "network":
            return network, self._task.spec.input
        assert self._preparation is not None, "given where a target includes it"
        return Shipped(self._preparation.module, network), self._preparation.inputs

    def _batches(self, split: Split, examples: Array, config: TargetConfig) -> Iterator[tuple[Any, Array, int]]:
        """Inputs and targets of `config.batch` examples, and how many of them count: the last batch is filled up."""
        for start in range(0, len(examples), config.batch):
            some = examples[start : start + config.batch]
            x, y = split.read(np.resize(some, config.batch))
            if config.includes == "network":
                x = mapped(torch.Tensor.numpy, self._prepared(x))
            yield mapped(_own, x), y, len(some)

    @torch.inference_mode()
    def _prepared(self, x: Any) -> Any:
        found = self._task.prepare.cpu()(mapped(lambda part: torch.from_numpy(np.array(part)), x))
        return mapped(lambda part: part.clone(), found)


def chosen(split: Split, most: int) -> Array:
    """Rows of a split, the same ones each time, in order; more of them hold those that are chosen where it is fewer."""
    return np.sort(stream(0, "quantised").permutation(len(split))[: min(most, len(split))])


def _own(part: Any) -> Array:
    """In the byte order of the machine, in memory of its own."""
    found = np.asarray(part)
    return np.array(found, found.dtype.newbyteorder("="))
