"""A network as a list of torch's operators and its weights: data that whoever gets it can run without trusting it.

A pickle, a TorchScript archive and a torch.export archive can each do what they like on the machine that loads them.
This is a safetensors file whose metadata hold the calls, in JSON. Only operators of torch's `aten` that take tensors
and numbers and give tensors are called, so that nothing in it reaches a file, a network or Python; and memory that
they leave as it was is set to zero, so that nothing of this process is read.
"""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from keyword import iskeyword
from operator import getitem
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.fx import Graph, GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

FUSED = {"_native_multi_head_attention", "_transformer_encoder_layer_fwd", "_to_copy", "_weight_norm"}
"""Operators with a leading underscore that ordinary layers call; others trust their arguments more than is good."""
ENUMS = (torch.dtype, torch.layout, torch.memory_format)
WITHOUT_VALUES = {
    "resize",
    "resize_",
    "resize_as",
    "resize_as_",
    "resize_as_sparse",
    "resize_as_sparse_",
    "set",
    "set_",
}
"""Operators that give a tensor more memory than it has values for: what lay there before would be read."""
Value = Any
"""What JSON holds."""


def to_bytes(network: nn.Module, x: Any) -> bytes:
    """Write down what a network calls.

    Args:
        network: on the CPU.
        x: its input, one tensor or several by name.

    Raises:
        ValueError: it calls what cannot be sent.
        Exception: whatever the network raises, and torch where the calls depend on values of the input.
    """
    names = list(x) if isinstance(x, Mapping) else ["x"]
    parts = tuple(x.values()) if isinstance(x, Mapping) else (x,)

    def run(*parts: Tensor) -> Any:
        return network(**dict(zip(names, parts, strict=True))) if isinstance(x, Mapping) else network(*parts)

    with torch.no_grad():
        traced = make_fx(run, pre_dispatch=True)(*parts)
    places: dict[Node, int] = {}
    weights: dict[str, Tensor] = {}
    steps = []
    left = iter(names)
    for node in traced.graph.nodes:
        own = ["input", next(left)] if node.op == "placeholder" else _step(node, places, traced, weights)
        steps.append(own)
        places[node] = len(places)
    return safetensors.torch.save(weights, {"steps": json.dumps(steps)})


def from_bytes(data: bytes, device: torch.device) -> nn.Module:
    """Make a network again. It runs as fast as eager modules do, or slightly faster.

    Args:
        data: what `to_bytes` made.
        device: where the network is to be.

    Raises:
        ValueError: the data is not what `to_bytes` makes.
    """
    try:
        weights = safetensors.torch.load(data)
        steps = json.loads(_metadata(data)["steps"])
        root, graph, nodes = nn.Module(), Graph(), list[Node]()
        for name, tensor in weights.items():
            root.register_buffer(name, tensor.to(device))
        for step in steps:
            nodes.append(_node(step, graph, nodes, device))
        return GraphModule(root, graph)
    except (safetensors.SafetensorError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"this is not a network as evonas sends it: {error}") from error


def _metadata(data: bytes) -> Mapping[str, str]:
    """The head of a safetensors file is its length in 8 bytes, then a JSON object."""
    (length,) = struct.unpack_from("<Q", data)
    found: Mapping[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
    return found


def _step(node: Node, places: Mapping[Node, int], traced: GraphModule, weights: dict[str, Tensor]) -> list[Value]:
    match node.op:
        case "get_attr":
            name = f"w{len(weights)}"
            weights[name] = getattr(traced, str(node.target)).detach().clone().contiguous()
            return ["weight", name]
        case "call_function":
            try:
                named = {key: _packed(value, places) for key, value in node.kwargs.items()}
                return ["call", _name(node.target), _packed(node.args, places), named]
            except ValueError as error:
                raise ValueError(f"the call of {node.target} cannot be sent: {error}") from None
        case "output":
            return ["output", _packed(node.args[0], places)]
    raise ValueError(f"{node.op} {node.target} cannot be sent")


def _node(step: Sequence[Value], graph: Graph, nodes: Sequence[Node], device: torch.device) -> Any:
    """Names and values become Python that torch.fx compiles: the values as literals, the names as they are."""
    match step:
        case ["input", str(name)] if name.isidentifier() and not iskeyword(name):
            return graph.placeholder(name)
        case ["weight", str(name)] if name.isidentifier():
            return graph.get_attr(name)
        case ["call", str(name), list(args), dict(named)] if all(key.isidentifier() for key in named):
            found = {key: _unpacked(value, nodes, device) for key, value in named.items()}
            made = graph.call_function(_operator(name), tuple(_unpacked(args, nodes, device)), found)
            return graph.call_function(torch.ops.aten.zero_.default, (made,)) if "empty" in name else made
        case ["output", value]:
            return graph.output(_unpacked(value, nodes, device))
    raise ValueError(f"no step {step!r}")


def _packed(value: Any, places: Mapping[Node, int]) -> Value:
    match value:
        case Node():
            return {"step": places[value]}
        case torch.device():
            return {"device": True}
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_packed(item, places) for item in value]
    if isinstance(value, ENUMS):
        return {"torch": str(value).removeprefix("torch.")}
    raise ValueError(f"it has an argument of type {type(value).__name__}")


def _unpacked(value: Value, nodes: Sequence[Node], device: torch.device) -> Any:
    match value:
        case {"step": int(place)}:
            return nodes[place]
        case {"device": True}:
            return device
        case {"torch": str(name)} if isinstance(getattr(torch, name, None), ENUMS):
            return getattr(torch, name)
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_unpacked(item, nodes, device) for item in value]
    raise ValueError(f"no argument {value!r}")


def _name(target: Any) -> str:
    if target is getitem:
        return "getitem"
    name = str(target).removeprefix("aten.")
    if not isinstance(target, OpOverload) or _operator(name) is not target:
        raise ValueError("it is no operator of aten")
    return name


def _operator(name: str) -> Callable[..., Any]:
    if name == "getitem":
        return getitem
    packet, _, overload = name.partition(".")
    found = getattr(getattr(torch.ops.aten, packet, None), overload, None)
    if not isinstance(found, OpOverload) or not _harmless(packet, found):
        raise ValueError(f"the operator {name} is not one that a server runs for others")
    return found


def _harmless(packet: str, operator: OpOverload) -> bool:
    schema = operator._schema
    results = [str(result.type) for result in schema.returns]
    files = any("file" in argument.name for argument in schema.arguments)
    private = (packet[0] == "_" and packet not in FUSED) or packet in WITHOUT_VALUES
    return bool(results) and all("Tensor" in r for r in results) and not files and not private
