"""boto3's clients."""

from importlib import import_module
from typing import Any

from evonas.errors import UserError


def client(service: str, region: str) -> Any:
    """A client of boto3, with the credentials that boto3 finds.

    Args:
        service: its name there, `ec2`.
        region: `us-west-2`.

    Raises:
        UserError: boto3 is not installed, or it finds no credentials.
    """
    try:
        session = import_module("boto3").Session()
    except ImportError:
        raise UserError("boto3 is missing: pip install boto3") from None
    if session.get_credentials() is None:
        raise UserError("no credentials of AWS: `aws configure`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return session.client(service, region_name=region)


def code(error: Exception) -> str:
    """The word by which AWS names an error: `InvalidGroup.NotFound`. Empty for what is none of AWS's."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
