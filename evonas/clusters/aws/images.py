"""The machine image with Docker, NVIDIA's driver and its container toolkit."""

from typing import Any

from evonas.errors import UserError

NAMES = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04)*"


def newest_image(ec2: Any) -> str:
    """The id of Amazon's newest deep learning base image of the region; its driver runs CUDA 13 (580 or newer).

    Raises:
        UserError: The region has none.
    """
    found = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "name", "Values": [NAMES]}])["Images"]
    if not found:
        cure = "give one: --ami ami-... (cloud.py: ami=ami-...)"
        raise UserError(f"no image {NAMES!r} of Amazon in {ec2.meta.region_name}; {cure}")
    return str(max(found, key=lambda image: image["CreationDate"])["ImageId"])
