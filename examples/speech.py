"""Recordings in class folders: python examples/speech.py [FOLDER] [--smoke]

FOLDER has WAV files in a folder for each word, of up to a second. Without it, sounds are made that stand for words:
tones that rise, fall or stay, at any pitch, in noise. For a config of your own: evonas init FOLDER
"""

import sys
from pathlib import Path

import numpy as np
from scipy.io import wavfile

import evonas

RATE = 4000


def write_tones(folder: Path, each: int = 80) -> None:
    """folder/rise, folder/fall and folder/stay, half a second a file."""
    rng = np.random.default_rng(0)
    for name, octaves in {"rise": 1, "fall": -1, "stay": 0}.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            hertz = rng.uniform(400, 800) * 2 ** np.linspace(0, octaves, RATE // 2)
            tone = np.sin(2 * np.pi * hertz.cumsum() / RATE) + rng.normal(0, 1, RATE // 2)
            wavfile.write(folder / name / f"{number}.wav", RATE, (5000 * tone).astype(np.int16))


CONFIG = {
    "space": {"kind": "mobile", "stages": 3, "widths": [8, 16, 24], "depths": [0, 1, 2]},
    "task": {"kind": "audio_folder", "path": "data/tones", "seconds": 0.5, "valid_fraction": 0.25},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"population": 8},
    "training": {"epochs": 8, "batch_size": 16, "rungs": [2]},
    "budget": {"evaluations": 24},
}

if __name__ == "__main__":
    folders = [word for word in sys.argv[1:] if word != "--smoke"]
    if folders:
        CONFIG["task"] |= {"path": folders[0], "seconds": 1.0}
    else:
        write_tones(Path("data/tones"))
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}, "training": {"epochs": 1}}
    run = evonas.search(CONFIG, run="runs/speech")
    print(run.front()[["candidate", "error", "params", "macs"]])
    print("all of it as a page: evonas report runs/speech")
    print("a network as a file: evonas export runs/speech CANDIDATE --out network.onnx")
