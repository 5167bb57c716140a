"""What a trained candidate keeps of the examples that its metrics are of."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from evonas.config import TrainingConfig
from evonas.evaluation import Evaluator
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.learners import FromScratch, Learner, TrainingSetup
from evonas.evaluation.training.example_scores import in_bytes, to_keep
from evonas.evaluation.training.loop import Trainer
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Epoch, Evaluation, Fitness, Status
from evonas.scores import MOST_EXAMPLES, decoded, kept
from evonas.tasks import Split, Splits, classification, regression
from evonas.tasks.metrics import REGRESSION_METRICS, TaskMetric
from tests.evaluation.small import ConvNets, bars_task, config, evaluator, job, run


def evaluated(learner: Learner) -> Evaluation:
    task, of = bars_task(), config({"epochs": 3})
    _, found = run(Evaluator(ConvNets(), task, of, Objectives(of, task.spec), learner=learner), job())
    return found


def test_a_trained_candidate_has_a_bit_an_example_whose_mean_is_its_error() -> None:
    _, found = run(evaluator(), job(seed=3))
    assert list(found.scores) == ["error"]
    bits = decoded(found.scores["error"])
    assert (bits.dtype, len(bits)) == (np.dtype("uint8"), 192)
    assert 0 < bits.mean() == found.metrics["error"] < 1
    assert all(not epoch.scores for epoch in found.curve)


def test_the_bits_are_of_the_examples_in_order() -> None:
    data = to_device(bars_task(), "cpu")
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    trainer = Trainer(network, data, bars_task(), TrainingConfig(epochs=1, batch_size=64), 0)
    (epoch,) = trainer.epochs()
    (x, y) = next(iter(data.valid.in_order(192)))
    with torch.inference_mode():
        wrong = network(data.prepare(x)).argmax(1) != y
    assert decoded(epoch.scores["error"]).tolist() == wrong.tolist()


def test_who_was_stopped_or_failed_has_none() -> None:
    of = config({"epochs": 2, "rungs": [1]})
    member = Fitness(0, 0, (0.0, 0.0))
    _, stopped = run(evaluator(of=of), job(cutoffs=((member,),)))
    assert (stopped.status, stopped.scores) == (Status.STOPPED, {})


class Early:
    """Ends before the epochs of the config, with or without what the trainer says of the examples."""

    trains = True

    def __init__(self, says: bool) -> None:
        self._says = says

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        for epoch in FromScratch().epochs(network, candidate, setup):
            yield epoch if self._says else replace(epoch, scores={})
            if epoch.epoch == 2:
                return


def test_a_learner_that_ends_early_has_those_of_its_last_epoch_and_one_that_says_none_has_none() -> None:
    found = evaluated(Early(says=True))
    assert decoded(found.scores["error"]).mean() == found.metrics["error"] == found.curve[1].valid_metric
    silent = evaluated(Early(says=False))
    assert (silent.status, silent.scores) == (Status.OK, {})
    assert silent.metrics["error"] == found.metrics["error"]


def test_means_and_their_roots_have_scores_and_other_reductions_have_none() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3)).astype(np.float32)
    split = Split(x, x[:, :1])
    metrics = {name: REGRESSION_METRICS[name] for name in ("mse", "rmse", "mae", "r2")}
    task = regression("line", Splits(split, split, split), metrics=tuple(metrics))
    training = TrainingConfig(epochs=1, batch_size=64, learning_rate=1e-3)
    (epoch,) = Trainer(nn.Linear(3, 1), to_device(task, "cpu"), task, training, 0).epochs()
    means = {name: float(decoded(data).mean(dtype=np.float64)) for name, data in epoch.scores.items()}
    expected = {"mse": epoch.metrics["mse"], "rmse": epoch.metrics["rmse"] ** 2, "mae": epoch.metrics["mae"]}
    assert means == pytest.approx(expected)


def test_rows_of_several_numbers_have_none() -> None:
    task = bars_task()
    several = classification("bars", task.splits, metrics=("f1", "accuracy", "auc"))
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    training = TrainingConfig(epochs=1, batch_size=64)
    (epoch,) = Trainer(network, to_device(several, "cpu"), several, training, 0).epochs()
    assert list(epoch.scores) == ["accuracy"]


def test_of_many_examples_a_sample_is_kept_and_what_is_not_finite_is_left_out() -> None:
    many = MOST_EXAMPLES + 5
    statistics = {"a": torch.arange(many, dtype=torch.float64)[:, None], "b": torch.full((3, 1), torch.nan)}
    mean = TaskMetric(lambda output, target: output)
    keep = to_keep({"a": mean, "b": mean}, statistics)
    found = in_bytes(keep, torch.cat([*keep.values()]))
    assert list(found) == ["a"]
    assert (decoded(found["a"]) == kept(many).astype(np.float32)).all()
    assert in_bytes({}, torch.zeros(0)) == {}
