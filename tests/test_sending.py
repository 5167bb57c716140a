"""Data that are larger than Ray's object store."""

import subprocess
import sys

import pytest

from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.ray_pool.sending import STORE, too_large

LARGE = """
import logging, ray
from functools import partial
import numpy as np
from evonas.runtime.ray_pool.cluster import look
from evonas.runtime.ray_pool.sending import send
from evonas.runtime.sandbox.packing import pack, unpacked
logging.basicConfig(format="%(message)s")
ray.init(object_store_memory=80 * 2**20, num_cpus=1, include_dashboard=False, log_to_driver=False)
packed = pack(partial(len, np.full(200_000_000, 7, np.uint8)))
print(len(packed.buffers), unpacked(ray.get(send(packed, look()[0])))())
"""


def test_data_that_are_larger_than_an_object_store_are_said() -> None:
    nodes = [ClusterNode(name, name, {STORE: size, "CPU": 1.0}) for name, size in (("a", 9e9), ("b", 4.5e9))]
    nodes.append(ClusterNode("c", "c", {"CPU": 1.0}))
    assert too_large(4_500_000_000, nodes) == too_large(10**12, []) == ""
    said = (
        "the data that each node gets are 3,900,000 MB, and Ray's object store on b holds 4,500 MB: the rest takes its"
    )
    assert too_large(3_900_000_000_000, nodes).startswith(said)


@pytest.mark.slow
def test_they_come_through_all_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=False)
    assert done.stdout.split()[-2:] == ["1", "200000000"], done.stderr
    assert "the data that each node gets are 200 MB" in done.stderr
