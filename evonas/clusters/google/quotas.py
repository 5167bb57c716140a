"""GPUs and disks that a project may have. New projects may have no GPU at all."""

from collections.abc import Mapping
from typing import Any

from evonas.clusters.needed import custom_resources
from evonas.clusters.quota import Quota

MORE = "more: IAM & Admin, Quotas, in the console, or gcloud alpha quotas"
_MODELS = {"g2": "NVIDIA_L4_GPUS", "a2": "NVIDIA_A100_GPUS"}
_SSD = ("pd-ssd", "pd-balanced")


def quotas(compute: Any, config: Mapping[str, Any]) -> list[Quota]:
    """What the project may have of the GPUs and disks that the file asks for at most.

    Args:
        compute: the client of Compute Engine.
        config: the launch file.
    """
    project, region = config["provider"]["project_id"], config["provider"]["region"]
    there = compute.regions().get(project=project, region=region).execute()["quotas"]
    whole = compute.projects().get(project=project).execute()["quotas"]
    limits = {entry["metric"]: float(entry["limit"]) for entry in [*whole, *there]}
    return [Quota(name, wanted, least, limits.get(name), MORE) for name, (wanted, least) in _wanted(config).items()]


def _wanted(config: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Metric -> at most, and for the first machine."""
    wanted = dict[str, tuple[float, float]]()
    for kind in config["available_node_types"].values():
        node, most = kind["node_config"], int(kind.get("max_workers", 0))
        model = _MODELS.get(node["machineType"].split("-")[0])
        if model and most:
            spot = node["scheduling"]["provisioningModel"] == "SPOT"
            metric = f"PREEMPTIBLE_{model}" if spot else model
            wanted[metric] = (max(most, wanted.get(metric, (0, 0))[0]), 1)
    machines = int(config["max_workers"])
    wanted["GPUS_ALL_REGIONS"] = (machines, 1)
    sizes = [_ssd_gb(kind["node_config"]) for kind in config["available_node_types"].values()]
    if any(sizes):
        boards = any(custom_resources(kind) for kind in config["available_node_types"].values())
        # least: head, worker, measuring machine
        wanted["SSD_TOTAL_GB"] = ((machines + 1) * max(sizes), (2 + boards) * min(sizes))
    return wanted


def _ssd_gb(node: Mapping[str, Any]) -> float:
    """GB of a machine's disks that count as SSD, as far as the file says their sizes."""
    made = [disk.get("initializeParams") or {} for disk in node.get("disks") or ()]
    ssd = [disk for disk in made if str(disk.get("diskType", "")).rpartition("/")[2] in _SSD]
    return sum(float(disk.get("diskSizeGb", 0)) for disk in ssd)
