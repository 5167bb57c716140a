"""What only a GPU can show, through the processes of a worker; `benchmarks/gpu_session.py` measures it, too."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.measuring.backends.pytorch import lock_name
from evonas.measuring.benchmark import LatencyBenchmark
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.reference import reference
from evonas.records import Evaluation, InputSpec, Status
from tests.gpu.worker import BATCH, done, job, worker

pytestmark = pytest.mark.gpu
DEVICE = "cuda"


def test_a_fork_begins_with_cuda_and_says_what_it_holds_there() -> None:
    with worker(DEVICE) as process:
        found = done(process, job("good"))
    assert isinstance(found, Evaluation)
    assert found.status is Status.OK, found.message
    assert found.conditions["device"] == torch.cuda.get_device_name(0)
    assert float(found.conditions["gpu_data_mb"]) >= 0
    assert found.conditions["mps"] in ("yes", "no")


def test_memory_that_runs_out_costs_half_the_batch_and_nobody_else() -> None:
    with worker(DEVICE) as process:
        found, after = done(process, job("memory")), done(process, job("good"))
    assert isinstance(found, Evaluation)
    assert (found.status, found.batch_size) == (Status.OK, BATCH // 2), found.message
    assert (after.status, after.message) == (Status.OK, "")


def test_a_kernel_that_stops_ends_its_process_and_nobody_else() -> None:
    with worker(DEVICE) as process:
        found, after = done(process, job("assert")), done(process, job("good"))
    assert found.status is Status.FAILED_CRASH, found.message
    assert (after.status, after.message) == (Status.OK, "")


def test_two_workers_share_a_gpu_and_say_how_much_slower_they_are() -> None:
    with worker(DEVICE, epochs=20) as one, worker(DEVICE, epochs=20) as other, ThreadPoolExecutor() as threads:
        both = list(threads.map(lambda process: done(process, job("good", clocked=True)), (one, other)))
    for found in both:
        assert isinstance(found, Evaluation)
        assert found.status is Status.OK, found.message
        assert float(found.conditions["slowdown"]) > 0


def test_a_measurement_has_the_gpu_for_itself_while_a_worker_trains() -> None:
    at = torch.device(DEVICE, 0) if DEVICE == "cuda" else torch.device(DEVICE)
    lock, target = DeviceLock([lock_name(at)]), TargetConfig(device=DEVICE, max_seconds=1.0)
    with worker(DEVICE, epochs=2000) as process, ThreadPoolExecutor() as threads:
        training = threads.submit(done, process, job("good"))
        benchmark = LatencyBenchmark("gpu", target, reference(), lock)
        found = benchmark.measure(reference(), InputSpec((3, 32, 32)))
        trained = training.result()
    assert found.conditions["quiet"] == "yes"
    assert isinstance(trained, Evaluation)
    assert trained.status is Status.OK, trained.message
    assert trained.paused_s > 0


def test_energy_of_a_pass_is_read() -> None:
    target, lock = TargetConfig(device=DEVICE, max_seconds=1.0), DeviceLock(["cpu"])
    try:
        benchmark = LatencyBenchmark("gpu", target, reference(), lock, {"energy_mj"})
    except UserError as error:
        pytest.skip(str(error))  # a GPU without a counter, or no library to read it
    energy = benchmark.measure(reference(), InputSpec((3, 32, 32))).energy_mj
    assert energy is not None
    assert energy > 0
