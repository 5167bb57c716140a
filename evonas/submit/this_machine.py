"""Whether a dashboard is that of a Ray on this machine, where a tunnel to a cluster was meant."""

from contextlib import suppress

import psutil

_DASHBOARD = "ray/dashboard/dashboard.py"
"""The program of Ray that serves the job API; before a tunnel it is another, as ssh or kubectl."""


def is_own_ray(port: int) -> bool:
    """Whether a Ray of this machine listens at a port; of other users' processes nothing may be known."""
    with suppress(psutil.Error, OSError):
        return any(_is_dashboard(process, port) for process in psutil.process_iter())
    return False


def _is_dashboard(process: psutil.Process, port: int) -> bool:
    with suppress(psutil.Error):
        if not any(_DASHBOARD in word for word in process.cmdline()):
            return False
        found = process.net_connections("tcp")
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found)
    return False
