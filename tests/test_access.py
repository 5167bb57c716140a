"""A cluster behind somebody else's door: a proxy with a certificate of its own authority, which asks for a header."""

import datetime
import ipaddress
import re
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from evonas.cli import main
from evonas.errors import UserError
from evonas.submit.access import access
from evonas.submit.ray_jobs import Address, connect
from tests.test_submission import CONFIG, TOKEN, Pretended, served

SECRET = "open-sesame-canary"


@dataclass
class Proxy(Pretended):
    """Answers for the cluster behind it to who sends the header, and with a login page to others."""

    header: str = "X-Api-Key"
    login: int = 302
    sent: list[dict[str, str]] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.sent.append(headers)
        if headers.get(self.header.lower()) != SECRET:
            return self.login, "log in, please"
        if self.header == "Authorization":  # it keeps its own to itself
            del request.headers["Authorization"]
            request.headers["Authorization"] = headers.get("x-ray-authorization", "")
        return super().answer(request, body)


def certificates(folder: Path) -> tuple[Path, Path]:
    """In PEM: that of an authority, and of 127.0.0.1 with its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)]) for name in ("authority", "proxy")]

    def signed(which: int, extension: Any) -> bytes:
        builder = x509.CertificateBuilder(
            names[0], names[which], keys[which].public_key(), 1 + which, now - day, now + day
        )
        made = builder.add_extension(extension, critical=True).sign(keys[0], hashes.SHA256())
        return bytes(made.public_bytes(serialization.Encoding.PEM))

    authority, proxy = folder / "authority.pem", folder / "proxy.pem"
    authority.write_bytes(signed(0, x509.BasicConstraints(ca=True, path_length=None)))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    key = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    proxy.write_bytes(signed(1, host) + key)
    return authority, proxy


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    authority, own = certificates(tmp_path)
    found = Proxy()
    server = served(found)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.url = found.url.replace("http://", "https://")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PASS", SECRET)
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    assert authority.name == "authority.pem"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def asked(proxy: Proxy, capsys: pytest.CaptureFixture[str]) -> Any:
    def ask(*words: str) -> tuple[int, str]:
        status = main(["submit", "config.yaml", "--address", proxy.url, "--run", "/runs/a", *words])
        said = "".join(capsys.readouterr())
        assert SECRET not in said
        assert TOKEN not in said
        return status, said

    return ask


CACERT = ("--cacert", "authority.pem")


@pytest.mark.parametrize("value", ["env:PASS", "@secret"])
def test_a_search_goes_through_with_header_and_certificate(proxy: Proxy, asked: Any, value: str) -> None:
    status, said = asked(*CACERT, "--header", f"X-Api-Key={value}")
    assert status == 0, said
    assert len(proxy.jobs) == 1
    assert f"--cacert authority.pem --header X-Api-Key={value} --follow" in said
    [stop] = [line for line in said.splitlines() if line.startswith("to stop it: ")]
    shown = subprocess.run(
        ["sh", "-c", stop.removeprefix("to stop it: ").replace("ray job", "printenv RAY_JOB_HEADERS; true")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == f'{{"X-Api-Key": "{SECRET}"}}\n'
    assert stop.endswith(f"--address {proxy.url} --verify authority.pem")


def test_what_is_missing_is_said_in_a_line(proxy: Proxy, asked: Any) -> None:
    for words, what in (
        (
            (),
            "its certificate cannot be trusted: .*; give the authority that signed it, .*, by --cacert FILE",
        ),
        (CACERT, r"sends us elsewhere \(status 302\), as a proxy with a login does; give what it asks for by --header"),
        ((*CACERT, "--header", "X-Api-Key=@config.yaml"), "--header X-Api-Key: its value must be one line"),
    ):
        status, said = asked(*words)
        assert (status, said.count("\n")) == (2, 1)
        assert re.search(what, said), said
    proxy.login = 401
    assert "where it is a proxy that asks, give what it asks for by --header NAME=env:VARIABLE" in asked(*CACERT)[1]
    assert not proxy.jobs
    assert not any(SECRET in str(headers) for headers in proxy.sent)


def test_a_proxy_that_takes_the_header_of_rays_token(proxy: Proxy, asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy.header, proxy.token = "Authorization", TOKEN
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    assert asked(*CACERT, "--header", "Authorization=env:PASS")[0] == 0
    assert len(proxy.jobs) == 1
    assert {headers["authorization"] for headers in proxy.sent if "authorization" in headers} == {SECRET}


def test_who_is_turned_away_without_the_header_needs_no_token(
    proxy: Proxy, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Address, "is_loopback", False)
    status, said = asked(*CACERT, "--header", "X-Api-Key=env:PASS")
    assert status == 0, said
    assert "asks for no token" not in said
    proxy.header = "Host"  # what everybody sends: the door is open
    monkeypatch.setenv("PASS", "something")
    monkeypatch.setattr(Proxy, "answer", Pretended.answer)
    assert "runs whatever anybody sends who reaches it" in asked(*CACERT, "--header", "X-Api-Key=env:PASS")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["X-Api-Key"], "--header takes NAME=env:VARIABLE, NAME=@FILE"),
        (["X Y=1"], "--header takes NAME=env:VARIABLE, NAME=@FILE"),
        (
            ["Authorization=Basic abc"],
            "Authorization: whoever is on this machine reads it in the list of processes; give",
        ),
        (["CF-Access-Client-Secret=abc"], "give --header CF-Access-Client-Secret=env:VARIABLE or"),
        (["X-Team=env:NO_SUCH"], "--header X-Team: there is no variable NO_SUCH; export it"),
        (["X-Team=@none"], "--header X-Team: none cannot be read: No such file"),
        (["X-Team=a\nb: c"], "--header X-Team: its value must be one line"),
        (["Host=elsewhere"], "--header Host: it is not yours to give"),
        (["X-Team=a", "x-team=b"], "--header x-team: it is given twice"),
    ],
)
def test_a_header_that_is_none_is_a_line(words: list[str], said: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        access(words)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_secret_may_be_written_down_and_that_is_said(proxy: Proxy, asked: Any) -> None:
    status, said = asked(*CACERT, "--header", "X-Api-Key=env:PASS", "--header", "X-Team=vision")
    assert status == 0
    assert "note: --header X-Team: whoever is on this machine reads it in the list of processes" in said
    assert {headers.get("x-team") for headers in proxy.sent if SECRET in headers.values()} == {"vision"}


def test_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    for name, why in (("none.pem", "No such file"), ("text.pem", "it has no certificate in PEM")):
        (tmp_path / "text.pem").write_text("hello")
        with pytest.raises(UserError, match=f"--cacert .*{name}: {why}"):
            access([], str(tmp_path / name))
    with pytest.raises(UserError, match=r"--cacert: http://h:1 is not encrypted and has no certificate; give https://"):
        connect("http://h:1", access([], str(certificates(tmp_path)[0])))


def test_a_value_is_shown_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASS", SECRET)
    assert SECRET not in repr(access(["X-Api-Key=env:PASS"]))
