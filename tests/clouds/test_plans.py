"""What the autoscaler that `ray up` runs (version 2) plans with the launch files."""

import logging
from typing import Any

import pytest
from ray.autoscaler._private.util import prepare_config
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.schema import AutoscalerInstance
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.core.generated.autoscaler_pb2 import NodeState, NodeStatus
from ray.core.generated.instance_manager_pb2 import Instance, NodeKind

from tests.test_cluster_files import launcher

WORKER, PACKED = {"CPU": 4, "GPU": 1}, {"CPU": 1, "GPU": 0.125}


def autoscaling(config: Any) -> AutoscalingConfig:
    config["auth"] = {"ssh_user": "ubuntu", "ssh_private_key": "/dev/null"}
    return AutoscalingConfig(prepare_config(config), skip_content_hash=True)


def _head(name: str) -> AutoscalerInstance:
    machine = Instance(
        instance_type=name,
        status=Instance.RAY_RUNNING,
        instance_id="head",
        node_id="aa",
        node_kind=NodeKind.HEAD,
        cloud_instance_id="machine",
    )
    node = NodeState(ray_node_type_name=name, node_id=b"\xaa", status=NodeStatus.RUNNING, instance_id="machine")
    return AutoscalerInstance(ray_node=node, im_instance=machine, cloud_instance_id="machine")


def planned(
    config: Any, wish: dict[str, float], number: int, away: tuple[str, ...] = (), head: str = "head"
) -> dict[str, int]:
    """Type -> machines that are started for so many workers, where some types cannot be had now."""
    parsed = config if isinstance(config, AutoscalingConfig) else autoscaling(config)
    had = dict.fromkeys(away, 0.0)
    reply = ResourceDemandScheduler(None).schedule(
        SchedulingRequest(
            disable_launch_config_check=True,
            node_type_configs=parsed.get_node_type_configs(),
            max_num_nodes=parsed.get_max_num_nodes(),
            idle_timeout_s=600,
            resource_requests=ResourceRequestUtil.group_by_count([ResourceRequestUtil.make(wish)] * number),
            current_instances=[_head(head)],
            cloud_resource_availabilities=had,
            recoverable_resource_availabilities=had,
        )
    )
    assert not reply.infeasible_resource_requests
    return {launch.instance_type: launch.count for launch in reply.to_launch}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_workers_are_of_one_type(name: str) -> None:
    assert planned(launcher(name), WORKER, 16) == {"spot_l4": 16}


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_types_without_an_order_are_mixed(name: str) -> None:
    """What the priorities are for."""
    config = launcher(name)
    for kind in config["available_node_types"].values():
        kind.pop("priority", None)
    assert len(planned(config, WORKER, 16)) > 1


def test_a_type_that_cannot_be_had_has_a_next_one() -> None:
    assert planned(launcher("aws.yaml"), WORKER, 16, ("spot_l4",)) == {"spot_a10g": 16}
    assert planned(launcher("gcp.yaml"), WORKER, 16, ("spot_l4",))["spot_a100"] == 4


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_many_workers_a_gpu_get_the_machine_with_cores_for_them(name: str) -> None:
    assert planned(launcher(name), PACKED, 32) == {"spot_packed": 4}


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_a_measuring_machine_is_there_for_who_asks(name: str) -> None:
    assert planned(launcher(name), {"latency_l4": 1}, 1) == {"measure_l4": 1}
    assert planned(launcher(name), WORKER, 0) == {}
