"""A search on simulated EC2, each machine with a real raylet, whose spot machines are taken one after the other."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import moto
import pytest
import yaml
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.util import prepare_config

from evonas.clusters.aws.clients import client
from evonas.clusters.aws.ending import instances
from evonas.launch.launch_files.written import filled
from evonas.prices import NODE_TYPE_LABEL, list_prices
from evonas.records import Evaluation
from evonas.runtime.cost_clock import HOUR_S, CostClock
from tests.clouds.test_aws import REGION, _launch
from tests.clusters import started
from tests.test_loop import content, run

HEAD, SPOT = "m7i.xlarge", "g6.xlarge.spot"
LOSSES = (5, 10, 15)
"""Evaluations after which a machine is taken."""


class Region:
    """The machines that Ray's provider starts on EC2, and the raylet of each."""

    def __init__(self) -> None:
        self.ec2 = client("ec2", REGION)
        values = {"image": "me/evonas:9", "ami": "ami-03cf127a", "group": self._default("security_group")}
        self._config = prepare_config(yaml.safe_load(filled("aws.yaml", set(), values)))
        for kind in self._config["available_node_types"].values():
            kind["node_config"]["SubnetIds"] = [self._default("subnet")]
        self._provider = AWSNodeProvider(self._config["provider"], self._config["cluster_name"])
        self.cluster = started(num_cpus=0, labels={NODE_TYPE_LABEL: HEAD})
        self._raylets = dict[str, Any]()
        self.begun = self.taken = 0

    def launch(self, count: int) -> None:
        """Has the autoscaler's provider start machines, whose raylets join."""
        for _ in range(count):  # moto starts the least that is asked for, which is one
            _launch(self._provider, self._config, {"spot_l4": 1})
        for machine in instances(self.ec2):
            if machine["InstanceId"] not in self._raylets:
                name = machine["InstanceType"] + (".spot" if machine.get("InstanceLifecycle") else "")
                raylet = self.cluster.add_node(num_cpus=1, labels={NODE_TYPE_LABEL: name})
                self._raylets[machine["InstanceId"]] = raylet
                self.begun += 1

    def take(self) -> None:
        """The cloud takes the machine that has been there longest, without a word."""
        oldest = next(iter(self._raylets))
        self.ec2.terminate_instances(InstanceIds=[oldest])
        self.cluster.remove_node(self._raylets.pop(oldest), allow_graceful=False)
        self.taken += 1

    def _default(self, what: str) -> str:
        plural = {"security_group": ("SecurityGroups", "GroupId"), "subnet": ("Subnets", "SubnetId")}[what]
        return str(getattr(self.ec2, f"describe_{what}s")()[plural[0]][0][plural[1]])


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> Iterator[Region]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with moto.mock_aws():
        region = Region()
        yield region
        region.cluster.shutdown()


@pytest.mark.slow
def test_spot_machines_are_taken_and_nothing_is_lost(
    region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same candidates and errors as undisturbed; and what it cost is the machines' hours times their prices."""
    held = list[tuple[float, tuple[str, ...]]]()
    hold, passed = CostClock.hold, CostClock._pass

    def holding(self: CostClock, nodes: Any) -> Any:
        known = [tuple(names) for names in nodes]
        found = hold(self, known)
        held.append((self._at, tuple(names[0] for names in known)))
        return found

    def passing(self: CostClock) -> None:
        passed(self)
        if held:
            held.append((self._at, held[-1][1]))

    monkeypatch.setattr(CostClock, "hold", holding)
    monkeypatch.setattr(CostClock, "_pass", passing)
    region.launch(2)

    def loses(search: Any, evaluation: Evaluation | None) -> None:
        if evaluation and search.evaluated in LOSSES[region.taken : region.taken + 1]:
            region.take()
            region.launch(1)

    runtime = {"kind": "ray", "address": region.cluster.address, "workers": 2}
    budget = {"evaluations": 20, "usd": 1e6}
    found = run(tmp_path / "run", loses, work={"delay": 0.2}, budget=budget, runtime=runtime)
    assert (region.taken, region.begun) == (3, 5)
    assert len(instances(region.ec2)) == 2
    assert set(found.evaluations["status"]) <= {"ok", "stopped"}
    assert found.verify().difference == ""
    assert {names for _, at in held for names in at} == {HEAD, SPOT}
    # One that was taken counts until Ray takes it for dead.
    assert max(at.count(SPOT) for _, at in held) <= region.begun
    prices = {name: list_prices().usd_per_hour[name] for name in (HEAD, SPOT)}
    hours = [((end - begin) / HOUR_S, at) for (begin, at), (end, _) in pairwise(held)]
    spent = sum(passed_h * sum(prices[name] for name in at) for passed_h, at in hours)
    assert found.status()["spent_usd"] == pytest.approx(spent, rel=0.02)
    assert 0 < found.evaluations["usd"].sum() < spent
    assert content(found) == content(run(tmp_path / "other", budget={"evaluations": 20}))
