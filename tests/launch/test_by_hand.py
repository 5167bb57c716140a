"""What a launch file that was changed by hand costs, lets in and leaves behind, by the command."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evonas.cli import main
from evonas.clusters.shipped import shipped
from evonas.launch.ray_launcher.staying import staying
from tests.launch.stand_ins import user  # noqa: F401 - a fixture
from tests.launch.ups import FILES, Ups, on  # noqa: F401 - a fixture

REFUSED = [
    ("aws", "min_workers: 0", "min_workers: -1", "has no whole min_workers and max_workers from 0 in head"),
    ("aws", "max_workers: 18", "max_workers: -1", "has no whole max_workers from 0"),
    (
        "gcp",
        "min_workers: 0\n    max_workers: 16",
        "min_workers: 3\n    max_workers: 2",
        "spot_l4 that is not below its",
    ),
    ("gcp", "idle_timeout_minutes: 10", "idle_timeout_minutes: -60", "idle_timeout_minutes"),
    ("aws", "IamInstanceProfile: {Name: evonas-head}", "EbsOptimized: true", "no IamInstanceProfile: Ray's may do all"),
    (
        "aws",
        "key_pair: {key_name: evonas}",
        "key_pair: {key_name: other}",
        "the key pair is other, and the head's role",
    ),
    (
        "aws",
        "  key_pair: {key_name: evonas}",
        "  #",
        "the key pair is Ray's own, and the head's role, `down`",
    ),
    (
        "aws",
        "      MetadataOptions",
        "      KeyName: mine\n      MetadataOptions",
        "the key pair is mine, and the head's role",
    ),
    (
        "gcp",
        "serviceAccounts:",
        "others:",
        "the head names no serviceAccounts: Ray's may do all of compute and storage",
    ),
    (
        "gcp",
        "availability_zone: us-central1-a",
        "availability_zone: europe-west4-a",
        "zone europe-west4-a is of another",
    ),
    (
        "aws",
        "availability_zone: us-west-2a",
        "availability_zone: eu-west-1a",
        "availability_zone eu-west-1a is of anoth",
    ),
    ("gcp", "us-central1-a/diskTypes", "us-central1-b/diskTypes", "and names zones/us-central1-b: make them one"),
    ("gcp", "regions/us-central1", "regions/us-east1", "us-central1, and names regions/us-east1: make them one"),
]
STAYING = [
    ("aws", "g5.xlarge", "g6.2xlarge", "GPUs of g6.2xlarge are not known, and spot_a10g asks for 1: with fewer its "),
    ("aws", "cache_stopped_nodes: false", "", "the disk of a machine that Ray ends stays, because it is stopped (ca"),
    ("gcp", "cache_stopped_nodes: false", "cache_stopped_nodes: true", "(cache_stopped_nodes: false ends it) (head, "),
    ("aws", "InstanceInitiatedShutdownBehavior: terminate", "EbsOptimized: true", "(InstanceInitiatedShutdownBehavior"),
    (
        "aws",
        "DeleteOnTermination: true",
        "DeleteOnTermination: false",
        "a disk stays behind its machine (DeleteOnTermi",
    ),
    (
        "gcp",
        "instanceTerminationAction: DELETE",
        "instanceTerminationAction: STOP",
        "that Google ends stays (instanceTe",
    ),
    ("gcp", "autoDelete: true", "autoDelete: false", "a disk stays behind its machine (autoDelete) (head, spot_l4,"),
    (
        "aws",
        "{MarketType: spot}",
        "{MarketType: spot, SpotOptions: {SpotInstanceType: persistent}}",
        "starts it anew after each end, that by `down` too, until you cancel its spot request (persistent) (spot_l4,",
    ),
    ("aws", "EbsOptimized: true", "DisableApiTermination: true", "end it, and it is paid for until you switch that "),
    ("gcp", "labels: *labels", "labels: *labels\n      deletionProtection: true", "(deletionProtection) (head, spot_l"),
    ("aws", "EbsOptimized: true", "Placement: {Tenancy: host}", "which is not counted (Tenancy: host) (head)"),
    (
        "gcp",
        "    onHostMaintenance: TERM",
        "    nodeAffinities: [{key: a}]\n    onHostMaintenance: TERM",
        "counted (nodeAffinities) (spot",
    ),
    ("aws", "EbsOptimized: true", "Monitoring: {Enabled: true}", "is paid for, and not counted (Monitoring) (head)"),
    ("aws", "EbsOptimized: true", "CreditSpecification: {CpuCredits: unlimited}", "(CpuCredits: unlimited) (head)"),
    (
        "aws",
        "Tags: [{Key: project, Value: evonas}]}",
        "Tags: []}",
        "none without the tag project: evonas, and it is waited for (TagSpecifications) (spot_l4, spot_a10g, spot_p",
    ),
    (
        "aws",
        "{Name: evonas-head}",
        "{Arn: arn:aws:iam::1:instance-profile/mine}",
        "instance-profile/mine was put there",
    ),
]


def _dry(cloud: str, old: str, new: str) -> int:
    text = shipped(f"{cloud}.yaml").replace("      ImageId", "      EbsOptimized: true\n      ImageId", 1)
    assert old in text
    copy = Path(f"cluster-{cloud}/my-{cloud}.yaml")
    copy.parent.mkdir(exist_ok=True)
    copy.write_text(text.replace("CHANGE-ME-image", "me/evonas:9").replace(old, new))
    return main(["cluster", "up", cloud, "--dry-run"])


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(("cloud", "old", "new", "expected"), REFUSED)
def test_what_would_cost_or_let_in_what_nobody_has_been_told_is_refused(
    cloud: str, old: str, new: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _dry(cloud, old, new) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(("cloud", "old", "new", "expected"), STAYING)
def test_what_stays_behind_is_said(
    cloud: str, old: str, new: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for text, is_said in ((old, False), (new, True)):
        assert _dry(cloud, old, text) == 0
        assert (expected in capsys.readouterr().out) is is_said


def test_a_disk_that_down_does_not_find_is_said() -> None:
    """It goes by the tag or the label; a disk that is not the machine image's own stays where nothing is said of it."""
    aws: dict[str, Any] = {"InstanceType": "m", "InstanceInitiatedShutdownBehavior": "terminate"}
    aws["BlockDeviceMappings"] = [{"DeviceName": "/dev/sda1", "Ebs": {}}, {"DeviceName": "/dev/sdb", "Ebs": {}}]
    gcp = {"machineType": "m", "disks": [{"initializeParams": {"labels": {"project": "evonas"}}}]}
    launch: dict[str, Any] = {
        "provider": {"cache_stopped_nodes": False},
        "available_node_types": {"a": {"node_config": aws}},
    }
    launch["available_node_types"]["b"] = {"node_config": gcp}
    for line in (found := staying(launch)):
        assert "and `down` does not find it without the tag ray-cluster-name" in line
    assert [line.partition(", ")[0] for line in found] == [
        "a disk stays behind its machine (DeleteOnTermination)",
        "a disk stays behind its machine (autoDelete)",
    ]
    aws["TagSpecifications"] = [{"ResourceType": "volume", "Tags": [{"Key": "ray-cluster-name", "Value": "evonas"}]}]
    assert "does not find" not in staying(launch)[0]


