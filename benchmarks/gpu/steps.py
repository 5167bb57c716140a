"""A training step in its ways: eager, as one CUDA graph, with less in it, at a small batch; and a plain loop."""

import time
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from evonas.evaluation.batches.streaming import Streaming
from evonas.evaluation.training.loop import Trainer

from .session import Row, Session
from .subject import NETWORKS, Stepping, data, examples, has_graph, synchronize, task, trainer

MODES: dict[str, dict[str, Any]] = {
    "eager": {},
    "graph": {"graph": True},
    "float32": {"precision": "float32"},
    "no augmentation": {"augment": {}},
    "no clipping": {"grad_clip": 0},
    "float16": {"precision": "float16"},
    "streamed": {},
    "batch 64": {"batch_size": 64},
    "batch 64, graph": {"batch_size": 64, "graph": True},
}
ONE = ("no clipping", "float16", "streamed")
"""Those of `mid` alone."""
DRY = {"small": ("eager", "batch 64", "streamed")}
PART_S, LOOP_S = 6.0, 15.0
"""One way, and the plain loop, at most."""
WORKERS, PLAIN_IMAGES = 12, 20_000


def step(session: Session) -> None:
    """Each network in each way, and the plain loop."""
    if session.dry:
        others = [mode for mode in MODES if mode not in DRY["small"]]
        session.tell("step", skipped="no GPU", asks=f"the same of {', '.join(NETWORKS)}; {', '.join(others)}")
    for name in NETWORKS:
        for mode in DRY.get(name, ()) if session.dry else MODES:
            left_out = mode in ONE and name != "mid" and not session.dry
            if left_out or session.lacks(PART_S, "step", net=name, mode=mode):
                continue
            if "graph" in mode and not has_graph():
                session.tell("step", net=name, mode=mode, skipped="this evonas has no training.graph")
                continue
            try:
                session.tell("step", net=name, mode=mode, **_timed(session, name, mode))
            except Exception as error:
                session.tell("step", net=name, mode=mode, error=f"{type(error).__name__}: {error}"[:200])
            if not session.dry:
                torch.cuda.empty_cache()
    if session.lacks(LOOP_S, "step", net="mid", mode="DataLoader"):
        return
    plain = _plain_loop(session, trainer("mid", data(session.dry), session.dry))
    session.tell("step", net="mid", mode="DataLoader", images_s=plain)


def _timed(session: Session, name: str, mode: str) -> Row:
    stepping = Stepping(0.2 if session.dry else 2.0, synchronize)
    place = data(session.dry)
    if mode == "streamed":
        place = replace(place, train=Streaming(task(examples(session.dry)).splits.train, place.device))
    made = trainer(name, place, session.dry, callbacks={"stepped": stepping.stepped}, **MODES[mode])
    begun = time.perf_counter()
    rate = stepping.run(made)
    row = {"batch": made.batch, "ms": 1e3 / rate, "images_s": rate * made.batch, "took_s": time.perf_counter() - begun}
    row["note"] = made.graph_note
    return {**row, **(_kernels(made) if mode == "eager" and not session.dry else {})}


def _kernels(made: Trainer) -> Row:
    """Kernels of a step, and how long the card is busy with them: what is missing to the step's time is the host's."""
    from torch.profiler import ProfilerActivity, profile

    generator = Generator(made.data.device).manual_seed(0)
    x, y = made.data.sample(made.batch)
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        for _ in range(5):
            made.step(x, y, generator)
        synchronize()
    found = [event for event in profiled.events() or [] if str(event.device_type).endswith("CUDA")]
    return {"kernels": len(found) / 5, "gpu_ms": sum(event.device_time_total for event in found) / 5e3}


class Images(Dataset[tuple[Tensor, int]]):
    """One image at a time, on the CPU, as most programs have it."""

    def __init__(self, dry: bool) -> None:
        self._split, self._length = task(examples(dry)).splits.train, 64 if dry else PLAIN_IMAGES

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        x = F.pad(torch.from_numpy(self._split.x[row]).float().div_(255), (4,) * 4)
        top, left = torch.randint(0, 9, (2,)).tolist()
        x = x[:, top : top + 32, left : left + 32]
        return (x.flip(2) if torch.rand(()) < 0.5 else x), int(self._split.y[row])


def _plain_loop(session: Session, made: Trainer) -> float:
    """Images a second of the same network in a loop over a DataLoader, its first batch left out."""
    pinned, workers = not session.dry, 0 if session.dry else WORKERS
    loader = DataLoader(Images(session.dry), made.batch, shuffle=True, num_workers=workers, pin_memory=pinned)
    network = made.network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    images, begun = 0, 0.0
    for x, y in loader:
        x, y = x.to(session.device, non_blocking=True), y.to(session.device, non_blocking=True)
        optimizer.zero_grad()
        with torch.autocast(session.device, torch.bfloat16):
            output = network(x)
        F.cross_entropy(output.float(), y).backward()
        optimizer.step()
        if not begun:  # the workers have started
            synchronize()
            begun = time.perf_counter()
        else:
            images += len(x)
    synchronize()
    return images / (time.perf_counter() - begun)
