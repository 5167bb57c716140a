"""A training loop of the user's own, a function of (network, data, budget, report), as a learner.

The function runs in a thread that waits at each report until the search has said whether the candidate goes on.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from evonas.errors import UserError
from evonas.evaluation.learners.handing_over import HandedOver
from evonas.evaluation.learners.learner import TrainingSetup
from evonas.evaluation.learners.loop_parts import LoopBudget, LoopData, Report
from evonas.evaluation.task_metrics import MetricError
from evonas.measuring.torch_state import cpu_threads, seeded
from evonas.records import Candidate, Epoch
from evonas.seeding import seed_for

Loop = Callable[..., None]
REPORT = "call report(train_loss) after each epoch"
NEEDS = "(network, data, budget, report), and options as keyword-only parameters, behind a *"


@dataclass(frozen=True)
class OwnLoop:
    """Trains by a function; see `own_loop`.

    Args:
        loop: the function.
        options: of the config's `learner` section, for its keyword-only parameters.
    """

    loop: Loop
    options: Mapping[str, Any] = field(default_factory=dict)
    trains = True

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        """An epoch for each report; see `Learner`. Each draws from global streams of its own, keyed by its number.

        Raises:
            MetricError: the loop ended without a report.
        """

        def work(hand_over: Callable[[Epoch], None], look: Callable[[], None]) -> None:
            def checkpoint() -> None:
                look()
                setup.checkpoint()

            data = LoopData(setup.task, setup.data, setup.training, candidate.seed, checkpoint)
            budget = LoopBudget(setup.training, candidate.seed, checkpoint)
            with cpu_threads(setup.training.threads):
                self.loop(network, data, budget, Report(network, data, budget, hand_over), **self.options)

        with closing(HandedOver(work)) as handed:
            for number in range(setup.training.epochs + 1):  # one more, behind the last report
                with seeded(seed_for(candidate.seed, "epoch", number), setup.data.device):
                    epoch = next(handed, None)
                if epoch is None:
                    if not number:
                        raise MetricError(f"the training loop {_name(self.loop)} ended without a report: {REPORT}")
                    return
                yield epoch


@dataclass(frozen=True)
class OwnLoops:
    """Constructor of learners that train by a function, for `LEARNERS`; its options are the function's."""

    loop: Loop

    def __call__(self, **options: Any) -> OwnLoop:
        """The learner with these options."""
        return OwnLoop(self.loop, options)

    @property
    def __name__(self) -> str:
        return self.loop.__name__

    @property
    def __signature__(self) -> inspect.Signature:
        own = inspect.signature(self.loop, eval_str=True)
        return own.replace(parameters=[p for p in own.parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY])


def own_loop(loop: Loop) -> OwnLoops:
    """What `LEARNERS` takes of a training loop of your own.

    `LEARNERS["mine"] = own_loop(train)`, and in the config `learner: {kind: mine}`.

    Args:
        loop: trains the network in place. Its `data` is a `LoopData`, its `budget` a `LoopBudget`; it calls `report`
            (see `Report`) once an epoch, and `budget.checkpoint()` between steps where it does not take its batches
            from `data.batches`. It must draw from the global generators or by `budget.seed` alone.

    Raises:
        UserError: it is no function of these.
    """
    try:
        inspect.signature(loop).bind(*"ndbr", **{p.name: None for p in _options(loop)})
    except (TypeError, ValueError):
        raise UserError(f"own_loop: {_name(loop)} does not take {NEEDS}") from None
    return OwnLoops(loop)


def _options(loop: Loop) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(loop).parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]


def _name(loop: Loop) -> str:
    return str(getattr(loop, "__name__", loop))
