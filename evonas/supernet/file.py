"""A bank in a file: safetensors, with what it is of and what it is worth in the head. Reading one runs nothing."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from evonas import atomic_files
from evonas.config import TrainingConfig
from evonas.config.recipe import OF_THE_SEARCH
from evonas.errors import UserError
from evonas.evaluation.agreement import data_digest
from evonas.spaces.space import Space
from evonas.supernet.audit import Worth
from evonas.tasks.task import Task

ABOUT = "evonas.supernet"
"""The key of the head; there too is the digest of the content."""
DIGEST = "evonas.supernet.sha256"
VERSION = 1
MAKES_ONE = "; `evonas supernet` makes one"
AGAIN = "make it anew with `evonas supernet`"

ALONE = "trained alone"
"""The key of the recipe with that of the networks of the audit."""

Tensors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Supernet:
    """Weights that the networks of a space share, and where they are from.

    Args:
        signature: of the space.
        task: what its networks take in and give, and what the data are; see `fingerprint`.
        recipe: how it was trained: sampling, epochs, and keys of `training`; and how the networks of its audit were.
        seed: of what was drawn.
        trained: networks that were trained for a step.
        versions: of torch and evonas.
        worth: what networks that were trained alone say of it; None: nobody looked.
        tensors: the bank.
        version: of the file.
    """

    signature: str
    task: Mapping[str, str]
    recipe: Mapping[str, Any]
    seed: int
    trained: int
    versions: Mapping[str, str]
    worth: Worth | None
    tensors: Tensors = field(repr=False)
    version: int = VERSION

    @property
    def about(self) -> str:
        """All but the tensors, as JSON."""
        return json.dumps(asdict(replace(self, tensors={})), sort_keys=True)

    @cached_property
    def sha256(self) -> str:
        """The digest of the content, whatever file that is in. Runs record it."""
        digest = hashlib.sha256(self.about.encode())
        for key in sorted(self.tensors):
            array = np.ascontiguousarray(self.tensors[key])
            digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
            digest.update(array.data)
        return digest.hexdigest()

    def in_words(self) -> str:
        """What it is worth, in one sentence."""
        return str(self.worth) if self.worth else "not examined; `evonas supernet --audit 20` says what it is worth"


def trained_alone(training: TrainingConfig) -> dict[str, Any]:
    """How a network is trained alone: keys of `training` that shape it, in the plain form of JSON."""
    return training.model_dump(mode="json", exclude={*OF_THE_SEARCH} - {"epochs"})


def other_recipe(supernet: Supernet, training: TrainingConfig) -> str:
    """In what a search trains otherwise than the audit did, in words; empty where it does not, or none was made.

    Args:
        supernet: with its audit.
        training: of the search.
    """
    then, now = supernet.recipe.get(ALONE, {}), trained_alone(training)
    other = [f"{key} {then[key]} there, {now[key]} here" for key in now if key in then and then[key] != now[key]]
    return "; ".join(other)


def fingerprint(task: Task) -> dict[str, str]:
    """What networks take in and give, and the examples, as texts that are equal where these are; names and places of
    files are no part of it."""
    return {
        "inputs": repr(task.spec.input),
        "outputs": repr((task.spec.output_shape, task.spec.units, task.spec.starts)),
        "metrics": repr(dict(task.spec.metrics)),
        "data": data_digest(task),
    }


def write(supernet: Supernet, path: str | Path) -> None:
    """Write a file, whole or not at all.

    Args:
        supernet: what is written.
        path: as `check_free` has found it.

    Raises:
        UserError: it cannot be written.
    """
    path = Path(path)
    arrays = {key: np.ascontiguousarray(array) for key, array in supernet.tensors.items()}
    data = safetensors.numpy.save(arrays, {ABOUT: supernet.about, DIGEST: supernet.sha256})
    try:
        atomic_files.replace(path, data)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def check_free(path: str | Path, space: Space, task: Task) -> Supernet | None:
    """Check that a supernet can be written there; that of this space and task which it replaces.

    Args:
        path: of the file.
        space: of the networks.
        task: what they learn.

    Raises:
        UserError: there is something at the path that is no supernet, one of something else, or no folder for it.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise UserError(f"{path} is a folder; give a file, e.g. --out {path / 'supernet.safetensors'}")
    if not path.exists():
        return None
    try:
        found = read(path)
        check_compatible(found, path, space, task)
    except UserError as error:
        why = str(error).removesuffix(MAKES_ONE).removesuffix(f"; {AGAIN}")
        raise UserError(f"{why}; it is not replaced: give another --out") from None
    return found


def read(path: str | Path) -> Supernet:
    """Read a file.

    Raises:
        UserError: there is no such file, or it is no supernet, or not as it was written.
    """
    try:
        with safetensors.safe_open(Path(path), framework="numpy") as file:
            about = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()} if ABOUT in about else {}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"no supernet {path}{MAKES_ONE}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read as a supernet: {error.strerror or error}") from None
    except (safetensors.SafetensorError, ValueError):  # which speak of the form's inner parts
        raise UserError(f"{path} is no supernet, or damaged: it is no whole file of safetensors") from None
    if ABOUT not in about:
        raise UserError(f"{path} is no supernet{MAKES_ONE}")
    try:
        found = _from_plain(json.loads(about[ABOUT]), tensors)
        intact = found.sha256 == about.get(DIGEST)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise UserError(f"{path} is not what was written: it is damaged or of another evonas; {AGAIN}")
    return found


def check_compatible(supernet: Supernet, path: str | Path, space: Space, task: Task) -> None:
    """Check that a supernet is of the networks of a search.

    Args:
        supernet: what was read.
        path: of its file, for messages.
        space: of the search.
        task: of the search.

    Raises:
        UserError: it is of another space, task or data; the first difference.
    """
    if supernet.signature != space.signature():
        raise UserError(
            f"the supernet {path} is of another space, {_difference(supernet.signature, space.signature())}; {AGAIN}"
        )
    own = fingerprint(task)
    for name, text in own.items():
        there = supernet.task.get(name)
        if there != text and name == "data":
            raise UserError(f"the supernet {path} was trained on other data than those of the task; {AGAIN}")
        if there != text:
            raise UserError(f"the supernet {path} is of another task: its {name} are {there}, here {text}; {AGAIN}")


def _from_plain(plain: dict[str, Any], tensors: Tensors) -> Supernet:
    if plain["version"] != VERSION or any(array.dtype != np.float32 for array in tensors.values()):
        raise ValueError("of another version")
    if not all(math.isfinite(float(array.sum())) for array in tensors.values()):
        raise ValueError("not finite")
    worth = plain["worth"]
    return Supernet(**{**plain, "tensors": tensors, "worth": None if worth is None else Worth(**worth)})


def _difference(there: str, here: str) -> str:
    """The places where two texts begin to differ."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(there, here, strict=False)))
    at = max(0, same - 20)
    return f"{there[at : at + 60]!r} there, {here[at : at + 60]!r} here"
