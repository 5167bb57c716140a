"""The cluster on Kubernetes, put together by kustomize from the files of `cluster/kuberay`."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from evonas.errors import UserError
from evonas.launch import programs

PLATFORMS = ("gke", "eks", "plain")
"""The overlays: on which machines the pods run."""


def write(folder: Path) -> None:
    """Writes base, components and overlays into a folder, over what is there."""
    _copy(files("evonas.clusters").joinpath("files", "kuberay"), folder)


def built(folder: Path, platform: str) -> str:
    """The cluster of a platform, as one YAML with a place for the image.

    Args:
        folder: with base and overlays.
        platform: one of `PLATFORMS`.

    Raises:
        UserError: kubectl is not there, or cannot put it together.
    """
    return programs.answer("kubectl", "kustomize", str(folder / "overlays" / platform)) + "\n"


def platform_of(version: str) -> str:
    """The platform of a cluster, by what `kubectl version` says of the server: `v1.32.4-gke.100`."""
    return next((name for name in ("gke", "eks") if f"-{name}" in version), "plain")


def guessed(context: str, server: str) -> str:
    """The platform of a cluster, as its context is called and where its server is."""
    if ".eks.amazonaws.com" in server or context.startswith("arn:aws:eks:"):
        return "eks"
    return "gke" if context.startswith("gke_") else PLATFORMS[0]


def platform_in(text: str) -> str:
    """The platform that a launch file is of, by whose labels its pods select machines."""
    labels = {"eks": ("karpenter.sh/", "eks.amazonaws.com/"), "gke": ("cloud.google.com/",)}
    return next((name for name, signs in labels.items() if any(sign in text for sign in signs)), "plain")


def _copy(source: Traversable, to: Path) -> None:
    if not source.is_dir():
        raise UserError("the files for Kubernetes did not come with this evonas: install it from a checkout")
    to.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        if entry.is_dir():
            _copy(entry, to / entry.name)
        else:
            (to / entry.name).write_bytes(entry.read_bytes())
