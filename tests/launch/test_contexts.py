"""Contexts of kubectl that are not there, and Kubernetes that does not answer: with a real kubectl and no cluster."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from evonas.cli import main
from evonas.launch.state import change, read
from tests.launch.namespaces import Namespaces, namespaces  # noqa: F401 - a fixture
from tests.launch.stand_ins import user  # noqa: F401 - a fixture

REAL = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
UP = ["up", "--image", "me/evonas:9", "--yes"]
LINES = pytest.mark.parametrize("words", [["status"], ["down", "--yes"], UP], ids=["status", "down", "up"])
EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false", "interactiveMode": "Never"}


def kubeconfig(
    folder: Path, *contexts: str, current: str = "", server: str = "https://127.0.0.1:1", own: object = None
) -> None:
    """kubectl's own file, of contexts that all have one server and one user."""
    each = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in contexts]
    said = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "x"} if own is None else own}],
        "contexts": each,
        "current-context": current,
    }
    file = folder / "home/.kube/config"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(said))


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line by which a line is refused."""
    assert main(["cluster", words[0], "kubernetes", *words[1:]]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("evonas: ")


@pytest.fixture
def started(user: Path) -> Path:  # noqa: F811
    """A user whose cluster was started in the context `mine`."""
    place = {"context": "mine", "namespace": "default"}
    change(user / "cluster-kubernetes", given=place, owns=("mine/default",), started=True, cloud="kubernetes")
    return user


@REAL
@LINES
def test_a_context_that_is_gone_is_said_with_those_that_are_there(
    words: list[str], started: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig(started, "theirs", "new", current="new")
    expected = "the cluster was started in context mine, and kubectl has none of that name (renamed, removed?); "
    assert said(capsys, *words) == f"{expected}there are: new, theirs: --context NAME"
    kubeconfig(started)
    assert said(capsys, *words) == f"{expected}it has none at all (KUBECONFIG, else ~/.kube/config): --context NAME"


@REAL
def test_a_context_that_is_given_or_set_and_not_there_is_said(
    user: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    kubeconfig(user, "new", current="old")
    none = "and kubectl has none of that name (renamed, removed?); there are: new: --context NAME"
    assert said(capsys, "status") == f"kubectl is set to context old, {none}"
    assert said(capsys, "down", "--context", "nwe") == f"--context nwe, {none}"


@REAL
@LINES
def test_a_kubeconfig_that_is_damaged_or_not_there_is_said(
    words: list[str],
    user: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = user / "k.yaml"
    monkeypatch.setenv("KUBECONFIG", str(file))
    line = said(capsys, *words)
    assert ("kubectl knows no cluster" if words is UP else "kubectl has no context (KUBECONFIG, else ") in line
    for text in ("contexts: [", "only text"):
        file.write_text(text)
        line = said(capsys, *words)
        assert line.startswith(f"kubectl cannot read {file} (")
        assert line.endswith("): mend it, or KUBECONFIG=FILE of another")


@REAL
@LINES
def test_a_kubernetes_that_does_not_answer_is_said(
    words: list[str], started: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig(started, "mine", "other")
    line = said(capsys, *words)
    assert line.startswith("context mine of kubectl: its Kubernetes does not answer (The connection to the server 127.")
    assert line.endswith("): see that it runs and that this machine reaches it, or --context NAME of other")


@REAL
@pytest.mark.parametrize("own", [{"token": "old"}, {"exec": EXEC}, {}], ids=["expired", "program", "none"])
def test_credentials_that_are_not_taken_are_said(
    own: object, started: Path, unauthorized: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig(started, "mine", server=unauthorized, own=own)
    for words in (["status"], UP):
        line = said(capsys, *words)
        assert line.startswith("context mine of kubectl: its credentials have expired or are not taken (")
        assert line.endswith("): log in again (as by `gcloud auth login`, `aws sso login`), or --context NAME")


@pytest.fixture
def unauthorized() -> Iterator[str]:
    """A server that takes nobody, as Kubernetes says it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized", "code": 401}'
            self.send_response(401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_cluster_is_the_same_where_its_context_was_renamed(
    namespaces: Namespaces,  # noqa: F811
    user: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It goes on and goes under the new name; another Kubernetes is not taken for it."""
    up = ["cluster", "up", "kubernetes", *UP[1:]]
    (user / "server").write_text("https://one")
    assert main(up) == 0
    namespaces.set("a", "new", "new")
    (user / "objects/ctx").rename(user / "objects/new")
    (user / "server").write_text("https://two")
    assert main([*up, "--context", "new"]) == 2
    assert "has a cluster in namespace a of ctx" in capsys.readouterr().err
    (user / "server").write_text("https://one")
    assert main([*up, "--context", "new"]) == 0
    capsys.readouterr()
    assert main(["cluster", "down", "kubernetes", "--yes"]) == 0
    assert "nothing is left in namespace a of new" in capsys.readouterr().out
    assert read(user / "cluster-kubernetes").owns == ()


@pytest.mark.parametrize("lost", [(), ("state.json",)], ids=["state", "no-state"])
def test_a_context_that_means_another_kubernetes_now_is_not_looked_in(
    lost: tuple[str, ...],
    namespaces: Namespaces,  # noqa: F811
    user: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As after two `kubectl config rename-context`: what was started runs on under another name."""
    up = ["cluster", "up", "kubernetes", *UP[1:]]
    (user / "server-ctx").write_text("https://one")
    assert main(up) == 0
    capsys.readouterr()
    for name in lost:
        (user / "cluster-kubernetes" / name).unlink()
    namespaces.set("a", "ctx", "ctx\nnew")
    (user / "server-ctx").replace(user / "server-new")
    (user / "server-ctx").write_text("https://two\n")
    (user / "objects/ctx").rename(user / "objects/new")
    expected = (
        "context ctx of kubectl is another Kubernetes now (https://two) than the cluster was started in (https://one); "
    )
    there = namespaces.objects()
    for words in (["status"], ["down", "--yes"], ["down", "--dry-run"], UP, [*UP, "--dry-run"]):
        assert said(capsys, *words) == f"{expected}that one is new now: --context new"
    assert namespaces.objects() == there
    assert main(["cluster", "down", "kubernetes", "--context", "new", "--yes"]) == 0
    assert capsys.readouterr().out.count("of ctx") == 0
    assert namespaces.objects() == []
    # Nothing is left of what was started there, which the launch file alone does not know.
    assert [main(["cluster", words[0], "kubernetes", *words[1:]]) for words in (["status"], UP)] == [len(lost) * 2] * 2


def test_a_kubernetes_that_has_another_address_is_meant_where_its_context_is_given(
    namespaces: Namespaces,  # noqa: F811
    user: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """But what runs there is this user's by its token alone, for it may be another all the same."""
    up = ["cluster", "up", "kubernetes", *UP[1:], "--context", "ctx"]
    (user / "server").write_text("https://one")
    assert main(up) == 0
    (user / "server").write_text("https://two")
    assert said(capsys, "status").endswith(
        "; there are: ctx: --context NAME, ctx as well if its address alone has changed"
    )
    assert main(["cluster", "status", "kubernetes", "--context", "ctx"]) == 0
    assert main(up) == 0
    assert main(["cluster", "status", "kubernetes"]) == 0
    (user / "server").write_text("https://three")
    (user / "objects/ctx/a/secret_evonas-auth").write_text("b3RoZXI=\n")
    assert main(["cluster", "down", "kubernetes", "--context", "ctx", "--yes"]) == 2
    assert "ctx/a/raycluster_evonas" in namespaces.objects()


def test_a_cluster_that_goes_under_its_contexts_new_name_is_forgotten_by_the_old_one(
    namespaces: Namespaces,  # noqa: F811
    user: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    (user / "server").write_text("https://one")
    assert main(["cluster", "up", "kubernetes", *UP[1:]]) == 0
    namespaces.set("a", "new", "new\nother")
    (user / "objects/ctx").rename(user / "objects/new")
    assert main(["cluster", "down", "kubernetes", "--context", "new", "--yes"]) == 0
    assert "does not say where a cluster was started" not in capsys.readouterr().out
    for action in ("status", "down"):
        assert main(["cluster", action, "kubernetes"]) == 0
    assert main(["cluster", "up", "kubernetes", *UP[1:]]) == 0
