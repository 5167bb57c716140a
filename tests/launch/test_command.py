"""`evonas cluster` before anything is started: what it would do and cost, and what is missing."""

import re
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from evonas.cli import main
from evonas.clusters.quota import Quota
from evonas.clusters.shipped import shipped
from evonas.clusters.template import slots
from evonas.config.loading import load_config
from evonas.errors import UserError
from evonas.launch.costs import estimate
from evonas.launch.costs.totals import IDLE_H
from evonas.launch.kubernetes.overlays import PLATFORMS, built, platform_of, write
from evonas.launch.launch_files.written import launch_file, parsed
from evonas.launch.order import Order
from evonas.launch.providers import PROVIDERS
from evonas.launch.ray_launcher.lasting import idle_h, longest_h, outlive_h
from evonas.launch.ray_launcher.quota_check import check
from evonas.launch.slurm.sbatch_options import asked
from evonas.launch.state import State, change, checked, read
from evonas.launch.tunnel import PORTS, close, free_port
from evonas.prices import Prices
from tests.launch.stand_ins import CONFIG, stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import KUBECTL
from tests.test_cluster_files import CLUSTER

FILES = {"aws": "aws.yaml", "gcp": "gcp.yaml", "kubernetes": "kuberay/base/raycluster.yaml", "slurm": "slurm.sbatch"}
ASKED = {
    "aws": "ray up -y cluster-aws/my-aws.yaml",
    "gcp": "ray up -y cluster-gcp/my-gcp.yaml",
    "kubernetes": "kubectl apply -f cluster-kubernetes/my-head-cluster.yaml",
    "slurm": "sbatch --parsable --job-name=evonas-c --partition=gpu cluster-slurm/slurm.sbatch",
}


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(("cloud", "store"), [("aws", "s3"), ("gcp", "gs"), ("kubernetes", "gs")])
def test_a_run_folder_that_was_said_is_one_configs(cloud: str, store: str, tmp_path: Path) -> None:
    state = State(given={"bucket": "b"}, runs={str(tmp_path / "c.yaml"): "own"})

    def of(config: str | None) -> str | None:
        return PROVIDERS[cloud](Order(cloud, "", tmp_path, state, {}, config)).run_folder()

    assert (of("c.yaml"), of("d.yaml"), of(None)) == ("own", f"{store}://b/d", "own")


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("cloud", FILES)
def test_a_dry_run_says_all_and_touches_nothing(
    cloud: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if cloud == "kubernetes":
        stand_in(tmp_path, monkeypatch, kubectl=KUBECTL)
    else:
        monkeypatch.setenv("PATH", str(tmp_path / "none"))
    monkeypatch.setattr(socket, "create_connection", None)
    monkeypatch.setattr(socket.socket, "connect", None)
    before = sorted(tmp_path.rglob("*"))
    options = {"kubernetes": ["--platform", "eks"], "slurm": ["--sbatch=--partition=gpu"]}.get(cloud, [])
    image = [] if cloud == "slurm" else ["--image", "me/evonas:9"]
    words = ["cluster", "up", cloud, "c.yaml", *image, *options]
    assert main([*words, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != "told"] == before
    files, _, rest = out.partition("\nwhat it costs:\n")
    assert "CHANGE-ME" not in files
    assert cloud == "slurm" or "me/evonas:9" in files
    rights = {"aws": 's3:::evonas-ACCOUNT-us-west-2/*"', "gcp": "\n  - compute.instances.create\n"}.get(cloud, "")
    assert rights in files  # of the head, to which `what is asked` points
    assert "from the start: " in rest
    assert ("not counted: what your Kubernetes costs" in rest) is (cloud == "kubernetes")  # its file has no pools
    assert "hours, " in rest
    assert ASKED[cloud] in rest.partition("\n  what is asked:\n")[2]


def test_the_launch_files_come_with_the_package(tmp_path: Path) -> None:
    for name in ("aws.yaml", "aws-policy.json", "gcp.yaml", "gcp-role.yaml", "slurm.sbatch"):
        assert shipped(name) == (CLUSTER / name).read_text()
    with pytest.raises(UserError, match=r"azure\.yaml did not come"):
        shipped("azure.yaml")
    write(tmp_path)
    files = {path.relative_to(CLUSTER / "kuberay") for path in (CLUSTER / "kuberay").rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()} == files
    assert all((tmp_path / name).read_text() == (CLUSTER / "kuberay" / name).read_text() for name in files)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize("platform", PLATFORMS)
def test_kubectl_puts_the_files_together(tmp_path: Path, platform: str) -> None:
    write(tmp_path)
    text = built(tmp_path, platform)
    assert slots(text) == ["image"]
    assert "kind: RayCluster" in text


def test_a_platform_is_what_its_server_says() -> None:
    versions = ("v1.32.4-gke.100", "v1.30.4-eks-a737599", "v1.30.4")
    assert [platform_of(version) for version in versions] == list(PLATFORMS)


MISSING = {
    "aws": ["ray:", "ssh:", "rsync:", "image: --image", "AWS_ACCESS_KEY_ID: is not", "AWS_SECRET_ACCESS_KEY: is not"],
    "gcp": ["gcloud:", "image: --image", "project: --project", "credentials of Google Cloud:"],
    "kubernetes": ["kubectl:", "image: --image", "run: --run"],
    "slurm": ["sbatch:", "squeue:", "scancel:"],
}


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("cloud", MISSING)
def test_what_is_missing_is_a_line_each(
    cloud: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    monkeypatch.setattr("evonas.launch.programs.sys", SimpleNamespace(executable="/none/python"))
    assert main(["cluster", "up", cloud, "c.yaml", "--yes"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    found = err.splitlines()
    for expected in MISSING[cloud]:
        assert len([line for line in found if line.startswith(f"evonas: {expected}")]) == 1, (expected, err)
    assert not (tmp_path / f"cluster-{cloud}").exists()


@pytest.mark.usefixtures("user")
def test_half_a_key_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    assert main(["cluster", "up", "aws", "c.yaml", "--yes"]) == 2
    assert "AWS_SECRET_ACCESS_KEY: is not set, and the other half" in capsys.readouterr().err


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["c.yaml", "--address", "0.0.0.0/0"], "it is one address, 203.0.113.7"),
        (
            ["c.yaml", "--address", "10.0.0.5"],
            "--address 10.0.0.5: is of a private network, and a cloud sees that of your",
        ),
        (["c.yaml", "--address", "0.0.0.0"], "--address 0.0.0.0: no machine is seen by that; it is the one address of"),
        (["none.yaml"], "none.yaml"),
        (["c.yaml", "--set", "targets={a: {device: cuda, resource: latency_h9}}"], "has the resource latency_h9"),
    ],
)
def test_what_is_wrong_is_said_before_a_cloud_is_asked(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", "up", "aws", *words, "--dry-run"]) == 2
    assert expected in capsys.readouterr().err


def _priced(resources: set[str], **own: float) -> list[estimate.Machine]:
    return estimate.of_launch_file(parsed(launch_file("aws.yaml", resources), ""), Prices(own))


def test_what_it_costs_adds_up() -> None:
    """By hand: a head at 1, two boards at 2, and of 16 workers four on the dearest at 10 and 12 at 5."""
    own = {"head": 1.0, "measure_l4": 2.0, "spot_packed": 10.0, "spot_a10g": 5.0, "spot_l4": 3.0}
    file = yaml.safe_load(launch_file("aws.yaml", {"latency_l4"}))
    for kind in file["available_node_types"].values():
        kind["labels"] = {}
        kind["node_config"] = {"InstanceType": "none"}
    search = {**yaml.safe_load(CONFIG), "targets": {"gpu": {"device": "cuda", "resource": "latency_l4"}}}
    machines, config = estimate.of_launch_file(file, Prices(own)), load_config(search)
    text = estimate.lines(machines, 16, config, 48.0, together=18)
    assert text[0] == "from the start: $1.00 an hour (1 x none at $1.00)"
    assert text[1].endswith("at most $105.00 an hour")
    assert text[2].endswith("at most $5,040.00")
    assert len(text) == 3
    # Of 40 workers 18 machines can come, the boards among them if they were dearer: 1 + 4 x 10 + 14 x 5.
    assert estimate.lines(machines, 40, config, 48.0, together=18)[1].endswith("at most $111.00 an hour")
    assert estimate.lines(machines, 40, config, 48.0, together=2)[1].endswith("at most $21.00 an hour")


def test_how_many_machines_can_come_is_counted_as_ray_does() -> None:
    """By hand, prices an hour: a head at 1 of which two more can come, workers of a type that says no number at 10 and,
    measuring whatever it is called, a board at 100."""
    file = {
        "cluster_name": "evonas",
        "provider": {},
        "head_node_type": "head",
        "idle_timeout_minutes": 60,
        "available_node_types": {
            "head": {"node_config": {"InstanceType": "a", "UserData": "shutdown --poweroff +120"}, "max_workers": 2},
            "any": {"node_config": {"InstanceType": "b", "UserData": "shutdown --poweroff +60"}},
            "scale": {
                "node_config": {"InstanceType": "c"},
                "resources": {"scale": 1},
                "max_workers": 1,
                "labels": None,
            },
        },
    }
    search = {**yaml.safe_load(CONFIG), "targets": {"gpu": {"device": "cuda", "resource": "scale"}}}

    def most(**changes: Any) -> str:
        machines = estimate.of_launch_file(
            parsed(yaml.safe_dump({**file, **changes}), "f"), Prices({"a": 1, "b": 10, "c": 100})
        )
        together = parsed(yaml.safe_dump({**file, **changes}), "f")["max_workers"]
        return estimate.lines(machines, 4, load_config(search), 48, together=together)[1].split("at most ")[1]

    assert most(max_workers=7) == "$143.00 an hour"
    assert most() == "$3.00 an hour"  # two beside the head, and those can be of its type
    assert (longest_h(parsed(yaml.safe_dump(file), "f")), idle_h(file)) == (None, 1)  # the board ends by nothing
    del file["available_node_types"]["scale"]
    assert longest_h(parsed(yaml.safe_dump(file), "f")) == 2


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_the_launch_files_end_their_machines(name: str) -> None:
    file = parsed(launch_file(name, set()), name)
    assert (longest_h(file), idle_h(file), outlive_h(file)) == (48, IDLE_H, 17 / 60)
    estimate.check_labels(file, name)


def test_a_budget_of_money_is_what_it_costs_and_the_head_then() -> None:
    """By hand: a head at 1 and workers at 10, a machine's disks at 1 an hour at most as much as the head itself."""
    machines = [
        estimate.Machine("a", "head", 1, 1, 1.0, disk_usd=1.0),
        estimate.Machine("b", "spot", 0, 9, 10.0, disk_usd=1.0),
    ]

    def said(longest_h: float | None, stays: bool, **budget: Any) -> list[str]:
        search = load_config({**yaml.safe_load(CONFIG), "budget": budget})
        return [
            line for line in estimate.lines(machines, 4, search, longest_h, stays) if "until" in line or "in " in line
        ]

    until = (
        "until the search has cost $5 (budget.usd): at most $10.00, with disks, without minutes in which machines boot"
    )
    head = "workers stay 10 minutes longer, and what is up from the start until `down`"
    # 5 with disks; 4 workers and the head for ten minutes: 46 / 6; the head for 48 hours
    assert said(48, True, usd=5) == [until, f"{head}, 48 hours at most: at most $113.67"]
    assert said(None, True, usd=5) == [until, f"{head}: $2.00 an hour"]
    assert said(48, False, usd=5) == [until]
    more = ", without what trains on behind it (at_end: finish)"
    assert said(48, False, usd=5, at_end="finish") == [f"{until}{more}"]
    assert said(48, False, hours=2, at_end="finish")[0].startswith(f"in 2 hours, the budget of the search{more}: ")
    assert said(48, False, usd=5, hours=1 / 6)[0].startswith("in 10 minutes, the budget of the search: at most $7.67")


def test_workers_outlive_the_head_and_disks_are_named_where_they_are() -> None:
    """By hand: a head at 1 and four workers at 10 for 48 hours, and these for half an hour more; no disks."""
    machines = [estimate.Machine("a", "head", 1, 1, 1.0), estimate.Machine("m7i.xlarge", "spot", 0, 9, 10.0)]
    search = {**yaml.safe_load(CONFIG), "budget": {"usd": 5}}
    text = estimate.lines(machines, 4, None, 48.0, True, outlive_h=0.5)
    assert "in 48 hours, after which they end by themselves: at most $1,988.00" in text
    assert not any("disks" in line for line in estimate.lines(machines, 4, load_config(search), 48.0))
    listed = estimate.lines([replace(machines[0], type="m7i.xlarge", usd=0.2016)], 4, None, 48.0)
    assert ", without disks, addresses and traffic" in listed[-1]


def test_a_price_that_is_not_known_is_said() -> None:
    file = yaml.safe_load(launch_file("aws.yaml", set()))
    file["available_node_types"]["spot_l4"]["labels"] = {"evonas-node-type": "g99.spot"}
    *_, last = estimate.lines(estimate.of_launch_file(file, Prices({})), 16, None, 48.0)
    assert last == """no price is known of g99.spot; yours: --set 'runtime.prices={"g99.spot": USD}'"""
    assert "has no known price" not in " ".join(estimate.lines(_priced(set()), 16, None, 48.0))


@pytest.mark.usefixtures("user")
def test_whose_prices_these_are_is_said_with_disks_and_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """By hand: 150 GB of gp3 at 0.08 and 375 MB/s at 0.04 a month of 730 hours; 16 workers, 2 hours and 10 minutes."""
    up_aws = ["cluster", "up", "aws", "c.yaml", "--set", "budget.hours=2", "--dry-run"]
    assert main([*up_aws, "--region", "eu-central-1"]) == 0
    out = capsys.readouterr().out
    assert "1 x m7i.xlarge at $0.20 and $0.04 of disk)" in out
    head, disk = 0.2016, (150 * 0.08 + 375 * 0.04) / 730
    hourly = head + disk + 4 * (1.8534 + disk) + 12 * (0.5134 + disk)
    assert f"with all machines that 16 workers can ask for: at most ${hourly:.2f} an hour" in out
    assert f"until `down`, 48 hours at most: at most ${hourly * 13 / 6 + (head + disk) * (48 - 13 / 6):.2f}" in out
    assert "those of eu-central-1 differ: yours in runtime.prices" in out
    assert main(up_aws) == 0
    assert " differ" not in capsys.readouterr().out


@pytest.mark.usefixtures("user")
def test_a_dry_run_says_what_would_be_refused_and_its_files_can_be_cut_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "up", "slurm", "c.yaml", "--set", "budget.usd=50", "--sbatch=-N2-8", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "`up` refuses this: budget.usd cannot be kept: no price is known of nodes" in out
    assert "from the start: not known (8 nodes, whose price is not known)\n" in out
    assert "by themselves: not known\n" in out
    assert "\n  a job that Slurm queues again, as after a node that fails, has its time anew" in out
    assert out.startswith("=== cluster-slurm/slurm.sbatch\n#!/bin/bash\n")
    assert "\n=== end of cluster-slurm/slurm.sbatch\n" in out
    assert main(["cluster", "up", "slurm", "c.yaml", "--sbatch=-Jmine", "--dry-run"]) == 0
    assert "sbatch --parsable -Jmine cluster-slurm/slurm.sbatch" in capsys.readouterr().out  # one name


@pytest.mark.parametrize(
    ("words", "nodes", "hours"),
    [
        ([], 4, 24),
        (["-N8"], 8, 24),
        (["-N", "8", "-t1-0"], 8, 24),
        (["--nodes=2-8", "--time=120"], 8, 2),
        (["--nodes", "1,5,7", "--time", "90:30"], 7, 1.5 + 30 / 3600),
        (["--nodes=1-15:4", "-t 2-3:30"], 15, 51.5),
        (["--nodes=1k", "--time=1-0:0:36"], 1024, 24.01),
        (["--time=UNLIMITED"], 4, None),
        (["--nodes=8", "--nodes=2", "--partition=gpu"], 2, 24),
    ],
)
def test_options_of_sbatch_are_read_as_sbatch_does(words: list[str], nodes: int, hours: float | None) -> None:
    found = asked(shipped("slurm.sbatch"), words, {})
    assert (found.nodes, [note.partition(",")[0] for note in found.notes]) == (nodes, ["a job that Slurm queues again"])
    assert found.hours == (None if hours is None else pytest.approx(hours))


@pytest.mark.parametrize(
    ("words", "gpus"),
    [
        (["--gres=gpu:4"], 4),
        (["--gres=gpu:a100:2,shard:8"], 2),
        (["--gres", "gpu"], 1),
        (["--gres=gpu:1g.5gb"], 1),
        (["--gres=gres/gpu:2,gpu:l4:1"], 3),
        (["--gres=shard:8"], None),
        (["--gpus-per-node=a100:2", "--gres=gpu:2"], 2),
        (["--gpus-per-task=4"], 4),
        (["--ntasks-per-node=2", "--gpus-per-task=v100:2"], 4),
        (["-G8"], 2),
        (["--gpus=a100:8", "--gpus-per-node=2"], 2),
        (["-N2-4", "--gpus=6", "--gpus-per-node=2"], 2),
        (["--gpus=6"], None),
        ([], None),
    ],
)
def test_gpus_are_read_in_whichever_way_sbatch_takes_them(words: list[str], gpus: int | None) -> None:
    script = "#SBATCH --nodes=4\n"
    found = asked(script, words, {})
    assert found.each.get("GPU") == gpus
    assert ("how many a node has is Slurm's to say" in " ".join(found.notes)) is (words == ["--gpus=6"])
    given = (
        {f"SBATCH_{words[0][2:].partition('=')[0].replace('-', '_').upper()}": words[0].partition("=")[2]}
        if (len(words) == 1 and "=" in words[0])
        else {}
    )
    assert not given or asked(script, [], given).each.get("GPU") == gpus  # as its environment says it


def test_gpus_that_sbatch_would_not_take_or_that_differ_are_refused() -> None:
    for words, expected in (
        (["--gres=gpu:many:x2"], "--gres=gpu:many:x2: sbatch takes how many, as gpu:4"),
        (["--gpus-per-node=all"], "--gpus-per-node=all: sbatch takes how many, as 4 or a100:4"),
        (["--gres=gpu:4"], "--sbatch=--gpus-per-node=4 alone takes the place of the script's"),
        (["--gpus=2"], "--gpus-per-node=1 and --gpus=2 ask for different"),
    ):
        with pytest.raises(UserError, match=re.escape(expected)):
            asked(shipped("slurm.sbatch"), words, {})
    for memory, mb in (("--mem=4G", 4294.967296), ("--mem=4000", 4194.304), ("--mem-per-cpu=1024", 4294.967296)):
        assert asked("", ["-c4", memory], {}).each["memory"] == pytest.approx(mb)


def test_an_option_of_sbatch_that_is_not_understood_is_refused() -> None:
    script = "#SBATCH -N 3 -t 5  # a user's"
    found = asked(script, ["-w", "a[1-9]"], {})
    assert (found.nodes, found.hours) == (3, pytest.approx(5 / 60))
    assert [note.partition(" ")[0] for note in found.notes] == ["--nodelist=a[1-9]"]
    assert asked(script + "\n#SBATCH --time=7", ["--partition=gpu", "--mem", "4G"], {}).hours == pytest.approx(7 / 60)
    assert asked(script, ["--cpus-per-t=3"], {}).each["CPU"] == 3
    assert asked(script + "\n#SBATCH --requeue", ["--no-requeue"], {}).notes == ()
    for words, environment in ((["-M", "b"], {}), (["--clusters=b"], {}), ([], {"SBATCH_CLUSTERS": "b"})):
        with pytest.raises(UserError, match=r"^--clusters=b: the job would not be in the queue"):
            asked(script, words, environment)
    for word in ("--time=soon", "--time=", "--nodes=many", "--nodes=0", "--nodes=8-2"):
        with pytest.raises(UserError, match=f"^{word}: sbatch takes "):
            asked(script, [word], {})
    for words, expected in (
        (["foo.sh"], "sbatch takes it for the script"),
        (["--requeue", "foo.sh"], "foo.sh: sbatch takes it"),
        (["-N2", "foo.sh"], "foo.sh: sbatch takes it"),
        (["--wrap=foo"], "another command would run"),
        (["--wra=foo"], "another command would run"),
        (["--arr=0-3"], "--array=0-3: each of its jobs would write the one run folder"),
        (["--exclus", "foo.sh"], "foo.sh: sbatch takes it"),
        (["--ti=2:00:00"], "--sbatch=--ti=2:00:00: is short for --time and --time-min: write out"),
        (["--node=2"], "--sbatch=--node=2: is short for --nodefile and --nodelist and --nodes: write out"),
        (["--clust=b"], "is short for --cluster-constraint and --clusters: write out"),
        (["-W"], "say the job's number when"),
        (["-a1-10"], "--array=1-10: each of its jobs would write the one run folder"),
    ):
        with pytest.raises(UserError, match=expected):
            asked(script, words, {})
    with pytest.raises(UserError, match="--array=1-3"):
        asked(script, [], {"SBATCH_ARRAY_INX": "1-3"})
    found = asked("#SBATCH -N 3 -t 5  # a user's", [], {"SBATCH_TIMELIMIT": "60"})
    assert (found.nodes, found.hours, found.notes) == (3, 1, ())


@pytest.mark.usefixtures("user")
def test_nothing_is_left_where_nothing_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, monkeypatch, sbatch="", squeue="", scancel="")
    for action in ("status", "down"):
        assert main(["cluster", action, "slurm"]) == 0
    assert "runs/" not in capsys.readouterr().out
    assert not (tmp_path / "cluster-slurm").exists()


@pytest.mark.usefixtures("user")
def test_no_cluster_starts_for_a_budget_that_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, sbatch="", squeue="", scancel="")
    assert main(["cluster", "up", "slurm", "c.yaml", "--yes", "--set", "budget.usd=9"]) == 2
    assert """'runtime.prices={"*": USD}'""" in capsys.readouterr().err
    assert told.lines() == []


def test_quotas_that_let_no_machine_come_stop_it() -> None:
    fits, small, none = (Quota("vCPUs", 64, 4, granted, "more: ask") for granted in (64.0, 4.0, 0.0))
    check([fits, small], [])
    check([none], [], anyway=True)
    with pytest.raises(UserError, match="no machine would come: ✗ vCPUs: 0, and 64 are wanted; more: ask"):
        check([fits, none], [])
    with pytest.raises(UserError, match="may not"):
        check([], ["ec2:RunInstances: these credentials may not"])


def test_a_port_is_one_that_nothing_has_and_no_other_line_takes() -> None:
    with free_port() as first:
        assert first in PORTS
        with free_port() as second:
            assert second > first
    with free_port() as again, socket.create_server(("127.0.0.1", again)), free_port() as other:
        assert again == first
        assert other > again
    with socket.create_server(("127.0.0.1", first)), free_port() as other:
        assert other > first


def test_a_tunnel_that_was_left_is_closed_and_nobody_elses_process(tmp_path: Path) -> None:
    def left(*words: str) -> Any:
        line = [sys.executable, "-c", "import time; time.sleep(600)", *words]
        process = subprocess.Popen(line, start_new_session=True)
        change(tmp_path, tunnels={str(process.pid): 1})
        close(tmp_path)
        assert read(tmp_path).tunnels == {}
        return process

    stranger = left()
    assert left("port-forward").wait() < 0
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_damaged_state_is_said(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"given": ')
    with pytest.raises(UserError, match="not as evonas wrote it"):
        checked(tmp_path)
