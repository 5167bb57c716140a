"""What the launch file of a folder says of its cluster, for lines that find no state there: where it was started."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from evonas.clusters.template import PLACE, defaults, filled_in
from evonas.launch.state import State

_FILES = {
    "aws": ("my-aws.yaml", "my-head-aws.yaml"),
    "gcp": ("my-gcp.yaml", "my-head-gcp.yaml"),
    "kubernetes": ("my-cluster.yaml", "cluster.yaml", "my-head-cluster.yaml"),
}
_NAMES = ("image", "bucket", "region", "zone", "project", "platform", "context", "namespace")
"""Options; of others, as a machine image, the newest is looked for at each `up`."""
_PLACED = re.compile(rf"^{PLACE}(.*)\n", re.MULTILINE)


def recovered(cloud: str, folder: Path) -> State:
    """What is known of a cluster without a state: options and run folders, as far as a launch file says them.

    Args:
        cloud: `aws`, `gcp`, `kubernetes` or `slurm`.
        folder: of the cluster.
    """
    for name in _FILES.get(cloud, ()):
        with suppress(OSError, ValueError):
            text = (folder / name).read_text()
            found: dict[str, Any] = {**defaults(text), **_said(filled_in, text), **_said(_place, text)}
            runs = found.get("runs")
            return State(
                given=_texts({name: found.get(name) for name in _NAMES}),
                runs=_texts(runs) if isinstance(runs, dict) else {},
                server=str(found.get("server", "")),
            )
    return State()


def with_place(text: str, place: Mapping[str, object]) -> str:
    """A launch file with a line that says of its cluster what else only a state knows.

    Args:
        text: of the file; a line that it has of another place goes.
        place: name -> value: options as `bucket`, `context` and `namespace`; `server`, which the context means; `runs`,
            CONFIG -> run folder; `token`, by which that of the cluster is told from others. What has no value is left
            out.
    """
    known = {name: value for name, value in place.items() if value}
    line = f"{PLACE}{json.dumps(known)}\n" if known else ""
    first = re.match(r"# Filled in: .*\n", text)  # that line has to stay the first
    head = first[0] if first else ""
    return head + line + _PLACED.sub("", text.removeprefix(head), count=1)


def said_in(path: Path) -> dict[str, Any]:
    """What a launch file says was filled in and where its cluster is; nothing where there is none, or it is damaged."""
    with suppress(OSError, ValueError):
        text = path.read_text()
        return {**_said(filled_in, text), **_said(_place, text)}
    return {}


def _said(read: Callable[[str], dict[str, Any]], text: str) -> dict[str, Any]:
    """What a line of a file says; nothing where it is not as evonas wrote it."""
    with suppress(ValueError, TypeError):
        return read(text)
    return {}


def _place(text: str) -> dict[str, Any]:
    found = _PLACED.search(text)
    return dict(json.loads(found[1])) if found else {}


def _texts(found: Mapping[str, object]) -> dict[str, str]:
    return {name: value for name, value in found.items() if isinstance(value, str)}