@pytest.mark.parametrize("cloud", FILES)
def test_an_image_that_was_changed_in_all_of_the_file_is_used_and_said(
    cloud: str,
    on: Callable[[str], Ups],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As `sed -i` does it, in its first line too."""
    ups = on(cloud)
    assert (ups.up(), ups.line("down", "--yes")) == (0, 0)
    copy = ups.folder / FILES[cloud]
    copy.write_text(copy.read_text().replace("me/evonas:9", "me/evonas:10"))
    capsys.readouterr()
    name, here = f"cluster-{cloud}/{FILES[cloud]}", [] if cloud == "kubernetes" else ["--address", "198.51.100.7"]
    for words in (["--dry-run"], ["--yes"], ["--yes"]):
        assert ups.up(*words, options=here) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"{name} was changed by hand and is taken as it is; --replace writes it anew\n")
        assert f"{name} was changed by hand: its image me/evonas:10 is used, and not me/evonas:9 (--image)" in out
        assert ("image me/evonas:10" in copy.read_text(), "me/evonas:9" in copy.read_text()) == (True, False)
    assert ups.up("--image", "me/evonas:11", "--replace", "--yes", options=here) == 0
    assert ("me/evonas:11" in copy.read_text(), "me/evonas:10" in copy.read_text()) == (True, False)


def test_a_region_that_was_changed_in_all_of_the_file_is_no_other_region(
    on: Callable[[str], Ups],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on("gcp")
    assert (ups.up(), ups.up()) == (0, 0)
    copy = ups.folder / "my-gcp.yaml"
    copy.write_text(edited := copy.read_text().replace("us-central1", "europe-west4"))
    capsys.readouterr()
    for words in (["--dry-run"], ["--yes"]):
        assert ups.up(*words, options=[]) == 2
        assert "and is of europe-west4, not of us-central1, where a cluster was started" in capsys.readouterr().err
        assert copy.read_text() == edited


def test_a_security_group_that_was_changed_in_all_of_the_file_is_said(
    on: Callable[[str], Ups],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on("aws")
    assert ups.up() == 0
    copy = ups.folder / "my-aws.yaml"
    copy.write_text(re.sub(r"sg-\w+", "sg-0123", copy.read_text()))
    capsys.readouterr()
    assert ups.up("--dry-run") == 0
    assert "sg-0123 was put there by hand: whom it lets in is not looked at" in capsys.readouterr().out
