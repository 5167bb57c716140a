"""What is left of a cluster in a project, in every zone, and its end."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from evonas.clusters.google.clients import answered, every, missing
from evonas.clusters.google.keys import public_keys
from evonas.clusters.refusal import refusals
from evonas.clusters.steps import each, failure
from evonas.errors import UserError

WAIT_S, POLLS = 5.0, 120
TRIES = 3
"""Of ending machines, while those that the head has just asked for still appear."""
FIREWALLS = ("evonas-ssh", "evonas-inside")
NAME = "evonas"


def machines(compute: Any, project: str, cluster: str = NAME) -> list[tuple[str, str]]:
    """Name and zone of each machine of the cluster, also of stopped ones, whose disks stay on the bill.

    `ray down` does not see those: the watchdog stops a machine, and can delete none.
    """
    return [(machine["name"], zone) for machine, zone in instances(compute, project, cluster)]


def instances(compute: Any, project: str, cluster: str = NAME) -> list[tuple[Any, str]]:
    """The same, as Google describes each."""
    return _entries(compute.instances(), project, "instances", cluster)


def head_zone(compute: Any, project: str, cluster: str = NAME) -> str | None:
    """The zone in which the cluster's head runs, or is about to; None where none does."""
    found = _entries(compute.instances(), project, "instances", cluster)
    heads = [(machine, zone) for machine, zone in found if machine.get("labels", {}).get("ray-node-type") == "head"]
    there = (zone for head, zone in heads if head.get("status") in ("PROVISIONING", "STAGING", "RUNNING"))
    return next(there, None)


def keys(compute: Any, project: str, cluster: str = NAME) -> set[str]:
    """The public keys that the machines of the cluster let in, without their comments."""
    found = _entries(compute.instances(), project, "instances", cluster)
    entries = [entry for machine, _ in found for entry in machine.get("metadata", {}).get("items", ())]
    return {key for entry in entries if entry["key"] == "ssh-keys" for key in public_keys(entry["value"])}


def disks(compute: Any, project: str, cluster: str = NAME) -> list[tuple[str, str]]:
    """Name and zone of each disk of the cluster, by the launch file's label, that belongs to no machine any more."""
    found = _entries(compute.disks(), project, "disks", cluster)
    return [(disk["name"], zone) for disk, zone in found if not disk.get("users")]


def left(compute: Any, project: str, cluster: str = NAME, silent: dict[str, str] | None = None) -> list[str]:
    """What there is of the cluster, a line each: machines, disks, firewall rules, subnetworks and network.

    Args:
        compute: the client of Compute Engine.
        project: its id.
        cluster: its name in the launch file.
        silent: gets what Google does not answer about, and why, which then keeps nothing else from being looked at.

    Raises:
        UserError: Google does not answer, without `silent`.
    """
    ways = {"machines": _machines, "disks": _disks, "firewall rules": _rules, "a network": _network}
    return [line for what, ask in ways.items() for line in told(what, partial(ask, compute, project, cluster), silent)]


def told(what: str, ask: Callable[[], list[str]], silent: dict[str, str] | None = None) -> list[str]:
    """What Google answers about something, nothing where it does not; `silent` and errors as of `left`."""
    try:
        with refusals():
            return ask()
    except UserError as error:
        if silent is None:
            raise
        silent[what] = str(error)
        return []


def _machines(compute: Any, project: str, cluster: str) -> list[str]:
    return [f"machine {name} in {zone}" for name, zone in machines(compute, project, cluster)]


def _disks(compute: Any, project: str, cluster: str) -> list[str]:
    return [f"disk {name} in {zone}" for name, zone in disks(compute, project, cluster)]


def _rules(compute: Any, project: str, cluster: str) -> list[str]:
    rules = {rule["name"] for rule in every(compute.firewalls(), project=project)}
    return [f"firewall rule {name}" for name in FIREWALLS if name in rules]


def _network(compute: Any, project: str, cluster: str) -> list[str]:
    found = _networks(compute, project)
    subnets = [f"subnetwork {NAME} in {region}" for network in found for region in _regions(network)]
    return [*subnets, *(f"network {NAME}" for _ in found)]


