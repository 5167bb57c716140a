"""The metrics of evonas's own tasks are those of scikit-learn, whatever the batches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from evonas.tasks import Split, Splits, TaskMetric, classification
from evonas.tasks.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS

RNG = np.random.default_rng(0)
CLASSES = 4
LOGITS = RNG.normal(size=(500, CLASSES)).astype(np.float32)
LABELS = RNG.choice(CLASSES, 500, p=[0.6, 0.2, 0.15, 0.05])
LOGITS[np.arange(500), LABELS] += 1
SOFTMAX = torch.from_numpy(LOGITS).double().softmax(1).numpy()
VALUES = RNG.normal(size=(300, 3)).astype(np.float32)
PREDICTED = (VALUES + RNG.normal(size=(300, 3)) * [0.1, 0.5, 1.0]).astype(np.float32)


@pytest.fixture(scope="module")
def known() -> Any:
    """scikit-learn's, which takes a second to import: not in each process that collects the tests."""
    import sklearn.metrics

    return sklearn.metrics


def of(metric: TaskMetric, output: np.ndarray, target: np.ndarray, batch: int) -> float:
    rows: list[Tensor] = []
    for i in range(0, len(output), batch):
        found = metric.statistics(torch.from_numpy(output[i : i + batch]), torch.from_numpy(target[i : i + batch]))
        rows.append(found[:, None] if found.ndim == 1 else found)
    return float(metric.reduce(torch.cat(rows)))


EXPECTED: dict[str, Callable[[Any], float]] = {
    "error": lambda known: 1 - known.accuracy_score(LABELS, LOGITS.argmax(1)),
    "accuracy": lambda known: known.accuracy_score(LABELS, LOGITS.argmax(1)),
    "f1": lambda known: known.f1_score(LABELS, LOGITS.argmax(1), average="macro"),
    "auc": lambda known: known.roc_auc_score(LABELS, SOFTMAX, multi_class="ovr", average="macro"),
    "mse": lambda known: known.mean_squared_error(VALUES, PREDICTED),
    "rmse": lambda known: known.root_mean_squared_error(VALUES.ravel(), PREDICTED.ravel()),
    "mae": lambda known: known.mean_absolute_error(VALUES, PREDICTED),
    "r2": lambda known: known.r2_score(VALUES, PREDICTED),
}


@pytest.mark.parametrize("batch", [500, 37])
@pytest.mark.parametrize("name", ["error", "accuracy", "f1", "auc"])
def test_of_classes(name: str, batch: int, known: Any) -> None:
    metric = CLASSIFICATION_METRICS[name](CLASSES)
    assert of(metric, LOGITS, LABELS, batch) == pytest.approx(EXPECTED[name](known), abs=1e-6)
    assert metric.direction == ("minimize" if name == "error" else "maximize")


@pytest.mark.parametrize("batch", [300, 37])
@pytest.mark.parametrize("name", ["mse", "rmse", "mae", "r2"])
def test_of_values(name: str, batch: int, known: Any) -> None:
    assert of(REGRESSION_METRICS[name], PREDICTED, VALUES, batch) == pytest.approx(EXPECTED[name](known), rel=1e-5)
    assert REGRESSION_METRICS[name].direction == ("maximize" if name == "r2" else "minimize")


def test_two_classes(known: Any) -> None:
    logits, labels = LOGITS[:, :2], LABELS.clip(0, 1)
    f1, auc = (CLASSIFICATION_METRICS[name](2) for name in ("f1", "auc"))
    assert of(f1, logits, labels, 100) == pytest.approx(
        known.f1_score(labels, logits.argmax(1), average="macro"), abs=1e-6
    )
    score = logits[:, 1] - logits[:, 0]
    assert of(auc, logits, labels, 100) == pytest.approx(known.roc_auc_score(labels, score), abs=1e-4)


def test_the_majority_class_stands_beside_a_classification_with_the_shares_as_probabilities() -> None:
    split = Split(np.arange(8, dtype=np.float32)[:, None], np.array([0, 1, 1, 1] * 2))
    task = classification("mostly ones", Splits(split, split, split), ("error", "log_loss"))
    own = task.baselines["majority class"]
    assert own["error"] == own["test[error]"] == 0.25
    assert own["log_loss"] == pytest.approx(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)), abs=1e-6)
