"""Trained metrics of candidates, with the scores of the examples that they are made of, where these are recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evonas.analysis.contenders import DEVIATIONS, Reals, deviation_of_mean, deviation_of_share
from evonas.analysis.intervals import block, shares
from evonas.scores import MOST_EXAMPLES, decoded

SCORES, BINOMIAL, MIXED, UNKNOWN = "scores", "binomial", "mixed", "unknown"
Scores = Mapping[int, Mapping[str, bytes]]
"""Candidate -> metric -> bytes of `evonas.scores`."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """A trained metric of the candidates, (n,) each: value, bytes of scores or empty; how it follows from these, how
    many examples it is of, and how many neighbours of these are drawn together."""

    name: str
    value: Reals
    data: Sequence[bytes]
    reduction: str
    share: bool
    examples: int
    block: int = 1

    @property
    def scored(self) -> NDArray[np.bool_]:
        return np.array([bool(one) for one in self.data], bool)

    @property
    def noise(self) -> str:
        scored = self.scored
        if scored.all():
            return SCORES
        return UNKNOWN if not self.share else MIXED if scored.any() else BINOMIAL

    def at(self, places: NDArray[np.bool_]) -> "Learnt":
        """Of some of the candidates."""
        data = [one for one, chosen in zip(self.data, places, strict=True) if chosen]
        return Learnt(self.name, self.value[places], data, self.reduction, self.share, self.examples, self.block)

    def reduced(self, mean: Reals) -> Reals:
        """The metric of a mean of its scores."""
        return np.sqrt(np.maximum(mean, 0)) if self.reduction == "root_mean" else mean

    @property
    def mean(self) -> Reals:
        """That of the scores of all examples, which the metric follows from."""
        return self.value**2 if self.reduction == "root_mean" else self.value

    @property
    def far(self) -> tuple[Reals, Reals]:
        """How low and how high the metric may be."""
        independent = max(1, self.examples // self.block)
        off = deviation_of_share(self.value, independent) if self.share else np.zeros(len(self.value))
        if not self.share:
            off[self.scored] = deviation_of_mean([one for one in self.data if one], independent)
        return self.reduced(self.mean - DEVIATIONS * off), self.reduced(self.mean + DEVIATIONS * off)


def reduction(name: str, description: Mapping[str, Any]) -> str:
    """How a metric follows from its scores: "mean" or "root_mean"; empty where the run does not say.

    A run of before says which metrics are shares, and those are means. An evaluator of the user's own has no task that
    would say it: what it gives are the numbers that the metric is the mean of.
    """
    validation = description.get("validation")
    if not validation:
        return "mean"
    return str(validation.get("reductions", dict.fromkeys(shares(description), "mean")).get(name, ""))


def trained(
    rows: pd.DataFrame, names: Sequence[str], description: Mapping[str, Any], scores: Scores | None
) -> list[Learnt]:
    """
    Args:
        rows: of `evaluations`.
        names: of metrics of the task.
        description: the run's run.json.
        scores: of the candidates that have some; those of another number of examples count for nothing.
    """
    own = [(scores or {}).get(int(index), {}) for index in rows["candidate"]]
    validation = description.get("validation")
    found = []
    for name in names:
        how = reduction(name, description)
        data = [one.get(name, b"") if how else b"" for one in own]
        lengths = [len(decoded(one)) if one else 0 for one in data]
        examples = int(validation["examples"]) if validation else max(lengths, default=0)
        whole = min(examples, MOST_EXAMPLES)
        data = [one if length == whole else b"" for one, length in zip(data, lengths, strict=True)]
        found.append(
            Learnt(
                name, rows[name].to_numpy(float), data, how, name in shares(description), examples, block(description)
            )
        )
    return found
