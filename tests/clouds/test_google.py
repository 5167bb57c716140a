"""What a cluster needs of a project of Google Cloud. A stand-in answers in the place of Compute Engine."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from evonas.clusters.google import ending
from evonas.clusters.google.network import admit
from evonas.clusters.google.quotas import quotas
from evonas.clusters.google.running import running, stopped
from evonas.clusters.needed import Need, needed
from evonas.clusters.running import GROUP
from evonas.errors import UserError
from evonas.launch.costs import bill
from evonas.prices import Prices
from tests.test_cluster_files import launcher

PROJECT, REGION = "my-project", "us-central1"
ZONE = f"{REGION}-a"


class Missing(Exception):
    """As googleapiclient's HttpError."""

    resp = SimpleNamespace(status=404)


class Refused(Exception):
    """As the same of another status."""


Refused.__module__ = "googleapiclient.errors"


class Collection:
    """One kind of thing: dicts by name. What is in use cannot be deleted, as on Google."""

    def __init__(self, cloud: "Cloud", kind: str) -> None:
        self.cloud, self.kind, self.items = cloud, kind, cloud.things.setdefault(kind, {})

    def _request(self, answer: Callable[[], Any]) -> Any:
        return SimpleNamespace(execute=answer)

    def list(self, **words: str) -> Any:
        return self._request(lambda: {"items": list(self.items.values())})

    def list_next(self, *_: Any) -> None:
        return None

    def aggregatedList(self, project: str, filter: str) -> Any:  # noqa: N802 - Google's words
        key, value = filter.removeprefix("labels.").split("=")
        wanted = [item for item in self.items.values() if item.get("labels", {}).get(key) == value]
        zones = {zone: [item for item in wanted if item["zone"] == zone] for zone in {ZONE, "us-central1-b"}}
        answer: dict[str, Any] = {f"zones/{zone}": {self.kind: found} for zone, found in zones.items() if found}
        return self._request(lambda: {"items": answer | {"zones/x": {"warning": {}}}})

    def aggregatedList_next(self, *_: Any) -> None:  # noqa: N802 - Google's words
        return None

    def get(self, project: str, **words: str) -> Any:
        if "operation" in words:
            return self._request(lambda: self.cloud.operations.pop(0))
        return self._request(lambda: self.items[words[self.kind[:-1]]])

    def patch(self, project: str, firewall: str, body: Any) -> Any:
        return self._request(lambda: self.items[firewall].update(body))

    def delete(self, project: str, **words: str) -> Any:
        return self._request(lambda: self._deleted(words[self.kind[:-1]]))

    def _deleted(self, name: str) -> Any:
        if name not in self.items:
            raise Missing
        self.cloud.deleted.append(name)
        del self.items[name]
        self.cloud.operations += [{"status": "RUNNING"}, {"status": "DONE"}]
        return {"name": f"delete-{name}"}


class Cloud:
    """Compute Engine's client, as far as it is used."""

    def __init__(self, **things: dict[str, Any]) -> None:
        self.things, self.operations, self.deleted = things, list[Any](), list[str]()

    def __getattr__(self, kind: str) -> Callable[[], Collection]:
        return lambda: Collection(self, kind)


def _named(**items: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): {"name": name.replace("_", "-"), **item} for name, item in items.items()}


def _cloud() -> Cloud:
    own = {"labels": {"ray-cluster-name": "evonas"}}
    return Cloud(
        instances=_named(
            worker={**own, "zone": ZONE, "status": "TERMINATED"},  # the watchdog's
            head={**own, "zone": "us-central1-b", "status": "RUNNING"},
            another={"zone": ZONE, "labels": {"ray-cluster-name": "another"}},
        ),
        disks=_named(
            lost={**own, "zone": ZONE}, used={**own, "zone": ZONE, "users": ["instance"]}, mine={"zone": ZONE}
        ),
        firewalls=_named(
            evonas_ssh={"sourceRanges": ["198.51.100.7/32"]}, evonas_inside={}, another={"sourceRanges": []}
        ),
        subnetworks=_named(evonas={}, another={}),
        networks=_named(
            evonas={"subnetworks": [f"https://x/projects/p/regions/{REGION}/subnetworks/evonas"]}, another={}
        ),
    )


