"""Lines of `evonas cluster` on all clouds, with stand-ins for what they ask and start."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import moto
import pytest

from evonas.cli import main
from evonas.clusters.aws.clients import client
from evonas.launch.kubernetes import provider as kubernetes
from evonas.launch.ray_launcher import aws, google
from tests.clouds.test_aws import REGION
from tests.clouds.test_google import PROJECT, ZONE, Cloud
from tests.launch.namespaces import empty
from tests.launch.stand_ins import stand_in
from tests.launch.test_programs import GCLOUD

OPTIONS = {
    "aws": ("--image", "me/evonas:9", "--address", "198.51.100.7", "--ami", "ami-03cf127a", "--yes"),
    "gcp": ("--image", "me/evonas:9", "--address", "198.51.100.7", "--yes"),
    "kubernetes": ("--image", "me/evonas:9", "--yes"),
}
LABELS = {"ray-cluster-name": "evonas", "ray-node-type": "head"}
FILES = {"aws": "my-aws.yaml", "gcp": "my-gcp.yaml", "kubernetes": "my-cluster.yaml"}


class Ups:
    """One cloud on which a head runs from the first `up` on.

    Args:
        cloud: `aws`, `gcp` or `kubernetes`.
        user: folder of the user.
        patch: of the test.
    """

    def __init__(self, cloud: str, user: Path, patch: pytest.MonkeyPatch) -> None:
        self.cloud, self.folder, self.runs, self.started = cloud, user / f"cluster-{cloud}", list[str](), 0
        self._user = user
        getattr(self, f"_{cloud}")(patch)

    def _aws(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "x")
        self.told = stand_in(self._user, patch, ray="", ssh="", rsync="")
        self._clients = cache(client)
        patch.setattr(aws.Aws.__init__, "__defaults__", (self._clients, self._started))
        patch.setattr(aws.ending, "regions_of", lambda _: [REGION])
        patch.setattr(aws, "run_search", self._searched)

    def _gcp(self, patch: pytest.MonkeyPatch) -> None:
        self.told = stand_in(self._user, patch, gcloud=GCLOUD, ray="", ssh="", rsync="")
        credentials = self._user / "home/.config/gcloud/application_default_credentials.json"
        credentials.parent.mkdir(parents=True)
        credentials.touch()
        self.compute = Cloud(instances={}, disks={}, firewalls={}, networks={}, subnetworks={})
        patch.setattr(google.Google.__init__, "__defaults__", (lambda: self.compute,))
        patch.setattr(google, "absent", lambda **_: [])
        patch.setattr(google, "quotas", lambda *_: [])
        patch.setattr(google.programs, "run", self._started_by(google.programs.run))
        patch.setattr(google.ending, "WAIT_S", 0)
        patch.setattr(google, "run_search", self._searched)

    def _kubernetes(self, patch: pytest.MonkeyPatch) -> None:
        self.namespaces = empty(self._user, patch)
        patch.setattr(kubernetes, "run_search", self._searched)

    def _searched(self, order: Any, words: Any, run: str, cpus: int) -> int:
        self.runs.append(run)
        self.tunnel = list(words(8266))
        return 0

    def _started_by(self, run: Callable[..., None]) -> Callable[..., None]:
        return lambda *words: self._started(*words) if words[:2] == ("ray", "up") else run(*words)

    def _started(self, *_: str) -> None:
        """As `ray up` makes a key pair on AWS, and starts a head, which has the key of the launch file on Google."""
        self.started += 1
        if self.cloud == "aws":
            if not (path := Path.home() / ".ssh/evonas.pem").exists():
                path.write_text(self._clients("ec2", REGION).create_key_pair(KeyName="evonas")["KeyMaterial"])
                path.chmod(0o600)
            tags = [{"Key": key, "Value": value} for key, value in LABELS.items()]
            spec = [{"ResourceType": "instance", "Tags": tags}]
            self._clients("ec2", REGION).run_instances(
                ImageId="ami-03cf127a", MinCount=1, MaxCount=1, TagSpecifications=spec
            )
            return
        key = Path.home().joinpath(".evonas-cluster/ssh_key.pub").read_text().strip()
        metadata = {"items": [{"key": "ssh-keys", "value": f"ubuntu:{key}"}]}
        head = {"name": "head", "labels": LABELS, "zone": ZONE, "status": "RUNNING", "metadata": metadata}
        head |= {"machineType": "x/machineTypes/e2-standard-4", "creationTimestamp": "2026-11-29T02:00:00.000-07:00"}
        self.compute.things["instances"]["head"] = head

    def machines(self) -> list[str]:
        """The ids of those that there are; of Kubernetes all objects."""
        if self.cloud == "kubernetes":
            return self.namespaces.objects()
        if self.cloud == "aws":
            return aws.ending.machines(self._clients("ec2", REGION))
        return [name for name, _ in google.ending.machines(self.compute, PROJECT)]

    def end(self) -> None:
        """As the machines of AWS end by themselves."""
        self._clients("ec2", REGION).terminate_instances(InstanceIds=self.machines())

    def up(self, *words: str, options: Sequence[str] | None = None) -> int:
        """Another `up`, with what it cannot do without where no other options are given."""
        return main(["cluster", "up", self.cloud, *words, *(OPTIONS[self.cloud] if options is None else options)])

    def line(self, action: str, *words: str) -> int:
        """`status` or `down`."""
        return main(["cluster", action, self.cloud, *words])


@pytest.fixture
def on(user: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Ups]]:
    """Makes the cloud of a name."""
    with moto.mock_aws():
        yield lambda cloud: Ups(cloud, user, monkeypatch)
