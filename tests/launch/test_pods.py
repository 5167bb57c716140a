"""What the launch file of Kubernetes says of its pods, by hand."""

from pathlib import Path

import pytest
import yaml

from evonas.clusters.shipped import shipped
from evonas.errors import UserError
from evonas.launch.kubernetes import pods
from evonas.launch.kubernetes.pod_gpus import asked_of_machines
from evonas.launch.kubernetes.pod_labels import check_labels, unselected
from evonas.launch.launch_files.gpu_counts import check_counts, unknown_counts
from evonas.launch.order import Order
from evonas.launch.state import State
from evonas.prices import NODE_TYPE_LABEL
from tests.test_kubernetes import PLACES, built, cluster

FILE = shipped("kuberay/base/raycluster.yaml")
MACHINES = [
    ("eks", "instance-type: g6.xlarge", "instance-type: p5.48xlarge"),
    ("eks", "capacity-type: spot", "capacity-type: on-demand"),
    ("eks", "evonas-node-type: m7i.xlarge", "evonas-node-type: g4dn.xlarge"),
    ("gke", "gke-spot: 'true'", "gke-provisioning: standard"),
    ("gke", "gke-accelerator: nvidia-l4", "gke-accelerator: nvidia-h100-80gb"),
    ("gke", "evonas-node-type: g2-standard-4.spot", "evonas-node-type: n1-standard-4.nvidia-tesla-t4.spot"),
]


def test_what_pods_have_is_their_limits_or_what_ray_is_started_with() -> None:
    room = pods.room(FILE, 3)
    assert (room.most, [kind.name for kind in room.kinds]) == (
        26,
        ["spot-l4", "spot-other", "spot-packed", "measure-l4"],
    )
    mb = {name: gib * 2**30 / 10**6 for name, gib in (("small", 10), ("large", 64))}
    assert dict(room.kinds[0].has) == {"CPU": 3, "GPU": 1, "memory": pytest.approx(mb["small"])}
    assert dict(room.kinds[2].has) == {"CPU": 11, "GPU": 1, "memory": pytest.approx(mb["large"])}
    assert (room.kinds[3].has["CPU"], room.kinds[3].has["GPU"]) == (0, 0)
    limits = 'limits: {cpu: "3", memory: 10Gi, nvidia.com/gpu: "1"}'
    for new, has in (
        ('limits: {cpu: "1500m"}', {"CPU": 1.5, "GPU": 0}),
        ("limits: {memory: 2e9}", {"GPU": 0, "memory": 2000}),
        ("requests: {cpu: 1}", {"GPU": 0}),
    ):
        assert dict(pods.room(FILE.replace(limits, new, 1), 3).kinds[0].has) == has
    with pytest.raises(ValueError, match="'three' is no number of Kubernetes'"):
        pods.room(FILE.replace(limits, "limits: {cpu: three}", 1), 3)


@pytest.mark.parametrize(("platform", "old", "new"), MACHINES)
def test_a_label_of_another_machine_than_pods_select_is_refused(platform: str, old: str, new: str) -> None:
    """Its price would be too low, in the sum that is shown and in `budget.usd`."""
    text = yaml.safe_dump(cluster(built(platform)))
    check_labels(yaml.safe_load(text), "f")
    assert old in text
    with pytest.raises(UserError, match=r"f: [a-z0-9-]+ selects .* says [a-z0-9.-]+: make them one"):
        check_labels(yaml.safe_load(text.replace(old, new)), "f")


def test_a_group_that_selects_no_type_is_said() -> None:
    """Karpenter takes any that its pools have; on Google pools are the user's, and have one each."""
    assert [unselected(cluster(built(place))) for place in PLACES] == [[], [], []]
    text = yaml.safe_dump(cluster(built("eks")))
    (line,) = unselected(yaml.safe_load(text.replace("node.kubernetes.io/instance-type: m7i.xlarge", "a: b")))
    assert line.startswith("headgroup selects no node.kubernetes.io/instance-type: its machines may be others than m7i")


