"""Google Cloud, through gcloud, its client for Python and Ray's own launcher."""

import os
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from evonas.clusters import regions
from evonas.clusters.address import own_address
from evonas.clusters.forms import require_form
from evonas.clusters.google import ending
from evonas.clusters.google.clients import compute as google_client
from evonas.clusters.google.quotas import quotas
from evonas.clusters.google.running import running, stopped
from evonas.clusters.needed import needed
from evonas.clusters.refusal import refusals
from evonas.clusters.shipped import shipped
from evonas.clusters.template import defaults, own_copy
from evonas.errors import UserError
from evonas.installing import how_to_install
from evonas.launch import programs
from evonas.launch.costs import bill
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
from evonas.launch.owned import check_own, claimed, give_up
from evonas.launch.places import in_each
from evonas.launch.provider import Plan
from evonas.launch.ray_launcher import gcloud, head_files
from evonas.launch.ray_launcher.google_before import asks, check_key, credentials, key, own_keys
from evonas.launch.ray_launcher.libraries import absent
from evonas.launch.ray_launcher.plans import plan_of
from evonas.launch.ray_launcher.quota_check import check
from evonas.launch.ray_launcher.ray_up import keeps_head, ray_up
from evonas.launch.ray_search import run_search
from evonas.launch.state import change, read
from evonas.launch.tokens import kept_token, token

