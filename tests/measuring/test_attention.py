import gc
import os
import platform
import subprocess
import sys
import threading

import pytest

from evonas.measuring.cpu_affinity import pinned

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="priorities and cores of threads are Linux's")


@LINUX
def test_a_process_of_low_priority_gets_the_ordinary_one_if_it_may_and_is_put_back() -> None:
    code = """
import os
from evonas.measuring.cpu_affinity import pinned
os.setpriority(os.PRIO_PROCESS, 0, 15)
with pinned(1) as had:
    print(os.getpriority(os.PRIO_PROCESS, 0), had["nice"])
print(os.getpriority(os.PRIO_PROCESS, 0))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    inside, said, after = done.stdout.split()
    assert inside == said == ("0" if os.geteuid() == 0 else inside)
    assert after == "15"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="how memory is given back is the C library's business")
def test_memory_that_is_freed_and_taken_again_costs_no_page_faults_until_it_is_given_back() -> None:
    code = """
import gc
import resource
gc.disable()
import torch
gc.freeze()
gc.enable()
from evonas.measuring.kept_memory import SPARE, give_memory_back, keep_memory
def passes():
    for _ in range(20):
        [torch.ones(2**18) for _ in range(4)]  # pieces of a megabyte
def faults():
    passes()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    passes()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults())
assert keep_memory()
print(faults())
assert not give_memory_back()
pieces = [torch.ones(2**18) for _ in range(SPARE // 2**20 + 10)]
def held():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
del pieces
before = held()
assert give_memory_back()
assert held() < before - SPARE / 2
"""
    returning = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
    done = subprocess.run([sys.executable, "-c", code], env=returning, capture_output=True, text=True, check=True)
    returned, kept = map(int, done.stdout.split())
    assert kept < 20 < returned


@LINUX
def test_all_threads_get_as_many_cores_as_asked_for_and_their_own_back() -> None:
    before = os.sched_getaffinity(0)
    release, seen = threading.Event(), []
    ready = threading.Event()

    def other() -> None:
        ready.set()
        release.wait()
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait()
    with pinned(1) as had:
        assert len(os.sched_getaffinity(0)) == 1
        assert had["cores"] == str(next(iter(os.sched_getaffinity(0))))
        assert os.sched_getaffinity(thread.native_id or 0) == os.sched_getaffinity(0)
    release.set()
    thread.join()
    assert os.sched_getaffinity(0) == before
    assert seen == [before]


@LINUX
def test_more_threads_than_cores_get_all_cores() -> None:
    with pinned(1000):
        assert len(os.sched_getaffinity(0)) >= 1


@pytest.mark.parametrize("on", [True, False])
def test_no_garbage_is_collected_meanwhile(on: bool) -> None:
    before = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        with pinned(1):
            assert not gc.isenabled()
        assert gc.isenabled() == on
    finally:
        (gc.enable if before else gc.disable)()


def test_what_fails_inside_leaves_the_process_as_it_was() -> None:
    before = os.sched_getaffinity(0) if sys.platform == "linux" else None
    with pytest.raises(ZeroDivisionError), pinned(1):
        raise ZeroDivisionError
    assert before is None or os.sched_getaffinity(0) == before
    assert gc.isenabled()
