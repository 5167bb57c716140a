"""What travels between a search, a measuring server and the process that measures: data only, of known length.

A message is a header, a JSON head and the files that the head gives the lengths of. Between processes of one machine
each goes in a frame, behind its length.
"""

import json
import math
import socket
import struct
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, PositiveInt

from evonas.config import Section, TargetConfig
from evonas.errors import UserError
from evonas.inputs import from_plain, to_plain
from evonas.loading import validated
from evonas.measuring.benchmark import PROTOCOL
from evonas.records import Inputs, InputSpec

MAGIC = b"evonas\r\n"
HEADER = struct.Struct("!8sI")
LENGTH = struct.Struct("!Q")
LONGEST_HEAD = 2**16
MOST_INPUTS, MOST_NUMBERS = 16, 2**28
"""Tensors that a network takes in, and numbers in all of them with the batch: 1 GiB of float32."""
ELSEWHERE = {"address", "resource", "token_env", "timeout_s", "max_remeasurements"}
"""What of a target's config is no business of the machine that measures."""


class RequestHead(Section):
    """seconds: how long the network may take; a third of it is the longest silence. lengths: of the files, in bytes."""

    protocol: int
    target: str = Field(max_length=200)
    config: TargetConfig
    inputs: dict[str, Any]
    wanted: tuple[Literal["memory_mb", "energy_mj"], ...]
    seconds: float = Field(gt=0)
    rival_ms: float | None = Field(gt=0)
    lengths: tuple[PositiveInt, ...] = Field(min_length=2, max_length=3)


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """A network to be measured. network, reference, baseline: files as `export.to_file` makes them for the backend.

    rival_ms: what the baseline is known to take; without it the network is measured beside the reference.
    """

    target: str
    config: TargetConfig
    inputs: Inputs
    wanted: Collection[str]
    seconds: float
    network: bytes
    reference: bytes
    baseline: bytes = b""
    rival_ms: float | None = None


def pack(order: MeasureRequest) -> bytes:
    files = [order.network, order.reference, *([order.baseline] if order.rival_ms else [])]
    head = {
        "protocol": PROTOCOL,
        "target": order.target,
        "config": order.config.model_dump(mode="json", exclude=ELSEWHERE),
        "inputs": to_plain(order.inputs),
        "wanted": sorted(order.wanted),
        "seconds": order.seconds,
        "rival_ms": order.rival_ms,
        "lengths": [len(file) for file in files],
    }
    text = json.dumps(head).encode()
    return b"".join([HEADER.pack(MAGIC, len(text)), text, *files])


def head_of(message: bytes) -> RequestHead:
    """Raises UserError, of one line, where it is no whole and valid message."""
    size, data = _head(message)
    if data.get("protocol") != PROTOCOL:
        raise UserError(f"it measures by protocol {PROTOCOL}, not {data.get('protocol')}; give both the same evonas")
    head = validated(RequestHead, data, "order")
    _check_inputs(head)
    if size + sum(head.lengths) != len(message):
        raise UserError(f"an order of {size + sum(head.lengths):,} bytes came as {len(message):,}")
    if len(head.lengths) != 2 + (head.rival_ms is not None):
        raise UserError("order: rival_ms takes a third file, and a third file takes rival_ms")
    return head


def unpack(message: bytes) -> MeasureRequest:
    """Raises UserError as `head_of` does."""
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
        head.rival_ms,
    )


def _head(message: bytes) -> tuple[int, dict[str, Any]]:
    """What comes before the files: its length and content."""
    magic, length = HEADER.unpack_from(message) if len(message) >= HEADER.size else (b"", 0)
    size = HEADER.size + length
    if magic != MAGIC or length > LONGEST_HEAD or size > len(message):
        raise UserError("this is not an order to measure a network, or not a whole one")
    try:
        data = json.loads(message[HEADER.size : size])
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise UserError("the head of this order is not a JSON object")
    return size, data


def _check_inputs(head: RequestHead) -> None:
    try:
        inputs = from_plain(head.inputs)
    except ValueError as error:
        raise UserError(f"order: inputs: {str(error)[:200]}") from None
    specs = [inputs] if isinstance(inputs, InputSpec) else list(inputs.values())
    numbers = head.config.batch * sum(math.prod(spec.shape) for spec in specs)
    if len(specs) > MOST_INPUTS or numbers > MOST_NUMBERS:
        raise UserError(f"order: inputs: at most {MOST_INPUTS}, with {MOST_NUMBERS:,} numbers in a batch of them")


def checked_token(token: str, what: str) -> str:
    """Raises UserError where it cannot be sent in a header of HTTP."""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(f"{what} must be a word of printable ASCII characters, and is {'not' if token else 'empty'}")
    return token


def send(channel: socket.socket, content: bytes, until: float = math.inf) -> None:
    """In a frame. until: as of `time.monotonic`; TimeoutError after it."""
    for part in (LENGTH.pack(len(content)), content):
        channel.settimeout(_rest(until))
        channel.sendall(part)


def receive(channel: socket.socket, until: float = math.inf) -> bytes | None:
    """The content of a frame; None where the other side has ended.

    until: as of `time.monotonic`; TimeoutError after it.
    """
    header = _exactly(channel, LENGTH.size, until)
    return None if header is None else _exactly(channel, LENGTH.unpack(header)[0], until)


def _exactly(channel: socket.socket, count: int, until: float) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        channel.settimeout(_rest(until))
        try:
            part = channel.recv(min(count - len(parts), 2**20))
        except ConnectionError:
            return None
        if not part:
            return None
        parts += part
    return bytes(parts)


def _rest(until: float) -> float | None:
    return None if math.isinf(until) else max(1e-3, until - time.monotonic())
