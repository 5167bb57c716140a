"""A target is one kind of device for a whole run: what is compared of the conditions of its measurements.

The first measurement that a run records fixes it. Of a processor that is its model, since a laptop whose torch was
renewed goes on with its run; of a GPU also what decides which kernels run there.
"""

from collections.abc import Mapping

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
    keys = [key for key in dict.fromkeys((*run, *here)) if run and run.get(key) != here.get(key)]
    if not keys:
        return ""
    there, now = (", ".join(_words(key, of.get(key, "none")) for key in keys) for of in (run, here))
    return (
        f"targets.{target}: {where} measures on {now}, this run on {there}; one column takes one kind of device: name "
        f"nodes of one by targets.{target}.resource, or mix them by targets.{target}.any_device=true"
    )


def _words(key: str, value: str) -> str:
    return value if key == "device" else f"{key} {value}"


def lacks_bfloat16(host: str) -> str:
    """That a run trains in what a host's GPU does not compute, in one line."""
    return (
        f"training.precision: the GPU of {host} has no bfloat16, in which this run trains; leave such GPUs out, or "
        "begin a search with training.precision=float32"
    )
