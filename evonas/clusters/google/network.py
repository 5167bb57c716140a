"""The door of the network: SSH from the user's address."""

from typing import Any

SSH = "evonas-ssh"


def admit(compute: Any, project: str, address: str) -> list[str]:
    """Lets SSH in from the address, and from no other any more.

    Args:
        compute: the client of Compute Engine.
        project: its id.
        address: `203.0.113.7/32`.

    Returns:
        The addresses that got in before and do not now.
    """
    firewalls = compute.firewalls()
    before = firewalls.get(project=project, firewall=SSH).execute()["sourceRanges"]
    firewalls.patch(project=project, firewall=SSH, body={"sourceRanges": [address]}).execute()
    return [other for other in before if other != address]
