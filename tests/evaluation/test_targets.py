from typing import Any

import pytest
from torch import nn

from evonas.config import Config
from evonas.config.messages import validated
from evonas.config.options import construct
from evonas.errors import TargetUnavailable
from evonas.evaluation.targets import Targets
from evonas.measuring import benchmark, readers_writer_lock
from evonas.measuring.backends import export
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.remote.client import Remote
from evonas.objectives.objectives import Objectives
from evonas.records import Endpoint, InputSpec, TaskSpec
from evonas.spaces import SPACES
from evonas.spaces.space import Space

SPEC = TaskSpec("digits", InputSpec((1, 8, 8)), (10,))
NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def config(target: dict[str, Any], metric: str = "latency_ms") -> Config:
    sections = {
        "space": {"kind": "mobile"},
        "task": {"kind": "digits"},
        "objectives": [{"metric": "error"}, {"metric": metric, "target": "board"}],
        "targets": {"board": {"includes": "network", **target}},
        "budget": {"evaluations": 1},
    }
    return validated(Config, sections, "config")


def made(config: Config) -> tuple[DeviceLock, Space, Targets]:
    space, lock = construct(SPACES, config.space, "space"), DeviceLock(["cpu"])
    return lock, space, Targets(space, config, Objectives(config, SPEC), {}, lock, SPEC.input)


def test_a_worker_makes_room_while_it_waits_for_a_server_on_its_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the server waits for the worker to stop working, and the worker for the server, until one gives up."""
    had: list[bool] = []

    def asked(*arguments: Any) -> Any:
        with DeviceLock(["cpu"]).exclusive("cpu") as alone:
            had.append(alone)
        raise TargetUnavailable("that is all")

    monkeypatch.setattr(readers_writer_lock, "EXCLUSIVE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(Remote, "_ask", asked)
    own, space, targets = made(config({"address": "http://127.0.0.1:1"}))
    with own.shared(), pytest.raises(TargetUnavailable, match="that is all"):
        targets.measure("board", NETWORK, space.genomes().__next__(), {"board": Endpoint("http://127.0.0.1:1", "")})
    assert had == [True]


def test_a_network_that_came_as_its_file_is_not_converted_again_for_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    conversions: list[bytes] = []
    to_file = export.to_file

    def counted(*arguments: Any) -> bytes:
        conversions.append(to_file(*arguments))
        return conversions[-1]

    monkeypatch.setattr(export, "to_file", counted)
    monkeypatch.setattr(benchmark, "UNBEATEN_S", 0)
    _, space, targets = made(config({"backend": "onnxruntime", "max_seconds": 0.1}, "size_mb"))
    found = targets.measure("board", NETWORK, next(iter(space.genomes())), {})
    reference, own = conversions
    assert len(reference) / 1e6 != found.size_mb == len(own) / 1e6
