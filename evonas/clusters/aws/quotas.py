"""Virtual CPUs that an account may have of machines with a GPU. New accounts may have none."""

from collections.abc import Mapping
from typing import Any

from evonas.clusters.quota import Quota

ON_DEMAND, SPOT = "L-DB2E81BA", "L-3819A6DF"
_NAMES = {ON_DEMAND: "vCPUs of on-demand machines with a GPU", SPOT: "vCPUs of spot machines with a GPU"}


def quotas(service_quotas: Any, ec2: Any, config: Mapping[str, Any], region: str) -> list[Quota]:
    """What the account may have of machines with a GPU, on demand and on spot.

    Spot types take each other's place, so of those the largest ask counts.

    Args:
        service_quotas: boto3's client `service-quotas`.
        ec2: boto3's client.
        config: the launch file.
        region: for the line that asks for more.
    """
    asks: dict[str, list[tuple[int, int]]] = {ON_DEMAND: [], SPOT: []}
    for kind in config["available_node_types"].values():
        node, most = kind["node_config"], int(kind.get("max_workers", 0))
        if most and (cpus := _cpus_beside_a_gpu(ec2, node["InstanceType"])):
            spot = node.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
            asks[SPOT if spot else ON_DEMAND].append((cpus, cpus * most))
    return [
        Quota(
            _NAMES[name],
            max(a for _, a in ask),
            min(c for c, _ in ask),
            _granted(service_quotas, name),
            _more(name, ask, region),
        )
        for name, ask in asks.items()
        if ask
    ]


def _cpus_beside_a_gpu(ec2: Any, machine: str) -> int:
    """Virtual CPUs of a type of machine that has a GPU, 0 of others."""
    (kind,) = ec2.describe_instance_types(InstanceTypes=[machine])["InstanceTypes"]
    return int(kind["VCpuInfo"]["DefaultVCpus"]) if kind.get("GpuInfo") else 0


def _granted(service_quotas: Any, name: str) -> float | None:
    try:
        return float(service_quotas.get_service_quota(ServiceCode="ec2", QuotaCode=name)["Quota"]["Value"])
    except Exception as error:
        if not hasattr(error, "response"):
            raise
        return None


def _more(name: str, ask: list[tuple[int, int]], region: str) -> str:
    return (
        f"more: aws service-quotas request-service-quota-increase --service-code ec2 --region {region} "
        f"--quota-code {name} --desired-value {max(a for _, a in ask)}"
    )
