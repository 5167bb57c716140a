"""What travels between a search, a measuring server and the process that measures: data only, of known length.

A request is a header, a JSON head and the files that the head gives the lengths of. It comes to the server as the body
of an HTTP request, whose length HTTP says, and so through proxies and TLS; from the server to the process that measures
it goes on in a frame (`ipc/framing.py`).
"""

import json
import math
import struct
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from pydantic import Field, PositiveInt

from evonas.config import LONGEST_TIMEOUT_S, Section, TargetConfig
from evonas.config.messages import validated
from evonas.errors import UserError
from evonas.inputs import from_plain, to_plain
from evonas.ipc.framing import Channel
from evonas.measuring.benchmark import PROTOCOL
from evonas.measuring.plausibility import LONGEST_MS
from evonas.records import Inputs, InputSpec

MAGIC = b"evonas\r\n"
HEADER = struct.Struct("!8sI")
LONGEST_HEAD = 2**16
MOST_INPUTS, MOST_NUMBERS = 16, 2**28
"""Tensors that a network takes in, and numbers in all of them with the batch: 1 GiB of float32."""
ELSEWHERE = {"address", "resource", "token_env", "timeout_s", "max_remeasurements", "includes", "screen", "any_device"}
"""What of a target's config is no business of the machine that measures."""


class MeasureFrame(Enum):
    """The kinds of frames between a measuring server and its process."""

    REQUEST = b"q"
    WAITING = b"w"
    """The process waits for the device or for others: the time is not the network's."""
    WORKING = b"k"
    """The network has its turn: the time and a crash are its own."""
    RESPONSE = b"a"
    """JSON: a `MeasureResponse`."""


MeasureChannel = Channel[MeasureFrame]


class RequestHead(Section):
    """The JSON head of a request.

    seconds: how long the network may take; a third of it is the longest silence. lengths: of the files, in bytes.
    """

    protocol: int
    target: str = Field(max_length=200)
    config: TargetConfig
    inputs: dict[str, Any]
    wanted: tuple[Literal["memory_mb", "energy_mj"], ...]
    seconds: float = Field(gt=0, le=LONGEST_TIMEOUT_S)
    baseline_ms: float | None = Field(gt=0, le=LONGEST_MS)
    lengths: tuple[PositiveInt, ...] = Field(min_length=2, max_length=3)


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """A network to be measured.

    Attributes:
        target: The target's name in the search.
        config: The target's config.
        input_shape: The shape of one example.
        wanted: Those of memory_mb, energy_mj that are to be found out besides the latency.
        seconds: How long the network may take.
        network: The network's file, as `export.to_file` makes it for the backend; likewise the other two.
        reference: The reference network's file.
        baseline: The file of a network to measure against instead of the reference, empty for none.
        baseline_ms: What the baseline is known to take; None for none.
    """

    target: str
    config: TargetConfig
    inputs: Inputs
    wanted: Collection[str]
    seconds: float
    network: bytes
    reference: bytes
    baseline: bytes = b""
    baseline_ms: float | None = None


def pack(request: MeasureRequest) -> bytes:
    """Returns a request as bytes, which `unpack` reads."""
    files = [request.network, request.reference, *([request.baseline] if request.baseline_ms else [])]
    head = {
        "protocol": PROTOCOL,
        "target": request.target,
        "config": request.config.model_dump(mode="json", exclude=ELSEWHERE),
        "inputs": to_plain(request.inputs),
        "wanted": sorted(request.wanted),
        "seconds": request.seconds,
        "baseline_ms": request.baseline_ms,
        "lengths": [len(file) for file in files],
    }
    text = json.dumps(head).encode()
    return b"".join([HEADER.pack(MAGIC, len(text)), text, *files])


def head_of(message: bytes) -> RequestHead:
    """Returns the head of a packed request.

    Raises:
        UserError: It is no whole and valid request; one line.
    """
    size, data = _head(message)
    if data.get("protocol") != PROTOCOL:
        raise UserError(f"it measures by protocol {PROTOCOL}, not {data.get('protocol')}; give both the same evonas")
    head = validated(RequestHead, data, "request")
    _check_inputs(head)
    if size + sum(head.lengths) != len(message):
        raise UserError(f"a request of {size + sum(head.lengths):,} bytes came as {len(message):,}")
    if len(head.lengths) != 2 + (head.baseline_ms is not None):
        raise UserError("request: baseline_ms takes a third file, and a third file takes baseline_ms")
    return head


def unpack(message: bytes) -> MeasureRequest:
    """Returns the request that `pack` made the bytes of.

    Raises:
        UserError: As of `head_of`.
    """
    head = head_of(message)
    at = len(message) - sum(head.lengths)
    files = []
    for length in head.lengths:
        files.append(message[at : at + length])
        at += length
    network, reference, baseline = (*files, b"")[:3]
    return MeasureRequest(
        head.target,
        head.config,
        from_plain(head.inputs),
        head.wanted,
        head.seconds,
        network,
        reference,
        baseline,
        head.baseline_ms,
    )


def checked_token(token: str, what: str) -> str:
    """Returns a token that can be sent in a header of HTTP.

    Args:
        token: The token.
        what: What it is, for the error.

    Raises:
        UserError: It cannot be sent.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(f"{what} must be a word of printable ASCII characters, and is {'not' if token else 'empty'}")
    return token


def _head(message: bytes) -> tuple[int, dict[str, Any]]:
    """What comes before the files: its length and content."""
    magic, length = HEADER.unpack_from(message) if len(message) >= HEADER.size else (b"", 0)
    size = HEADER.size + length
    if magic != MAGIC or length > LONGEST_HEAD or size > len(message):
        raise UserError("this is not a request to measure a network, or not a whole one")
    try:
        data = json.loads(message[HEADER.size : size])
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise UserError("the head of this request is not a JSON object")
    return size, data


def _check_inputs(head: RequestHead) -> None:
    try:
        inputs = from_plain(head.inputs)
    except ValueError as error:
        raise UserError(f"request: inputs: {str(error)[:200]}") from None
    specs = [inputs] if isinstance(inputs, InputSpec) else list(inputs.values())
    numbers = head.config.batch * sum(math.prod(spec.shape) for spec in specs)
    if len(specs) > MOST_INPUTS or numbers > MOST_NUMBERS:
        raise UserError(f"request: inputs: at most {MOST_INPUTS}, with {MOST_NUMBERS:,} numbers in a batch of them")
