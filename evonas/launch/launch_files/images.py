"""The images that a launch file names, as its user may have changed it."""

from collections.abc import Iterable, Mapping
from typing import Any

from evonas.clusters.forms import require_form


def of_launch_file(launch: Mapping[str, Any]) -> list[str]:
    """Those of a file of Ray's launcher."""
    return [str(image) for key, image in (launch.get("docker") or {}).items() if key.endswith("image") and image]


def of_pods(cluster: Mapping[str, Any]) -> list[str]:
    """Those of a RayCluster."""
    spec = cluster["spec"]
    pods = [group["template"]["spec"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]
    kinds = ("containers", "initContainers")
    return [str(each["image"]) for pod in pods for kind in kinds for each in pod.get(kind) or ()]


def check_images(images: Iterable[str], name: object) -> None:
    """Lets go on with images that a registry can have. name: of the file. UserError: one cannot be."""
    for image in dict.fromkeys(images):
        require_form("kubernetes", "image", image, f"{name}: image")
