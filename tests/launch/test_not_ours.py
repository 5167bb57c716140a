"""What is not evonas's on Kubernetes stays: what a user puts into the launch file, and pools that are there."""

import json
from pathlib import Path

import pytest

from evonas.cli import main
from tests.launch.namespaces import Namespaces, namespaces  # noqa: F401 - a fixture
from tests.launch.stand_ins import user  # noqa: F401 - a fixture

UP = ["cluster", "up", "kubernetes", "--image", "me/evonas:9", "--yes"]
DOWN = ["cluster", "down", "kubernetes", "--yes"]
COPY = Path("cluster-kubernetes/my-cluster.yaml")
OWN = """---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: runs, labels: {app.kubernetes.io/part-of: evonas}}}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: colleague}}
- {apiVersion: v1, kind: Namespace, metadata: {name: team}}
"""
POOL = "objects/ctx/-/nodepool_evonas-{}"


@pytest.fixture
def written(namespaces: Namespaces, capsys: pytest.CaptureFixture[str]) -> Namespaces:  # noqa: F811
    """A folder with its launch file, and no cluster."""
    assert main(UP) == 0
    assert main(DOWN) == 0
    assert namespaces.objects() == []
    capsys.readouterr()
    return namespaces


def test_what_a_user_puts_into_the_launch_file_is_named_and_stays(
    written: Namespaces, capsys: pytest.CaptureFixture[str]
) -> None:
    COPY.write_text(COPY.read_text() + OWN)
    assert main(UP) == 0
    out = capsys.readouterr().out
    names = ["persistentvolumeclaim/runs", "configmap/colleague", "namespace/team"]
    for name in names:
        assert f"\n  {name} of {COPY} is none of evonas's own: applied unless another has that name, not" in out
    assert main([*DOWN[:3], "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert not any(f"would go: {name}" in out for name in names)
    assert main(DOWN) == 0
    out = capsys.readouterr().out
    assert all(f"\nkept: {name} of {COPY}, which is none of evonas's own\n" in out for name in names)
    assert "ctx/a/persistentvolumeclaim_runs" in written.objects()
    assert not any("evonas" in name for name in written.objects())
    assert "delete -f" not in written.told()


def test_what_is_there_of_somebody_else_is_not_written_over(
    written: Namespaces, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One that is as the file has it is what an earlier `up` has made, or may as well be."""
    COPY.write_text(COPY.read_text() + OWN.replace("{name: colleague}", "{name: colleague}, data: {a: b}"))
    theirs = tmp_path / "objects/ctx/a/configmap_colleague"
    for data, status in (({"a": "c"}, 2), ({"a": "b", "more": "d"}, 0)):
        theirs.parent.mkdir(parents=True, exist_ok=True)
        found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colleague", "uid": "1"}, "data": data}
        theirs.write_text(json.dumps(found))
        assert main(UP) == status
        said = (
            f"configmap/colleague of {COPY} is there in namespace a of ctx, and is another: it may be somebody else's"
        )
        out, err = capsys.readouterr()
        assert (said in err) is (status == 2)
        assert f"configmap/colleague of {COPY} is none of evonas's own: applied unless another has that name," in out
    theirs.write_text(json.dumps({**found, "data": {}}))
    assert main(DOWN) == 0
    assert main([*UP, "--anyway"]) == 0
    assert f"configmap/colleague of {COPY} is none of evonas's own: applied over what has" in capsys.readouterr().out


def test_an_object_of_evonas_own_names_that_no_up_has_made_is_neither_written_over_nor_taken(
    written: Namespaces, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By its label, which one of a file that was changed since has, too."""
    folder = tmp_path / "objects/ctx/a"
    theirs = {
        "networkpolicy_evonas": {"kind": "NetworkPolicy", "metadata": {"name": "evonas"}, "spec": {"podSelector": {}}},
        "configmap_evonas-settings": {"kind": "ConfigMap", "metadata": {"name": "evonas-settings"}, "data": {"a": "b"}},
    }
    for name, found in theirs.items():
        (folder / name).write_text(json.dumps(found) + "\n")
    there = written.objects()
    assert main(UP) == 2
    said = "configmap/evonas-settings, networkpolicy/evonas is there in namespace a of ctx, and no `up` has made it: it"
    assert said in capsys.readouterr().err
    for words in (["--dry-run"], ["--yes"]):
        assert main([*DOWN[:3], *words]) == 0
        assert ": networkpolicy/evonas, which no `up` from here has made\n" in capsys.readouterr().out
    assert written.objects() == there
    assert [json.loads((folder / name).read_text()) for name in theirs] == [*theirs.values()]
    for found in theirs.values():
        found["metadata"]["labels"] = {"app.kubernetes.io/part-of": "evonas"}
    (folder / "networkpolicy_evonas").write_text(json.dumps(theirs["networkpolicy_evonas"]) + "\n")
    (folder / "configmap_evonas-settings").unlink()
    assert main(UP) == 0
    assert main(DOWN) == 0
    assert written.objects() == []


def test_what_somebody_has_changed_while_a_head_runs_is_not_written_over(
    written: Namespaces, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    COPY.write_text(COPY.read_text() + OWN.replace("{name: colleague}", "{name: colleague}, data: {a: b}"))
    for _ in range(2):
        assert main(UP) == 0
    theirs = tmp_path / "objects/ctx/a/configmap_colleague"
    theirs.write_text(theirs.read_text().replace('"b"', '"c"'))
    assert main(UP) == 2
    said = "configmap/colleague of cluster-kubernetes/my-head-cluster.yaml is there in namespace a of ctx, and is anoth"
    assert said in capsys.readouterr().err
    assert '"c"' in theirs.read_text()
    assert main([*UP, "--anyway"]) == 0
    assert '"b"' in theirs.read_text()


def test_what_a_server_keeps_otherwise_than_it_is_written_is_no_other_object(written: Namespaces) -> None:
    claim = "spec: {resources: {requests: {storage: 2048Mi}}}"
    secret = "---\n{apiVersion: v1, kind: Secret, metadata: {name: keys}, stringData: {k: v}}\n"
    COPY.write_text(f"{COPY.read_text()}{OWN.replace('evonas}}}', f'evonas}}}}, {claim}}}', 1)}{secret}")
    for _ in range(2):
        assert main(UP) == 0
        assert main(DOWN) == 0
    COPY.write_text(COPY.read_text().replace("{k: v}", "{k: w}").replace("2048Mi", "3Gi"))
    assert main(UP) == 2


@pytest.mark.parametrize("of", ["labels", "annotations"])
@pytest.mark.parametrize("answers", [True, False])
def test_what_differs_in_labels_or_annotations_alone_is_another_object(
    of: str, answers: bool, written: Namespaces, tmp_path: Path
) -> None:
    """By an annotation, an account of Kubernetes is one of a cloud."""
    account = "---\n{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: trainer, {}: {{of: mine}}}}}}\n"
    COPY.write_text(COPY.read_text() + account.format(of))
    if not answers:
        (tmp_path / "deny").write_text("apply --dry-run=server\n")
    for _ in range(2):
        assert main(UP) == 0
        assert main(DOWN) == 0
    trainer = tmp_path / "objects/ctx/a/serviceaccount_trainer"
    theirs = {**json.loads(trainer.read_text()), "metadata": {"name": "trainer", of: {"of": "theirs"}}}
    trainer.write_text(json.dumps(theirs) + "\n")
    assert main(UP) == 2
    assert json.loads(trainer.read_text()) == theirs


def test_another_label_or_name_is_nobodys_to_take(written: Namespaces, tmp_path: Path) -> None:
    """The label says of secret and account alone that `up` has made them."""
    assert main(UP) == 0
    theirs = [tmp_path / f"objects/ctx/a/{name}" for name in ("secret_s3-keys", "configmap_evonas-grafana")]
    for path in theirs:
        path.write_text("app.kubernetes.io/part-of: evonas\n")
    assert main(DOWN) == 0
    assert [*written.objects()] == ["ctx/a/configmap_evonas-grafana", "ctx/a/secret_s3-keys"]


def test_a_list_hides_no_door(written: Namespaces, capsys: pytest.CaptureFixture[str]) -> None:
    door = "{apiVersion: v1, metadata: {name: open}, spec: {type: LoadBalancer}"
    text = COPY.read_text()
    for kind, item in (("List", f"{door}, kind: Service}}"), ("ServiceList", f"{door}}}")):
        COPY.write_text(f"{text}---\n{{apiVersion: v1, kind: {kind}, items: [{item}]}}\n")
        assert main(UP) == 2
        assert "service open has a service of type LoadBalancer: it would be open" in capsys.readouterr().err
    assert written.objects() == []


def test_a_pool_that_is_there_stays_as_it_is(
    written: Namespaces, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(UP) == 0
    spot = tmp_path / POOL.format("spot")
    pool = json.loads(spot.read_text())
    assert main(DOWN) == 0
    pool["spec"]["limits"]["nvidia.com/gpu"] = 99
    theirs = json.dumps(pool)
    spot.write_text(theirs + "\n")
    capsys.readouterr()
    assert main(UP) == 0
    said = "nodepool/evonas-spot is there, and no `up` from here has made it: it stays as it is (limits.nvidia.com/gpu "
    assert f"{said}is 99, not 20)\n" in capsys.readouterr().out
    assert spot.read_text() == theirs + "\n"
    assert (tmp_path / POOL.format("head")).exists()
    assert main(UP) == 0  # again
    assert spot.read_text() == theirs + "\n"
    stays = "nodepool/evonas-spot (limits.nvidia.com/gpu is 99, not 20), which no `up` from here has made\n"
    assert main([*DOWN[:3], "--dry-run"]) == 0
    assert f"would stay: {stays}" in capsys.readouterr().out
    assert main(DOWN) == 0
    assert f"kept: {stays}" in capsys.readouterr().out
    assert written.objects() == ["ctx/-/nodepool_evonas-spot"]


def test_a_head_for_which_no_machine_is_left_is_not_waited_for(
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(UP) == 0
    (tmp_path / "b").mkdir()
    labelled = "labels: {evonas-node-type: m7i.xlarge}\n    serviceType: "
    (tmp_path / "b" / COPY.name).write_text(COPY.read_text().replace("serviceType: ", labelled))
    other = [*UP, "--namespace", "b", "--folder", "b"]
    assert main(other) == 2
    assert "nodepool/evonas-head of ctx may have 4 CPUs (limits), and heads run in namespaces a: " in (
        capsys.readouterr().err
    )
    assert not any("/b/" in name for name in namespaces.objects())
    head = tmp_path / POOL.format("head")
    pool = json.loads(head.read_text())
    pool["spec"]["limits"]["cpu"] = "8"
    before = head.read_text()
    head.write_text(json.dumps(pool) + "\n")
    assert main(other) == 0
    head.write_text(before)
    assert main([*DOWN, "--folder", "b"]) == 1  # that of a is named
    assert main([*other, "--anyway"]) == 0


def test_a_cluster_that_is_up_keeps_the_file_it_was_started_with(
    written: Namespaces, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(UP) == 0
    kept = COPY.with_name("my-head-cluster.yaml")
    before = kept.read_text()
    capsys.readouterr()
    new = ["--image", "me/evonas:10", "--platform", "gke"]
    assert main([*UP, *new]) == 0
    out = capsys.readouterr().out
    assert f"the head runs with {kept}, the file that it was started with, and the costs are of that; what" in out
    assert ".image is me/evonas:9, not me/evonas:10" in out
    assert "EKS" in out
    assert "GKE" not in out
    assert kept.read_text() == before
    assert "me/evonas:10" in COPY.read_text()
    assert written.told().count(f"apply -f {COPY}\n") == 0
    assert main(DOWN) == 0
    assert main([*UP, *new]) == 0
    assert "me/evonas:10" in kept.read_text()


def test_a_dry_run_says_that_the_platform_is_a_guess(
    namespaces: Namespaces,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    for context, platform in (("mine", "gke"), ("arn:aws:eks:us-west-2:1:cluster/evonas", "eks"), ("gke_p_z_n", "gke")):
        namespaces.set("a", context, context)
        assert main([*UP[:-1], "--dry-run"]) == 0
        assert f"\n  the file of {platform} is a guess, as a dry run asks nobody: `up` " in capsys.readouterr().out
    assert main([*UP[:-1], "--dry-run", "--platform", "gke"]) == 0
    assert "is a guess" not in capsys.readouterr().out


@pytest.mark.parametrize("silent", ["poddisruptionbudget", "configmap"])
def test_what_kubectl_does_not_show_is_neither_written_over_nor_taken(
    silent: str, written: Namespaces, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As where a server fails for one object or for all: what is shown beside it is somebody else's, or may be."""
    policy = {"kind": "NetworkPolicy", "metadata": {"name": "evonas"}, "spec": {"podSelector": {"team": "other"}}}
    theirs = tmp_path / "objects/ctx/a/networkpolicy_evonas"
    theirs.write_text(json.dumps(policy) + "\n")
    (tmp_path / "deny").write_text(f"get {silent}/\n")
    there = written.objects()
    assert main(UP) == 2
    said = "kubectl does not show all that is there in namespace a of ctx, which may be somebody else's (Error from ser"
    assert said in capsys.readouterr().err
    assert main(DOWN) == 1
    out = capsys.readouterr().out
    assert "kubectl does not show all in namespace a of ctx (Error from server" in out
    assert ("kept: networkpolicy/evonas, which no `up` from here has made\n" in out) is (silent != "configmap")
    assert (json.loads(theirs.read_text()), written.objects()) == (policy, there)


def test_an_object_of_a_user_that_kubectl_does_not_show_is_not_written_over(
    written: Namespaces, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    COPY.write_text(COPY.read_text() + OWN.replace("{name: colleague}", "{name: colleague}, data: {a: b}"))
    theirs = tmp_path / "objects/ctx/a/configmap_colleague"
    theirs.write_text('{"kind": "ConfigMap", "metadata": {"name": "colleague"}, "data": {"a": "c"}}\n')
    before = theirs.read_text()
    (tmp_path / "deny").write_text("get -f -\n")
    assert main(UP) == 2
    assert "kubectl does not show all that is there in namespace a of ctx" in capsys.readouterr().err
    assert theirs.read_text() == before


def test_pools_that_kubectl_does_not_show_are_not_written_over(
    written: Namespaces, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "deny").write_text("get nodepools.karpenter.sh evonas\n")
    assert main(UP) == 2
    assert "kubectl does not show all that is there in the pools of ctx, which may be somebody else's (Error from" in (
        capsys.readouterr().err
    )
    assert written.objects() == []
