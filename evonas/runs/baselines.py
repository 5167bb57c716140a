"""What the metrics of a run's task are without a network, in words. No torch."""

from collections.abc import Mapping
from typing import Any


def in_words(description: Mapping[str, Any], of_test: bool = False) -> list[str]:
    """Lines for people, one a baseline: "seasonal naive: mae 3.1, mase 0.94".

    Args:
        description: a run.json; one that knows of no baselines has no lines.
        of_test: of the test examples, in the place of the validation examples.
    """
    baselines = (description.get("data") or {}).get("baselines") or {}
    lines = []
    for name, values in baselines.items():
        keys = {metric: f"test[{metric}]" if of_test else metric for metric in description["task"]["metrics"]}
        known = [f"{metric} {values[key]:.4g}" for metric, key in keys.items() if key in values]
        lines += [f"{name}: {', '.join(known)}"] if known else []
    return lines
