"""The address from which this machine is seen by a cloud."""

import ipaddress
import urllib.request

from evonas.errors import UserError

ASK = "https://checkip.amazonaws.com"


def own_address(ask: str = ASK, timeout_s: float = 20.0) -> str:
    """The IPv4 address of this machine, or of the network that it is in, as `203.0.113.7/32`.

    Raises:
        UserError: Nobody answers, or not with an address.
    """
    try:
        with urllib.request.urlopen(ask, timeout=timeout_s) as answer:
            return f"{ipaddress.IPv4Address(answer.read(64).decode().strip())}/32"
    except (OSError, ValueError) as error:
        raise UserError(
            f"{ask} did not say this machine's IPv4 address ({error}); give it: --address 203.0.113.7"
        ) from None
