"""What keeps strangers out of a cluster on Kubernetes, in a launch file that its user has changed by hand."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from evonas.clusters.shipped import shipped
from evonas.errors import UserError
from evonas.launch.kubernetes.manifests import objects
from evonas.launch.kubernetes.pod_labels import groups
from evonas.launch.kubernetes.pod_objects import SECRET
from evonas.launch.kubernetes.pods import cluster
from evonas.launch.launch_files.guards import NAME
from evonas.launch.launch_files.token_mode import check_mode

_SECRET = SECRET.partition("/")[2]
_WAYS_IN = ("Ingress", "Gateway", "HTTPRoute", "TCPRoute", "TLSRoute", "Route")
"""Kinds of objects that open a service to the outside."""


def check_guards(text: str, name: object) -> None:
    """Lets go on where the cluster asks for the token, is found by its name and is reached from inside alone.

    Args:
        text: of the launch file.
        name: of the file, for people.

    Raises:
        UserError: It does not, or is not.
    """
    found = cluster(text)
    options = found["spec"].get("authOptions") or {}
    if options.get("mode") != "token":
        raise UserError(f"{name}: authOptions lacks mode: token: whoever reaches the head could run anything there")
    if (secret := options.get("secretName")) != _SECRET:
        raise UserError(f"{name}: authOptions has secretName: {secret}, and the token is in {_SECRET}: name that")
    if found["metadata"]["name"] != NAME:
        raise UserError(f"{name}: the RayCluster is {found['metadata']['name']}: `down` goes by {NAME}; name it so")
    check_mode(parts := objects(text), name)
    if door := next(chain(_doors(found["spec"], parts), _gaps(found["spec"], parts)), None):
        raise UserError(f"{name}: {door}")


def check_namespace(text: str, namespace: str | None, name: object) -> None:
    """Lets go on where the file names no other namespace than that in which its cluster is looked for later.

    Raises:
        UserError: It does.
    """
    metadata = [part.get("metadata") or {} for part in objects(text)]
    for other in (found["namespace"] for found in metadata if "namespace" in found):
        if namespace and other != namespace:
            raise UserError(f"{name} names the namespace {other}, and its cluster is in {namespace}: take it out")


def changed_policy(text: str) -> list[str]:
    """A line where the network policy is not the one that evonas comes with."""
    shipped_policy = objects(shipped("kuberay/base/guards.yaml"))[0]
    policies = [part for part in objects(text) if part["kind"] == "NetworkPolicy"]
    if [policy["spec"] for policy in policies] == [shipped_policy["spec"]]:
        return []
    return ["the network policy was changed by hand: whom else it lets in is not looked at"]


def _doors(spec: Mapping[str, Any], parts: list[dict[str, Any]]) -> Iterator[str]:
    """What opens the head or a pod to the outside."""
    head = spec["headGroupSpec"]
    services = [("the head", {"type": head.get("serviceType"), **((head.get("headService") or {}).get("spec") or {})})]
    services += [(f"service {_name(part)}", part.get("spec") or {}) for part in parts if part["kind"] == "Service"]
    for name, service in services:
        if (kind := service.get("type") or "ClusterIP") != "ClusterIP" or service.get("externalIPs"):
            opened = f"a service of type {kind}" if kind != "ClusterIP" else "a service with externalIPs"
            yield f"{name} has {opened}: it would be open to the outside; ClusterIP, and `kubectl port-forward`"
    if head.get("enableIngress"):
        yield "the head has an ingress (enableIngress): it would be open to the outside; take it out"
    for part in parts:
        if part["kind"] in _WAYS_IN:
            yield f"{part['kind']} {_name(part)} would open the cluster to the outside: take it out"
    for name, group in groups(spec):
        pod = group["template"]["spec"]
        ports = [port for each in pod["containers"] for port in each.get("ports") or ()]
        if pod.get("hostNetwork") or any("hostPort" in port for port in ports):
            yield f"{name} has ports of its machine (hostNetwork, hostPort), which no policy closes: take it out"


def _gaps(spec: Mapping[str, Any], parts: list[dict[str, Any]]) -> Iterator[str]:
    """Where the network policy is not there, or lets anybody in."""
    policies = [part for part in parts if part["kind"] == "NetworkPolicy"]
    own = [policy["spec"] for policy in policies if _name(policy) == NAME]
    if not own:
        yield f"it has no NetworkPolicy {NAME}: every pod of your Kubernetes could reach the cluster; put it back"
    for name, group in groups(spec):
        labels = (group["template"].get("metadata") or {}).get("labels") or {}
        if own and not any(_closes(policy, labels) for policy in own):
            yield f"the NetworkPolicy {NAME} does not select the pods of {name}: everybody could reach them"
    for policy in policies:
        for rule in policy["spec"].get("ingress") or ():
            if not rule.get("from") or any(map(_is_anybody, rule["from"])):
                yield f"the NetworkPolicy {_name(policy)} lets anybody in"


def _closes(policy: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    selector = policy.get("podSelector") or {}
    selects = (selector.get("matchLabels") or {}).items() <= labels.items() and not selector.get("matchExpressions")
    return selects and "Ingress" in (policy.get("policyTypes") or ("Ingress",))


def _is_anybody(peer: Mapping[str, Any]) -> bool:
    """Whether who is let in is all of the world, or all of Kubernetes."""
    inside = peer.get("namespaceSelector") == {} and not peer.get("podSelector")
    return inside or str((peer.get("ipBlock") or {}).get("cidr", "")).endswith("/0")


def _name(part: Mapping[str, Any]) -> str:
    return str((part.get("metadata") or {}).get("name"))
