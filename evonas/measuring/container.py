"""Whether this process is in a container, from which others on the machine are not seen."""

import os
from pathlib import Path

MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Files that Docker and Podman leave in theirs."""


def in_container() -> bool:
    """Whether the lock of a device may be that of this container alone, as its folder for temporary files is.

    Returns:
        True in containers of Docker, Podman and Kubernetes; others are not recognised.
    """
    return "KUBERNETES_SERVICE_HOST" in os.environ or any(mark.exists() for mark in MARKS)
