"""Whether examples that are to be held in memory fit there, asked before hours of reading them."""

from evonas.errors import UserError
from evonas.machine import machine_memory


def check_room(key: str, what: str, size: int, drawn: bool) -> None:
    """Make sure that examples fit into the memory of this machine, or of its container.

    Args:
        key: of the config that says what is read.
        what: the examples, in words.
        size: of all of them, in bytes.
        drawn: whether splits are drawn from them, which holds most of them twice for a while.

    Raises:
        UserError: they do not; says what would be right.
    """
    memory = machine_memory()
    if size * (2 if drawn else 1) > memory:
        twice = ", and twice that while splits are drawn" if drawn else ""
        raise UserError(
            f"{key}: {what} take {size / 1e9:.3g} GB in memory{twice}; there are {memory / 1e9:.3g} GB: set a smaller "
            "task.size, or write them to .npy files, which task: {kind: npy} streams"
        )
