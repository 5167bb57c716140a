"""How much training does pausing save? Searches with real networks, at equal CPU time.

    python benchmarks/pausing.py FILE.npz [--seeds 0 1 2] [--seconds 90] [--rules pause ...] [--keep FOUND.jsonl]

The first examples of FILE (x_train, y_train), a third of which validates, and the `mobile` space; two objectives, error
and MACs. Rules: full training, the cutoff of `training.stopping: cutoff`, which is the default, and `pause`, which
pauses at each rung and promotes. Each search is one process that trains on one thread and ends when it has had so many
seconds of the processor, with all that it does in them: building, validating, checkpoints.

Printed are the share of the hypervolume in percent (`quality/metric.py`, of the logarithm of the MACs) of the fully
trained networks after a quarter, a half and all of the time, mean over the seeds and half its 95 % interval, where the
front of all searches together takes the place of the true one; and seed by seed, for the lower of the two shares that
a rule and the cutoff end with, the time and the epochs until the rule had it in percent of those of the cutoff. With
--keep, what a search found is kept in a file, and not searched for again.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _common import parse
from quality.metric import Metric, mean_and_interval

from evonas.driver.loop import Search
from evonas.records import Evaluation, Status
from evonas.start import execute, prepare

BESIDE = "cutoff"
RULES: dict[str, dict[str, Any]] = {
    BESIDE: {"promote": 0.4},
    "pause": {"promote": 0.4, "stopping": "pause"},
    "full": {"rungs": []},
    "pause 0.2": {"promote": 0.2, "stopping": "pause"},
}
PARTS = (0.25, 0.5, 1.0)
CONFIG: dict[str, Any] = {
    "space": {
        "kind": "mobile",
        "stages": 2,
        "stem": 8,
        "strides": 2,
        "widths": [[8, 12, 16, 24], [16, 24, 32, 48]],
        "depths": [1, 2],
        "kernels": 3,
        "expansions": [2, 3],
        "activations": ["relu", "hardswish"],
    },
    "objectives": [{"metric": "error"}, {"metric": "macs"}],
    "strategy": {"kind": "nsga2", "population": 12},
    "runtime": {"kind": "serial"},
}
TRAINING = {"batch_size": 128, "learning_rate": 0.1}


@dataclass(frozen=True)
class Found:
    """A search. trained: seconds of the processor, epochs and objectives when each network was fully trained; seconds,
    epochs, evaluations: at its end; checkpoint_mb: the mean one's size."""

    rule: str
    seed: int
    trained: Sequence[tuple[float, int, float, float]]
    seconds: float
    epochs: int
    evaluations: int
    checkpoint_mb: float

    def points(self, place: int, spent: float) -> np.ndarray:
        """Objectives of those trained by then; place: 0 of seconds, 1 of epochs."""
        return np.array([row[2:] for row in self.trained if row[place] <= spent]).reshape(-1, 2)

    def needed(self, metric: Metric, share: float, place: int) -> float:
        """What was spent when the share was reached."""
        spent = [row[place] for row in self.trained]
        return next(one for one in spent if metric.share(self.points(place, one)) >= share - 1e-9)


def main() -> None:
    options = _options()
    kept = [Found(**json.loads(line)) for line in options.keep.read_text().splitlines()] if _there(options) else []
    found: list[Found] = []
    with tempfile.TemporaryDirectory() as folder:
        task = _task(options, Path(folder))
        for seed in options.seeds:
            for rule in options.rules:
                known = next((one for one in kept if (one.rule, one.seed) == (rule, seed)), None)
                found.append(known or _searched(rule, seed, task, options, Path(folder)))
    _tell(found, options.seconds)


def _there(options: argparse.Namespace) -> bool:
    return options.keep is not None and options.keep.exists()


