"""What names of a cloud's things look like, so that a slip is said before anything is asked or made."""

import re
from contextlib import suppress

import yaml

from evonas.clusters.regions import KNOWN
from evonas.did_you_mean import unknown
from evonas.errors import UserError

_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_IMAGE = rf"(?:[\w.-]+(?::\d+)?/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
_S3 = r"(?!.*\.\.)(?!(?:\d+\.){3}\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_GOOGLE_BUCKET = r"(?!.*\.\.)(?!goog)[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"
_IMAGE_WORDS = "an image of a registry is as NAME/evonas:0.1.0, its path in lower case"
_FORMS = {
    ("aws", "image"): (_IMAGE, _IMAGE_WORDS),
    ("gcp", "image"): (_IMAGE, _IMAGE_WORDS),
    ("kubernetes", "image"): (_IMAGE, _IMAGE_WORDS),
    ("aws", "bucket"): (_S3, "a bucket of S3 is 3 to 63 of a-z, 0-9, - and ., a letter or digit first and last"),
    ("gcp", "bucket"): (
        _GOOGLE_BUCKET,
        "a bucket of Google is 3 or more of a-z, 0-9, -, _ and ., as my-project-evonas",
    ),
    ("kubernetes", "bucket"): (
        rf"(?:[a-z0-9+]+://)?{_GOOGLE_BUCKET}(?:/[\w./=-]*)?",
        "a bucket is as gs://BUCKET or s3://BUCKET, its name in lower case",
    ),
    ("aws", "region"): (r"[a-z]{2,3}(?:-[a-z]+)+-\d", "a region is as us-west-2"),
    ("gcp", "region"): (r"[a-z]+-[a-z]+\d+", "a region is as us-central1"),
    ("gcp", "zone"): (r"[a-z]+-[a-z]+\d+-[a-z]", "a zone is as us-central1-a"),
    ("gcp", "project"): (
        r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "a project's id is as my-project-123; Ray's launcher takes none of a domain (example.com:my-project)",
    ),
    ("gcp", "family"): (r"[a-z][a-z0-9-]*", "a family is as common-cu130-ubuntu-2204-nvidia-580"),
    ("kubernetes", "namespace"): (r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", "a namespace is 1 to 63 of a-z, 0-9 and -"),
    ("aws", "ami"): (r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})", "a machine image is ami- and 8 or 17 of 0-9 and a-f"),
}

_UNWRITTEN = ("context", "namespace")
"""Names that no launch file has as YAML."""


def require_form(cloud: str, name: str, value: str, said: str) -> None:
    """Lets go on with a value that can be what it is given as.

    Args:
        cloud: `aws`, `gcp` or `kubernetes`.
        name: `image`, `bucket` and so on; one without a form is taken as it is.
        value: of the user.
        said: how it was given: `--image`.

    Raises:
        UserError: It cannot.
    """
    form, words = _FORMS.get((cloud, name), (".*", ""))
    if not re.fullmatch(form, value):
        near = f"; {unknown(value, KNOWN[cloud])}" if name == "region" else ""
        raise UserError(f"{said} {value!r}: {words}{near}")
    if name not in _UNWRITTEN and not is_plain(value):
        raise UserError(f"{said} {value!r}: YAML, of which the launch files are, takes this for something else")


def is_plain(value: str) -> bool:
    """Whether YAML takes a value for the text that it is: not `true`, `1e3`, `2026-01-01`."""
    with suppress(ValueError):
        float(value)
        return False  # YAML 1.2, which kubectl reads, has more numbers than 1.1
    try:
        return bool(yaml.safe_load(f"x: {value}") == {"x": value})
    except yaml.YAMLError:
        return False