def test_what_runs_is_said_by_type_with_what_it_costs() -> None:
    here = "https://www.googleapis.com/compute/v1/projects/p/zones/us-central1-b"
    l4 = {"guestAccelerators": [{"acceleratorType": f"{here}/acceleratorTypes/nvidia-l4"}]}
    t4 = {"guestAccelerators": [{"acceleratorType": f"{here}/acceleratorTypes/nvidia-tesla-t4"}]}
    spot = {"scheduling": {"provisioningModel": "SPOT"}}
    cloud = _cloud()
    instances = cloud.things["instances"]
    for name, machine, what in (("a", "g2-standard-4", l4 | spot), ("b", "n1-standard-4", t4), ("c", "x9", {})):
        instances[name] = {**instances["head"], "name": name, "machineType": f"{here}/machineTypes/{machine}", **what}
    instances["head"]["machineType"] = f"{here}/machineTypes/e2-standard-4"
    for entry in instances.values():
        entry["creationTimestamp"] = "2026-11-29T02:00:00.000-07:00"
    now = datetime(2026, 11, 29, 11, tzinfo=UTC)
    assert stopped(cloud, PROJECT) == ["worker"]
    lines = bill.lines(running(cloud, PROJECT), Prices({}), now=now)
    assert lines == [
        "1 x e2-standard-4",
        "1 x g2-standard-4.spot",
        "1 x n1-standard-4.nvidia-tesla-t4",
        "1 x x9",
        "$0.96 an hour, $1.91 since these were started, without disks, without x9, of which no price is known",
    ]
    instances["c"]["labels"] = {**instances["c"]["labels"], GROUP: "mine"}
    *_, text = bill.lines(running(cloud, PROJECT), Prices({"mine": 1.0}), now=now)
    assert text == "$1.96 an hour, $3.91 since these were started, without disks"  # by a price of the user's group
    del instances["c"]["labels"][GROUP]
    disks = {"e2-standard-4": 0.02, "g2-standard-4.spot": 0.02, "n1-standard-4.nvidia-tesla-t4": 0.02}
    *_, text = bill.lines(running(cloud, PROJECT), Prices({}), now=now, disks=disks)
    assert text.startswith("$1.02 an hour, $2.03 since these were started, with disks, without x9, ")
    *_, text = bill.lines(running(cloud, PROJECT), Prices({}), now=now, disks={**disks, "e2-standard-4": None})
    assert ", with disks but those of e2-standard-4, " in text


def test_what_is_left_is_named_and_taken_down_and_nothing_else() -> None:
    cloud = _cloud()
    lines = ending.left(cloud, PROJECT)
    assert sorted(lines) == [
        "disk lost in us-central1-a",
        "firewall rule evonas-inside",
        "firewall rule evonas-ssh",
        "machine head in us-central1-b",
        "machine worker in us-central1-a",
        "network evonas",
        "subnetwork evonas in us-central1",
    ]
    waited = list[float]()
    ending.take_down(cloud, PROJECT, sleep=waited.append)
    assert ending.left(cloud, PROJECT) == []
    assert set(cloud.deleted[:2]) == {"head", "worker"}
    assert cloud.deleted[2:] == ["lost", "evonas-ssh", "evonas-inside", "evonas", "evonas"]
    assert waited == [ending.WAIT_S] * 7
    assert [len(cloud.things[kind]) for kind in ("instances", "disks", "firewalls", "networks")] == [1, 2, 1, 1]
    ending.take_down(cloud, PROJECT, sleep=waited.append)  # again, and there is nothing to do
    assert len(waited) == 7


def test_a_network_goes_after_its_subnetworks_of_all_regions() -> None:
    cloud, asked = _cloud(), list[str]()
    (network,) = [item for item in cloud.things["networks"].values() if item["name"] == "evonas"]
    network["subnetworks"] = [f"https://x/regions/{name}/subnetworks/evonas" for name in (REGION, "europe-west4")]
    assert [line for line in ending.left(cloud, PROJECT) if "europe-west4" in line] == [
        "subnetwork evonas in europe-west4"
    ]
    real = Collection.delete

    class Asked(Collection):
        def delete(self, project: str, **words: str) -> Any:
            asked.append(words.get("region") or self.kind)
            return real(self, project, **words)

    cloud.__dict__.update({kind: (lambda kind=kind: Asked(cloud, kind)) for kind in ("subnetworks", "networks")})
    ending.take_down(cloud, PROJECT, sleep=lambda _: None)
    assert asked == [REGION, "europe-west4", "networks"]


def test_a_machine_that_cannot_be_deleted_keeps_no_other() -> None:
    cloud = _cloud()

    class Locked(Collection):
        def _deleted(self, name: str) -> Any:
            if name == "worker":
                raise Refused("protected")
            return super()._deleted(name)

    cloud.__dict__["instances"] = lambda: Locked(cloud, "instances")
    with pytest.raises(UserError, match=r"^protected$"):
        ending.take_down(cloud, PROJECT, sleep=lambda _: None)
    assert cloud.deleted == ["head", "lost"]


