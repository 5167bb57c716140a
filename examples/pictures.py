"""Pictures in class folders: python examples/pictures.py [--smoke]

They are scikit-learn's handwritten digits, written as PNG files. For a config of your own: evonas init FOLDER.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

import evonas


def write_digits(folder: Path) -> None:
    """folder/CLASS/NUMBER.png, grey, 8 x 8 pixels."""
    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        (folder / f"{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels / 16 * 255).astype(np.uint8)).save(folder / f"{label}" / f"{number}.png")


CONFIG = {
    "space": {"kind": "mobile", "stages": 2, "widths": [8, 16, 24], "depths": [1, 2]},
    "task": {"kind": "image_folder", "path": "data/digits", "size": 8, "channels": 1, "valid_fraction": 0.2},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"population": 8},
    "training": {"epochs": 8, "batch_size": 32, "rungs": [2]},
    "budget": {"evaluations": 32},
}

if __name__ == "__main__":
    write_digits(Path("data/digits"))
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}, "training": {"epochs": 1}}
    run = evonas.search(CONFIG, run="runs/pictures")
    print(run.front()[["candidate", "error", "params", "macs"]])
    print("all of it as a page: evonas report runs/pictures")
    print("a network as a file: evonas export runs/pictures CANDIDATE --out network.onnx")
