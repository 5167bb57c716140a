"""MLflow: a run of the experiment $MLFLOW_EXPERIMENT_NAME or `evonas`, with a child run for each network of the front.

Where the server is, MLflow's own variables say (MLFLOW_TRACKING_URI, ...); without one it keeps ./mlflow.db, or
./mlruns where that is in use. Parameters are those of the first start.
"""

import logging
import os
import posixpath
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from evonas.text import describe_error
from evonas.tracking.tracker import Member, RunInfo, plain

EXPERIMENT = "evonas"
KEY, CANDIDATE, PARENT = "evonas.search", "evonas.candidate", "mlflow.parentRunId"
LONGEST, MOST = 500, 100
"""Characters of a parameter; parameters or metrics in one request: what the oldest servers take."""
log = logging.getLogger("evonas")


class MLflow:
    def __init__(self, about: RunInfo) -> None:
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # else it does for each run that ends
        for name in ("alembic", "mlflow.store.db.utils"):  # they tell of each table of a new mlflow.db
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = MlflowClient()
        self._experiment = self._experiment_id(os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT)
        found = self._runs(f"tags.`{KEY}` = '{about.key}'")
        tags = {KEY: about.key, "evonas.folder": about.folder}
        self._run = found[0].info.run_id if found else self._new(about.name, tags, about.config)
        self._client.update_run(self._run, status=RunStatus.to_string(RunStatus.RUNNING))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._client.log_batch(self._run, metrics=_metrics(values, step))

    def front(self, members: Sequence[Member]) -> None:
        missing = {str(member.candidate): member for member in members}
        for run in self._runs(f"tags.`{PARENT}` = '{self._run}'"):
            if not missing.pop(run.data.tags.get(CANDIDATE), None):  # left the front, or was never completed
                self._client.delete_run(run.info.run_id)
        for member in missing.values():
            self._child(member)

    def close(self, finished: bool) -> None:
        self._client.set_terminated(
            self._run, RunStatus.to_string(RunStatus.FINISHED if finished else RunStatus.KILLED)
        )

    def _child(self, member: Member) -> None:
        tags = {PARENT: self._run, "evonas.weights": member.weights, "mlflow.note.content": f"`{member.command}`"}
        run = self._new(member.name, tags, member.genes)
        metrics = _metrics(member.metrics, member.candidate)
        for name, values in member.curve.items():
            metrics += [point for epoch, x in enumerate(values, 1) for point in _metrics({f"curve/{name}": x}, epoch)]
        for start in range(0, len(metrics), MOST):
            self._client.log_batch(run, metrics=metrics[start : start + MOST])
        try:
            self._client.log_dict(run, dict(member.architecture), "architecture.json")
        except Exception as error:  # a place that only others may write to
            log.warning("mlflow: no artefacts for %s: %s", member.name, describe_error(error))
        self._client.set_tag(run, CANDIDATE, str(member.candidate))  # last: one that has it is complete
        self._client.set_terminated(run)

    def _new(self, name: str, tags: Mapping[str, str], params: Mapping[str, Any]) -> str:
        run: str = self._client.create_run(self._experiment, run_name=name).info.run_id
        self._client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])
        given = [Param(_name(key), str(value)[:LONGEST]) for key, value in params.items()]
        for start in range(0, len(given), MOST):
            self._client.log_batch(run, params=given[start : start + MOST])
        return run

    def _runs(self, condition: str) -> list[Any]:
        """All of them, the newest first."""
        pages: list[Any] = []
        token = None
        while token or not pages:
            pages.append(
                self._client.search_runs([self._experiment], condition, ViewType.ACTIVE_ONLY, page_token=token)
            )
            token = pages[-1].token
        return [run for page in pages for run in page]

    def _experiment_id(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if not found:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException:
                found = self._client.get_experiment_by_name(name)
                if not found:  # no other search has just made it
                    raise
        return str(found.experiment_id)


def _metrics(values: Mapping[str, float], step: int) -> list[Metric]:
    now = int(time.time() * 1000)
    return [Metric(_name(name), value, now, step) for name, value in values.items()]


def _name(text: str) -> str:
    """With the characters that MLflow takes, and as a path that is one."""
    return posixpath.normpath(re.sub(r"[^/\w.\- :]", "_", plain(text))).strip("/.")