def test_what_google_refuses_to_delete_is_said() -> None:
    cloud = _cloud()
    error = {"status": "DONE", "error": {"errors": [{"message": "in use by another"}]}}
    cloud.__dict__["globalOperations"] = lambda: SimpleNamespace(get=lambda **_: SimpleNamespace(execute=lambda: error))
    with pytest.raises(UserError, match="in use by another"):
        ending.take_down(cloud, PROJECT, sleep=lambda s: None)


def test_only_todays_address_gets_in() -> None:
    cloud = _cloud()
    assert admit(cloud, PROJECT, "203.0.113.9/32") == ["198.51.100.7/32"]
    assert admit(cloud, PROJECT, "203.0.113.9/32") == []
    assert cloud.things["firewalls"]["evonas-ssh"]["sourceRanges"] == ["203.0.113.9/32"]


ENOUGH = {
    "NVIDIA_L4_GPUS": 2,
    "PREEMPTIBLE_NVIDIA_L4_GPUS": 16,
    "PREEMPTIBLE_NVIDIA_A100_GPUS": 4,
    "GPUS_ALL_REGIONS": 18,
    "SSD_TOTAL_GB": 2850,
}


def _limited(limits: dict[str, float]) -> tuple[Cloud, Any]:
    """A project that may have so much, and the launch file."""
    answer = {"quotas": [{"metric": metric, "limit": limit} for metric, limit in limits.items()]}
    cloud = Cloud(regions={"us-central1": answer}, projects={})
    cloud.projects = lambda: SimpleNamespace(  # type: ignore[method-assign]
        get=lambda project: SimpleNamespace(execute=lambda: {"quotas": []})
    )
    config = launcher("gcp.yaml")
    config["provider"]["project_id"] = PROJECT
    return cloud, config


def test_quotas_are_of_what_the_search_asks_for() -> None:
    cloud, config = _limited(dict(ENOUGH))
    found = quotas(cloud, needed(config, Need(3, 4, 1, frozenset())))
    wanted = {"PREEMPTIBLE_NVIDIA_L4_GPUS": 3, "GPUS_ALL_REGIONS": 3, "SSD_TOTAL_GB": 600}
    assert {quota.name: quota.wanted for quota in found} == wanted
    found = quotas(cloud, needed(config, Need(3, 4, 1, frozenset({"latency_l4"}))))
    assert {quota.name: quota.wanted for quota in found}["GPUS_ALL_REGIONS"] == 5


@pytest.mark.parametrize("more", [200, None])
def test_quotas_are_of_all_disks_of_a_machine(more: int | None) -> None:
    """One that is there already has no size in the file."""
    cloud, config = _limited(dict(ENOUGH))
    params = {"diskSizeGb": more, "diskType": "projects/p/zones/z/diskTypes/pd-ssd"}
    head = config["available_node_types"]["head"]["node_config"]
    head["disks"] = [*head["disks"], {"initializeParams": params} if more else {"source": "a disk"}]
    found = {quota.name: quota for quota in quotas(cloud, needed(config, Need(3, 4, 1, frozenset())))}
    assert (found["SSD_TOTAL_GB"].wanted, found["SSD_TOTAL_GB"].least) == (4 * (150 + (more or 0)), 300)


@pytest.mark.parametrize(
    ("changed", "marks"),
    [
        ({}, {}),
        # a new project
        (
            {"GPUS_ALL_REGIONS": 0, "PREEMPTIBLE_NVIDIA_A100_GPUS": 0},
            {"GPUS_ALL_REGIONS": "✗", "PREEMPTIBLE_NVIDIA_A100_GPUS": "✗"},
        ),
        ({"SSD_TOTAL_GB": 500}, {"SSD_TOTAL_GB": "·"}),
    ],
)
def test_a_project_that_may_have_no_gpu_is_told_before_the_head_costs(
    changed: dict[str, float], marks: dict[str, str]
) -> None:
    cloud, config = _limited({**ENOUGH, **changed})
    found = {quota.name: quota.line() for quota in quotas(cloud, config)}
    assert {name: line[0] for name, line in found.items()} == dict.fromkeys(ENOUGH, "✓") | marks
    assert all(f"{wanted:g} are wanted" in found[name] for name, wanted in ENOUGH.items())
