"""Whether the head of a Ray cluster would take this process, before or after Ray itself has tried for half a minute."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import ray
from ray._private import services

from evonas.errors import UserError
from evonas.text import one_line

ASK_S = 15.0
CONNECT_S = 5.0
TOKEN_REMEDY = "set RAY_AUTH_MODE=token and the cluster's token in RAY_AUTH_TOKEN or ~/.ray/auth_token"
VERSION_REMEDY = "Ray wants the same of both everywhere: install the cluster's here"
TOKEN_VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
_ASK = """
import gc, json, sys
gc.disable()
from ray._common.usage.usage_lib import get_cluster_metadata
from ray._raylet import GcsClient
from ray.exceptions import AuthenticationError
try:
    found = get_cluster_metadata(GcsClient(address=sys.argv[1])) or {}
except AuthenticationError as error:
    print(json.dumps({"refused": str(error)}))
else:
    print(json.dumps({"ray": found.get("ray_version", ""), "python": found.get("python_version", "")}))
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a cluster's head answers to the connection of a process of its own.

    Attributes:
        taken: Whether it answered as to one of its own.
        refused: Its words, where it wants another token.
        tokenless: That there is no token here to send, in words, where the environment wants one sent.
        why: What went wrong otherwise, in one line.
        ray: The version of Ray that the cluster was started with.
        python: Likewise of Python.
    """

    taken: bool = False
    refused: str = ""
    tokenless: str = ""
    why: str = ""
    ray: str = ""
    python: str = ""


def ask(address: str, token: bool) -> Answer:
    """Connects to the head of a cluster.

    Args:
        address: HOST:PORT of the head.
        token: Whether to send the token that the environment names, or none.
    """
    try:
        check_reachable(address)
    except UserError as error:
        return Answer(why=str(error).removeprefix("runtime.address: "))
    if token and (tokenless := no_token()):  # Ray's process would end with a stack and no word of it
        return Answer(tokenless=tokenless)
    bare = {name: value for name, value in os.environ.items() if name not in TOKEN_VARIABLES}
    environment = dict(os.environ) if token else {**bare, "RAY_AUTH_MODE": "disabled"}
    command = [sys.executable, "-c", _ASK, address]
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ASK_S
        )
    except subprocess.TimeoutExpired:
        return Answer(why=f"no answer from {address} within {ASK_S:g} s")
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        said = done.stderr.partition("*** StackTrace")[0]
        why = (said.strip().splitlines() or ["it gave no answer"])[-1]
        return Answer(why=one_line(f"no Ray cluster at {address!r}: {why}"))
    return Answer(taken="refused" not in found, **found)


def no_token() -> str:
    """That Ray is to send a token and finds none where it looks, in words; empty where that is not so."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token" or os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return ""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    file = Path(named) if named else Path.home() / ".ray" / "auth_token"
    try:
        if file.read_text().strip():
            return ""
        of_file = "is empty"
    except (OSError, ValueError) as error:
        of_file = f"cannot be read ({getattr(error, 'strerror', None) or error})"
    unset = "empty" if "RAY_AUTH_TOKEN" in os.environ else "not set"
    return f"RAY_AUTH_MODE is token and there is none here: RAY_AUTH_TOKEN is {unset}, and {file} {of_file}"


def check_reachable(address: str) -> None:
    """Checks that something answers, since Ray itself tries an address for minutes before it gives up.

    Args:
        address: HOST:PORT, also with ray:// before it.

    Raises:
        UserError: Nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"runtime.address: {address!r} is not HOST:PORT of a cluster's head, as 192.168.1.10:6379")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise UserError(f"runtime.address: no Ray cluster at {address!r} (HOST:PORT of its head): {error}") from None


def head_of(address: str) -> str:
    """Returns HOST:PORT of the head of the cluster that Ray would join.

    Raises:
        UserError: For "auto": there is none on this machine.
    """
    if address != "auto":
        return address
    try:
        found: str = services.canonicalize_bootstrap_address_or_die("auto")
    except (ConnectionError, ValueError) as error:
        raise UserError(one_line(str(error))) from None
    return found


def versions() -> tuple[str, str]:
    """Returns the versions of Ray and of Python, here."""
    return ray.__version__, ".".join(map(str, sys.version_info[:3]))


def refusal(head: str, answer: Answer, ours: tuple[str, str]) -> tuple[str, str] | None:
    """Why a cluster does not take this process.

    Args:
        head: HOST:PORT.
        answer: What it has answered.
        ours: The versions of Ray and Python here.

    Returns:
        What is wrong, and what to do about it; None where nothing is.
    """
    if answer.refused:
        return f"{head} refuses our token, or wants one", TOKEN_REMEDY
    if answer.tokenless:
        return answer.tokenless, TOKEN_REMEDY
    if answer.why:
        return answer.why, "start it (ray start --head), or correct the address: HOST:PORT of its head"
    theirs = (answer.ray or ours[0], answer.python or ours[1])
    if theirs != ours:
        text = "the cluster has Ray {} and Python {}, here are {} and {}".format(*theirs, *ours)
        return text, VERSION_REMEDY
    return None


def why_not(address: str, error: Exception) -> str:
    """What kept Ray from joining a cluster, in one line, with what to do about it.

    Args:
        address: Of the config: HOST:PORT, "auto", "local" or ray://.
        error: What Ray raised.
    """
    words = f"no Ray cluster at {address!r}: {' '.join(str(error).split())}"
    if address == "local" or "://" in address:
        return words
    try:
        head = head_of(address)
    except UserError:
        return words
    wrong = refusal(head, ask(head, token=True), versions())
    return "; ".join(wrong) if wrong else words