FILE = "gcp.yaml"
ROLE = "gcp-role.yaml"
ACCOUNT = "account evonas-head"
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
        self._silent = dict[str, str]()

    def plan(self, ask: bool) -> Plan:
        with reading(self._copy):
            return self._plan(ask)

    def _plan(self, ask: bool) -> Plan:
        order = self._order
        named = self._project() if ask else order.value("project")
        project = named or "PROJECT"
        values = self._values({"image": "NAME/evonas:0.1.0", "project": project, "family": "...", "key": "..."})
        new = filled(FILE, order.resources, values)  # what is wrong with the values is said in any case
        bucket = order.value("bucket") or f"{project}-evonas"
        text = self._placed(as_up_has_it(order.folder, FILE, new, order.replace, self._values({})), bucket)
        check_place(edited := parsed(text, self._copy), self._copy, order, region=self._region, project=named)
        of_head: list[str] = []
        if ask and named:
            check_own(order.folder, *self._whose(named))
        if ask and named and self._keeps_head(named):
            head_files.check_token(self._copy, text, order)
            of_head, text = head_files.notes(self._copy, text), head_files.of_head(self._copy, text)
            with refusals():
                opening = ending.keys(self._client(), named)
            check_key(opening, parsed(text, self._copy).get("auth") or {}, order.again("down"))
        launch = parsed(text, self._copy)
        asked = asks(order, project, bucket, self._copy)
        known = [*of_head, *regions.notes("gcp", self._region)]
        known += gcloud.traffic(named, bucket, self._region) if ask and named else []
        beside = {ROLE: shipped(ROLE)}
        return plan_of(f"my-{FILE}", text, launch, order, asked, self._region, known, CPUS, edited, beside)

    def missing(self) -> list[str]:
        order = self._order
        lines = absent(googleapiclient="pip install google-api-python-client", gcsfs=how_to_install("gcs"))
        lines += programs.absent("gcloud", "ray", "ssh", "rsync", "ssh-keygen")
        lines += [] if order.value("image") else ["image: --image NAME/evonas:0.1.0, built of cluster/Dockerfile"]
        return [*lines, *self._unnamed(), *credentials()]

    def _unnamed(self) -> list[str]:
        return [] if self._project() else ["project: --project, or gcloud config set project"]

    def prepare(self) -> list[str]:
        order, region, project = self._order, self._region, self._known_project()
        bucket, usual = self._bucket, f"{project}-evonas"
        is_there = gcloud.has_bucket(project, bucket, bool(order.given.get("bucket")) or bucket != usual)
        whose = self._whose(project)
        check_own(order.folder, *whose)
        place = {"project": project, "region": region}
        order.keep(**place)
        role = put(order.folder, ROLE, shipped(ROLE))
        token()
        gcloud.store(project, region, bucket, is_there)
        if not is_there:
            order.keep(bucket, **place)
        lacking = partial(gcloud.lacking, project, region, self._address, role)
        with claimed(order.folder, f"{project}/{region}", *whose, lacking) as lines:
            return self._made(project, bucket, lines)

    def _made(self, project: str, bucket: str, lines: list[list[str]]) -> list[str]:
        order, place = self._order, {"project": project, "region": self._region}
        gcloud.make(project, lines, bucket, self._address, read(order.folder).address)
        order.keep(bucket, **place)  # one that was there is this user's to use if the head may be let in
        change(order.folder, address=self._address)
        anew = order.replace or not hand_note(order.folder, FILE)  # which its template says, as it is till now
        template = put(order.folder, FILE, self._placed(launch_file(FILE, order.resources), bucket), anew)
        values = {**self._values({}), "project": project, "key": key()}
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

    @cached_property
    def _address(self) -> str:
        return self._order.address or own_address()

    def _whose(self, project: str) -> tuple[bool, list[str]]:
        """Whether what there is in a project is this user's, and what of it an `up` would take over."""
        with refusals():
            there = [f"machine {name} in {zone}" for name, zone in ending.machines(self._client(), project)]
        there += gcloud.others(project, self._address)
        return not there or self.is_own(), there

    def _head_zone(self, project: str) -> str | None:
        with refusals():
            return ending.head_zone(self._client(), project)

    def _keeps_head(self, project: str) -> bool:
        """Raises UserError where it is in another region, for which this line would make things in vain."""
        zone = self._head_zone(project)
        if zone and zone.rpartition("-")[0] != self._region and self.is_own():
            raise UserError(
                f"the head runs in {zone}, and a project has one cluster, so that none can be in {self._region}: "
                f"--zone {zone} goes on with it; to move it, first {self._order.again('down')}"
            )
        return zone is not None and keeps_head(self._order.folder, f"{project}/{self._region}")

    def start(self) -> None:
        ray_up(self._order.folder, self._copy, self._head_zone(self._known_project()) is not None, programs.run)

    def search(self) -> int:
        return run_search(self._order, self._tunnel, self.run_folder() or "", CPUS)

    def run_folder(self) -> str | None:
        return self._order.run_in("gs", self._order.bucket)

    def next_run(self) -> str | None:
        return self._order.run_in("gs", self._bucket)

    @property
    def _bucket(self) -> str:
        return self._order.value("bucket") or f"{self._known_project()}-evonas"

    def nodes(self) -> list[str]:
        project = self._known_project()
        with refusals():
            client = self._client()
            found, ended = running(client, project), stopped(client, project)
        disks = head_files.disks(self._copy, shipped(FILE), self._order.prices)
        lines = bill.lines(found, self._order.prices, self._region, disks=disks)
        return [*lines, *([f"{len(ended)} stopped, whose disks are paid for until `down`"] if ended else [])]

    def elsewhere(self) -> list[str]:
        return []  # `nodes` looks in all zones

    def is_own(self) -> bool:
        """By the keys of machines that run, for the state may be of a cluster that has ended; without any by it."""
        project = self._known_project()
        with refusals():
            there = ending.keys(self._client(), project)
        if there:
            return bool(there & own_keys(self._copy))
        return any(place.startswith(f"{project}/") for place in read(self._order.folder).owns)

    def _placed(self, text: str, bucket: str) -> str:
        """A launch file that says what no other place of it does."""
        return head_files.placed(text, self._order, bucket, self.run_folder())

    def down(self) -> None:
        project, folder = self._known_project(), self._order.folder
        in_each([f"project {project}", ACCOUNT], self._take_down)
        for place in read(folder).owns:
            if place.startswith(f"{project}/") and not self._silent:  # else something of it may still be there
                give_up(folder, place)
        change(folder, started=False)
        forget(self._copy)

    def _take_down(self, what: str) -> None:
        client, project = self._client(), self._known_project()
        with refusals():
            if what != ACCOUNT:
                ending.take_down(client, project)
            elif not ending.machines(client, project):  # else a head ends its workers by it
                gcloud.unmake(project)

    def left(self) -> list[str]:
        project, self._silent = self._known_project(), {}
        with refusals():
            client = self._client()
        lines = ending.left(client, project, silent=self._silent)
        lines += ending.told(ACCOUNT, lambda: [ACCOUNT] * gcloud.has_account(project), self._silent)
        return [*lines, *self._mute]

    @property
    def _mute(self) -> list[str]:
        """What Google has not answered about, a line each."""
        return [
            f"{what} in {self.where()}, if any: Google did not answer ({why}), and nobody has said whether something "
            f"is there, which may cost"
            for what, why in self._silent.items()
        ]

    def others(self) -> list[str]:
        projects = dict.fromkeys(place.split("/")[0] for place in read(self._order.folder).owns)
        way = f"may run: it was started from here, and goes by {self._order.again('down')} --project"
        return [f"a cluster in project {name} {way} {name}" for name in projects if name != self._known_project()]

    def where(self) -> str:
        return f"project {self._known_project()}"

    def unseen(self) -> list[str]:
        if self._named_project():
            return self._mute
        return [
            *self._mute,
            f"{self._order.folder} does not say where a cluster was started, and {self._known_project()} is what "
            f"gcloud is set to: --project PROJECT looks in another",
        ]

    def kept(self) -> list[str]:
        name = self._order.bucket
        bucket = f"bucket {name} with its runs: what it stores is paid for; gcloud storage rm -r gs://{name}"
        return [
            *([bucket] if name else []),
            "role evonasHead, which account evonas-head has while it is there, and ray-autoscaler-sa-v1, which Ray "
            "makes: they cost nothing",
            *kept_token("the token and the key of your clusters, which cost nothing"),
        ]

    def _named_project(self) -> str | None:
        """What an option, the folder or the environment says."""
        named = os.environ.get("CLOUDSDK_CORE_PROJECT") or os.environ.get("GOOGLE_CLOUD_PROJECT")
        return self._order.value("project") or named

    def _project(self) -> str | None:
        project = self._named_project() or gcloud.project_of_gcloud()
        if project:
            require_form("gcp", "project", project, "project")
        return project

    def _known_project(self) -> str:
        project = self._project()
        if project is None:
            raise UserError("; ".join([*self._unnamed(), *credentials()]))
        return project

    def _values(self, others: dict[str, str]) -> dict[str, str]:
        return {**others, **{name: value for name in KEEPS if (value := self._order.value(name))}}

    def _tunnel(self, port: int) -> list[str]:
        file = head_files.to_enter(self._copy, project_id=self._known_project())
        return ["ray", "dashboard", "--port", str(port), str(file)]
