"""Code and weights of a network as one file, which is also how it is run here."""

import ast
import base64
import re
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evonas.exporters.exporter import TOLERANCE, Array, Exporter, Labels, in_words, named
from evonas.exporters.python.code import Code, code
from evonas.exporters.python.tracing import of_layers, of_operators
from evonas.inputs import called, mapped
from evonas.measuring.backends.export import silent

INDENT = " " * 8
TEMPLATE = '''"""A network with its trained weights; it needs torch alone.

    from NAME_OF_THIS_FILE import load
    y = load()({arguments})

{takes}
"""

import base64

import torch
{imports}from torch import nn

METADATA = {{}}


class Network(nn.Module):
    def __init__(self):
        super().__init__()
{init}

    def forward(self, {arguments}):
{forward}


def load():
    """The network with its trained weights, in evaluation mode on the CPU."""
    network, data, start = Network().eval(), base64.b64decode(WEIGHTS), 0
    for tensor in network.state_dict().values():
        end = start + tensor.numel() * tensor.element_size()
        if end > start:
            values = torch.frombuffer(bytearray(data[start:end]), dtype=tensor.dtype)
            tensor.copy_(values.reshape(tensor.shape))
        start = end
    return network


WEIGHTS = """
{weights}
"""
'''
METADATA = re.compile(r"^METADATA = \{\}$", re.MULTILINE)
WEIGHTS = "(the weights)"


def write(network: nn.Module, x: Any) -> bytes:
    """As layers of torch's where its Python can be followed, else as operators. See `Exporter`."""
    failure: Exception = ValueError("the code computes something else than the network")
    with silent(), torch.random.fork_rng(devices=[]), torch.no_grad():
        for graph in (of_layers, of_operators):
            try:
                file = _file(code(graph(network, x)), x)
                if _is_same(file, network, x):
                    return file
            except Exception as error:
                failure = error
    raise failure


def _file(found: Code, x: Any) -> bytes:
    text = TEMPLATE.format(
        arguments=", ".join(found.arguments),
        takes=textwrap.fill(f"Takes {in_words(x)}, in a batch of any size N.", 100),
        imports="".join(f"{line}\n" for line in found.imports),
        init="\n".join(f"{INDENT}{line}" for line in found.init),
        forward="\n".join(f"{INDENT}{line}" for line in found.forward),
        weights=WEIGHTS,
    )
    space: dict[str, Any] = {}
    with torch.device("meta"):
        exec(text, space)
        order = list(space["Network"]().state_dict())
    data = b"".join(_raw(found.weights[name]) for name in order)
    lines = textwrap.wrap(base64.b64encode(data).decode(), 118)
    return text.replace(f"\n{WEIGHTS}\n", "\n" + "\n".join(lines) + "\n").encode()


def _raw(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def _is_same(file: bytes, network: nn.Module, x: Any) -> bool:
    found, expected = run(file, mapped(lambda part: part.numpy(), x)), called(network, x).numpy()
    largest = float(np.abs(expected).max()) or 1.0
    return found.shape == expected.shape and float(np.abs(found - expected).max()) <= TOLERANCE * largest


def run(file: bytes, x: Any) -> Array:
    """In this process. See `Exporter`."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        output: Array = loaded(file)(*(torch.from_numpy(part) for part in named(x).values())).numpy()
    return output


def loaded(file: bytes) -> nn.Module:
    """The network that a file of `write` is."""
    space: dict[str, Any] = {}
    exec(compile(file, "model.py", "exec"), space)
    network: nn.Module = space["load"]()
    return network


def put(file: bytes, labels: Mapping[str, str]) -> bytes:
    """As the dict METADATA. See `Labels`."""
    lines = "".join(f"    {key!r}: {value!r},\n" for key, value in labels.items())
    return METADATA.sub(lambda _: f"METADATA = {{\n{lines}}}", file.decode(), count=1).encode()


def get(file: bytes) -> dict[str, str]:
    """See `Labels`."""
    for node in ast.parse(file).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "METADATA":
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    return {}


PY = Exporter(write, run, "load() in {path}", Labels(put, get), backends=("torch", "torch.compile"), loaded=loaded)
