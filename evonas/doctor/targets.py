"""The targets of a search that are measured elsewhere: at an address, or on a node with a resource."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from evonas.components import check_endpoints
from evonas.doctor.context import Context, Finding, parts_of
from evonas.errors import UserError
from evonas.machine import too_many_of_target
from evonas.runtime import Remotes
from evonas.runtime.ray_pool import probe
from evonas.runtime.ray_pool.cluster import startable
from evonas.runtime.ray_pool.device_servers import too_little
from evonas.runtime.ray_pool.nodes import ClusterNode


def remote_targets(context: Context) -> Iterator[Finding]:
    components = parts_of(context)
    for target, place in components.remotes.endpoints.items():
        try:
            check_endpoints(replace(components, remotes=Remotes({target: place})))
        except UserError as error:
            context.away.add(target)
            variable = components.config.targets[target].token_env
            remedy = f"start `evonas measure-server` there; its token is to be in ${variable}"
            yield Finding(f"target {target}", "error", str(error), remedy)
        else:
            yield Finding(f"target {target}", "ok", f"{place.url} measured the reference network")
    for target, resource in components.remotes.resources.items():
        yield _resource(context, target, resource)


def _resource(context: Context, target: str, resource: str) -> Finding:
    name = f"target {target}"
    nodes = [node for node in context.nodes if node.resources.get(resource, 0) >= 1]
    having = [node.host for node in nodes]
    if not context.joined or not having:
        context.away.add(target)
        if context.joined and resource in (startable() or ()):
            text = f"no node has the resource {resource} now; the cluster starts one when a search asks for it"
            return Finding(name, "note", text)
        there = ", ".join(sorted({each for node in context.nodes for each in probe.custom(node)})) or "none"
        remedy = (
            f"""start Ray on the board with --resources '{{"{resource}": 1}}', or correct targets.{target}.resource"""
        )
        text = f"no node has the custom resource {resource}; there are: {there}{too_little(resource, context.nodes)}"
        return Finding(name, "error", text, remedy)
    if crowded := _crowded(context, target, nodes):
        return crowded
    if probe.unused(resource) < 1:
        context.away.add(target)
        return Finding(name, "note", f"{', '.join(having)} has the resource {resource}; somebody measures there now")
    return Finding(name, "ok", f"{', '.join(having)} has the resource {resource}")


def _crowded(context: Context, target: str, nodes: Sequence[ClusterNode]) -> Finding | None:
    """What is to be said of nodes with fewer cores than the target has threads: a cross where all of these are."""
    assert context.config
    threads, ids = context.config.targets[target].threads, {node.id for node in nodes}
    known = [(each.cores, each.node.host) for each in context.seen if each.node.id in ids and each.cores]
    few = [(cores, host) for cores, host in known if cores < threads]
    if not few:
        return None
    wrong, right = too_many_of_target(target, threads, *max(few))
    if len(few) == len(nodes):
        context.away.add(target)
        return Finding(f"target {target}", "error", wrong, right)
    return Finding(f"target {target}", "note", f"{wrong}; others that have the resource measure")
