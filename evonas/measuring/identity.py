"""A target is one kind of device for a whole run: what is compared of the conditions of its measurements.

The first measurement that a run records fixes it. Of a processor that is its model, since a laptop whose torch was
renewed goes on with its run; of a GPU also what decides which kernels run there.
"""

from collections.abc import Iterable, Mapping

OF_ANY = ("device", "float32")
OF_GPUS = (*OF_ANY, "dtype", "batch", "graph", "torch", "cuda", "onnxruntime", "driver")
ONLY_OF_GPUS = {"cuda", "driver"}
"""A GPU's conditions name its driver or the CUDA of its library, which a processor's do not."""


def identity(conditions: Mapping[str, str]) -> dict[str, str]:
    """What two measurements must have alike to stand in one column.

    Args:
        conditions: of a measurement, or of a backend before any.

    Returns:
        Those that count, of the driver the major version.
    """
    keys = OF_GPUS if ONLY_OF_GPUS & conditions.keys() else OF_ANY
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
    keys = [key for key in dict.fromkeys((*run, *here)) if run and _differ(key, run, here)]
    if not keys:
        return ""
    there, now = (", ".join(_words(key, of) for key in keys) for of in (run, here))
    return f"targets.{target}: {where} measures on {now}, this run on {there}"


def _differ(key: str, run: Mapping[str, str], here: Mapping[str, str]) -> bool:
    """Rows of a GPU from before `float32` was recorded do not say it, and a processor's only where it is not plain."""
    if key == "float32" and any(key not in of and ONLY_OF_GPUS & of.keys() for of in (run, here)):
        return False
    return run.get(key) != here.get(key)


def _words(key: str, of: Mapping[str, str]) -> str:
    if key == "float32":
        return f"float32 as {of.get(key, 'ieee')}"
    return of.get(key, "none") if key == "device" else f"{key} {of.get(key, 'none')}"


def multiplies_otherwise(host: str, run: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Say in one line that a worker trains with other products of float32 than a run.

    Args:
        host: its.
        run: "cuda" or "cpu" -> how the run's workers of that kind do, as far as it is known.
        here: how this worker does, likewise.

    Returns:
        What differs and what to do; empty where nothing does.
    """
    differing = [kind for kind, how in here.items() if run.get(kind, how) != how]
    return "".join(
        f"training: {host} computes float32 on {kind} as {here[kind]}, this run as {run[kind]}; set torch.backends "
        "(allow_tf32, fp32_precision), torch.set_float32_matmul_precision and NVIDIA_TF32_OVERRIDE alike on all workers"
        for kind in differing[:1]
    )


def lacks_bfloat16(host: str) -> str:
    """That a run trains in what a host's GPU does not compute, in one line."""
    return (
        f"training.precision: the GPU of {host} has no bfloat16, in which this run trains; leave such GPUs out, or "
        "begin a search with training.precision=float32"
    )
