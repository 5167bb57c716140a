"""What the metadata service of a machine says of the machine's end. Nothing but the standard library.

Sources: the user guides of Amazon EC2 ("Spot Instance interruption notices", "Use IMDSv2") and of Compute Engine
("Spot VMs", "Monitor and plan for a host maintenance event").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from json import loads
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

ANSWER_S = 2.0
"""How long the service, which is on the machine's own link, may take to answer."""
PREEMPTED_S = 30.0
"""How long Compute Engine leaves a spot machine."""
MAINTENANCE_S = 3600.0
"""How long before host maintenance it tells a machine with a GPU, which cannot move."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The machine will go.

    Attributes:
        why: In words.
        seconds: How long it has left.
    """

    why: str
    seconds: float


class Aws:
    """Amazon EC2's service, with a token (IMDSv2). A rebalance recommendation is no notice: it may have no end.

    Args:
        url: Of the service.
    """

    def __init__(self, url: str = "http://169.254.169.254") -> None:
        self._url, self._token = url, ""

    def look(self) -> Notice | None:
        """Returns what is announced; None where nothing is.

        Raises:
            OSError: The service gives no answer, or none that is meant for us.
        """
        if not self._token:
            life = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
            self._token = _ask(f"{self._url}/latest/api/token", life, "PUT")
        try:
            said = _ask(f"{self._url}/latest/meta-data/spot/instance-action", {"X-aws-ec2-metadata-token": self._token})
        except HTTPError as error:
            if error.code == 404:
                return None
            self._token = ""  # it may have run out
            raise
        action = loads(said)
        left = datetime.fromisoformat(action["time"]) - datetime.now(UTC)
        return Notice(f"EC2: {action['action']} at {action['time']}", max(0.0, left.total_seconds()))


class Google:
    """Compute Engine's service: a spot machine that is preempted, or host maintenance that ends one with a GPU.

    Args:
        url: Of the service.
    """

    def __init__(self, url: str = "http://metadata.google.internal") -> None:
        self._url = f"{url}/computeMetadata/v1/instance"

    def look(self) -> Notice | None:
        """Returns what is announced; None where nothing is.

        Raises:
            OSError: The service gives no answer, or none that is meant for us.
        """
        ours = {"Metadata-Flavor": "Google"}
        if _ask(f"{self._url}/preempted", ours) == "TRUE":
            return Notice("Compute Engine: preempted", PREEMPTED_S)
        if (event := _ask(f"{self._url}/maintenance-event", ours)).startswith("TERMINATE"):
            return Notice(f"Compute Engine: {event}", MAINTENANCE_S)
        return None


CLOUDS: Mapping[str, type[Aws] | type[Google]] = {"aws": Aws, "google": Google}


def _ask(url: str, headers: Mapping[str, str], method: str = "GET") -> str:
    direct = build_opener(ProxyHandler({}))  # no proxy leads to the service
    with direct.open(Request(url, headers=dict(headers), method=method), timeout=ANSWER_S) as answer:
        text: str = answer.read(4096).decode()
        return text.strip()
