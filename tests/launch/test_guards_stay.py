"""Rights that a user of Kubernetes lacks: what cannot be guarded is not started, and guards stay as long as it."""

from pathlib import Path

import pytest

from evonas.cli import main
from evonas.launch.kubernetes.rights import lacking
from evonas.launch.state import change, read
from tests.launch.namespaces import Namespaces, namespaces  # noqa: F401 - a fixture
from tests.launch.stand_ins import user  # noqa: F401 - a fixture

UP = ["cluster", "up", "kubernetes", "--image", "me/evonas:9", "--yes"]
DOWN = ["cluster", "down", "kubernetes", "--yes"]
FOLDER = Path("cluster-kubernetes")


def test_what_one_may_not_make_or_delete_is_said_before_anything_is_made(
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "deny").write_text("create poddisruptionbudget\ndelete nodepool\n")
    assert main(UP) == 2
    said = "you may not in namespace a of ctx: create poddisruptionbudget.policy; delete nodepool.karpenter.sh; nothing"
    assert said in capsys.readouterr().err
    assert namespaces.objects() == []


@pytest.mark.parametrize(
    ("no", "said"), [("get raycluster/", "you may not see raycluster/evonas in namespace a of ctx")]
)
def test_a_kuberay_that_one_may_not_see_is_not_taken_for_none(
    no: str,
    said: str,
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "deny").write_text(f"{no}\n")
    assert main(UP) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "helm" not in err
    assert namespaces.objects() == []


def test_a_namespace_that_is_not_there_is_said_with_the_line_that_makes_it(
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "no-namespace").touch()
    assert main(UP) == 2
    assert "there is no namespace a of ctx: kubectl --context=ctx create namespace a\n" in capsys.readouterr().err
    assert namespaces.objects() == []


def test_the_guards_stay_where_the_cluster_does(
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(UP) == 0
    before = namespaces.objects()
    (tmp_path / "deny").write_text("delete raycluster\n")
    assert main(DOWN) == 1
    assert namespaces.objects() == before
    out = capsys.readouterr().out
    assert "not ended: kubectl delete ended with status 1" in out
    assert ("\nstill there: raycluster/evonas\n" in out, "\nkept: ~/.evonas-cluster: " in out) == (True, True)
    (tmp_path / "deny").write_text("delete nodepools\n")
    assert main(DOWN) == 1
    assert "still there: nodepool/evonas-spot\n" in capsys.readouterr().out
    (tmp_path / "deny").unlink()
    assert main(DOWN) == 0
    assert namespaces.objects() == []


def test_a_line_that_fails_says_what_stays_and_what_nobody_could_look_at(
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(UP) == 0
    (tmp_path / "deny").write_text("delete configmap/\n")
    assert main(DOWN) == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("still there: ")] == [
        f"still there: {each}/evonas{end}"
        for each, end in (
            ("configmap", "-settings"),
            ("networkpolicy", ""),
            ("poddisruptionbudget", "-head"),
            ("poddisruptionbudget", "-measure"),
            ("secret", "-auth"),
            ("serviceaccount", ""),
        )
    ]
    assert not any("nodepool" in name for name in namespaces.objects())
    assert main(UP) == 0
    (tmp_path / "deny").write_text("delete raycluster\nget raycluster/\nget configmap/\nget secret/\nget pods\n")
    assert main(DOWN) == 1
    out = capsys.readouterr().out
    assert "\nnot ended: kubectl delete ended with status 1" in out
    assert "\nkubectl does not show all in namespace a of ctx (Error from server" in out
    assert ("nothing is left" in out, "\nkept: ~/.evonas-cluster: " in out) == (False, True)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ('pods is forbidden: User "me" cannot list resource "pods" in API', ": have the right to list pods given"),
        ("etcdserver: request timed out", ""),
    ],
)
def test_the_right_that_is_lacking_is_named(said: str, right: str) -> None:
    assert lacking(said) == right


