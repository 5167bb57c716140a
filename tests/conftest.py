"""A temporary folder for this run of the tests alone, with Ray's files and the locks of devices in it: we do not wait
for others who test or measure on the machine, nor they for us."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests import baselines
from tests.forked import commands

if TYPE_CHECKING:  # most tests do without Ray
    from execnet import XSpec
    from ray.cluster_utils import Cluster

    from evonas.records import Job

QUICK_COMPILER = {"TORCHINDUCTOR_VEC_ISA_OK": "1", "TORCHINDUCTOR_CPP_CACHE_PRECOMPILE_HEADERS": "0"}
"""What torch.compile prepares the first time in a new folder, for many kernels to come; here there are few."""
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""Of torch and BLAS, as in workers of Ray: small networks on more take twice the processor, in which threads wait."""

BINARIES = "EVONAS_TEST_BINARIES"
"""The variable with the folder of commands that the processes of a test run share."""
SHARED = pytest.StashKey[ExitStack]()
LONGEST_FIRST = (
    "test_cluster.py",
    "test_docs.py",
    "test_notebooks.py",
    "test_doctor.py",
    "test_server.py",
    "test_cli.py",
    "test_store.py",
    "test_ray.py",
    "test_object_store.py",
    "test_survival.py",
    "test_final.py",
    "test_boards.py",
    "test_loop.py",
    "test_submission.py",
    "test_backends.py",
    "test_extensions.py",
    "test_spaces.py",
    "test_benchmarks.py",
    "test_tracking.py",
    "test_report_browser.py",
    "test_determinism.py",
    "test_table.py",
    "test_examples.py",
    "test_sandbox.py",
    "test_elastic.py",
    "test_report.py",
    "test_inputs.py",
    "test_wheel.py",
    "test_terminal.py",
    "test_trust.py",
    "test_search_strategies.py",
    "test_cluster_files.py",
)
"""Files that take longer than others: where several processes share the tests, none is left with one at the end."""


hypothesis.settings.register_profile("any machine", deadline=None, derandomize=True)  # a busy one misses any
hypothesis.settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if needing and (lacking := _why_no_gpu()):
        for item in needing:
            item.add_marker(pytest.mark.skip(reason=lacking))


def _why_no_gpu() -> str:
    """Why no test can use a GPU here; empty where one can. torch is imported by those that need a GPU anyway."""
    import torch

    if torch.cuda.is_available():
        return ""
    return "no GPU here" if torch.version.cuda else f"this torch ({torch.__version__}) is for the CPU alone"


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job ignores
    os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="evo")  # short: names of sockets must fit into 107 bytes
    tempfile.tempdir = None
    os.environ |= QUICK_COMPILER | ONE_THREAD
    os.environ["XDG_CACHE_HOME"] = os.path.join(os.environ["TMPDIR"], "cache")  # not where the person's pictures are
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # 1,300 for each region that is looked in
    # Each of hundreds of processes would compile evonas, and each that shares the tests would rewrite their assertions.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    config.stash[SHARED] = ExitStack()

    if getattr(config.option, "numprocesses", None):  # the processes that share the tests share it
        found = config.stash[SHARED].enter_context(commands_of_a_run())
        os.environ[BINARIES] = str(found)
        words = [str(found / "run-code"), "from tests.baselines import find_out; find_out()"]
        finding = subprocess.Popen(words, cwd=Path(__file__).parents[1], stdin=subprocess.DEVNULL)
        config.stash[SHARED].callback(finding.wait)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: "list[XSpec]") -> None:
    """The processes that share the tests are forks, too, of the one that has everything imported."""
    for spec in specs:
        spec.python = str(Path(os.environ[BINARIES]) / "run-worker")


def pytest_collection(session: pytest.Session) -> None:
    gc.disable()
    if "PYTEST_XDIST_WORKER" in os.environ and session.config.args == session.config.getini("testpaths"):
        _import_own_share()


def _import_own_share() -> None:
    """In a new clone each of the processes that share the tests would rewrite the assertions of all of them, file by
    file at the same time as the others; so each begins with other files, and finds the rest written."""
    own, of = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    tests = Path(__file__).parent
    for file in sorted(tests.rglob("test_*.py"))[own::of]:
        with suppress(Exception, pytest.skip.Exception):  # the collection meets it again, and says so
            import_module(".".join(file.relative_to(tests.parent).with_suffix("").parts))


def pytest_collection_finish() -> None:
    gc.freeze()  # what was imported is not looked through by each collection that a test or evonas itself asks for
    gc.enable()


def pytest_runtest_setup() -> None:
    _share_baselines()


def pytest_runtest_teardown() -> None:
    _share_baselines()


def _share_baselines() -> None:
    """What one of the processes that share the tests has found of this machine, which takes seconds, all know."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        own, shared = Path(os.environ["TMPDIR"]), Path(os.environ["TMPDIR"]).parent
        baselines.link(baselines.place(own), baselines.place(shared))
        baselines.link(baselines.place(shared), baselines.place(own))


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[SHARED].close()
    os.environ.pop(BINARIES, None)
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)


@contextmanager
def commands_of_a_run() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ev") as short, commands(Path(short)) as found:
        yield found


@pytest.fixture(scope="session")
def binaries() -> Iterator[Path]:
    """A folder with `evonas`, `run-script` and `run-code`, whose processes have everything imported (`forked.py`)."""
    if shared := os.environ.get(BINARIES):
        yield Path(shared)
        return
    with commands_of_a_run() as found:
        yield found


@pytest.fixture(scope="session")
def head() -> "Iterator[Cluster]":
    """The head of a cluster, with no room for workers; started once, for all tests of this process."""
    from tests.clusters import started

    found = started(num_cpus=0)
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


@pytest.fixture(scope="session")
def machine() -> "Iterator[Cluster]":
    """A cluster of one node with two processors; started once, for all tests of this process."""
    from tests.clusters import started

    found = started(num_cpus=2)
    yield found
    found.shutdown()


@pytest.fixture
def local_ray(machine: "Cluster") -> "Iterator[None]":
    """A Ray that the caller has started: searches use it, which saves each of them a start of its own."""
    import ray

    ray.init(address=machine.address, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> "list[Job]":
    """The jobs that searches in this process have begun; a test that goes on with one may clear it."""
    from evonas.runtime import Serial

    jobs: list[Job] = []
    submit = Serial.submit

    def counting(self: Serial, job: "Job") -> None:
        jobs.append(job)
        submit(self, job)

    monkeypatch.setattr(Serial, "submit", counting)
    return jobs
