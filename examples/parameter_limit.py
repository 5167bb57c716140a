"""Pictures for a device with room for 2,000 parameters: python examples/parameter_limit.py [--smoke]

Networks over a limit are built and counted, and never trained.
"""

import sys
from pathlib import Path

from pictures import write_digits

import evonas

CONFIG = {
    "space": {"kind": "mobile", "stages": 2, "stem": [4, 8], "widths": [4, 8, 16], "depths": [1, 2]},
    "task": {"kind": "image_folder", "path": "data/digits", "size": 8, "channels": 1, "valid_fraction": 0.2},
    "objectives": [{"metric": "error"}, {"metric": "macs"}],
    "limits": [{"metric": "params", "at_most": 2000}],
    "strategy": {"population": 8},
    "training": {"epochs": 8, "batch_size": 32, "rungs": [2]},
    "budget": {"evaluations": 48},
}

if __name__ == "__main__":
    write_digits(Path("data/digits"))
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}, "training": {"epochs": 1}}
    run = evonas.search(CONFIG, run="runs/parameter_limit")
    untrained = (run.evaluations["status"] == "infeasible").sum()
    print(f"{untrained} of {len(run.evaluations)} candidates are over the limit")
    print(run.front()[["candidate", "error", "macs", "params"]])
    print("all of it as a page: evonas report runs/parameter_limit")
    print("a network as a file: evonas export runs/parameter_limit CANDIDATE --out network.onnx")
