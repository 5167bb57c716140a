"""The next character of a text: python examples/characters.py [FILE.txt] [--smoke]

Without a file, the text is that of evonas's own documents. For a config of your own: evonas init FILE.txt
"""

import sys
from pathlib import Path

import evonas


def write_documents(file: Path) -> None:
    pages = sorted((Path(__file__).parents[1] / "docs").rglob("*.md"))
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(page.read_text() for page in pages))


CONFIG = {
    "space": {"kind": "tcn", "widths": [16, 32], "layers": [1, 3]},
    "task": {"kind": "characters", "path": "data/documents.txt", "context": 32},
    "objectives": [{"metric": "bits_per_character"}, {"metric": "params"}],
    "strategy": {"population": 8},
    "training": {"epochs": 6, "batch_size": 16, "optimizer": "adamw", "learning_rate": 0.01, "rungs": [2]},
    "budget": {"evaluations": 24},
}

if __name__ == "__main__":
    files = [word for word in sys.argv[1:] if word != "--smoke"]
    if files:
        CONFIG["task"] |= {"path": files[0]}
    else:
        write_documents(Path("data/documents.txt"))
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}, "training": {"epochs": 1}}
    run = evonas.search(CONFIG, run="runs/characters")
    print(run.front()[["candidate", "bits_per_character", "error", "params"]])
    print("all of it as a page: evonas report runs/characters")
    print("a network as a file: evonas export runs/characters CANDIDATE --out network.onnx")
    print("its numbers of characters: evonas.load('runs/characters').task().classes")
