"""A fork of a process that has imported what a fork server preloads begins with CUDA: can it, and what does it take?

Run as a script of its own, as nothing may have touched CUDA before. Prints one JSON object.
"""

import json
import os
import time
from importlib import import_module
from typing import Any

import torch

PRELOAD = "evonas.evaluation.evaluate"


def first_use() -> dict[str, Any]:
    """The first kernels of this process: seconds, and memory of the device and of the host."""
    found: dict[str, Any] = {"bad_fork": torch.cuda._is_in_bad_fork()}
    begun = time.perf_counter()
    torch.zeros(8, device="cuda")
    torch.cuda.synchronize()
    found["context_s"] = time.perf_counter() - begun
    begun = time.perf_counter()
    x, w = torch.randn(8, 3, 32, 32, device="cuda"), torch.randn(16, 3, 3, 3, device="cuda")
    torch.nn.functional.conv2d(x, w).sum().item()
    found["first_convolution_s"] = time.perf_counter() - begun
    free, total = torch.cuda.mem_get_info()
    found |= {"card_used_mb": (total - free) / 1e6, "torch_mb": torch.cuda.memory_reserved() / 1e6}
    with open("/proc/self/status") as status:
        sizes = dict(line.split(":", 1) for line in status)
    return {**found, "host_anonymous_mb": int(sizes["RssAnon"].split()[0]) / 1e3}


def forked() -> dict[str, Any]:
    """What `first_use` finds in a fork of this process."""
    ours, theirs = os.pipe()
    if not os.fork():
        try:
            found = first_use()
        except Exception as error:
            found = {"error": str(error).splitlines()[0]}
        os.write(theirs, json.dumps(found).encode())
        os._exit(0)
    os.close(theirs)
    answer: dict[str, Any] = json.loads(os.read(ours, 2**16))
    os.wait()
    return answer


if __name__ == "__main__":
    begun = time.perf_counter()
    import_module(PRELOAD)
    imported_s, initialised = time.perf_counter() - begun, torch.cuda.is_initialized()
    print(json.dumps({"import_s": imported_s, "initialised_by_import": initialised, **forked()}))
