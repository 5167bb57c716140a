"""What examples belong to, or when they were, by an array beside them."""

from collections.abc import Mapping

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.tasks.dealing import Keys, SplitBy
from evonas.tasks.task import Array


def keys_of_array(split: SplitBy | None, known: Mapping[str, Array | None], n: int, where: object) -> Keys | None:
    """The key of each training example; None where no split is asked for.

    Args:
        split: of the config, which names an array.
        known: the arrays beside those of examples by name; those that `split` does not name may be left unread.
        n: training examples.
        where: the arrays are, for messages.

    Raises:
        UserError: there is no such array, it has another length or gaps, or holds no times where they are asked for.
    """
    if split is None:
        return None
    name, key = split.by or split.time or "", "task.split.by" if split.by else "task.split.time"
    values = known.get(name)
    if values is None:
        raise UserError(f"{key}: {unknown(name, known)}, of the arrays beside x and y in {where}")
    if values.shape != (n,):
        raise UserError(f"{key}: {name} must have a value for each of the {n:,} training examples, not {values.shape}")
    if values.dtype.kind not in ("iufM" if split.time else "iufMbSU"):
        wanted = "numbers, such as seconds since 1970, or datetime64" if split.time else "numbers or texts"
        raise UserError(f"{key}: {name} must be {wanted}, not {values.dtype}")
    if gaps := int(np.count_nonzero(values != values)):  # NaN and NaT alone differ from themselves
        raise UserError(f"{key}: {gaps:,} training examples have no {name}; fill or remove them")
    return Keys(values, split.by is None)
