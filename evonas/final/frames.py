"""Rows of a finished network: one of each training, and one that sums them up."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from evonas.final.plan import FinalPlan, FinalTraining


def training_row(plan: FinalPlan, job: FinalTraining, result: Mapping[str, Any]) -> dict[str, Any]:
    """A training as `TRAININGS` has it."""
    return {
        **_row(plan, job),
        "stage": job.stage,
        "number": job.number,
        "seed": job.seed,
        "fit_on": job.fit_on,
        **{name: result[name] for name in ("status", "message", "curve", "metrics", "conditions")},
        "epochs": len(result["curve"]),
        **{name: result.get(name) for name in ("weights", "weights_sha256")},
        **{name: result[name] for name in ("started_at", "finished_at")},
    }


def network_row(
    plan: FinalPlan,
    best: FinalTraining | None,
    rows: Sequence[Mapping[str, Any]],
    latencies: Mapping[str, float],
    conditions: Mapping[str, str],
) -> dict[str, Any]:
    """What a network has come to: of its seeds the mean of each metric with intervals, and what it takes.

    Args:
        plan: of the network.
        best: the trial whose recipe the seeds were trained with; None: no recipe worked.
        rows: of all its trainings.
        latencies: by column.
        conditions: on what and how these were measured.
    """
    seeds = [row for row in rows if row["stage"] == "seed" and row["status"] == "ok"]
    trials = [row for row in rows if row["stage"] == "trial"]
    failed = next((str(row["message"]) for row in reversed(rows) if row["status"] == "failed"), "")
    chosen = next((row for row in trials if best and row["number"] == best.number), None)
    metrics = {**_over_seeds([row["metrics"] for row in seeds]), **latencies}
    if chosen:  # the recipe's own figure, by which it was chosen
        metrics = {**{name: value for name, value in chosen["metrics"].items() if name[:5] == "valid"}, **metrics}
    return {
        **_row(plan, best),
        "stage": "network",
        "number": len(seeds),
        "status": "ok" if seeds else "failed",
        "message": failed if not seeds else _left_out(rows),
        "seed": plan.config.seed,
        "fit_on": plan.final.fit_on,
        "epochs": max((row["epochs"] for row in seeds), default=0),
        "curve": [],
        "metrics": metrics,
        "conditions": {**(seeds[0]["conditions"] if seeds else {}), **conditions},
        **{name: seeds[0][name] if seeds else None for name in ("weights", "weights_sha256")},
        "started_at": min((row["started_at"] for row in rows if row["started_at"]), default=0.0),
        "finished_at": max((row["finished_at"] for row in rows), default=0.0),
    }


def _row(plan: FinalPlan, job: FinalTraining | None) -> dict[str, Any]:
    training = job.training if job else plan.config.training
    return {
        "candidate": plan.candidate,
        "key": plan.key,
        "training": json.dumps(training.model_dump(mode="json"), sort_keys=True),
        "final": json.dumps(plan.final.decisive, sort_keys=True),
    }


def _left_out(rows: Sequence[Mapping[str, Any]]) -> str:
    failed = [row for row in rows if row["status"] == "failed"]
    return f"{len(failed)} of {len(rows)} trainings failed: {failed[-1]['message']}" if failed else ""


def _over_seeds(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each metric over seeds. seeds_low and seeds_high: the ends of Student's 95 % interval of that mean."""
    metrics: dict[str, float] = {}
    for name in found[0] if found else ():
        values = np.array([own[name] for own in found])
        metrics[name] = float(values.mean())
        if name.startswith("test[") and len(values) > 1:
            half = stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / math.sqrt(len(values))
            metrics[f"seeds_low{name[4:]}"] = metrics[name] - float(half)
            metrics[f"seeds_high{name[4:]}"] = metrics[name] + float(half)
    return metrics
