"""The bucket of the run folders: of this account and no other."""

from typing import Any

from evonas.clusters.aws.clients import code
from evonas.errors import UserError
from evonas.text import one_line


def account(sts: Any) -> str:
    """The number of the account whose credentials these are."""
    return str(sts.get_caller_identity()["Account"])


def region_of(s3: Any, name: str) -> str:
    """The region of a bucket; empty where S3 does not say it."""
    headers = s3.head_bucket(Bucket=name)["ResponseMetadata"].get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region", ""))


def bucket(s3: Any, name: str, owner: str, region: str) -> bool:
    """Finds or makes a bucket.

    A name can be taken by anybody, and a run folder in somebody else's bucket would be read and changed by them.

    Args:
        s3: boto3's client.
        name: of the bucket.
        owner: the number of the account that must have it.
        region: where it is made.

    Returns:
        Whether it was made now.

    Raises:
        UserError: It is another account's, or this one may not look at it.
    """
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=owner)
    except Exception as error:
        if code(error) in ("403", "AccessDenied"):
            raise UserError(f"bucket {name} is not yours to use: --bucket takes another") from None
        if code(error) not in ("404", "NoSuchBucket"):
            raise UserError(f"bucket {name}: {one_line(str(error))}") from error
    else:
        return False
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **place)
    return True
