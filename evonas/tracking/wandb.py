"""Weights & Biases: a run of the project $WANDB_PROJECT or `evonas`, one in its group for each network of the front.

Its own variables say where and how (WANDB_API_KEY, WANDB_MODE=offline, ...).
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb

from evonas.tracking.tracker import Member, RunInfo, plain

WAIT_S = 30.0
"""Longest that the begin of a run and its end wait for a server."""
SETTINGS = wandb.Settings(
    init_timeout=WAIT_S, finish_timeout=WAIT_S, silent=True, console="off", disable_git=True, save_code=False
)


class WandB:
    def __init__(self, about: RunInfo) -> None:
        self._offline = wandb.setup().settings.mode in ("offline", "dryrun", "disabled")
        if not self._offline and not wandb.login(prompt=False, verify=False):  # which else asks
            raise RuntimeError("it has no API key: run `wandb login`, or set WANDB_MODE=offline")
        self._key, self._name = about.key, about.name
        self._run = self._begin(about.key, about.name, "search", {**about.config, "folder": about.folder})

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def front(self, members: Sequence[Member]) -> None:
        for member in members:
            self._child(member)
        names = list(dict.fromkeys(name for member in members for name in member.metrics))
        table = wandb.Table(columns=["candidate", *names, "weights"])
        for member in members:
            table.add_data(member.candidate, *map(member.metrics.get, names), member.weights)
        self._run.log({"front_networks": table})

    def close(self, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)

    def _child(self, member: Member) -> None:
        config = {**member.genes, "candidate": member.candidate, "weights": member.weights}
        run = self._begin(f"{self._key}-{member.candidate}", f"{self._name}-{member.name}", "candidate", config)
        if not run.resumed:  # else it has been told of before
            for values in zip(*member.curve.values(), strict=True):
                run.log({f"curve/{name}": value for name, value in zip(member.curve, values, strict=True)})
            run.summary.update({plain(name): value for name, value in member.metrics.items()})
            if (path := Path(member.weights)).exists():  # a reference to a bucket needs the bucket's own library
                weights = wandb.Artifact(f"{self._key}-{member.name}", "model", metadata={"build": member.command})
                weights.add_reference(path.as_uri(), name="network.safetensors")
                run.log_artifact(weights)
        run.finish()

    def _begin(self, key: str, name: str, kind: str, config: Mapping[str, Any]) -> Any:
        """Beside those that are open; one of that key goes on."""
        return wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "evonas",
            id=key,
            name=name,
            group=self._key,
            job_type=kind,
            config=dict(config),
            resume=None if self._offline else "allow",
            reinit="create_new",
            settings=SETTINGS,
        )
