"""Folders that have lost state or launch file: what lives on is found, or it is said where nobody has looked."""

import shlex
import shutil
from pathlib import Path

import pytest

from evonas.cli import main
from evonas.launch.kubernetes.pod_objects import OBJECTS, POOLS
from evonas.launch.recovered import recovered, with_place
from evonas.launch.state import State
from evonas.launch.tokens import token_file
from tests.launch.namespaces import Namespaces, namespaces  # noqa: F401 - a fixture
from tests.launch.stand_ins import user  # noqa: F401 - a fixture
from tests.test_kubernetes import PLACES, built

UP = ["cluster", "up", "kubernetes", "--image", "me/evonas:9", "--yes"]
STATE = Path("cluster-kubernetes/state.json")


def _down(*words: str) -> int:
    return main(["cluster", "down", "kubernetes", "--yes", *words])


@pytest.fixture
def lost(namespaces: Namespaces, capsys: pytest.CaptureFixture[str]) -> Namespaces:  # noqa: F811
    """A cluster in namespace a, of which a folder knows nothing but what is in its launch file; kubectl means b."""
    assert main(UP) == 0
    STATE.unlink()
    namespaces.set("b")
    capsys.readouterr()
    return namespaces


def test_the_launch_file_says_where_a_cluster_is_whose_state_is_lost_or_damaged(
    lost: Namespaces, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", "status", "kubernetes"]) == 0
    assert capsys.readouterr().out.startswith("1 x headgroup Running\n")
    assert main(["cluster", "up", "kubernetes", "--yes"]) == 0  # and none in b besides
    assert {name.split("/")[1] for name in lost.objects()} == {"a", "-"}
    STATE.write_text('{"given": ')
    assert main(["cluster", "down", "kubernetes", "--dry-run"]) == 0
    assert "\nwould go: raycluster/evonas\n" in capsys.readouterr().out
    assert STATE.read_text() == '{"given": '
    assert _down() == 0
    assert "\nnothing is left in namespace a of ctx\n" in capsys.readouterr().out
    assert lost.objects() == []


def test_a_lost_folder_finds_this_users_cluster_in_every_namespace(
    lost: Namespaces, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(STATE.parent)
    before, line = (
        lost.objects(),
        "a cluster in namespace a of ctx goes by evonas cluster down kubernetes --namespace a",
    )
    assert main(["cluster", "status", "kubernetes"]) == 0
    assert capsys.readouterr().out.startswith(f"{line}\n")
    assert main(["cluster", "down", "kubernetes", "--dry-run"]) == 1
    assert f"\nwould stay: {line}\n" in capsys.readouterr().out
    assert _down() == 1
    assert capsys.readouterr().out.startswith(f"still there: {line}\n")
    assert lost.objects() == before
    assert _down("--namespace", "a") == 0
    assert lost.objects() == []  # with secret, account, budgets and pools, of which no file says anything any more
    assert _down() == 0
    assert "nothing is left in namespace b of ctx, and no cluster of yours in its other namespaces" in (
        capsys.readouterr().out
    )


def test_where_nobody_may_look_is_said(lost: Namespaces, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(STATE.parent)
    (tmp_path / "forbidden").touch()
    lost.set("b", contexts="ctx\nother")
    said = "cluster-kubernetes does not say where a cluster was started; {} looks there"
    no_namespaces = said.format(
        'other namespaces of ctx were not looked in, which kubectl does not show (User "me" cannot list resource '
        '"rayclusters"): --namespace NAME'
    )
    no_contexts = said.format("other contexts of kubectl were not looked in: other: --context NAME")
    for words in (["status"], ["down", "--dry-run"], ["down", "--yes"]):
        assert main(["cluster", words[0], "kubernetes", *words[1:]]) == 1
        out = capsys.readouterr().out
        assert f" in namespace b of ctx\n{no_namespaces}\n{no_contexts}\n" in out
    assert _down("--namespace", "c") == 0  # as it was told
    assert "nothing is left in namespace c of ctx\n" in capsys.readouterr().out
    assert _down("--context", "ctx", "--namespace", "a") == 0
    assert [name for name in lost.objects() if "/a/" in name] == []


def test_another_users_cluster_in_another_namespace_is_nobodys_here(
    lost: Namespaces, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(STATE.parent)
    (tmp_path / "home/.evonas-cluster/auth/token").write_text("another")
    assert _down() == 0
    assert "nothing is left" in capsys.readouterr().out
    (tmp_path / "objects/ctx/a/secret_evonas-auth").unlink()
    assert _down() == 1  # nothing says whose it is
    said = (
        "\na cluster in namespace a of ctx, whose token kubectl does not show or this machine has not: if it is yours, "
        "it goes by evonas cluster down kubernetes --namespace a --anyway\n"
    )
    assert said in capsys.readouterr().out


def test_a_lost_token_leaves_it_open_whose_a_cluster_is(lost: Namespaces, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(STATE.parent)
    token_file().unlink()
    assert main(["cluster", "status", "kubernetes"]) == 1
    out = capsys.readouterr().out
    assert "nothing runs in namespace b of ctx\n" in out
    line = next(line for line in out.splitlines() if "if it is yours" in line).partition("goes by evonas ")[2]
    assert main(shlex.split(f"{line} --yes")) == 0  # as it is said
    assert lost.objects() == []


def test_a_job_in_the_namespace_keeps_what_lets_nobody_else_in(
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(UP) == 0
    job = tmp_path / "objects/ctx/a/rayjob_evonas"
    job.write_text('{"metadata": {"name": "evonas"}}\n')
    before = set(namespaces.objects())
    assert _down() == 1
    out = capsys.readouterr().out
    assert before - set(namespaces.objects()) == {"ctx/a/raycluster_evonas"}
    assert "still there: rayjob/evonas in namespace a of ctx is not of this cluster and keeps configmap/" in out
    assert "networkpolicy/evonas" in out
    assert "secret/evonas-auth" in out
    assert (
        "kubectl --context=ctx --namespace=a delete rayjob/evonas ends it; then evonas cluster down kubernetes" in out
    )
    job.unlink()
    assert _down() == 0
    assert namespaces.objects() == []


def test_down_where_kuberay_is_gone_takes_the_rest(
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
) -> None:
    assert main(UP) == 0
    (tmp_path / "objects/ctx/a/raycluster_evonas").unlink()
    (tmp_path / "no-kuberay").touch()
    assert _down() == 0
    assert namespaces.objects() == []


def test_a_folder_has_one_place_and_names_it_from_elsewhere(
    namespaces: Namespaces,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(UP) == 0
    assert main([*UP, "--namespace", "b"]) == 2
    assert (
        "cluster-kubernetes has a cluster in namespace a of ctx: --folder, another one for" in capsys.readouterr().err
    )
    assert main([*UP, "--namespace", "B"]) == 2
    assert "--namespace 'B': a namespace is 1 to 63 of a-z, 0-9 and -" in capsys.readouterr().err
    before = namespaces.objects()
    assert _down("--namespace", "b") == 1
    assert "a cluster in namespace a of ctx may run: it was started from here" in capsys.readouterr().out
    assert namespaces.objects() == before
    assert _down() == 0
    assert namespaces.objects() == []


def test_down_needs_no_launch_file_and_takes_all_that_up_has_made(
    namespaces: Namespaces,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(UP) == 0
    assert len(namespaces.objects()) == len(OBJECTS) + len(POOLS) + 2  # secret and account
    for name in ("my-cluster.yaml", "cluster.yaml"):
        (STATE.parent / name).unlink()
    assert _down() == 0
    assert namespaces.objects() == []


def test_down_needs_no_launch_file_that_can_be_read(
    namespaces: Namespaces,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(UP) == 0
    (STATE.parent / "my-cluster.yaml").write_text("a: [1")
    assert _down() == 0
    assert "my-cluster.yaml by hand, which cannot be read (" in capsys.readouterr().out
    assert namespaces.objects() == []


def test_a_second_cluster_from_a_folder_that_knows_none_is_told_of_the_first(
    lost: Namespaces, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(STATE.parent)
    assert main(UP) == 0
    shown = capsys.readouterr().out.partition("what it costs:\n")[2]
    assert "\n  a cluster in namespace a of ctx goes by evonas cluster down kubernetes --namespace a\n" in shown


@pytest.mark.parametrize("place", PLACES)
def test_what_up_makes_is_known_by_names_and_label(place: str) -> None:
    parts = built(place)
    names = {f"{part['kind'].lower()}/{part['metadata']['name']}" for part in parts}
    assert {name for name in names if not name.startswith("nodepool")} == set(OBJECTS)
    assert {name for name in names if name.startswith("nodepool")} == (set(POOLS) if place == "eks" else set())
    for part in parts:
        labels = part["metadata"].get("labels", {})
        assert (labels == {"app.kubernetes.io/part-of": "evonas"}) is (part["kind"] != "RayCluster")


def test_a_launch_file_says_what_it_was_made_of(tmp_path: Path) -> None:
    """A machine image is looked for anew; what is not as evonas wrote it says nothing."""
    first = '# Filled in: {"image": "me/e:1", "ami": "ami-1", "region": "eu-west-1"}\n'
    (tmp_path / "my-aws.yaml").write_text(f"{first}# Defaults: region=us-west-2\n")
    assert recovered("aws", tmp_path).given == {"image": "me/e:1", "region": "eu-west-1"}
    (tmp_path / "my-aws.yaml").write_text("# Filled in: {\n# Defaults: region=us-west-2\n")
    assert recovered("aws", tmp_path).given == {"region": "us-west-2"}
    assert recovered("gcp", tmp_path) == recovered("slurm", tmp_path) == State()
    first = '# Filled in: {"image": "me/e:1"}\n'
    before, after = ({"context": context, "namespace": name} for context, name in (("c", "n"), ("d", "m")))
    text = with_place(with_place(f"{first}a: 1\n", before), after)
    assert text == f'{first}# Place: {{"context": "d", "namespace": "m"}}\na: 1\n'
    (tmp_path / "cluster.yaml").write_text(text)
    assert recovered("kubernetes", tmp_path) == State({"image": "me/e:1", "context": "d", "namespace": "m"})
    text = with_place(text, {"bucket": "b", "runs": {"/c.yaml": "s3://b/c", "/d.yaml": 1}, "token": None})
    assert f'{first}# Place: {{"bucket": "b", "runs": {{"/c.yaml": ' in text
    (tmp_path / "cluster.yaml").write_text(text)
    assert recovered("kubernetes", tmp_path) == State({"image": "me/e:1", "bucket": "b"}, runs={"/c.yaml": "s3://b/c"})
