"""The key pairs by which Ray's launcher enters machines, and whose they are."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

KEYS = "evonas"
"""Ray names its key pairs so, as the launch file tells it, and `evonas_key-1` where somebody else has that."""


def own_key_pairs(ec2: Any, folder: Path | None = None) -> list[str]:
    """The key pairs of clusters of this name whose private half is on this machine.

    Others are somebody else's, of whatever name: each region and account can have one that is called `evonas`.
    """
    pairs = ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    named = [p for p in pairs if _is_named(p["KeyName"])]
    return [p["KeyName"] for p in named if _is_half(private_half(p["KeyName"], folder), p.get("PublicKey", ""))]


def others_key_pairs(ec2: Any, machines: Iterable[Any]) -> list[str]:
    """The key pairs of machines where this machine has one, too, and it is of none of them: they are somebody else's.

    Args:
        ec2: boto3's client.
        machines: as EC2 describes them.
    """
    used = {str(machine["KeyName"]) for machine in machines if _is_named(machine.get("KeyName", ""))}
    own = own_key_pairs(ec2) if used else []
    return sorted(used) if own and used.isdisjoint(own) else []


def private_half(name: str, folder: Path | None = None) -> Path:
    """Where Ray puts the private half of a key pair."""
    return (folder or Path.home() / ".ssh") / f"{name}.pem"


def _is_named(name: str) -> bool:
    """Whether Ray has named a key pair, and not a user, who has edited a launch file."""
    return name == KEYS or name.startswith(f"{KEYS}_key-")


def _is_half(path: Path, public: str) -> bool:
    """Whether a file is the private half of a public key; where nothing says so, it is not."""
    try:
        said = subprocess.run(
            ["ssh-keygen", "-y", "-P", "", "-f", str(path)], capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return False
    return path.exists() and said.split()[:2] == public.split()[:2] != []