def take_down(compute: Any, project: str, cluster: str = NAME, sleep: Callable[[float], None] = time.sleep) -> None:
    """Deletes what `left` names, and waits for it: what costs first, because a network in use cannot be deleted.

    What is not there is no error, so it can be done again.

    Raises:
        UserError: Google could not delete something, or not in ten minutes, which keeps nothing else; why.
    """
    ways = (_end_machines, _end_disks, _end_network)
    each(*(partial(end, compute, project, cluster, sleep) for end in ways))


def _end_machines(compute: Any, project: str, cluster: str, sleep: Callable[[float], None]) -> None:
    def end() -> None:
        _end(compute, "instance", machines(compute, project, cluster), sleep, project=project)

    for _ in range(TRIES - 1):
        failure(end)  # the last try says why
    end()


def _end_disks(compute: Any, project: str, cluster: str, sleep: Callable[[float], None]) -> None:
    _end(compute, "disk", disks(compute, project, cluster), sleep, project=project)


def _end_network(compute: Any, project: str, cluster: str, sleep: Callable[[float], None]) -> None:
    """Deletes doors and network where no machine is there any more, which may use them."""
    if machines(compute, project, cluster):
        return
    here = {"project": project}

    def rule(name: str) -> None:
        _wait(compute.globalOperations(), _deleted(compute.firewalls(), **here, firewall=name), sleep, **here)

    def subnet(region: str) -> None:
        deleted = _deleted(compute.subnetworks(), **here, region=region, subnetwork=NAME)
        _wait(compute.regionOperations(), deleted, sleep, **here, region=region)

    def network() -> None:
        regions = [region for each_one in _networks(compute, project) for region in _regions(each_one)]
        each(*(partial(subnet, region) for region in regions))
        _wait(compute.globalOperations(), _deleted(compute.networks(), **here, network=NAME), sleep, **here)

    each(*(partial(rule, name) for name in FIREWALLS), network)


def _end(compute: Any, what: str, found: list[tuple[str, str]], sleep: Callable[[float], None], **here: str) -> None:
    """Deletes instances or disks, each by its name and zone; one that cannot be deleted keeps no other."""
    operations = dict[tuple[str, str], str | None]()

    def begin(name: str, zone: str) -> None:
        operations[name, zone] = _deleted(getattr(compute, f"{what}s")(), **here, zone=zone, **{what: name})

    def wait() -> None:
        for (_, zone), operation in operations.items():
            _wait(compute.zoneOperations(), operation, sleep, **here, zone=zone)

    each(*(partial(begin, name, zone) for name, zone in found), wait)


def _networks(compute: Any, project: str) -> list[Any]:
    """The network of clusters, or nothing."""
    return [network for network in every(compute.networks(), project=project) if network["name"] == NAME]


def _regions(network: Any) -> list[str]:
    """The regions in which a network has a subnetwork of a cluster; it has to go before the network can."""
    parts = [url.rsplit("/", 3) for url in network.get("subnetworks", ())]  # .../regions/REGION/subnetworks/NAME
    return [region for _, region, _, name in parts if name == NAME]


def _entries(listing: Any, project: str, what: str, cluster: str) -> list[tuple[Any, str]]:
    """What has the label of the cluster, of all zones, each with its zone."""
    wanted = f"labels.ray-cluster-name={cluster}"
    request, found = listing.aggregatedList(project=project, filter=wanted), list[tuple[Any, str]]()
    while request is not None:
        answer = answered(request)
        for place, items in answer.get("items", {}).items():
            found += [(entry, place.removeprefix("zones/")) for entry in items.get(what, [])]
        request = listing.aggregatedList_next(request, answer)
    return found


def _deleted(items: Any, **words: str) -> str | None:
    """The operation that deletes it, None if it is not there."""
    try:
        return str(items.delete(**words).execute()["name"])
    except Exception as error:
        if not missing(error):
            raise
        return None


def _wait(operations: Any, name: str | None, sleep: Callable[[float], None], **words: str) -> None:
    for _ in range(POLLS if name else 0):
        answer = operations.get(**words, operation=name).execute()
        if "error" in answer:
            raise UserError(f"Google: {answer['error']['errors'][0]['message']}")
        if answer["status"] == "DONE":
            return
        sleep(WAIT_S)
    if name:
        raise UserError(f"Google has not finished {name} in {POLLS * WAIT_S / 60:g} minutes; the same line goes on")
