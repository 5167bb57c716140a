"""Google Cloud, through gcloud, its client for Python and Ray's own launcher."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evonas.clusters import regions
from evonas.clusters.address import own_address
from evonas.clusters.google import ending
from evonas.clusters.google.clients import compute as google_client
from evonas.clusters.google.quotas import quotas
from evonas.clusters.google.running import running, stopped
from evonas.clusters.needed import needed
from evonas.clusters.refusal import refusals
from evonas.clusters.shipped import shipped
from evonas.clusters.template import defaults, own_copy
from evonas.errors import UserError
from evonas.launch import programs
from evonas.launch.costs import bill, estimate
from evonas.launch.launch_files.head_file import forget
from evonas.launch.launch_files.written import (
    as_up_has_it,
    check_place,
    filled,
    hand_note,
    launch_file,
    parsed,
    put,
    reading,
)
from evonas.launch.order import Order
from evonas.launch.owned import claim, give_up
from evonas.launch.provider import Plan
from evonas.launch.ray_launcher import gcloud, head_files
from evonas.launch.ray_launcher.libraries import absent
from evonas.launch.ray_launcher.plans import plan_of
from evonas.launch.ray_launcher.quota_check import check
from evonas.launch.ray_launcher.ray_up import keeps_head, ray_up
from evonas.launch.ray_search import run_search
from evonas.launch.state import change, read
from evonas.launch.tokens import token, token_file

FILE = "gcp.yaml"
CPUS = 4
KEEPS = ("image", "region", "zone", "project", "family")


class Google:
    """A cluster of `cluster/gcp.yaml`, as the `Provider` of an order.

    Args:
        order: what is asked for.
        client: makes a client of Compute Engine.
    """

    def __init__(self, order: Order, client: Callable[[], Any] = google_client) -> None:
        self._order, self._client = order, client
        self._region = order.value("region") or defaults(shipped(FILE))["region"]
        self._copy = order.folder / f"my-{FILE}"

    def plan(self, ask: bool) -> Plan:
        order = self._order
        named = self._project() if ask else order.value("project")
        project = named or "PROJECT"
        values = self._values({"image": "NAME/evonas:0.1.0", "project": project, "family": "...", "key": "..."})
        new = filled(FILE, order.resources, values)  # what is wrong with the values is said in any case
        bucket = order.value("bucket") or f"{project}-evonas"
        text = self._placed(as_up_has_it(order.folder, FILE, new, order.replace, self._values({})), bucket)
        check_place(edited := parsed(text, self._copy), self._copy, region=self._region, project=named)
        of_head: list[str] = []
        if ask and named and self._keeps_head(named):
            head_files.check_token(self._copy, text, order)
            of_head, text = head_files.notes(self._copy, text), head_files.of_head(self._copy, text)
        launch = parsed(text, self._copy)
        asks = _asks(order, project, bucket, self._copy)
        with reading(self._copy):
            known = [*of_head, *regions.notes("gcp", self._region)]
            return plan_of(f"my-{FILE}", text, launch, order, asks, self._region, known, CPUS, edited)

    def missing(self) -> list[str]:
        order = self._order
        lines = absent(googleapiclient="pip install google-api-python-client")
        lines += programs.absent("gcloud", "ray", "ssh", "rsync", "ssh-keygen")
        lines += [] if order.value("image") else ["image: --image NAME/evonas:0.1.0, built of cluster/Dockerfile"]
        lines += [] if self._project() else ["project: --project, or gcloud config set project"]
        return lines + _credentials()

    def prepare(self) -> list[str]:
        order, region, project = self._order, self._region, self._project()
        if project is None:
            raise UserError("no project: --project")
        bucket = order.value("bucket") or f"{project}-evonas"
        place, address = f"{project}/{region}", order.address or own_address()
        with refusals():
            there = [f"machine {name} in {zone}" for name, zone in _machines(self._client, project, self._cluster())]
            claim(order.folder, place, self.is_own(), [*there, *gcloud.others(project, address)])
        change(order.folder, given={**order.remembered, "project": project, "region": region, "bucket": bucket})
        role = put(order.folder, "gcp-role.yaml", shipped("gcp-role.yaml"))
        token()
        anew = order.replace or not hand_note(order.folder, FILE)  # which its template says, as it is till now
        template = put(order.folder, FILE, self._placed(launch_file(FILE, order.resources), bucket), anew)
        gcloud.make(project, region, bucket, address, role, read(order.folder).address)
        change(order.folder, address=address)
        values = {**self._values({}), "project": project, "key": _key()}
        values["family"] = order.value("family") or gcloud.family(project)
        copy = own_copy(template, values, anew, keep=True)
        copy.write_text(self._placed(copy.read_text(), bucket))  # one that was changed by hand
        with refusals(), reading(copy):
            found = quotas(self._client(), needed(parsed(copy.read_text(), copy), order.need(CPUS)))
        check(found, [], order.anyway)
        return [
            f"project {project}; bucket {bucket}; network, rules and account evonas; machine image {values['family']}",
            *(quota.line() for quota in found),
            *(hand_note(order.folder, FILE) or [str(copy)]),
        ]

    def _head_runs(self, project: str) -> bool:
        with refusals():
            return ending.head_runs(self._client(), project, self._cluster())

    def _keeps_head(self, project: str) -> bool:
        with refusals():
            there = _machines(self._client, project, self._cluster())
        return bool(there) and self._head_runs(project) and keeps_head(self._order.folder, f"{project}/{self._region}")

    def start(self) -> None:
        ray_up(self._order.folder, self._copy, self._head_runs(self._known_project()), programs.run)

    def search(self) -> int:
        return run_search(self._order, self._tunnel, self.run_folder() or "", CPUS)

    def run_folder(self) -> str | None:
        name = self._order.bucket
        return self._order.run(f"gs://{name}/{self._order.title}" if name else None)

    def nodes(self) -> list[str]:
        with refusals():
            client, project, cluster = self._client(), self._known_project(), self._cluster()
            found, ended = running(client, project, cluster), stopped(client, project, cluster)
        prices = self._order.prices
        with reading(self._copy):
            disks = bill.of_launch_file(estimate.of_launch_file(self._launch(), prices))
        lines = bill.lines(found, prices, self._region, disks=disks)
        return [*lines, *([f"{len(ended)} stopped, whose disks are paid for until `down`"] if ended else [])]

    def elsewhere(self) -> list[str]:
        return []  # `nodes` looks in all zones

    def is_own(self) -> bool:
        project = self._known_project()
        if any(place.startswith(f"{project}/") for place in read(self._order.folder).owns):
            return True
        own = [*_public(_key_file().with_suffix(".pub")), *head_files.filled(self._copy, "key")]
        if not own:
            return False
        with refusals():
            there = ending.keys(self._client(), project, self._cluster())
        return any(key in known for key in own for known in there)

    def _placed(self, text: str, bucket: str) -> str:
        """A launch file that says what no other place of it does."""
        return head_files.placed(text, self._order, bucket, self.run_folder())

    def down(self) -> None:
        project, folder = self._known_project(), self._order.folder
        with refusals():
            ending.take_down(self._client(), project, self._cluster())
        for place in read(folder).owns:
            if place.startswith(f"{project}/"):
                give_up(folder, place)
        gcloud.unmake(project)
        change(folder, started=False)
        forget(self._copy)

    def left(self) -> list[str]:
        project = self._known_project()
        with refusals():
            lines = ending.left(self._client(), project, self._cluster())
        return [*lines, "account evonas-head"] if gcloud.has_account(project) else lines

    def others(self) -> list[str]:
        projects = dict.fromkeys(place.split("/")[0] for place in read(self._order.folder).owns)
        way = f"may run: it was started from here, and goes by {self._order.again('down')} --project"
        return [f"a cluster in project {name} {way} {name}" for name in projects if name != self._known_project()]

    def where(self) -> str:
        return f"project {self._known_project()}"

    def unseen(self) -> list[str]:
        if self._named_project():
            return []
        return [
            f"{self._order.folder} does not say where a cluster was started, and {self._known_project()} is what "
            f"gcloud is set to: --project PROJECT looks in another"
        ]

    def kept(self) -> list[str]:
        name = self._order.bucket
        bucket = f"bucket {name} with its runs: what it stores is paid for; gcloud storage rm -r gs://{name}"
        return [
            *([bucket] if name else []),
            "role evonasHead, which nobody has, and ray-autoscaler-sa-v1, which Ray makes: they cost nothing",
            "~/.evonas-cluster: the token and the key of your clusters, which cost nothing",
        ]

    def _named_project(self) -> str | None:
        """What an option, the folder or the environment says."""
        named = os.environ.get("CLOUDSDK_CORE_PROJECT") or os.environ.get("GOOGLE_CLOUD_PROJECT")
        return self._order.value("project") or named

    def _project(self) -> str | None:
        return self._named_project() or gcloud.project_of_gcloud()

    def _known_project(self) -> str:
        project = self._project()
        if project is None:
            raise UserError("no project: --project")
        return project

    def _values(self, others: dict[str, str]) -> dict[str, str]:
        return {**others, **{name: value for name in KEEPS if (value := self._order.value(name))}}

    def _launch(self) -> dict[str, Any]:
        """That of the head, where it is kept, else what is there, else as it comes."""
        text = self._copy.read_text() if self._copy.exists() else shipped(FILE)
        return parsed(head_files.of_head(self._copy, text), self._copy)

    def _cluster(self) -> str:
        return str(self._launch()["cluster_name"])

    def _tunnel(self, port: int) -> list[str]:
        return ["ray", "dashboard", "--port", str(port), str(head_files.in_force(self._copy))]


def _machines(client: Callable[[], Any], project: str, cluster: str) -> list[tuple[str, str]]:
    """Those of the cluster; none where Compute Engine is not switched on yet, which `gcloud.make` does."""
    try:
        return ending.machines(client(), project, cluster)
    except Exception as error:
        if "SERVICE_DISABLED" in str(error) or "has not been used" in str(error):
            return []
        raise


def _key_file() -> Path:
    return token_file().parents[1] / "ssh_key"


def _public(path: Path) -> list[str]:
    return [path.read_text().strip()] if path.exists() else []


def _key() -> str:
    """The public half of the key of these machines, made if there is none."""
    path = _key_file()
    if not path.exists():
        programs.answer("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "evonas", "-f", str(path))
    return path.with_suffix(".pub").read_text().strip()


def _credentials() -> list[str]:
    """A line where Google's libraries would find no credentials, without the network."""
    folder = Path(os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud")
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    path = Path(named) if named else folder / "application_default_credentials.json"
    remedy = "it is no file" if named else "gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS"
    return [] if path.is_file() else [f"credentials of Google Cloud: {path}: {remedy}"]


def _asks(order: Order, project: str, bucket: str, copy: Path) -> list[str]:
    """What `prepare` and `start` ask of Google, a line each."""
    address = order.address or "this machine as it is seen"
    return [
        f"gcloud services enable: {', '.join(gcloud.SERVICES)} in project {project}",
        f"gcloud storage: bucket {bucket}: is it there, else it is made",
        f"gcloud compute: network and subnetwork evonas; SSH from {address}, all between machines",
        f"gcloud iam: role evonasHead, which may do what {order.folder}/gcp-role.yaml says, and account evonas-head",
        *([] if order.value("family") else ["gcloud compute: the newest machine image with NVIDIA's driver"]),
        "Compute Engine: quotas of GPUs and disks",
        f"Compute Engine, by `ray up -y {shlex.quote(str(copy))}`: the head and what is there from the start",
        "Compute Engine, by the head: spot machines while the search asks for them",
    ]
