"""Rows of another run, as a search would have recorded them that had made the same measurements."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evonas.components import Components
from evonas.driver.founders import REUSED
from evonas.records import Status
from evonas.reuse.sameness import device_here
from evonas.store.schema import TIMINGS

ORDER = (Status.OK, Status.INFEASIBLE, Status.STOPPED)
"""In which rows come: the cutoffs that decide whether a stopped one is stopped here, too, are of all the others, and
what costs nothing is there before the budget can end."""
FROM, FROM_CANDIDATE = "from", "from_candidate"
"""Conditions of a row that say where it was evaluated."""


@dataclass(frozen=True, slots=True)
class NotReusable:
    """Why a row is not taken over, in the plural: "failed", "lack macs"."""

    why: str


class Translator:
    """Takes rows over.

    Args:
        components: of the new search.
        away: targets whose metrics mean something else in the other run.
        run: the other run, for people.
    """

    def __init__(self, components: Components, away: Mapping[str, str], run: str) -> None:
        self._space, self._objectives, self._spec = components.space, components.objectives, components.spec
        self._run = run
        self._now = time.time()
        self._devices = {
            name: device_here(components.config, name)
            for name in components.objectives.targets
            if name not in away and name not in components.tables
        }
        self._away = set(away)
        self.other_devices: dict[str, str] = {}
        """Target -> on which other device rows were measured."""

    def taken(self, row: Mapping[str, Any]) -> dict[str, Any] | NotReusable:
        """A row by the columns of the search, or why not; where it comes in their order is left open.

        Args:
            row: of `evaluations` of the other run.
        """
        status, names = Status(row["status"]), self._columns(row)
        if status.failed:
            return NotReusable("failed")
        costs = _known(row, [name for name in names if name not in self._spec.metrics])
        if message := self._objectives.over_limits(costs):
            return self._row(row, Status.INFEASIBLE, costs, [], names, message)
        if status is Status.INFEASIBLE:
            return NotReusable("were over a limit there and may be trained here")
        rungs = [{"rung": rung["rung"], "metrics": _known(rung["metrics"], names)} for rung in row["rungs"]]
        metrics = _known(row, names)
        for name in sorted(self._objectives.named):
            if not all(name in found for found in (metrics, *(rung["metrics"] for rung in rungs))):
                return NotReusable(f"lack {name}")
        return self._row(row, status, metrics, rungs, names, row["message"])

    def _columns(self, row: Mapping[str, Any]) -> list[str]:
        """The metrics of the search that mean the same in a row."""
        away = set(self._away)
        for target, device in self._devices.items():
            there = row["conditions"].get(f"device[{target}]")
            if device and there and there != device:
                self.other_devices[target] = f"{target} is {there} there, {device} here"
                away.add(target)
        return [name for name in self._objectives.metrics if name.partition("[")[2].removesuffix("]") not in away]

    def _row(
        self,
        row: Mapping[str, Any],
        status: Status,
        metrics: Mapping[str, float],
        rungs: list[dict[str, Any]],
        names: list[str],
        message: str,
    ) -> dict[str, Any]:
        trained = status is not Status.INFEASIBLE
        samples = [f"latency_samples[{t}]" for t in self._objectives.targets if f"latency_ms[{t}]" in names]
        return {
            "generation": 0,
            "genome": row["genome"],
            "arch": row["arch"],
            "arch_hash": self._space.identity(tuple(row["genome"])),
            "parents": [],
            "operator": REUSED,
            "predicted": {},
            "visible": 0,
            "seed": row["seed"],
            "status": status.value,
            "violation": self._objectives.violation(metrics),
            **metrics,
            "epochs": row["epochs"] if trained else 0,
            "batch_size": row["batch_size"] if trained else 0,
            "curve": row["curve"] if trained else [],
            "rungs": rungs,
            "scores": row["scores"] if trained else {},
            **{name: row[name] for name in samples if row.get(name) is not None},
            "conditions": {**row["conditions"], FROM: self._run, FROM_CANDIDATE: str(row["candidate"])},
            "attempts": row["attempts"],
            "message": message,
            "weights_sha256": row["weights_sha256"] if trained else None,
            **dict.fromkeys(TIMINGS, 0.0),  # it took nothing here
            "started_at": self._now,
            "finished_at": self._now,
            "usd": 0.0,
        }


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as candidates from 0: the fully trained first, the stopped last; each in the order that they had."""
    ordered = sorted(rows, key=lambda row: ORDER.index(Status(row["status"])))
    return [{"candidate": place, "position": place, **row} for place, row in enumerate(ordered)]


def _known(values: Mapping[str, Any], names: list[str]) -> dict[str, float]:
    return {name: values[name] for name in names if values.get(name) is not None}
