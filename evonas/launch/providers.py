"""The clouds that `evonas cluster` knows."""

from collections.abc import Callable

from evonas.launch.kubernetes.provider import Kubernetes
from evonas.launch.order import Order
from evonas.launch.provider import Provider
from evonas.launch.ray_launcher.aws import Aws
from evonas.launch.ray_launcher.google import Google
from evonas.launch.slurm.provider import Slurm

PROVIDERS: dict[str, Callable[[Order], Provider]] = {
    "aws": Aws,
    "gcp": Google,
    "kubernetes": Kubernetes,
    "slurm": Slurm,
}
"""Name -> what makes the provider of an order."""
