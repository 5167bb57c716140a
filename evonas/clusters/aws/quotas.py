"""Virtual CPUs that an account may have of machines with a GPU. New accounts may have none."""

from collections.abc import Mapping
from typing import Any

from evonas.clusters.quota import Quota

ON_DEMAND, SPOT = "L-DB2E81BA", "L-3819A6DF"
NAMES = {ON_DEMAND: "vCPUs of on-demand machines with a GPU", SPOT: "vCPUs of spot machines with a GPU"}


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
    kinds = [kind for kind in config["available_node_types"].values() if kind.get("max_workers")]
    cores = _cores_beside_gpus(ec2, {kind["node_config"]["InstanceType"] for kind in kinds})
    for kind in kinds:
        node = kind["node_config"]
        if cpus := cores.get(node["InstanceType"]):
            spot = node.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
            asks[SPOT if spot else ON_DEMAND].append((cpus, cpus * int(kind["max_workers"])))
    return [
        Quota(
            NAMES[name],
            max(a for _, a in ask),
            min(c for c, _ in ask),
            _granted(service_quotas, name),
            _more(name, ask, region),
        )
        for name, ask in asks.items()
        if ask
    ]


def _cores_beside_gpus(ec2: Any, machines: set[str]) -> dict[str, int]:
    """Virtual CPUs of each of these types of machines that has a GPU."""
    if not machines:
        return {}  # EC2 would say it of all types
    found = ec2.describe_instance_types(InstanceTypes=sorted(machines))["InstanceTypes"]
    return {kind["InstanceType"]: int(kind["VCpuInfo"]["DefaultVCpus"]) for kind in found if kind.get("GpuInfo")}


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
