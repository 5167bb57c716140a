"""A network cut into the blocks that a forward pass runs through, so that an estimate can add up their latencies.

What a block is, `tracing` says. Here each gets a key: equal for two blocks exactly when they are the same computation
but for the values of their weights.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from evonas.latency_tables.tracing import Classes, Operation, trace
from evonas.records import Inputs, InputSpec

OVERHEAD = "pass"
"""The entry for what a pass takes that runs nothing."""
READABLE = 160
"""Characters of a key before its shape."""


class MissingBlock(Exception):
    """A table has no entry for a block of a network. The message is one line."""


@dataclass(frozen=True, slots=True)
class Block:
    """Something that a forward pass runs.

    Args:
        key: text for people, with the input that it takes, and a digest of all its hyper-parameters: equal for two
            blocks exactly when they are the same computation but for the values of their weights.
        input: what one example of its input is like; floats, or whole numbers such as tokens.
    """

    key: str
    input: InputSpec
    _operation: Operation = field(repr=False, compare=False)

    @property
    def module(self) -> nn.Module:
        """(batch, *input.shape) -> one tensor, for the batch of the pass that was followed. It shares the network's
        layers."""
        return self._operation.module()


def blocks(network: nn.Module, inputs: Inputs, whole: Classes = (), batch: int = 1) -> list[Block]:
    """Cut one forward pass in evaluation mode into blocks.

    Args:
        network: left as it was. Nothing of it is computed, unless it looks at values.
        inputs: what it takes in, one tensor or several by name.
        whole: classes of modules that are not opened.
        batch: examples in the pass.

    Returns:
        The blocks in order, each as often as it runs. Left out are operations that see nothing of the examples, and
        those that see of them only whole numbers or truth values that the network made of something else.

    Raises:
        Exception: whatever the network raises.
    """
    try:
        found = trace(network, inputs, whole, batch, "meta")
    except Exception:  # it looks at values, or makes tensors on a device of its own choice
        found = trace(network, inputs, whole, batch, "cpu")
    return [Block(_key(operation), operation.input, operation) for operation in found]


def estimate(network: nn.Module, inputs: Inputs, table: Mapping[str, float], whole: Classes = ()) -> float:
    """Add up what a forward pass takes.

    Args:
        network: left as it was.
        inputs: what it takes in.
        table: block -> ms.
        whole: as for `blocks`.

    Returns:
        Milliseconds: the entries of its blocks, and that of `OVERHEAD` if there is one.

    Raises:
        MissingBlock: the table has no entry for one of them.
    """
    found = blocks(network, inputs, whole)
    if missing := next((block.key for block in found if block.key not in table), None):
        raise MissingBlock(f"the latency table lacks the block {missing}; make it anew, from this space and this task")
    return table.get(OVERHEAD, 0.0) + sum(table[block.key] for block in found)


def _key(operation: Operation) -> str:
    short, taken = str(operation.what), operation.input
    digest = hashlib.sha256(operation.what.details().encode()).hexdigest()[:12]
    cut = short if len(short) <= READABLE else f"{short[:READABLE]}..."
    kind = f" of {taken.dtype}" if taken.is_integer else ""
    return f"{cut} @{'x'.join(map(str, taken.shape))}{kind} #{digest}"
