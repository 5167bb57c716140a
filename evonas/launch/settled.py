"""What follows from options: a zone says its region, a run folder its bucket."""

from collections.abc import Mapping

from evonas.errors import UserError

SCHEMES = {"aws": "s3", "gcp": "gs"}
"""Cloud -> of its buckets. Its head may use one, and nothing else."""


def settled(cloud: str, given: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The options of a line, with those that follow from them.

    Args:
        cloud: `aws`, `gcp`, `kubernetes` or `slurm`.
        given: option -> value.
        known: those of earlier lines.

    Raises:
        UserError: Two of them cannot be together.
    """
    found = {**given, **_place(given, known)}
    bucket = bucket_of(cloud, given.get("run"))
    if bucket and not (given.get("bucket") or known.get("bucket")):
        found["bucket"] = bucket
    return found


def bucket_of(cloud: str, run: str | None) -> str | None:
    """The bucket of a run folder that the cloud's head would write by its own rights; None of any other folder."""
    scheme, _, rest = (run or "").partition("://")
    return rest.partition("/")[0] if rest and scheme == SCHEMES.get(cloud) else None


def check_bucket(cloud: str, run: str | None, bucket: str | None) -> None:
    """Lets go on where the head may write the run folder, and the record outlives it.

    Raises:
        UserError: It is in another bucket, or in none of this cloud.
    """
    if run is None or cloud not in SCHEMES:
        return
    of, scheme = bucket_of(cloud, run), SCHEMES[cloud]
    if not of:
        why = "the head has no rights there" if "://" in run else "a path there goes with the head's machine"
        bucket_there = bucket or "BUCKET"
        raise UserError(
            f"run folder {run} is not in a bucket of {cloud}, and {why}: --run {scheme}://{bucket_there}/..."
        )
    if bucket and of != bucket:
        raise UserError(
            f"run folder {run} is not in the bucket {bucket}, the only one that the head may use: "
            f"--bucket {of}, or --run {scheme}://{bucket}/..."
        )


def _place(given: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    region, zone = given.get("region"), given.get("zone")
    if zone:
        of = zone.rpartition("-")[0]
        if region and region != of:
            raise UserError(f"--zone {zone} is in {of}, and not in --region {region}: one of them is enough")
        return {"region": of}
    if region and "zone" in known and not known["zone"].startswith(f"{region}-"):
        return {"zone": f"{region}-a"}  # that of an earlier line was of another region
    return {}
