"""The launch files of `cluster/` as they come with evonas: links in a checkout, copies in a wheel."""

from importlib.resources import files

from evonas.errors import UserError


def shipped(name: str) -> str:
    """The text of a launch file.

    Args:
        name: without its folder: `aws.yaml`, `raycluster.yaml`.

    Raises:
        UserError: This installation has none, as that of the cluster's own image.
    """
    try:
        return files("evonas.clusters").joinpath("files", name).read_text()
    except OSError:
        raise UserError(f"{name} did not come with this evonas: install it from a checkout or its wheel") from None
