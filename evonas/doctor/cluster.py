"""The cluster by itself: can it be reached, by whom, and what is it made of?"""

import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from evonas.doctor.context import ROOM_S, Context, Finding, Unknown, need_ray, shape
from evonas.errors import UserError
from evonas.run_identity.describing import versions
from evonas.runtime.ray_pool import asking, probe
from evonas.runtime.ray_pool.nvidia_smi import PATIENCE_S
from evonas.runtime.ray_pool.probe import Seen
from evonas.text import counted

SKEW_NOTE_S, SKEW_CROSS_S = 1.0, 60.0
NEEDED = ("python", "evonas", "ray", "torch", "numpy")
"""What a worker uses of `versions`; others may differ from node to node."""


def reach(context: Context) -> Iterator[Finding]:
    runtime = context.runtime
    if runtime.kind == "serial":
        raise Unknown("runtime.kind is serial, one candidate after the other in this process")
    local = runtime.address == "local"
    if not local:
        head = asking.head_of(runtime.address)
        answer = asking.ask(head, token=True)
        context.head = "" if answer.why else head
        if (wrong := refusal(head, answer, asking.versions())) is not None:
            yield wrong
            return
    try:
        context.own = not probe.has_joined()
        context.head, context.joined = probe.join(runtime), True
    except UserError as error:
        there = f"with Ray running as part of it (ray start --address={context.head or 'HOST:PORT'})"
        yield Finding("Ray", "error", str(error), f"run this on a machine of the cluster, {there}")
        return
    context.nodes = probe.nodes()
    ours = "{}, Python {}".format(*asking.versions())
    yield Finding("Ray", "ok", f"{ours}, of this run's own" if local else f"{ours} at {context.head}, the same as here")


def refusal(head: str, answer: asking.Answer, ours: tuple[str, str]) -> Finding | None:
    """Why we cannot join a cluster; None where we can. ours: versions of Ray and Python here."""
    wrong = asking.refusal(head, answer, ours)
    return Finding("Ray", "error", *wrong) if wrong else None


def authentication(context: Context) -> Iterator[Finding]:
    if not context.head:
        raise Unknown("there is no Ray")
    addresses = [context.head.rpartition(":")[0], *(probe.hosts() if context.joined else ())]
    yield judged(context.head, asking.ask(context.head, token=False), addresses)


def judged(head: str, answer: asking.Answer, addresses: Sequence[str]) -> Finding:
    """answer: to a connection without a token. addresses: of the head and the nodes."""
    name = "authentication"
    if answer.refused:
        return Finding(name, "ok", f"{head} refused a connection without a token")
    if not answer.taken:
        return Finding(name, "note", f"not known: without a token, {answer.why}")
    if all(map(_is_loopback, addresses)):
        return Finding(
            name, "note", f"{head} took a connection without a token; it is on loopback, for this machine alone"
        )
    return Finding(
        name,
        "error",
        f"{head} took a connection without a token: whoever reaches it can run code on every node",
        "start every node and the driver with RAY_AUTH_MODE=token and one token (ray get-auth-token --generate)",
    )


def nodes(context: Context) -> Iterator[Finding]:
    need_ray(context)
    shapes = Counter(shape(node) for node in context.nodes)
    yield Finding("nodes", "ok", "; ".join(f"{count} x {shape}" for shape, count in shapes.items()))
    context.seen = probe.inspect(context.nodes, NEEDED, ROOM_S + PATIENCE_S)
    for seen in context.seen:
        if seen.why:
            remedy = f"see the raylet's log on {seen.node.host}; if it is gone, restart Ray there"
            yield Finding("nodes", "error", f"{seen.node.host}: {seen.why}", remedy)


def same_versions(context: Context) -> Iterator[Finding]:
    need_ray(context)
    yield from compared(context.seen, {name: versions()[name] for name in NEEDED})


def compared(seen: Sequence[Seen], ours: Mapping[str, str]) -> Iterator[Finding]:
    """A build for CUDA and one for the CPU (+cu126, +cpu) count as the same version."""
    different = False
    for node, there in ((each.node, each.versions) for each in seen if each.versions is not None):
        for name, want in ours.items():
            have = there.get(name, "")
            if _public(have) != _public(want):
                different = True
                text = f"{node.host} has {name} {have}, the driver {want}" if have else f"{node.host} has no {name}"
                yield Finding("versions", "error", text, f"install {name} {_public(want)} there")
    if not different:
        each = ", ".join(f"{name} {version}" for name, version in ours.items())
        yield Finding("versions", "ok", f"{each} on the driver and {counted(len(seen), 'node')}")


def clocks(context: Context) -> Iterator[Finding]:
    """Nothing in evonas decides by a clock; stores in a cloud do."""
    need_ray(context)
    yield from judged_clocks(context.seen)


def judged_clocks(seen: Sequence[Seen]) -> Iterator[Finding]:
    known = [each for each in seen if not each.why]
    off = [each for each in known if abs(each.skew_s) - each.error_s > SKEW_NOTE_S]
    for each in off:
        text = f"{each.node.host} is {abs(each.skew_s):.1f} s {'ahead of' if each.skew_s > 0 else 'behind'} the driver"
        if abs(each.skew_s) > SKEW_CROSS_S:
            remedy = "set it (chrony, NTP): cloud stores refuse what is signed minutes off"
            yield Finding("clocks", "error", text, remedy)
        else:
            yield Finding("clocks", "note", f"{text}; that distorts times in tables and nothing else")
    if known and not off:
        within = max(abs(each.skew_s) + each.error_s for each in known)
        yield Finding("clocks", "ok", f"within {max(1, 1e3 * within):.0f} ms of the driver's")


def _public(version: str) -> str:
    return version.partition("+")[0]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
