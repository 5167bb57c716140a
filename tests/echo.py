"""A child interpreter that sends back what it gets; a helper of `test_ipc.py`."""

import json
import os
import socket
import sys
from enum import Enum

from evonas.ipc.framing import Channel
from evonas.ipc.lifetime import die_with_parent


class Kind(Enum):
    WORD = b"w"
    ECHO = b"e"


def main(descriptor: str, parent: str) -> None:
    die_with_parent(int(parent))
    channel = Channel(socket.socket(fileno=int(descriptor)), Kind)
    channel.send(Kind.ECHO, json.dumps([os.getpid(), os.getsid(0), sys.path]).encode())
    while frame := channel.receive():
        channel.send(Kind.ECHO, frame[1])
