"""The address from which this machine is seen by a cloud."""

import ipaddress
import urllib.request

from evonas.errors import UserError

ASK = "https://checkip.amazonaws.com"
_PRIVATE = [ipaddress.IPv4Network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]
"""Of networks behind an address that others see."""


def one_address(text: str) -> str:
    """An address that its user gives, from which SSH is to be let in: `203.0.113.7/32`.

    Raises:
        UserError: It is no IPv4 address, or none that a machine elsewhere can have.
    """
    try:
        found = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise UserError(f"--address: {error}; it is one address, 203.0.113.7") from None
    nobodys = found in ipaddress.IPv4Network("0.0.0.0/8") or found.is_reserved or found.is_multicast
    if nobodys or found.is_loopback or found.is_link_local:
        raise UserError(f"--address {text}: no machine is seen by that; it is the one address of yours, 203.0.113.7")
    if any(found in net for net in _PRIVATE):
        raise UserError(
            f"--address {text}: is of a private network, and a cloud sees that of your way out, as {ASK} says it: "
            f"203.0.113.7, or leave it out"
        )
    return f"{found}/32"


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
