"""Launch files, states and options that are not as they should be: one line, before anything."""

from pathlib import Path

import pytest
import yaml

from evonas.cli import main
from evonas.clusters import regions
from evonas.clusters.forms import require_form
from evonas.clusters.shipped import shipped
from evonas.clusters.template import own_copy
from evonas.errors import UserError
from evonas.launch.kubernetes import pods
from evonas.launch.kubernetes.pod_guards import check_guards
from evonas.launch.launch_files.fitting import Kind, Room, check_fits
from evonas.launch.launch_files.written import put
from evonas.launch.order import Order
from evonas.launch.ray_launcher import aws
from evonas.launch.settled import settled
from evonas.launch.state import State, change, checked, read
from tests.launch.stand_ins import CONFIG, stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import KUBECTL

NODE = {"InstanceType": "m7i.xlarge"}
WHOLE = {
    "cluster_name": "evonas",
    "provider": {},
    "head_node_type": "head",
    "available_node_types": {"head": {"node_config": NODE}},
}
WRONG = {
    "a: [1": "is not YAML",
    "a: b: c": "is not YAML",
    "": "has no cluster_name",
    yaml.safe_dump({**WHOLE, "cluster_name": None}): "has no cluster_name",
    yaml.safe_dump({**WHOLE, "available_node_types": None}): "has no available_node_types",
    yaml.safe_dump({**WHOLE, "head_node_type": "other"}): "has no head_node_type that",
    yaml.safe_dump({**WHOLE, "max_workers": "many"}): "has no whole max_workers",
    yaml.safe_dump({**WHOLE, "available_node_types": {"head": {}}}): "in the node_config of head",
    yaml.safe_dump(
        {**WHOLE, "available_node_types": {"head": {"node_config": NODE, "max_workers": "x"}}}
    ): "whole min_",
}
HAND = {
    "region: us-west-2": (
        "region: eu-west-1",
        "aws/my-aws.yaml was changed by hand and is of eu-west-1, not of us-west-2",
    ),
    "InstanceType: g5.xlarge}": (
        "InstanceType: p5.48xlarge}",
        "spot_a10g is p5.48xlarge.spot, and its label evonas-node-type, by which its price is looked up, says g5.",
    ),
    "--env=RAY_AUTH_MODE=token": ("--env=RAY_AUTH_MODE=disabled", "lacks --env=RAY_AUTH_MODE=token: whoever reaches"),
    "cluster_name: evonas": ("cluster_name: other", "cluster_name is other: rights, tags and `down` go by evonas"),
    "\nmax_workers: ": (
        "\nmax_worker: 3\nmax_workers: ",
        "refuses it: at its top: Additional properties are not allowed",
    ),
    "idle_timeout_minutes: 10": ("idle_timeout_minutes: ten", "refuses it: idle_timeout_minutes: 'ten' is not of"),
    "&image CHANGE-ME-image": ("&image bad image", "image 'bad image': an image of a registry is as NAME/evonas:0.1.0"),
    "resources: {CPU: 4, GPU: 1}": (
        "resources: {CPU: 4, GPU: 8}",
        "spot_l4 asks for 8 GPUs, and a machine of its type, g6.xlarge.spot, has 1: its workers would never start",
    ),
    "resources: {CPU: 16, GPU: 1}": (
        "resources: {CPU: 16, GPU: two}",
        "is not as the launch files are: GPU of spot_packed is 'two', and is a number; mend it, or remove it",
    ),
    "type: aws": ("type: gcp", "cluster-aws/my-aws.yaml: provider.type is gcp, and the cluster is to be of aws"),
    "SecurityGroupIds: *security_groups": ("EbsOptimized: true", "head names no network or security group: Ray's wou"),
}


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("text", HAND)
def test_a_launch_file_that_says_two_things_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    new, expected = HAND[text]
    copy = Path("cluster-aws/my-aws.yaml")
    copy.parent.mkdir()
    copy.write_text(shipped("aws.yaml").replace(text, new))
    assert main(["cluster", "up", "aws", "--dry-run"]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.usefixtures("user")
def test_what_is_shown_is_what_up_would_start(capsys: pytest.CaptureFixture[str]) -> None:
    """A copy that nobody has changed is written anew, of other values or by a newer evonas."""
    folder = Path("cluster-aws")
    own_copy(put(folder, "aws.yaml", shipped("aws.yaml")), {"image": "me/old:1", "ami": "ami-1", "group": "sg-1"})
    assert main(["cluster", "up", "aws", "--image", "me/new:2", "--dry-run"]) == 0
    assert "&image me/new:2" in capsys.readouterr().out
    (folder / "my-aws.yaml").write_text((folder / "my-aws.yaml").read_text() + "# mine\n")
    assert main(["cluster", "up", "aws", "--image", "me/new:2", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "cluster-aws/my-aws.yaml was changed by hand and is taken as it is" in shown
    assert ("&image me/new:2" in shown, "# mine" in shown) == (True, True)
    copy = folder / "my-aws.yaml"
    copy.write_text(copy.read_text().replace("&image me/old:1", "&image me/other:1"))
    assert main(["cluster", "up", "aws", "--image", "me/new:2", "--ami", "ami-00000002", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    first, second, third, *_ = shown.splitlines()
    assert first == f"{copy} was changed by hand and is taken as it is; --replace writes it anew"
    said = f"{copy} was changed by hand: its image me/other:1 is used, and not me/new:2 (--image)"
    assert second == f"{said}; --replace writes it anew"
    assert third == f"=== {copy}"
    filled = '\n# Filled in: {"image": "me/old:1", "ami": "ami-00000002", "group": "sg-1", '
    assert filled in shown  # and not an image that it has nowhere
    assert "its ami" not in shown


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("text", WRONG)
@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_a_launch_file_that_was_changed_wrongly_is_said(
    cloud: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(f"cluster-{cloud}/my-{cloud}.yaml")
    copy.parent.mkdir()
    copy.write_text(text)
    assert main(["cluster", "up", cloud, "--dry-run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"evonas: {copy} ")
    assert WRONG[text] in line


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("aws", "--address", ""), "--address is empty: give its value, or leave it out"),
        (("kubernetes", "--namespace="), "--namespace is empty: give its value, or leave it out"),
        (("slurm", "--sbatch="), "--sbatch is empty: give its value, or leave it out"),
        (("aws", "--image", "true"), "--image 'true': YAML, of which the launch files are, takes this for"),
        (("gcp", "--image", "1e-3"), "--image '1e-3': "),
        (("gcp", "--image", "me/e:1 x: y"), "--image 'me/e:1 x: y': an image of a registry is as"),
        (("kubernetes", "--image", "a b:1"), "--image 'a b:1': an image"),
        (("aws", "--image", "me/e:"), "--image 'me/e:': an image"),
        (("aws", "--bucket", "UPPER_case"), "--bucket 'UPPER_case': a bucket of S3"),
        (("gcp", "--bucket", "UPPER"), "--bucket 'UPPER': a bucket of Google"),
        (("kubernetes", "--bucket", "gs://UPPER"), "--bucket 'gs://UPPER': a bucket"),
        (("aws", "--ami", "notanami"), "--ami 'notanami': a machine image is ami- and"),
        (("aws", "--region", "us west: x"), "--region 'us west: x': a region is as us-west-2"),
        (("aws", "--region", "mars-1"), "a region is as us-west-2; unknown 'mars-1'"),
        (("gcp", "--region", "us-centrl"), "did you mean 'us-central1'? (known: africa-south1, "),
        (("gcp", "--zone", "us-central1"), "--zone 'us-central1': a zone is as us-central1-a"),
        (
            ("gcp", "--region", "us-central1", "--zone", "europe-west4-a"),
            "--zone europe-west4-a is in europe-west4, and not in --region us-central1",
        ),
        (
            ("aws", "c.yaml", "--bucket", "mine", "--run", "s3://other/x"),
            "run folder s3://other/x is not in the bucket mine, the only one that the head may use: --bucket other",
        ),
        (("aws", "c.yaml", "--run", "gs://foo/x"), "gs://foo/x is not in a bucket of aws, and the head has no rights"),
        (("gcp", "c.yaml", "--project", "example.com:my-project"), "Ray's launcher takes none of a domain (exampl"),
        (("gcp", "c.yaml", "--run", "/data/x"), "/data/x is not in a bucket of gcp, and a path there goes with"),
        (("kubernetes", "c.yaml", "--run", "/dev/shm/x"), "run folder /dev/shm/x goes with the head's pod, which"),
        (("aws", "c.yaml", "--set", "runtime.cpus_per_worker=64"), "is 64, and no machine of my-aws.yaml has more tha"),
        (("gcp", "c.yaml", "--set", "runtime.cpus_per_worker=13"), "no machine of my-gcp.yaml has more than 12 CPUs"),
        (("kubernetes", "c.yaml", "--set", "runtime.memory_mb_per_worker=70000"), "has more than 68,719 MB of memory"),
        (("slurm", "c.yaml", "--sbatch=-c4", "--set", "runtime.cpus_per_worker=5"), "machine of the job has more tha"),
        (
            ("aws", "c.yaml", "--set", "runtime.prices.g6.xlarge.spot=0.4"),
            """runtime.prices: a name with dots is quoted: --set 'runtime.prices={"g6.xlarge.spot": USD}'""",
        ),
        (("slurm", "c.yaml", "--sbatch=--gpus-per-node=0"), "machine of the job has more than 0 GPUs"),
        (("slurm", "c.yaml", "--sbatch=--gres=gpu:4"), "--gpus-per-node=1 and --gres=gpu:4 ask for different numbers"),
        (
            ("slurm", "c.yaml", "--sbatch=-G", "--sbatch=8"),
            "--gpus-per-node=1 and --gpus=8 ask for different numbers of",
        ),
    ],
)
def test_a_value_that_cannot_be_one_is_said_before_anything(
    words: tuple[str, ...],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in(tmp_path, monkeypatch, kubectl=KUBECTL.replace("overlays/eks", "overlays/*"))
    assert main(["cluster", "up", *words, "--dry-run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_a_worker_fits_where_one_machine_has_all_of_it(tmp_path: Path) -> None:
    """A file that does not say what a machine has leaves it to the cloud; a path outlives the pod in a volume."""
    sections = {"runtime": {"cpus_per_worker": 8, "gpus_per_worker": 1, "memory_mb_per_worker": 100}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({**yaml.safe_load(CONFIG), **sections}))
    order = Order("aws", "", tmp_path, State(), {}, str(tmp_path / "c.yaml"))

    def fits(**second: float) -> None:
        kinds = [Kind("a", {"CPU": 4, "GPU": 1}), Kind("b", second)]
        check_fits(order, Room(kinds, 2, "", 4), "f")

    fits(CPU=8)
    with pytest.raises(UserError, match="8 CPUs and 1 GPUs and 100 MB of memory, and no machine of f has them toget"):
        fits(CPU=8, GPU=0)
    file = shipped("kuberay/base/raycluster.yaml")
    mounted = file.replace("[{name: shm, mountPath: /dev/shm}]", "[{name: shm, mountPath: /data}]")
    claimed = mounted.replace("emptyDir: {medium: Memory, sizeLimit: 4Gi}", "persistentVolumeClaim: {claimName: c}")
    pods.check_run(claimed, "/data/x")
    for text, run in ((mounted, "/data/x"), (claimed, "/database")):
        with pytest.raises(UserError, match="goes with the head's pod"):
            pods.check_run(text, run)


def test_true_names_pass() -> None:
    digest = "a" * 64
    for cloud, name, value in (
        ("aws", "image", f"ghcr.io:443/me/evonas_x:0.1.0-GPU@sha256:{digest}"),
        ("aws", "image", "123456789012.dkr.ecr.us-west-2.amazonaws.com/evonas"),
        ("gcp", "image", "us-central1-docker.pkg.dev/my-project/evonas/evonas:9"),
        ("kubernetes", "bucket", "s3://my.bucket/runs/of-mine"),
        ("aws", "region", "us-gov-east-1"),
        *((cloud, "region", region) for cloud, names in regions.KNOWN.items() for region in names),
    ):
        require_form(cloud, name, value, name)


def test_what_follows_from_options() -> None:
    assert settled("gcp", {"zone": "europe-west4-b"}, {}) == {"zone": "europe-west4-b", "region": "europe-west4"}
    assert settled("gcp", {"region": "us-east1"}, {"zone": "us-east1-c"}) == {"region": "us-east1"}
    assert settled("gcp", {"region": "us-east1"}, {"zone": "europe-west4-b"})["zone"] == "us-east1-a"
    assert settled("aws", {"run": "s3://mine/x"}, {})["bucket"] == "mine"
    assert "bucket" not in settled("aws", {"run": "s3://mine/x"}, {"bucket": "other"})


@pytest.mark.usefixtures("user")
def test_a_region_that_nobody_knows_is_said_and_whose_prices_these_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "up", "aws", "--region", "us-west-9", "--dry-run"]) == 0
    assert "region: unknown 'us-west-9'; did you mean 'us-west-" in capsys.readouterr().out
    assert main(["cluster", "up", "gcp", "--zone", "europe-west4-b", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "those of europe-west4 differ: yours in runtime.prices" in out
    assert "region: unknown" not in out
    assert "availability_zone: europe-west4-b" in out


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("aws", "--zone", "z"), "--zone is of gcp, and not of aws"),
        (("kubernetes", "--region", "r"), "--region is of aws and gcp, and not of kubernetes"),
        (("slurm", "--image", "i"), "--image is of aws and gcp and kubernetes, and not of slurm"),
    ],
)
def test_an_option_of_another_cloud_is_refused(
    words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", "up", *words, "--dry-run"]) == 2
    assert capsys.readouterr().err == f"evonas: {expected}\n"


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(("action", "said"), [("down", "nothing is left in any region"), ("status", "1 x m7i.xlarge")])
def test_down_and_status_go_on_without_a_state_that_is_damaged(
    action: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = Path("my cluster/state.json")
    state.parent.mkdir()
    state.write_text('{"given": ')
    monkeypatch.setattr(aws.Aws, "left", lambda _: [])
    monkeypatch.setattr(aws.Aws, "down", lambda _: None)
    monkeypatch.setattr(aws.Aws, "is_own", lambda _: True)
    monkeypatch.setattr(aws.Aws, "nodes", lambda _: ["1 x m7i.xlarge"])
    for name in ("elsewhere", "unseen", "kept"):
        monkeypatch.setattr(aws.Aws, name, lambda _: [])
    monkeypatch.setattr(aws.Aws, "where", lambda _: "any region")
    assert main(["cluster", "up", "aws", "--folder", "my cluster", "--image", "me/evonas:9"]) == 2
    assert "my cluster/state.json is not as evonas wrote it: remove it" in capsys.readouterr().err
    assert main(["cluster", "down", "aws", "--folder", "my cluster", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "wrote it: remove it, and give all options again; `down` would put it aside, and what is there counts" in out
    assert state.exists()
    assert main(["cluster", action, "aws", "--folder", "my cluster"]) == 0
    out = capsys.readouterr().out
    assert "note: my cluster/state.json is not as evonas wrote it" in out
    assert said in out
    assert not state.exists()


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("cloud", "text", "new"),
    [
        ("aws", "labels: {evonas-node-type: m7i.xlarge}", "labels: [m7i.xlarge]"),
        ("gcp", "scheduling: *spot", "scheduling: spot"),
    ],
)
def test_a_launch_file_that_lacks_anything_else_is_said(
    cloud: str, text: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(f"cluster-{cloud}/my-{cloud}.yaml")
    copy.parent.mkdir()
    copy.write_text(shipped(f"{cloud}.yaml").replace(text, new))
    assert main(["cluster", "up", cloud, "--dry-run"]) == 2
    assert f"evonas: {copy} is not as the launch files are: " in capsys.readouterr().err


def test_a_machine_image_is_of_its_region(tmp_path: Path) -> None:
    state = State(given={"region": "us-west-2", "ami": "ami-1", "image": "me/e:1"})
    for given, ami in (({}, "ami-1"), ({"region": "us-west-2"}, "ami-1"), ({"region": "eu-west-1"}, None)):
        order = Order("aws", "", tmp_path, state, given)
        assert (order.value("ami"), order.remembered.get("ami"), order.value("image")) == (ami, ami, "me/e:1")


@pytest.mark.parametrize("text", ['{"runs": []}', '{"tunnel": "x"}', '{"given": 1}', "[]"])
def test_a_state_of_other_types_is_damaged(text: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(text.replace("{", '{"jobs": {}, "made": [], ', 1))
    with pytest.raises(UserError, match="is not as evonas wrote it"):
        checked(tmp_path)


@pytest.mark.usefixtures("user")
def test_a_door_that_evonas_has_not_made_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("cluster-aws")
    own_copy(put(folder, "aws.yaml", shipped("aws.yaml")), {"image": "me/e:1", "ami": "ami-1", "group": "sg-1"})
    text = (folder / "my-aws.yaml").read_text()
    for new, is_said in (("[sg-1]", False), ("[sg-2]", True)):
        (folder / "my-aws.yaml").write_text(text.replace("&security_groups [sg-1]", f"&security_groups {new}") + "# me")
        assert main(["cluster", "up", "aws", "--dry-run"]) == 0
        assert ("sg-2 was put there by hand: whom it lets in is not" in capsys.readouterr().out) is is_said
    Path("cluster-gcp").mkdir()
    for new in ("regions/us-central1/subnetworks/default", "regions/us-central1/subnetworks/evonas"):
        file = shipped("gcp.yaml").replace("regions/us-central1/subnetworks/evonas", new)
        Path("cluster-gcp/my-gcp.yaml").write_text(file.replace("CHANGE-ME-image", "me/e:1"))
        assert main(["cluster", "up", "gcp", "--dry-run"]) == 0
        assert ("subnetworks/default was put there" in capsys.readouterr().out) is new.endswith("default")


def test_a_cluster_without_its_token_is_refused_wherever_it_is(
    user: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = f"{shipped('kuberay/base/raycluster.yaml')}---\n{shipped('kuberay/base/guards.yaml')}"
    for old, new, expected in (
        ("mode: token", "mode: disabled", "lacks mode: token"),
        ("{name: evonas}", "{name: o}", "is o"),
    ):
        with pytest.raises(UserError, match=expected):
            check_guards(file.replace(old, new, 1), "f")
    check_guards(file, "f")
    stand_in(user, monkeypatch, kubectl=KUBECTL)
    (user / "cluster-kubernetes").mkdir()
    (user / "cluster-kubernetes/my-cluster.yaml").write_text(file.replace("mode: token", "mode: disabled", 1))
    assert main(["cluster", "up", "kubernetes", "--platform", "eks", "--dry-run"]) == 2
    assert "my-cluster.yaml: authOptions lacks mode: token" in capsys.readouterr().err
    (user / "cluster-kubernetes/my-cluster.yaml").write_text(file.replace("CHANGE-ME-image", "bad image"))
    assert main(["cluster", "up", "kubernetes", "--platform", "eks", "--dry-run"]) == 2
    assert "my-cluster.yaml: image 'bad image': an image of a registry is as" in capsys.readouterr().err
    (user / "cluster-slurm").mkdir()
    script = shipped("slurm.sbatch").replace("export RAY_AUTH_MODE=token", "# RAY_AUTH_MODE=token\nexport")
    (user / "cluster-slurm/slurm.sbatch").write_text(script)
    assert main(["cluster", "up", "slurm", "c.yaml", "--dry-run"]) == 2
    assert "slurm.sbatch lacks RAY_AUTH_MODE=token" in capsys.readouterr().err


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("cloud", ["aws", ""])
def test_the_state_of_another_cloud_is_refused(cloud: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By its cloud, and where an older evonas has not written that, by options that this cloud does not have."""
    change(folder := Path("cluster-slurm"), given={"region": "us-west-2", "bucket": "b"}, cloud=cloud)
    for action in ("up", "status", "down"):
        assert main(["cluster", action, "slurm", "c.yaml"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("evonas: cluster-slurm/state.json is of a cluster of aws")
    assert read(folder).given["bucket"] == "b"


def test_slurm_goes_on_without_a_state_that_is_damaged(
    user: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its jobs are known by their names then, and ended by nobody."""
    line = "/y/slurm.sbatch /y/c.yaml /y/r"
    told = stand_in(user, monkeypatch, squeue=f"*) printf '7\tRUNNING\t/a\tevonas-c\t{line}\t.' ;;", scancel="")
    state = user / "cluster-slurm/state.json"
    state.parent.mkdir()
    state.write_text("{")
    assert main(["cluster", "down", "slurm", "--dry-run"]) == 1
    assert "would stay: job 7, running: evonas-c of /y, not started from cluster-slurm;" in capsys.readouterr().out
    assert state.read_text() == "{"
    assert main(["cluster", "down", "slurm", "--yes"]) == 1
    assert "evonas-c of /y, not started from cluster-slurm; scancel 7 ends it" in capsys.readouterr().out
    assert (state.with_name("state.json.damaged").exists(), state.exists()) == (True, False)
    assert told.lines("scancel") == []
