"""A small search on texts against what its users know: a linear model on TF-IDF of words and of pieces of words.

    python benchmarks/texts.py [FILE.txt] [--evaluations 24] [--seeds 3]

Who speaks, of the eight who speak most often in a text of plays ("NAME:" and lines below it, as in tinyshakespeare).
evonas searches by `configs/text.yaml`; the network of the front with the least validation error is trained by the same
recipe on all that is not test, from --seeds initial weights. The linear models are scikit-learn's LogisticRegression
with its defaults, but for up to 2,000 iterations, fitted to the same rows. All are judged by the same test part. Times
are not compared. Without FILE, words are drawn that each speaker prefers.
"""

import argparse
import tempfile
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from _common import parse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import evonas
from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.training.loop import Trainer
from evonas.spaces import SPACES
from evonas.tasks import TASKS, Task
from evonas.tasks.splitting import joined

CONFIG = yaml.safe_load((Path(__file__).parents[1] / "configs" / "text.yaml").read_text())
SHARED = Path(__file__).parents[2] / "shared" / "data" / "tinyshakespeare.txt"
SPEAKERS = 8
LINEAR = {
    "words": TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)),
    "pieces of 1 to 5 characters": TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(1, 5)),
}


def speeches(file: Path) -> pd.DataFrame:
    """What is said by those who speak most often, and who says it."""
    said = [part.split(":\n", 1) for part in file.read_text().split("\n\n")]
    rows = pd.DataFrame([part for part in said if len(part) == 2 and part[1].strip()], columns=["label", "text"])
    most = [name for name, _ in Counter(rows["label"]).most_common(SPEAKERS)]
    return rows[rows["label"].isin(most)].reset_index(drop=True)


def made_up() -> pd.DataFrame:
    """Ten words each of a hundred, of which each of three speakers prefers other ones."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{chr(97 + i % 26)}{i}" for i in range(100)])
    liked = rng.dirichlet(np.full(100, 0.1), 3)
    rows = [("abc"[i % 3], " ".join(rng.choice(words, 10, p=liked[i % 3]))) for i in range(300)]
    return pd.DataFrame(rows, columns=["label", "text"])


def parts(rows: pd.DataFrame, folder: Path) -> Path:
    """train.csv and test.csv of the rows, a fifth of them to test."""
    folder.mkdir()
    chosen = np.random.default_rng(0).permutation(len(rows)) < len(rows) // 5
    rows[~chosen].to_csv(folder / "train.csv", index=False)
    rows[chosen].to_csv(folder / "test.csv", index=False)
    return folder


def searched(folder: Path, evaluations: int, seeds: int, run: Path) -> tuple[list[float], int]:
    """Test errors in % of the front's network with the least validation error, by seed, and its parameters."""
    section = CONFIG["task"] | {"path": str(folder)}
    budget = {"evaluations": evaluations}
    config = CONFIG | {"task": section, "budget": budget, "runtime": {"kind": "serial"}}
    best = evonas.search(config, run=run, progress=False).front().sort_values("error").iloc[0]
    task = TASKS["text_table"](**{key: value for key, value in section.items() if key != "kind"})
    whole = replace(task.splits, train=joined(task.splits.train, task.splits.valid), valid=task.splits.test)
    space = SPACES["conv1d"](**{key: value for key, value in CONFIG["space"].items() if key != "kind"})
    training = TrainingConfig.model_validate(CONFIG["training"])
    found = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        network = space.build(space.decode(tuple(best["genome"])), task.spec)
        found.append(error_of(replace(task, splits=whole), network, training, seed))
    return found, int(best["params"])


def error_of(task: Task, network: torch.nn.Module, training: TrainingConfig, seed: int) -> float:
    """In %, of the validation part after the last epoch, which is the test part here."""
    *_, last = Trainer(network, to_device(task, "cpu"), task, training, seed).epochs()
    return 100 * last.valid_metric


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("file", nargs="?", type=Path, help="a text of plays")
    parser.add_argument("--evaluations", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=3)
    options = parse(parser, evaluations=2, seeds=1)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # notes of the task
    file = options.file or (SHARED if SHARED.exists() and not options.smoke else None)
    rows = speeches(file) if file else made_up()
    print(f"{len(rows):,} texts of {rows['label'].nunique()} speakers, a fifth of them to test", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = parts(rows, Path(scratch) / "texts")
        train, test = (pd.read_csv(folder / f"{part}.csv") for part in ("train", "test"))
        most = 100 * (test["label"] != train["label"].mode()[0]).mean()
        print(f"always the most frequent one: error {most:.1f} %", flush=True)
        for name, vectors in LINEAR.items():
            model = make_pipeline(vectors, LogisticRegression(max_iter=2000))
            guess = model.fit(train["text"], train["label"]).predict(test["text"])
            print(f"linear on TF-IDF of {name}: error {100 * (guess != test['label']).mean():.1f} %", flush=True)
        errors, params = searched(folder, options.evaluations, options.seeds, Path(scratch) / "run")
    each = ", ".join(f"{error:.1f}" for error in errors)
    print(f"evonas, {params:,} params: error {np.mean(errors):.1f} % ({each})", flush=True)


if __name__ == "__main__":
    main()
