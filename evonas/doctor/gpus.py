"""The GPUs of a cluster: are there enough, and can a search use them as they are set?"""

from collections import Counter
from collections.abc import Iterator, Sequence

from evonas.doctor.context import Context, Finding, need_ray
from evonas.runtime.kind import NO_BFLOAT16
from evonas.runtime.ray_pool.demand import rounded
from evonas.runtime.ray_pool.nvidia_smi import Gpu
from evonas.runtime.ray_pool.probe import Seen

NAME = "GPUs"
LEAST_DRIVER = {11: 450, 12: 525, 13: 580}
"""CUDA that torch is built for -> the oldest driver that runs it (NVIDIA, CUDA compatibility, minor versions)."""
FREE_SHARE = 0.9
"""Less free memory than this share is told: somebody else uses the GPU."""
LEAST_DISK_GB = 10.0


def gpus(context: Context) -> Iterator[Finding]:
    need_ray(context)
    runtime, wanted = context.runtime, _wanted(context)
    counted = sum(node.resources.get("GPU", 0) for node in context.nodes)
    listed = Counter(gpu.text for seen in context.seen for gpu in seen.gpus)
    each = ", ".join(f"{count} x {name}" for name, count in listed.items()) or "none"
    if counted < runtime.gpus_at_first:
        text = f"a worker needs {runtime.gpus_at_first:g}; Ray offers {counted:g} (nvidia-smi: {each})"
        why = "" if listed else f"; {needed(context.seen, asked=True)}"
        yield Finding(NAME, "error", text + why, _without(context, bool(listed)))
    elif not counted and not listed:
        yield Finding(NAME, "ok", f"none; {needed(context.seen)}")
    elif counted == listed.total():
        yield Finding(NAME, "ok", each)
    for seen in context.seen:
        yield from offered(seen, wanted)
        if seen.gpus:
            yield from usable(seen, context)
    yield from alike(context)
    if remark := rounded(runtime):
        yield Finding(NAME, "note", remark)


def needed(seen: Sequence[Seen], asked: bool = False) -> str:
    """What a search on GPUs would need that is not there, in one line. asked: the config has workers on GPUs."""
    cuda = next((each.torch_cuda for each in seen if each.torch_cuda), None) or ""
    none = "none here is" + _torches(seen)
    build = f"torch for CUDA, which is there ({cuda})" if cuda else f"a torch that is built for CUDA, which {none}"
    driver = f"NVIDIA's driver {_driver_for(cuda)} or newer"
    rest = f"{driver} and {build}" if asked else f"{driver}, {build}, and runtime.gpus_per_worker=1"
    return f"a search on GPUs needs a node with one, {rest}"


def offered(seen: Seen, wanted: bool) -> Iterator[Finding]:
    """Whether the GPUs that Ray offers on a node are those that are there."""
    counted, listed, host = seen.node.resources.get("GPU", 0), len(seen.gpus), seen.node.host
    if seen.why or counted == listed:
        return
    text = f"{host}: Ray offers {counted:g}, nvidia-smi lists {listed or 'none'}"
    if counted < listed:
        yield Finding(NAME, "note", f"{text}; the others stay unused (ray start --num-gpus={listed})")
    elif not listed and (seen.devices or "rocm" in (seen.versions or {}).get("torch", "")):
        yield Finding(NAME, "note", f"{text}; nothing can be said of them")
    else:
        remedy = f"ray start there with --num-gpus={listed}"
        if not listed:
            remedy += f"; where it has one, install NVIDIA's driver {_driver_for(seen.torch_cuda or '')} or newer"
        lost = "a worker that gets one of the others fails" if listed else "a worker that gets one fails"
        yield Finding(NAME, "error" if wanted else "note", f"{text}; {lost}", remedy)


def usable(seen: Seen, context: Context) -> Iterator[Finding]:
    """What of a node's GPUs a search would stumble over."""
    host, wanted = seen.node.host, _wanted(context)
    yield from _torch(seen, wanted)
    shared = context.runtime.gpus_per_worker == "auto" or 0 < context.runtime.gpus_at_first < 1
    for gpu, count in Counter(map(_as_set, seen.gpus)).items():
        where = f"{host}: {count} x {gpu.name}" if count > 1 else f"{host}: {gpu.name}"
        yield from _settings(gpu, where, wanted, shared)
    for gpu in seen.gpus:
        yield from _health(gpu, host)
    if shared and not seen.has_mps:
        yield Finding(
            NAME, "note", f"{host}: no MPS; workers that share a GPU take turns there instead of running at once"
        )


def alike(context: Context) -> Iterator[Finding]:
    """Whether GPUs of several models would have to stand in one column."""
    models = sorted({gpu.name for seen in context.seen for gpu in seen.gpus})
    if len(models) < 2:
        return
    several = ", ".join(models)
    for name in _local_targets(context):
        text = f"targets.{name} is measured on the workers, whose GPUs are {several}; only those of the first get work"
        remedy = f"measure on nodes of one model: targets.{name}.resource; or take all: targets.{name}.any_device=true"
        yield Finding(NAME, "error", text, remedy)
    old = [model for model in models if NO_BFLOAT16 & {*model.replace("-", " ").split()}]
    if old and context.config and context.config.training.precision == "auto" and context.runtime.gpus_at_first:
        text = f"training.precision: auto is float32 for all, as {', '.join(old)} has no bfloat16"
        yield Finding(NAME, "note", text)


