"""Whose a cluster is, on Kubernetes and Google Cloud."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
import yaml

from evonas.cli import main
from evonas.errors import UserError
from evonas.launch.down import down
from evonas.launch.order import Order
from evonas.launch.ray_launcher.gcloud import make
from evonas.launch.ray_launcher.google import Google
from evonas.launch.state import State, change
from evonas.launch.tokens import token
from tests.clouds.test_google import PROJECT, ZONE, Cloud, _named
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import GCLOUD, KUBECTL, KUBERNETES
from tests.test_kubernetes import built

THERE = """
*"get raycluster/evonas"*) [ -e "$HERE/gone" ] || echo raycluster.ray.io/evonas ;;
*jsonpath={.data.auth_token}*) cat "$HERE/secret" ;;
*"delete raycluster/evonas "*) touch "$HERE/gone" ;;
"""
TWO = """
*"config view"*namespace*) cat "$HERE/namespace" ;;
*"config view"*) ;;
*--namespace=team-b*"get raycluster/evonas"*) echo raycluster.ray.io/evonas ;;
*--namespace=team-b*jsonpath={.data.auth_token}*) echo c29tZWJvZHkncw== ;;
*--namespace=team-b*get\\ pods*) ;;
"""
"""Two namespaces, of which the second has somebody else's cluster."""
SET = """
*) case "$*" in
    *--namespace=*|*config*|*kustomize*) ;;
    *) exec "$0" "--namespace=$(cat "$HERE/namespace")" "$@" ;;
esac
case "$name $*" in
"""
"""A line without a namespace means that to which kubectl is set."""


@pytest.mark.usefixtures("user")
def test_a_cluster_stays_where_it_was_started_whatever_kubectl_is_set_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, kubectl=f"{SET}{TWO}{KUBECTL}\nesac ;;")
    (tmp_path / "namespace").write_text("team-a")
    assert main(["cluster", "up", "kubernetes", "--image", "me/evonas:9", "--yes"]) == 0
    (tmp_path / "namespace").write_text("team-b")
    assert main(["cluster", "up", "kubernetes", "--folder", "new", "--image", "me/evonas:9", "--yes"]) == 2
    assert "raycluster.ray.io/evonas is of a cluster that neither new" in capsys.readouterr().err
    assert main(["cluster", "status", "kubernetes"]) == 0
    assert "1 x headgroup\n" in capsys.readouterr().out
    assert main(["cluster", "down", "kubernetes", "--yes"]) == 0
    assert "\nnothing is left in namespace team-a of mine\n" in capsys.readouterr().out
    assert not (tmp_path / "cluster").exists()
    assert told.lines("--namespace=team-b", "apply") == told.lines("--namespace=team-b", "delete") == []


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("said", "is_kept"),
    [("echo default/evonas; echo team-b/other", False), ("echo team-b/evonas", True), ("exit 1", True)],
)
def test_pools_by_which_others_have_machines_are_left_to_them(
    said: str, is_kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = (
        '*--all-namespaces*) SAID ;;\n*"get nodepools"*) cat "$HERE/pools" ;;\n'
        '*"delete nodepools"*) echo {} > "$HERE/pools" ;;'
    )
    pools = [part for part in built("eks") if part["kind"] == "NodePool"]
    (tmp_path / "pools").write_text(json.dumps({"items": pools}))
    told = stand_in(tmp_path, monkeypatch, kubectl=listed.replace("SAID", said) + KUBECTL)
    copy = tmp_path / "cluster-kubernetes/my-cluster.yaml"
    copy.parent.mkdir()
    copy.write_text(yaml.safe_dump_all(built("eks")))
    change(copy.parent, owns=("mine/default",))
    (tmp_path / "cluster").touch()
    assert main(["cluster", "down", "kubernetes", "--yes"]) == 0
    assert ("kept: nodepool/evonas-spot, which clusters of other name" in capsys.readouterr().out) is is_kept
    assert told.lines("delete raycluster/evonas")
    assert bool(told.lines("delete nodepools")) is not is_kept


@pytest.mark.usefixtures("user")
def test_anothers_raycluster_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, kubectl=THERE + KUBECTL)
    (tmp_path / "secret").write_text("c29tZWJvZHkncw==")
    assert main(["cluster", "up", *KUBERNETES, "--yes"]) == 2
    assert "raycluster.ray.io/evonas is of a cluster that neither" in capsys.readouterr().err
    for how in ("--dry-run", "--yes"):
        assert main(["cluster", "down", "kubernetes", how]) == 2
        assert "neither cluster-kubernetes nor a key of this machine" in capsys.readouterr().err
    assert told.lines("delete") == told.lines("apply -f") == told.lines("create secret") == []
    assert told.lines("get pods -l ray.io/cluster=evonas")
    (tmp_path / "secret").write_text(b64encode(token().encode()).decode())  # the folder is lost, the token is not
    assert main(["cluster", "down", "kubernetes", "--yes"]) == 0
    out = capsys.readouterr().out
    assert "to be taken down: raycluster.ray.io/evonas\n" in out
    assert "\nnothing is left in namespace default of mine, and no cluster of yours in its other namespaces\n" in out


def test_anothers_machines_of_google_are_left_alone(
    user: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in(user, monkeypatch, gcloud=GCLOUD)
    keys = {"items": [{"key": "ssh-keys", "value": "ubuntu:ssh-ed25519 AAAA evonas"}]}
    labels = {"ray-cluster-name": "evonas"}
    cloud = Cloud(instances=_named(head={"labels": labels, "zone": ZONE, "status": "RUNNING", "metadata": keys}))
    order = Order("gcp", "", user / "my folder", State(), {"project": PROJECT})
    with pytest.raises(UserError, match="machine head in us-central1-a: neither"):
        down(order, Google(order, lambda: cloud), sure=True)
    assert cloud.deleted == []
    public = Path.home() / ".evonas-cluster/ssh_key.pub"
    public.parent.mkdir()
    public.write_text("ssh-ed25519 AAAA evonas\n")
    assert Google(order, lambda: cloud).is_own()
    assert order.again("down") == f"evonas cluster down gcp --folder '{user / 'my folder'}'"


def test_google_keeps_the_door_open_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = """*"value(sourceRanges.list())"*) echo 192.0.2.1/32,203.0.113.9/32 ;;\n"""
    told = stand_in(tmp_path, monkeypatch, gcloud=said + '*" describe "*) ;;')
    make(PROJECT, [], "b", "192.0.2.2/32", before="192.0.2.1/32")
    (line,) = told.lines("firewall-rules update evonas-ssh")
    assert "--source-ranges=203.0.113.9/32,192.0.2.2/32 " in line