def test_the_guards_stay_while_pods_do(
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As on a machine that does not answer."""
    assert main(UP) == 0
    (tmp_path / "pods-stay").touch()
    before = namespaces.objects()
    assert main(DOWN) == 1
    assert {*before} - {*namespaces.objects()} == {"ctx/a/raycluster_evonas"}
    assert "still there: pod/evonas-head\n" in capsys.readouterr().out
    assert read(FOLDER).owns == ("ctx/a",)
    (tmp_path / "pods-stay").unlink()
    assert main(DOWN) == 0
    assert namespaces.objects() == []


def test_a_job_that_waits_for_its_cluster_keeps_what_guards_it(
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As Kueue holds it, with a name of its user's and without pods."""
    assert main(UP) == 0
    label = '{"app.kubernetes.io/part-of": "evonas"}'
    template = f'{{"headGroupSpec": {{"template": {{"metadata": {{"labels": {label}}}}}}}}}'
    job = tmp_path / "objects/ctx/a/rayjob_mine"
    job.write_text(f'{{"metadata": {{"name": "mine"}}, "spec": {{"rayClusterSpec": {template}}}}}\n')
    job.with_name("rayjob_else").write_text('{"metadata": {"name": "else"}}\n')
    before = namespaces.objects()
    assert main(DOWN) == 1
    assert {*before} - {*namespaces.objects()} == {"ctx/a/raycluster_evonas"}
    assert "still there: rayjob/mine in namespace a of ctx is not of this cluster and keeps " in capsys.readouterr().out


def test_pools_that_kubectl_does_not_show_may_be_left(
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(UP) == 0
    change(FOLDER, made=(*read(FOLDER).made, "secret/evonas-auth"))
    (FOLDER / "my-cluster.yaml").unlink()
    (tmp_path / "deny").write_text("get nodepool\n")
    capsys.readouterr()
    assert main([*DOWN[:3], "--dry-run"]) == 1
    out = capsys.readouterr().out
    assert out.count("secret/evonas-auth\n") == 1
    assert "NodePools of ctx were not looked at, which kubectl does not show (Error from server (Forbidden)" in out
    (tmp_path / "deny").unlink()
    assert main([*DOWN[:3], "--dry-run"]) == 0
    assert capsys.readouterr().out.count("would go: nodepool/evonas-") == 3


@pytest.mark.parametrize(
    ("no", "stays"),
    [
        ("get networkpolicy", "networkpolicy_evonas"),
        ("get pods", "secret_evonas"),
        ("get secret", "secret_evonas"),
        ("get serviceaccount", "serviceaccount_evonas"),
    ],
)
def test_what_costs_goes_where_one_may_not_look_at_the_rest(
    no: str,
    stays: str,
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What stays is said, and goes once it is shown."""
    assert main(UP) == 0
    (tmp_path / "deny").write_text(f"{no}\n")
    capsys.readouterr()
    assert main(["cluster", "status", "kubernetes"]) == 1
    assert "kubectl does not show all in namespace a of ctx (Error from server (Forbidden): User " in (
        capsys.readouterr().out
    )
    assert main([*DOWN[:3], "--dry-run"]) == 1
    assert main(DOWN) == 1
    out = capsys.readouterr().out
    guards = "configmap/evonas-settings, networkpolicy/evonas, poddisruptionbudget/evonas-head, poddisruptionbudget/ev"
    may_need = "in namespace a of ctx, which what kubectl does not show may need: once it shows all, evonas cluster do"
    said = f"\nstill there: {guards}" if no == "get pods" else "\nnothing is left in namespace a of ctx, as far as kub"
    assert ("\nnothing is left in " in out, may_need in out) == (no != "get pods", no == "get pods")
    assert said in out
    assert "\nkubectl does not show all in namespace a of ctx (Error from server (Forbidden): User " in out
    there = " ".join(namespaces.objects())
    assert (stays in there, "raycluster" in there) == (True, False)
    (tmp_path / "deny").unlink()
    assert main(DOWN) == 0
    assert namespaces.objects() == []


def test_a_cluster_whose_head_has_not_come_is_no_nothing(
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As where `up` was interrupted while it waited for the head."""
    assert main(UP) == 0
    (tmp_path / "no-pods").touch()
    capsys.readouterr()
    assert main(["cluster", "status", "kubernetes"]) == 0
    assert capsys.readouterr().out.startswith("raycluster/evonas is there, and its head has not come\n")


def test_what_goes_by_its_label_is_not_said_to_stay(
    namespaces: Namespaces,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where the state is lost."""
    assert main(UP) == 0
    (FOLDER / "state.json").unlink()
    capsys.readouterr()
    assert main([*DOWN[:3], "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "would go: secret/evonas-auth\n" in out
    assert "would stay: secret/" not in out
