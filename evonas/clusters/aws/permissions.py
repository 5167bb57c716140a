"""What the user may not do, asked by EC2's own dry run: nothing is started."""

from collections.abc import Mapping
from typing import Any

from evonas.clusters.aws.clients import code
from evonas.clusters.aws.keys import KEYS

_MAY_NOT = ("UnauthorizedOperation", "AccessDenied")


def refused(ec2: Any, config: Mapping[str, Any]) -> list[str]:
    """The actions that `ray up` needs and these credentials may not do, a line each.

    Args:
        ec2: boto3's client.
        config: the launch file with its values.
    """
    head = config["available_node_types"][config["head_node_type"]]["node_config"]
    starts = {name: head[name] for name in ("ImageId", "InstanceType", "SecurityGroupIds") if name in head}
    calls = {
        "ec2:RunInstances": lambda: ec2.run_instances(**starts, MinCount=1, MaxCount=1, DryRun=True),
        "ec2:CreateKeyPair": lambda: ec2.create_key_pair(KeyName=KEYS, DryRun=True),
    }
    return [f"{name}: these credentials may not" for name, call in calls.items() if _is_refused(call)]


def _is_refused(call: Any) -> bool:
    try:
        call()
    except Exception as error:
        if not code(error):
            raise
        return code(error) in _MAY_NOT
    return False
