"""A target is one kind of device for a whole run: what is compared of the conditions of its measurements.

The first measurement that a run records fixes it. Of a processor that is its model, since a laptop whose torch was
renewed goes on with its run; of a GPU also what decides which kernels run there.
"""

from collections.abc import Iterable, Mapping

OF_ANY = ("device",)
OF_GPUS = ("device", "dtype", "batch", "graph", "torch", "cuda", "onnxruntime", "driver")
"""A GPU's conditions name its driver or the CUDA of its library, which a processor's do not."""


def identity(conditions: Mapping[str, str]) -> dict[str, str]:
    """What two measurements must have alike to stand in one column.

    Args:
        conditions: of a measurement, or of a backend before any.

    Returns:
        Those that count, of the driver the major version.
    """
    keys = OF_GPUS if {"cuda", "driver"} & conditions.keys() else OF_ANY
    found = {key: conditions[key] for key in keys if key in conditions}
    if "driver" in found:
        found["driver"] = found["driver"].partition(".")[0]
    return found


def of_row(conditions: Mapping[str, str], target: str) -> dict[str, str]:
    """The identity of a target by the conditions of a row, `NAME[TARGET]`; empty where nothing was measured on it."""
    ending = f"[{target}]"
    own = {key.removesuffix(ending): text for key, text in conditions.items() if key.endswith(ending)}
    return identity(own) if "device" in own else {}


def of_rows(rows: Iterable[Mapping[str, str]], targets: Iterable[str]) -> dict[str, Mapping[str, str]]:
    """The identity of each target by the first row of a run that it was measured for, of those that have one.

    Args:
        rows: their conditions, in order; those of rows that came from another run tell nothing.
        targets: names.
    """
    own = [row for row in rows if "from" not in row]
    found = {name: next(filter(None, (of_row(row, name) for row in own)), {}) for name in targets}
    return {name: kind for name, kind in found.items() if kind}


def difference(target: str, run: Mapping[str, str], here: Mapping[str, str], where: str) -> str:
    """Say in one line in what a device is not the one of a run.

    Args:
        target: its name.
        run: the identity that the run has recorded; empty: none yet.
        here: that of the device.
        where: its host.

    Returns:
        What differs and what to do; empty where nothing does.
    """
    if not (what := unlike(target, run, here, where)):
        return ""
    return (
        f"{what}; one column takes one kind of device: name nodes of one by targets.{target}.resource, or mix them by "
        f"targets.{target}.any_device=true"
    )


def unlike(target: str, run: Mapping[str, str], here: Mapping[str, str], where: str) -> str:
    """Say in what a device is not the one of a run, in words for the beginning of a line; the arguments are those of
    `difference`."""
    keys = [key for key in dict.fromkeys((*run, *here)) if run and run.get(key) != here.get(key)]
    if not keys:
        return ""
    there, now = (", ".join(_words(key, of.get(key, "none")) for key in keys) for of in (run, here))
    return f"targets.{target}: {where} measures on {now}, this run on {there}"


def _words(key: str, value: str) -> str:
    return value if key == "device" else f"{key} {value}"


def lacks_bfloat16(host: str) -> str:
    """That a run trains in what a host's GPU does not compute, in one line."""
    return (
        f"training.precision: the GPU of {host} has no bfloat16, in which this run trains; leave such GPUs out, or "
        "begin a search with training.precision=float32"
    )
