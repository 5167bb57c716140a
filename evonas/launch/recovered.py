"""What the launch file of a folder says of its cluster, for lines that find no state there: where it was started."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from evonas.clusters.template import defaults, filled_in

_FILES = {"aws": ("my-aws.yaml",), "gcp": ("my-gcp.yaml",), "kubernetes": ("my-cluster.yaml", "cluster.yaml")}
_NAMES = ("image", "region", "zone", "project", "context", "namespace")
"""Options; of others, as a machine image, the newest is looked for at each `up`."""
_MARK = "# Place: "
_MARKED = re.compile(rf"^{_MARK}(.*)\n", re.MULTILINE)


def recovered(cloud: str, folder: Path) -> dict[str, str]:
    """Option -> value, as far as a launch file says it; empty where there is none.

    Args:
        cloud: `aws`, `gcp`, `kubernetes` or `slurm`.
        folder: of the cluster.
    """
    for name in _FILES.get(cloud, ()):
        with suppress(OSError, ValueError):
            text = (folder / name).read_text()
            found: dict[str, object] = {**defaults(text), **_said(filled_in, text), **_said(_place, text)}
            return {name: value for name in _NAMES if isinstance(value := found.get(name), str)}
    return {}


def with_place(text: str, place: Mapping[str, str | None]) -> str:
    """A launch file of Kubernetes with a line that says where its cluster is, which none of its objects does.

    Args:
        text: of the file; a line that it has of another place goes.
        place: `context` and `namespace`.
    """
    line = f"{_MARK}{json.dumps(dict(place))}\n" if all(place.values()) else ""
    first = re.match(r"# Filled in: .*\n", text)  # that line has to stay the first
    head = first[0] if first else ""
    return head + line + _MARKED.sub("", text.removeprefix(head), count=1)


def _said(read: Callable[[str], dict[str, str]], text: str) -> dict[str, str]:
    """What a line of a file says; nothing where it is not as evonas wrote it."""
    with suppress(ValueError, TypeError):
        return read(text)
    return {}


def _place(text: str) -> dict[str, str]:
    found = _MARKED.search(text)
    return dict(json.loads(found[1])) if found else {}