def _task(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    if options.file is None:
        return {"kind": "digits"}
    with np.load(options.file) as file:
        np.savez(folder / "data.npz", **{key: file[key][: options.examples] for key in ("x_train", "y_train")})
    return {"kind": "npz", "path": str(folder / "data.npz"), "valid_fraction": 1 / 3, "test_fraction": 0.01}


def _searched(rule: str, seed: int, task: dict[str, Any], options: argparse.Namespace, folder: Path) -> Found:
    training = {**TRAINING, "ema": options.ema, "epochs": options.epochs, "rungs": options.rungs, **RULES[rule]}
    own = {"task": task, "training": training, "budget": {"evaluations": options.evaluations}, "seed": seed}
    prepared = prepare({**CONFIG, **own}, run=folder / f"{rule}-{seed}")
    trained: list[tuple[float, int, float, float]] = []
    sizes: list[int] = []
    epochs, evaluations, begun = 0, 0, time.process_time()

    def watch(search: Search, evaluation: Evaluation | None) -> None:
        nonlocal epochs, evaluations
        if evaluation is None:
            return
        spent = time.process_time() - begun
        epochs, evaluations = epochs + len(evaluation.curve), evaluations + 1
        sizes.extend([len(evaluation.checkpoint)] if evaluation.checkpoint else [])
        if evaluation.status is Status.OK and spent <= options.seconds:
            trained.append((spent, epochs, evaluation.metrics["error"], float(np.log10(evaluation.metrics["macs"]))))
        if spent > options.seconds:
            search.ended = "its time is used up"

    execute(prepared, watch=watch)
    spent = time.process_time() - begun
    size = float(np.mean(sizes)) / 1e6 if sizes else 0.0
    found = Found(rule, seed, trained, spent, epochs, evaluations, size)
    print(f"seed {seed}, {rule}: {found.evaluations} evaluated, {len(trained)} trained to the end", flush=True)
    if options.keep:
        with options.keep.open("a") as file:
            print(json.dumps(asdict(found)), file=file)
    return found


def _tell(found: Sequence[Found], seconds: float) -> None:
    rules = {one.rule: [other for other in found if other.rule == one.rule] for one in found}
    print("\nrule       evaluated  to the end  epochs  s an epoch  checkpoint")
    for rule, own in rules.items():
        means = np.mean([(one.evaluations, len(one.trained), one.epochs) for one in own], axis=0)
        pace, size = np.mean([(one.seconds / one.epochs, one.checkpoint_mb) for one in own], axis=0)
        print(f"{rule:10s}{means[0]:10.0f}{means[1]:12.0f}{means[2]:8.0f}{pace:12.3f}{f'{size:.2f} MB':>12s}")
    with np.errstate(invalid="ignore"):
        metric = Metric.of(np.concatenate([one.points(0, np.inf) for one in found]))
    if (metric.nadir <= metric.ideal).any():
        print("the front has one network, and no hypervolume")
        return
    print(f"\n{'rule':10s}" + "".join(f"{f'{part:.0%} of the time':>18s}" for part in PARTS))
    for rule, own in rules.items():
        shares = [np.array([metric.share(one.points(0, part * seconds)) for one in own]) for part in PARTS]
        print(f"{rule:10s}" + "".join(f"{f'{m:.1f} ± {half:.1f}':>18s}" for m, half in map(mean_and_interval, shares)))
    print()
    for rule in rules if BESIDE in rules else ():
        pairs = zip(rules[rule], rules[BESIDE], strict=True)
        _compare(rule, [pair for pair in pairs if all(one.trained for one in pair) and rule != BESIDE], metric)


def _compare(rule: str, pairs: Sequence[tuple[Found, Found]], metric: Metric) -> None:
    """What the rule spent until it was as good as the other, or the other as it."""
    for place, what in enumerate(("time", "epochs")):
        parts = [100 * _part(one, other, metric, place) for one, other in pairs]
        if parts:
            mean, each = np.exp(np.mean(np.log(parts))), ", ".join(f"{part:.0f}" for part in parts)
            print(f"{rule} until as good: {mean:.0f} % of the {BESIDE}'s {what} (geometric mean; by seed {each})")


def _part(one: Found, other: Found, metric: Metric, place: int) -> float:
    share = min(metric.share(found.points(0, np.inf)) for found in (one, other))
    return one.needed(metric, share, place) / other.needed(metric, share, place)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("file", nargs="?", type=Path, help="npz with x_train (n, height, width) and y_train")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=90, help="of the processor, for each search")
    parser.add_argument("--evaluations", type=int, default=100_000, help="most of a search")
    parser.add_argument("--examples", type=int, default=3000, help="that are taken of the file")
    parser.add_argument("--epochs", type=int, default=8, help="of full training")
    parser.add_argument("--rungs", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--ema", type=float, default=0.0, help="as `training.ema`: averaged weights are validated")
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=RULES)
    parser.add_argument("--keep", type=Path, metavar="FOUND.jsonl", help="what was found, by earlier calls as well")
    options = parse(parser, seeds=[0], rules=[BESIDE, "pause"], evaluations=12, epochs=2, rungs=[1])
    if options.file is None and not options.smoke:
        parser.error("give a FILE.npz, or --smoke")
    return options


if __name__ == "__main__":
    main()
