"""TensorBoard: event files in the run folder, to be read with `tensorboard --logdir RUN/tensorboard`.

`search` has what the search is at, by evaluated candidates; `candidate-000042` a network of the front: its learning
curve by epoch, its genes and metrics for the page of hyper-parameters, its architecture as text. Event files cannot be
written to an object store by every TensorBoard, so those of a run at a URL are in ./tensorboard/NAME-KEY.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from evonas.tracking.tracker import Member, RunInfo, plain


class TensorBoard:
    def __init__(self, about: RunInfo) -> None:
        remote = "://" in about.folder
        here = Path("tensorboard", f"{about.name}-{about.key[:8]}").resolve()
        self._root = here if remote else Path(about.folder, "tensorboard")
        self._search = SummaryWriter(str(self._root / "search"))
        lines = [f"    {name}: {value}" for name, value in about.config.items()]
        self._search.add_text("config", "\n".join([f"{about.folder}\n", *lines]))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._search.add_scalar(name, value, step)
        self._search.flush()

    def front(self, members: Sequence[Member]) -> None:
        for old in self._root.glob("candidate-*"):
            shutil.rmtree(old)
        for member in members:
            writer: Any = SummaryWriter(str(self._root / member.name))
            metrics = {plain(name): value for name, value in member.metrics.items()}
            for summary in hparams(dict(member.genes), metrics):  # type: ignore[no-untyped-call]
                writer.file_writer.add_summary(summary)
            for name, values in member.curve.items():
                for epoch, value in enumerate(values, start=1):
                    writer.add_scalar(f"curve/{name}", value, epoch)
            for name, value in metrics.items():
                writer.add_scalar(name, value, member.candidate)
            architecture = json.dumps(member.architecture, indent=2).replace("\n", "\n    ")
            text = f"{member.weights}\n\n`{member.command}`\n\n    {architecture}"
            writer.add_text("network", text)
            writer.close()

    def close(self, finished: bool) -> None:
        self._search.close()