def disk(context: Context) -> Iterator[Finding]:
    """Room for what Ray and the workers keep on each node: data are mapped from a file there."""
    need_ray(context)
    known = [(each.node.host, each.disk_gb) for each in context.seen if each.disk_gb is not None]
    for host, free_gb in known:
        if free_gb < LEAST_DISK_GB:
            text = f"{host} has {free_gb:.1f} GB free for temporary files; Ray stops working when its disk is full"
            yield Finding("disk", "note", text)
    if known and all(free_gb >= LEAST_DISK_GB for _, free_gb in known):
        yield Finding("disk", "ok", f"{min(free_gb for _, free_gb in known):,.0f} GB or more are free on each node")


def _without(context: Context, listed: bool) -> str:
    """What to do where Ray has too few GPUs: offer those that are there, or search without."""
    offer = f"start Ray {'with' if listed else 'on nodes with'} GPUs (ray start --num-gpus)"
    cpu = [f"targets.{name}.device=cpu" for name in _local_targets(context)]
    return f"{offer}, or search without: --set {' --set '.join(['runtime.gpus_per_worker=0', *cpu])}"


def _torches(seen: Sequence[Seen]) -> str:
    """The versions of torch that there are, in brackets."""
    versions = {version for each in seen if (version := (each.versions or {}).get("torch"))}
    return f" ({', '.join(sorted(versions))})" if versions else ""


def _driver_for(cuda: str) -> int:
    """The oldest driver that will do for a torch of this CUDA; for the newest CUDA where that is not known."""
    return LEAST_DRIVER.get(_major(cuda), max(LEAST_DRIVER.values()))


def _torch(seen: Seen, wanted: bool) -> Iterator[Finding]:
    """Whether torch there can talk to the driver."""
    host, driver = seen.node.host, next((gpu.driver for gpu in seen.gpus if gpu.driver), "")
    if seen.torch_cuda is None:
        return
    if not seen.torch_cuda:
        text = f"{host} has a GPU, and a torch that is built for the CPU"
        yield Finding(NAME, "error" if wanted else "note", text, "install a torch that is built for CUDA there")
        return
    least = LEAST_DRIVER.get(_major(seen.torch_cuda), 0)
    if driver and _major(driver) < least:
        text = f"{host}: torch there is built for CUDA {seen.torch_cuda}, which needs driver {least}; it has {driver}"
        remedy = "update the driver, or install a torch that is built for an older CUDA"
        yield Finding(NAME, "error" if wanted else "note", text, remedy)


def _settings(gpu: Gpu, where: str, wanted: bool, shared: bool) -> Iterator[Finding]:
    if gpu.compute_mode == "Prohibited" or (gpu.compute_mode == "Exclusive_Process" and shared):
        text = (
            f"{where}: compute mode {gpu.compute_mode}; {'workers cannot share it' if shared else 'nothing runs on it'}"
        )
        yield Finding(NAME, "error" if wanted else "note", text, "sudo nvidia-smi --compute-mode=DEFAULT")
    if gpu.mig == "Enabled":
        text = f"{where} is cut into slices (MIG): CUDA opens the first alone, which all its workers would share"
        remedy = "sudo nvidia-smi --mig=0, or start Ray in a container for each slice"
        yield Finding(NAME, "error" if wanted else "note", text, remedy)
    if gpu.persistence == "Disabled":
        text = (
            f"{where}: persistence mode is off, so that it takes seconds to wake (sudo nvidia-smi --persistence-mode=1)"
        )
        yield Finding(NAME, "note", text)


def _health(gpu: Gpu, host: str) -> Iterator[Finding]:
    if gpu.memory_errors:
        text = f"{host}: {gpu.memory_errors} memory errors of {gpu.name} ({gpu.uuid}) could not be corrected"
        yield Finding(NAME, "error", text, "take it out of the cluster, and have it reset or replaced")
    if gpu.free_mib is not None and gpu.free_mib < FREE_SHARE * gpu.memory_mib:
        free = f"{gpu.free_mib / 1024:.0f} of {gpu.memory_mib / 1024:.0f} GiB"
        yield Finding(NAME, "note", f"{host}: {free} of {gpu.name} ({gpu.uuid}) are free; somebody else uses it")


def _as_set(gpu: Gpu) -> Gpu:
    """What several GPUs of a node have alike."""
    return Gpu(gpu.name, 0, compute_mode=gpu.compute_mode, mig=gpu.mig, persistence=gpu.persistence)


def _wanted(context: Context) -> bool:
    return bool(context.runtime.gpus_at_first or _local_targets(context))


def _local_targets(context: Context) -> list[str]:
    """Targets that are GPUs of the workers and of one kind for the whole run."""
    sections = context.config.targets if context.config else {}
    return [
        name
        for name, section in sections.items()
        if section.device.startswith("cuda") and not (section.remote or section.any_device)
    ]


def _major(version: str) -> int:
    first = version.partition(".")[0]
    return int(first) if first.isdigit() else 0