@pytest.mark.parametrize(
    ("place", "selector"), [("gke", "cloud.google.com/gke-spot"), ("eks", "karpenter.sh/capacity-type")]
)
def test_a_group_that_counts_as_spot_and_selects_none_is_said(place: str, selector: str) -> None:
    spec = cluster(built(place))
    groups = [group for group in spec["workerGroupSpecs"] if group["template"]["spec"]["nodeSelector"].pop(selector, 0)]
    found = unselected(spec)
    assert groups
    assert {line.partition(" selects no spot machines: it may get others")[0] for line in found} >= {
        group["groupName"] for group in groups if group["labels"][NODE_TYPE_LABEL].endswith(".spot")
    }


@pytest.mark.parametrize(
    ("place", "group", "kept", "selects"),
    [
        ("gke", 3, (), "node.kubernetes.io/instance-type: g2-standard-4"),
        ("gke", 3, ("cloud.google.com/gke-provisioning",), "node.kubernetes.io/instance-type: g2-standard-4"),
        ("gke", 3, ("cloud.google.com/gke-accelerator",), ""),
        ("gke", None, (), "node.kubernetes.io/instance-type: e2-standard-4"),
        ("eks", 0, (), "node.kubernetes.io/instance-type: g6.xlarge"),
        ("eks", 0, ("disktype",), "node.kubernetes.io/instance-type: g6.xlarge"),
        ("gke", None, ("topology.kubernetes.io/zone",), "node.kubernetes.io/instance-type: e2-standard-4"),
        ("gke", None, ("cloud.google.com/gke-nodepool",), ""),
    ],
)
def test_a_group_that_selects_no_machines_is_said(
    place: str, group: int | None, kept: tuple[str, ...], selects: str
) -> None:
    spec = cluster(built(place))
    one = spec["headGroupSpec"] if group is None else spec["workerGroupSpecs"][group]
    pod = one["template"]["spec"]
    pod["nodeSelector"] = {key: pod["nodeSelector"].get(key, "mine") for key in kept}
    lines = [line for line in unselected(spec) if "selects no type of machine" in line]
    assert len(lines) == bool(selects)
    assert all(f"(nodeSelector: {{{selects}}}): it may get any, at its price" in line for line in lines)


def test_types_without_a_label_are_known_by_their_selector() -> None:
    spec = cluster(built("eks"))
    group = spec["workerGroupSpecs"][0]
    del group["labels"]
    check_counts(asked_of_machines(spec), "f", "pods")
    group["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = "2"
    with pytest.raises(UserError, match=r"f: spot-l4 asks for 2 GPUs, and a machine of its type, g6\.xlarge, has 1"):
        check_counts(asked_of_machines(spec), "f", "pods")
    group["template"]["spec"]["nodeSelector"]["node.kubernetes.io/instance-type"] = "p5.48xlarge"
    check_counts(asked_of_machines(spec), "f", "pods")
    assert list(unknown_counts(asked_of_machines(spec))) == [
        "GPUs of p5.48xlarge are not known, and spot-l4 asks for 2: with fewer its workers never start"
    ]


@pytest.mark.parametrize(("policy", "asked"), [(None, 0), ("Always", 3)])
def test_gpus_of_init_containers_count(policy: str | None, asked: int) -> None:
    spec = cluster(built("eks"))
    pod = spec["workerGroupSpecs"][0]["template"]["spec"]
    first = {"name": "first", "resources": {"limits": {"nvidia.com/gpu": 1}}, "restartPolicy": policy}
    pod["initContainers"] = [first]
    if policy is None:
        check_counts(asked_of_machines(spec), "f", "pods")  # it has ended when the others begin
        first["resources"] = {"requests": {"nvidia.com/gpu": "2"}}
        asked = 2
    else:
        pod["initContainers"] = [first, first]
    with pytest.raises(UserError, match=f"f: spot-l4 asks for {asked} GPUs, and a machine of its type"):
        check_counts(asked_of_machines(spec), "f", "pods")


def test_groups_are_as_many_as_the_file_says_and_those_that_measure_are_told_apart(tmp_path: Path) -> None:
    order = Order("kubernetes", "", tmp_path, State(), {})
    found = {machine.group: (machine.least, machine.most, machine.board) for machine in pods.machines(FILE, order)}
    assert found == {
        "headgroup": (1, 1, False),
        "spot-l4": (0, 16, False),
        "spot-other": (0, 4, False),
        "spot-packed": (0, 4, False),
        "measure-l4": (0, 2, True),
    }
