from typing import Any

import pytest
from torch import nn

from evonas.config import Config
from evonas.config.messages import validated
from evonas.config.options import construct
from evonas.errors import TargetUnavailable
from evonas.evaluation.targets import Targets
from evonas.measuring import device_lock
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.remote.client import Remote
from evonas.objectives.objectives import Objectives
from evonas.records import Endpoint, InputSpec, TaskSpec
from evonas.spaces import SPACES

SPEC = TaskSpec("digits", InputSpec((1, 8, 8)), (10,))


def test_a_worker_makes_room_while_it_waits_for_a_server_on_its_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the server waits for the worker to stop working, and the worker for the server, until one gives up."""
    had: list[bool] = []

    def asked(*arguments: Any) -> Any:
        with DeviceLock(["cpu"]).exclusive("cpu") as alone:
            had.append(alone)
        raise TargetUnavailable("that is all")

    monkeypatch.setattr(device_lock, "EXCLUSIVE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(Remote, "_ask", asked)
    sections = {
        "space": {"kind": "mobile"},
        "task": {"kind": "digits"},
        "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "board"}],
        "targets": {"board": {"address": "http://127.0.0.1:1", "includes": "network"}},
        "budget": {"evaluations": 1},
    }
    config = validated(Config, sections, "config")
    space, own = construct(SPACES, config.space, "space"), DeviceLock(["cpu"])
    targets = Targets(space, config, Objectives(config, SPEC), {}, own, SPEC.input)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with own.shared(), pytest.raises(TargetUnavailable, match="that is all"):
        targets.measure("board", network, space.genomes().__next__(), {"board": Endpoint("http://127.0.0.1:1", "")})
    assert had == [True]
