"""Files that a run keeps of single candidates, beside their rows: weights, checkpoints of training, logs."""

import hashlib
from collections.abc import Collection

from evonas.errors import UserError
from evonas.excerpt import MOST_BYTES, shortened
from evonas.store.folder import Folder, digits
from evonas.store.starts import Start, recorded

FEW_BYTES = 2**12
FULL_LOGS = 1000
"""So many logs of a run may be long. Those after them, and those of candidates that have not failed, are short."""


class Weights:
    """Trained networks of the front.

    Args:
        start: that writes.
    """

    def __init__(self, start: Start) -> None:
        self.folder, self._start = start.folder, start
        self._kept: set[int] = set()

    def restore(self) -> None:
        """Take up what is there."""
        self._kept = numbered(self.folder, "weights")

    @recorded
    def save(self, index: int, data: bytes) -> None:
        self._start.put(weights_name(index), data)
        self._kept.add(index)

    @recorded
    def keep(self, indices: Collection[int]) -> None:
        """Remove the weights of every candidate known here that is not among `indices`. For right after a commit.

        A driver that is replaced between its look and the removal thus removes nothing of its successor's, which has
        read all the decisions by which this one removes.
        """
        self._start.check()
        for index in self._kept.difference(indices):
            self.folder.remove(weights_name(index))
        self._kept.intersection_update(indices)


class Checkpoints:
    """What the training of paused candidates goes on from. They are no part of the record, and may be removed.

    Args:
        start: that writes.
    """

    def __init__(self, start: Start) -> None:
        self.folder, self._start = start.folder, start
        self.sizes: dict[int, int] = {}
        """Candidates of whom there is one -> its bytes."""

    def restore(self) -> None:
        """Take up what is there, without what is damaged."""
        for index in numbered(self.folder, "checkpoints"):
            self.sizes[index] = len(self.read(index))
            if not self.sizes[index]:
                self.remove(index)

    @recorded
    def save(self, index: int, data: bytes) -> None:
        self._start.put(checkpoint_name(index), hashlib.sha256(data).digest() + data)
        self.sizes[index] = len(data)

    def read(self, index: int) -> bytes:
        """What the training of a candidate goes on from; empty where it is not there, or damaged."""
        try:
            kept = self.folder.read(checkpoint_name(index))
        except (OSError, UserError):
            return b""
        digest, data = kept[:32], kept[32:]
        return data if hashlib.sha256(data).digest() == digest else b""

    @recorded
    def remove(self, index: int) -> None:
        """Nothing happens where there is none."""
        if self.sizes.pop(index, None) is not None:
            self._start.check()
            self.folder.remove(checkpoint_name(index))


class Logs:
    """What candidates printed and how they failed.

    Args:
        start: that writes.
    """

    def __init__(self, start: Start) -> None:
        self.folder, self._start = start.folder, start
        self._kept: set[int] = set()

    def restore(self) -> None:
        """Take up what is there."""
        self._kept = numbered(self.folder, "logs")

    @recorded
    def save(self, index: int, text: str, failed: bool) -> None:
        """Keep a log, the middle of a long one aside; where it is empty, nothing of an earlier try is left."""
        if text:
            most = MOST_BYTES if failed and len(self._kept) < FULL_LOGS else FEW_BYTES
            self._start.put(log_name(index), shortened(text, most).encode())
            self._kept.add(index)
        elif index in self._kept:
            self._start.check()
            self.folder.remove(log_name(index))
            self._kept.remove(index)


def numbered(folder: Folder, kind: str) -> set[int]:
    """The candidates that have a file in a folder of the run."""
    return {index for name in folder.names(kind) if (index := digits(name)) >= 0}


def log_name(index: int) -> str:
    """Where the log of a candidate is, if it has one."""
    return f"logs/{index:06d}.txt"


def weights_name(index: int) -> str:
    return f"weights/{index:06d}.safetensors"


def checkpoint_name(index: int) -> str:
    """Where the training of a paused candidate goes on from, behind the SHA-256 of it."""
    return f"checkpoints/{index:06d}.safetensors"


def retrained_name(index: int) -> str:
    """Where it is said that a candidate was trained again for its weights."""
    return f"retrained/{index:06d}.json"
