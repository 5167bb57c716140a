"""The job API of a Ray cluster, over HTTP and without Ray: who may use it, and the few calls that a submission needs.

Requests go directly to the address, whatever proxies the environment names, and follow no redirection, so that a token
reaches nobody else. It is sent only where one is asked for.
"""

import ipaddress
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from evonas.errors import UserError
from evonas.submit.access import NOTHING, Access
from evonas.text import one_line

CONNECT_S = 5.0
FIRST_S = 15.0
"""Longest wait for the first answer of a cluster that took the connection."""
ANSWER_S = 60.0
MOST_BYTES = 2**28
"""Of an answer."""
SERVED = "a head serves it at port 8265, with pip install 'ray[default]'"
TOKEN, TOKEN_PATH, TOKEN_FILE = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token"
"""Where Ray looks for a token, in this order."""
OTHER_HEADER = "X-Ray-Authorization"
"""Where a head looks for it, too: the usual one may be a proxy's."""
REDIRECTIONS = {301, 302, 303, 307, 308}
PROXY = "what it asks for by --header NAME=env:VARIABLE"


@dataclass(frozen=True, slots=True)
class Address:
    """http://HOST:PORT or https://HOST:PORT, with the path below which a proxy serves the job API."""

    url: str
    scheme: str
    host: str
    port: int | None
    path: str

    def __str__(self) -> str:
        return self.url

    @property
    def is_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True)
class RayJob:
    """status: PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED. code: exit status of its process, None where that is not
    known; negative: minus the signal that ended it. node: where it runs; empty where that is not known."""

    name: str
    status: str
    message: str
    code: int | None
    metadata: Mapping[str, str]
    node: str = ""

    @property
    def ended(self) -> bool:
        return self.status in {"STOPPED", "SUCCEEDED", "FAILED"}

    @property
    def exit_status(self) -> int:
        """Of an ended one, as the shell of a local run would have it. Ray stops a job by SIGTERM."""
        if self.status != "FAILED":
            return 143 if self.status == "STOPPED" else 0
        code = self.code or 1
        return code if code > 0 else 128 - code


