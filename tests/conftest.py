"""A temporary folder for this run of the tests alone, with Ray's files and the locks of devices in it: we do not wait
for others who test or measure on the machine, nor they for us."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # most tests do without Ray
    from ray.cluster_utils import Cluster


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job ignores
    os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="evo")  # short: names of sockets must fit into 107 bytes
    tempfile.tempdir = None


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)


@pytest.fixture(scope="module")
def head() -> "Iterator[Cluster]":
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield found
    found.shutdown()


@pytest.fixture
def cluster(head: "Cluster") -> "Iterator[Cluster]":
    """Real raylets, without a node at first; those that a test adds are removed behind it."""
    import ray

    from tests.clusters import tree

    yield head
    ray.shutdown()
    for node in list(head.worker_nodes):
        if node.all_processes["raylet"][0].process.poll() is None:
            for process in tree(node):
                process.resume()
        head.remove_node(node)
