"""10,000 synthetic candidates while workers and nodes die: nothing lost, driver memory and open files flat.

    python benchmarks/soak.py [CANDIDATES]

A Ray cluster of four real raylets on this machine. Every 2 s a worker is shot (the actor, its fork server or the
process that computes), every 20 s a whole node, which another replaces. The same search runs undisturbed in one process
before it; both must have found the same.
"""

import os
import platform
import random
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from ray.cluster_utils import Cluster

from evonas.driver.loop import Search
from evonas.records import Evaluation
from evonas.start import execute
from tests.synthetic import Toy, config, prepared
from tests.test_loop import content, populations, run

NODES, CPUS = 4, 2
WORKER_S, NODE_S = 2.0, 20.0
BEGIN = {"num_cpus": CPUS, "object_store_memory": 100 * 2**20}


class Chaos:
    """Shoots workers and nodes. In the main thread, for Ray starts a node in no other."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.workers, self.nodes = cluster, 0, 0
        self._rng = random.Random(0)

    def during(self, search: threading.Thread) -> None:
        node_at = time.monotonic() + NODE_S
        while search.is_alive():
            search.join(WORKER_S)
            if time.monotonic() >= node_at:
                node_at += NODE_S
                self._shoot_node()
            else:
                self._shoot_worker()

    def _shoot_worker(self) -> None:
        victims = []
        for process in psutil.process_iter(["pid", "ppid", "cmdline"]):
            words = " ".join(process.info["cmdline"] or ())
            if "ray::WorkerActor" in words or "evonas.runtime.sandbox.fork_server" in words:
                victims.append(process)
        if victims:
            self._rng.choice(victims).kill()
            self.workers += 1

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


class Meter:
    """Memory and open files of this process, every thousand candidates."""

    def __init__(self) -> None:
        self.process = psutil.Process()
        self.rows: list[tuple[int, float, int]] = []
        self._began = time.monotonic()
        self.pool: Any = None

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        self.pool = search.runtime
        if evaluation and search.evaluated % 1000 == 0:
            row = search.evaluated, self.process.memory_info().rss / 1e6, self.process.num_fds()
            self.rows.append(row)
            elapsed = time.monotonic() - self._began
            print(f"{row[0]:>6,} evaluated, {row[1]:,.0f} MB, {row[2]} open files, {elapsed:,.0f} s", flush=True)


def main(candidates: int) -> None:
    settings: dict[str, Any] = {
        "budget": {"evaluations": candidates},
        "strategy": {"kind": "nsga2", "population": 100},
        "schedule": {"lookahead": 100},
        "training": {"epochs": 9, "rungs": [3]},
    }
    home = Path(tempfile.mkdtemp(prefix="soak-"))
    quiet_run = run(home / "undisturbed", **settings, work={"failing": range(0, candidates, 97)})
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(NODES):
        cluster.add_node(**BEGIN)
    chaos, meter = Chaos(cluster), Meter()
    runtime = {"kind": "ray", "address": cluster.address, "lease_s": 10, "cpus_per_worker": 1}
    start = prepared(home / "run", config(**settings, runtime=runtime), delay=0.008, failing=range(0, candidates, 97))
    began = time.monotonic()
    search = threading.Thread(target=execute, args=(start,), kwargs={"watch": meter})
    search.start()
    chaos.during(search)
    seconds = time.monotonic() - began
    from evonas import load

    found = load(home / "run", Toy())
    frame = found.evaluations
    assert frame["candidate"].tolist() == list(range(candidates)), "a candidate was lost or is there twice"
    same = content(found) == content(quiet_run) and populations(found) == populations(quiet_run)
    verdict = found.verify().difference or "follows from its record"
    print(
        f"{candidates:,} candidates in {seconds:,.0f} s ({candidates / seconds:,.0f}/s), {NODES} nodes x {CPUS} workers"
    )
    print(
        f"{chaos.workers} workers and {chaos.nodes} nodes shot; {(frame['attempts'] > 1).sum()} candidates begun again"
    )
    print(f"late results dropped: {meter.pool.late_results}; the same search as undisturbed: {same}; verify: {verdict}")
    blamed = frame["status"].value_counts().to_dict()
    print(f"statuses: {blamed}")
    versions = ", ".join(f"{name} {version(name)}" for name in ("evonas", "ray", "pymoo", "pyarrow"))
    print(f"{versions}, Python {platform.python_version()}, {os.cpu_count()} cores")
    cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
