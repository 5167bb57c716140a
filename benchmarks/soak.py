"""10,000 synthetic candidates while workers and nodes die: nothing lost, driver memory and open files flat.

    python benchmarks/soak.py [CANDIDATES] [--nodes 4] [--worker-s 2] [--node-s 20]

A Ray cluster of four real raylets on this machine. Every 2 s one of its workers is shot (the actor, its fork server or
the process that computes), every 20 s a whole node, which another replaces. The same search runs undisturbed in one
process before it; both must have found the same.
"""

import argparse
import os
import platform
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from _common import parse, resident_mb
from ray.cluster_utils import Cluster

import evonas
from evonas.start import execute
from evonas.store import open_folder, read_starts
from tests.synthetic import Toy, config, prepared
from tests.test_loop import content, populations, run

CPUS = 2
BEGIN = {"num_cpus": CPUS, "object_store_memory": 100 * 2**20}


class Chaos:
    """Shoots workers and nodes of a cluster. In the main thread, for Ray starts a node in no other.

    Args:
        cluster: of which nothing but the head is spared.
        worker_s, node_s: seconds from one worker to the next, and from one node to the next.
    """

    def __init__(self, cluster: Cluster, worker_s: float, node_s: float) -> None:
        self.cluster, self.workers, self.nodes = cluster, 0, 0
        self._worker_s, self._node_s = worker_s, node_s
        self._rng = random.Random(0)

    def during(self, search: threading.Thread, begun: threading.Event) -> None:
        """Shoot until the search ends, from when it has begun: workers that never start end it."""
        while search.is_alive() and not begun.wait(0.1):
            pass
        self._shoot_worker()
        node_at = time.monotonic() + self._node_s
        while search.is_alive():
            search.join(self._worker_s)
            if time.monotonic() >= node_at:
                node_at += self._node_s
                self._shoot_node()
            else:
                self._shoot_worker()

    def _shoot_worker(self) -> None:
        victims = [process for process in self._processes() if _works(process)]
        if victims:
            self._rng.choice(victims).kill()
            self.workers += 1

    def _processes(self) -> Iterator[psutil.Process]:
        """Those below the nodes of this cluster, and no other's."""
        for node in self.cluster.worker_nodes:
            yield from psutil.Process(node.all_processes["raylet"][0].process.pid).children(recursive=True)

    def _shoot_node(self) -> None:
        node = self._rng.choice(list(self.cluster.worker_nodes))
        raylet = node.all_processes["raylet"][0].process
        below = psutil.Process(raylet.pid).children(recursive=True)
        raylet.kill()
        raylet.wait()
        for process in below:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.cluster.remove_node(node, allow_graceful=False)
        self.cluster.add_node(**BEGIN)
        self.nodes += 1


def _works(process: psutil.Process) -> bool:
    """Whether it is a worker's: the actor, its fork server or a child of that."""
    try:
        words = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
    return "WorkerActor" in words or "fork_server" in words


class Meter:
    """Memory and open files of this process, ten times in a search."""

    def __init__(self, candidates: int) -> None:
        self.begun = threading.Event()  # a candidate was evaluated
        self._every, self._evaluated = max(1, candidates // 10), 0
        self._process, self._began = psutil.Process(), time.monotonic()

    def __call__(self, search: object, evaluation: object) -> None:
        if evaluation is None:
            return
        self.begun.set()
        self._evaluated += 1
        if self._evaluated % self._every == 0:
            files, elapsed = self._process.num_fds(), time.monotonic() - self._began
            print(
                f"{self._evaluated:>6,} evaluated, {resident_mb():,.0f} MB, {files} open files, {elapsed:,.0f} s",
                flush=True,
            )


def main() -> None:
    options = _options()
    candidates: int = options.candidates
    settings: dict[str, Any] = {
        "budget": {"evaluations": candidates},
        "strategy": {"kind": "nsga2", "population": 100},
        "schedule": {"lookahead": 100},
        "training": {"epochs": 9, "rungs": [3]},
    }
    home = Path(tempfile.mkdtemp(prefix="soak-"))
    quiet_run = run(home / "undisturbed", **settings, work={"failing": range(0, candidates, 97)})
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(options.nodes):
        cluster.add_node(**BEGIN)
    chaos, meter = Chaos(cluster, options.worker_s, options.node_s), Meter(candidates)
    runtime = {"kind": "ray", "address": cluster.address, "lease_s": 10, "cpus_per_worker": 1}
    work = {"delay": options.delay, "failing": range(0, candidates, 97)}
    start = prepared(home / "run", config(**settings, runtime=runtime), **work)
    began = time.monotonic()
    search = threading.Thread(target=execute, args=(start,), kwargs={"watch": meter})
    search.start()
    chaos.during(search, meter.begun)
    seconds = time.monotonic() - began
    found = evonas.load(home / "run", Toy())
    frame = found.evaluations
    assert frame["candidate"].tolist() == list(range(candidates)), "a candidate was lost or is there twice"
    same = content(found) == content(quiet_run) and populations(found) == populations(quiet_run)
    verdict = found.verify().difference or "follows from its record"
    print(
        f"{candidates:,} candidates in {seconds:,.0f} s ({candidates / seconds:,.0f}/s), "
        f"{options.nodes} nodes x {CPUS} workers"
    )
    print(
        f"{chaos.workers} workers and {chaos.nodes} nodes shot; {(frame['attempts'] > 1).sum()} candidates begun again"
    )
    late = read_starts(open_folder(home / "run"))[-1]["late_results"]
    print(f"late results dropped: {late}; the same search as undisturbed: {same}; verify: {verdict}")
    blamed = frame["status"].value_counts().to_dict()
    print(f"statuses: {blamed}")
    versions = ", ".join(f"{name} {version(name)}" for name in ("evonas", "ray", "pymoo", "pyarrow"))
    print(f"{versions}, Python {platform.python_version()}, {os.cpu_count()} cores")
    cluster.shutdown()
    shutil.rmtree(home)
    if not (same and chaos.workers):
        sys.exit("the disturbed search differs" if chaos.workers else "no worker was shot, so nothing was tried")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("candidates", metavar="CANDIDATES", type=int, nargs="?", default=10_000)
    parser.add_argument("--nodes", type=int, default=4, help="of two workers each")
    parser.add_argument("--worker-s", type=float, default=2.0, help="seconds from one shot at a worker to the next")
    parser.add_argument("--node-s", type=float, default=20.0, help="seconds from one shot at a node to the next")
    parser.add_argument(
        "--delay", type=float, default=0.008, help="seconds of a rung, at least; five times that at most"
    )
    return parse(parser, candidates=20, nodes=1, worker_s=60, delay=0.05)


if __name__ == "__main__":
    main()
