"""What travels between the processes of a worker: parent process <-> fork server <-> worker.

The fork server reads the kind of a frame and the numbers before its body, and passes the body on as it is.
"""

import struct
from enum import Enum

from evonas.ipc.framing import Channel, Frame

REQUEST = struct.Struct("!Qd")
"""Before a job, from parent process to fork server: its number, and its deadline in seconds."""
RESPONSE = struct.Struct("!QI")
"""Before what the fork server says of a job: its number, and how many processes it left behind."""


REPORT = struct.Struct("!cIQ")
"""Before what the parent process passes on of a job: the kind of the frame, how many processes the job left behind, and
the length of what it printed, which comes before the frame's own body."""


BEAT = struct.Struct("!dd")
"""A sign of life of a training: how long there may be no other, and how long an epoch took (s)."""


class FrameType(Enum):
    """The kinds of frames."""

    JOB = b"j"
    READY = b"r"
    """A worker can take jobs; with its `RunKind`."""
    ACCEPTED = b"t"
    """A job has come into its worker: what happens from now on happens under it."""
    BEAT = b"b"
    RUNG_REPORT = b"p"
    EVALUATION = b"e"
    """The final result of a job: an `Evaluation`, or a `Deferred`."""
    FINAL_AND_EXIT = b"s"
    """A final result after which its process must not work on."""
    WORKER_EXIT = b"d"
    PRINTED = b"o"
    """Before the end of a job: what it printed."""
    REFUSED = b"u"
    """The process could not start, in words for the user."""


WorkerChannel = Channel[FrameType]
WorkerFrame = Frame[FrameType]