class RayJobs:
    """The jobs of a cluster. Every method raises ConnectionError, with one line, where the cluster does not do it."""

    def __init__(self, address: Address, token: str = "", access: Access = NOTHING, guarded: bool = False) -> None:
        self.address, self.access = address, access
        self.has_token = bool(token)
        self.is_guarded = guarded
        """Whether somebody without the headers of `access` is turned away."""
        header = OTHER_HEADER if access.has_authorization else "Authorization"
        self._headers = {**access.sent, **({header: f"Bearer {token}"} if token else {})}

    def refusal(self) -> int:
        """The status with which a request for the jobs is refused; 0: it is not."""
        status, body = self._ask("GET", "/api/jobs/", silence=FIRST_S)
        return 0 if status == 200 and isinstance(_data(body), list) else status if status != 200 else 404

    def all(self) -> list[RayJob]:
        """Those that were submitted, and not the drivers that connected by themselves."""
        return [_job(found) for found in self._get("/api/jobs/") if found.get("submission_id")]

    def get(self, name: str) -> RayJob:
        return _job(self._get(f"/api/jobs/{quote(name)}"))

    def output(self, name: str) -> str:
        """All that its process has printed, behind what Ray says of it."""
        return str(self._get(f"/api/jobs/{quote(name)}/logs")["logs"])

    def tail(self, job: RayJob, lines: int) -> str:
        """The last lines of that, with the line ends that `output` has; nothing where the cluster does not give them
        alone."""
        file = f"submission_id={quote(job.name)}&node_id={quote(job.node)}&lines={lines}"
        status, body = self._ask("GET", f"/api/v0/logs/file?{file}")
        text = body.decode(errors="ignore") if status == 200 else ""  # its end may be half a character
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def upload(self, package: str, data: bytes) -> None:
        """A zip file as gcs://PACKAGE; nothing happens where there is one of that name."""
        path = f"/api/packages/gcs/{quote(package)}"
        status, _ = self._ask("GET", path)  # this keeps one that is there from being cleaned away, too
        if status == 404:
            status, body = self._ask("PUT", path, data)
            self._expect(status, body)

    def submit(self, name: str, entrypoint: str, package: str, metadata: Mapping[str, str]) -> bool:
        """False: there is a job of that name."""
        order = {
            "submission_id": name,
            "entrypoint": entrypoint,
            "entrypoint_num_cpus": 0,
            "runtime_env": {"working_dir": f"gcs://{package}"},
            "metadata": dict(metadata),
        }
        status, body = self._ask("POST", "/api/jobs/", json.dumps(order).encode(), {"Content-Type": "application/json"})
        if status != 200 and b"already exists" in body:
            return False
        self._expect(status, body)
        return True

    def stop(self, name: str) -> None:
        self._expect(*self._ask("POST", f"/api/jobs/{name}/stop"))

    def _get(self, path: str) -> Any:
        status, body = self._ask("GET", path)
        self._expect(status, body)
        if (found := _data(body)) is None:
            raise ConnectionError(f"{self.address} answers with something that is not JSON")
        return found

    def _expect(self, status: int, body: bytes) -> None:
        if status != 200:
            said = body.decode(errors="replace").strip().splitlines()[-1:]  # Ray ends its tracebacks with the reason
            raise ConnectionError(one_line(": ".join([f"{self.address} answers with status {status}", *said])))

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        silence: float = ANSWER_S,
    ) -> tuple[int, bytes]:
        """Status and content of the answer. silence: longest without a word from the cluster."""
        connection = self._connection()
        seconds = CONNECT_S
        try:
            connection.connect()
            seconds = silence
            connection.sock.settimeout(silence)
            connection.request(method, self.address.path + path, body, {**self._headers, **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read(MOST_BYTES)
        except ssl.SSLCertVerificationError as error:
            cure = "give the authority that signed it, if you trust it, by --cacert FILE"
            said = f"its certificate cannot be trusted: {error.verify_message}; {cure}"
            raise ConnectionError(one_line(f"{self.address} does not answer: {said}")) from None
        except TimeoutError:
            raise ConnectionError(f"{self.address} does not answer within {seconds:g} s") from None
        except (OSError, HTTPException) as error:
            why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            raise ConnectionError(one_line(f"{self.address} does not answer: {why}")) from None
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        host, port = self.address.host, self.address.port
        if self.address.scheme == "https":
            return HTTPSConnection(host, port or 443, timeout=CONNECT_S, context=self.access.context())
        return HTTPConnection(host, port or 80, timeout=CONNECT_S)


def parse(address: str) -> Address:
    """Raises UserError where it is no http://HOST:PORT."""
    wrong = UserError("--address takes http://HOST:PORT of the cluster's dashboard, such as http://127.0.0.1:8265")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise wrong from None
    plain = address.isascii() and address.isprintable() and " " not in address
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise wrong
    if parts.username is not None or parts.query or parts.fragment:
        raise UserError(f"--address takes no user, password, ? or #; a token is read from ${TOKEN} or {TOKEN_FILE}")
    return Address(address.rstrip("/"), parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


def is_open(address: str, access: Access = NOTHING) -> bool:
    """Whether the cluster takes jobs from anybody who can reach it, and gives what a proxy before it asks for.

    Raises:
        UserError: the address is none, or no job API of Ray is there.
    """
    where = parse(address)
    if access.cacert and where.scheme != "https":
        raise UserError(f"--cacert: {where} is not encrypted and has no certificate; give https://")
    refused = _refusal(RayJobs(where, access=access))
    if refused in REDIRECTIONS:
        cure = f"give {PROXY}"
        raise UserError(
            f"--address: {where} sends us elsewhere (status {refused}), as a proxy with a login does; {cure}"
        )
    if refused not in {0, 401, 403}:
        raise UserError(f"--address: {where} is no job API of Ray (it answers with status {refused}); {SERVED}")
    return not refused


def connect(address: str, access: Access = NOTHING) -> RayJobs:
    """The jobs of the cluster, with the token that it asks for.

    Args:
        address: http://HOST:PORT or https://...
        access: What a proxy before it asks for.

    Raises:
        UserError: nothing answers there, or it does not take the token.
    """
    where = parse(address)
    if is_open(address, access):
        guarded = bool(access.headers) and _refusal(RayJobs(where, access=Access(cacert=access.cacert))) != 0
        return RayJobs(where, access=access, guarded=guarded)
    token, source = find_token()
    if not token:
        theirs = "that of the cluster (`ray get-auth-token` on its head)"
        raise UserError(
            f"--address: {where} asks for a token and there is none; put {theirs} into ${TOKEN} or {TOKEN_FILE}; "
            f"where it is a proxy that asks, give {PROXY}"
        )
    jobs = RayJobs(where, token, access)
    if refused := _refusal(jobs):
        right = "`ray get-auth-token` on the cluster's head prints the right one"
        raise UserError(f"--address: {where} does not take the token in {source} (status {refused}); {right}")
    return jobs


def find_token() -> tuple[str, str]:
    """The token and where it is; two empty words where there is none.

    Raises:
        UserError: the file that RAY_AUTH_TOKEN_PATH names cannot be read, or what is there is no token.
    """
    named, default = os.environ.get(TOKEN_PATH, ""), Path(TOKEN_FILE).expanduser()
    try:
        if token := os.environ.get(TOKEN, "").strip():
            source = f"${TOKEN}"
        elif named:
            token, source = Path(named).read_text().strip(), f"${TOKEN_PATH}"
        else:
            token, source = (default.read_text().strip(), TOKEN_FILE) if default.exists() else ("", "")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"the token in {named or default} cannot be read: {reason}") from None
    if not token.isascii() or not all("!" <= c <= "~" for c in token):
        raise UserError(f"the token in {source} must be a word of printable ASCII characters")
    return token, source


def _refusal(jobs: RayJobs) -> int:
    try:
        return jobs.refusal()
    except ConnectionError as error:
        raise UserError(f"--address: {error}; {SERVED}") from None


def _job(found: Mapping[str, Any]) -> RayJob:
    message, code = found.get("message") or "", found.get("driver_exit_code")
    metadata, node = found.get("metadata") or {}, found.get("driver_node_id") or ""
    return RayJob(found["submission_id"], found["status"], message, code, metadata, node)


def _data(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
