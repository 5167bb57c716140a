"""A Kubernetes cluster with KubeRay that is there, through kubectl."""

import json
import shlex
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from evonas.clusters.running import Running
from evonas.clusters.template import fill, own_copy
from evonas.errors import UserError
from evonas.launch import programs
from evonas.launch.costs import bill
from evonas.launch.kubernetes import pod_objects, pods, pools
from evonas.launch.kubernetes.kubectl import Place, server
from evonas.launch.kubernetes.namespaces import Namespaces
from evonas.launch.kubernetes.overlays import PLATFORMS, built, platform_of, write
from evonas.launch.kubernetes.pod_counts import from_the_start, idle_h
from evonas.launch.kubernetes.pod_gpus import asked_of_machines
from evonas.launch.kubernetes.pod_guards import changed_policy, check_guards, check_namespace
from evonas.launch.kubernetes.pod_labels import check_labels, unselected
from evonas.launch.kubernetes.pod_objects import ACCOUNT, CLUSTER, SECRET
from evonas.launch.launch_files import images
from evonas.launch.launch_files.by_hand import instead
from evonas.launch.launch_files.fitting import check_fits
from evonas.launch.launch_files.gpu_counts import check_counts, unknown_counts
from evonas.launch.launch_files.guards import NAME
from evonas.launch.launch_files.written import as_up_has_it, check_resources, hand_note, put
from evonas.launch.order import Order
from evonas.launch.owned import claim, give_up
from evonas.launch.provider import Plan
from evonas.launch.ray_search import run_search
from evonas.launch.recovered import with_place
from evonas.launch.state import change, read
from evonas.launch.tokens import known_digest, token, token_file

FILE = "cluster.yaml"
CPUS = 3
SELECTED = f"ray.io/cluster={NAME}"
PODS = ("get", "pods", "-l", SELECTED)
UNCOUNTED = {
    "gke": "not counted on GKE: the control plane, $0.10 an hour (an account has one zonal cluster free), the machine "
    "that KubeRay runs on, $0.13 an hour, and a disk of each machine, of 150 GB $0.02 an hour",
    "eks": "not counted on EKS: Auto Mode's share, about an eighth of each machine's price on demand, the control "
    "plane, $0.10 an hour, and a disk of each machine",
    "plain": "not counted: what your Kubernetes costs beside these machines, as its control plane and disks",
}
"""Platform -> what its clouds ask beside the machines (list prices of 2026, as of cluster/README.md)."""
OPERATOR = (
    "helm install kuberay-operator kuberay-operator --repo https://ray-project.github.io/kuberay-helm/ --version 1.7.1"
)


class Kubernetes:
    """A cluster of `cluster/kuberay`, as the `Provider` of an order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._copy = order.folder / f"my-{FILE}"
        self._pools = list[str]()
        self._namespaces = Namespaces(order)

    @property
    def _place(self) -> Place:
        return self._namespaces.here

    def plan(self, ask: bool) -> Plan:
        order = self._order
        if ask:
            _ = self._namespaces.reached
        self._namespaces.check_one()
        if ask:
            self._namespaces.check_token()
        with TemporaryDirectory() as folder:
            write(Path(folder))
            platform = order.value("platform") or (self._platform() if ask else PLATFORMS[0])
            new = built(Path(folder), platform)
        check_resources(FILE, new, order.resources)
        new = fill(self._with_place(new), {"image": order.value("image") or "NAME/evonas:0.1.0"})
        known = {"image": image} if (image := order.value("image")) else {}
        text = as_up_has_it(order.folder, FILE, new, order.replace, known)
        with self._reading():
            machines = pods.machines(text, order)
            check_labels(spec := pods.cluster(text)["spec"], self._copy)
            check_counts(asked_of_machines(spec), self._copy, "pods")
            check_guards(text, self._copy)
            check_namespace(text, self._place.namespace, self._copy)
            images.check_images(used := images.of_pods(pods.cluster(text)), self._copy)
            pods.check_run(text, self.run_folder() if order.config else None)
            check_fits(order, room := pods.room(text, CPUS), self._copy.name)
            stays_h, notes = idle_h(spec), (UNCOUNTED[platform], *from_the_start(spec), *unselected(spec))
            notes += (*unknown_counts(asked_of_machines(spec)), *changed_policy(text))
        if order.resources and not any(machine.board and machine.most for machine in machines):
            raise UserError(f"{self._copy} has no pod for {', '.join(sorted(order.resources))} of a target: replicas")
        hand = (*hand_note(order.folder, FILE, order.replace), *instead(order, self._copy, {"image": used}))
        notes += tuple(self._namespaces.notes()) if ask else ()
        plan = {f"my-{FILE}": text}
        return Plan(plan, machines, self._asks(), room, None, idle_h=stays_h, notes=notes, by_hand=hand)

    def missing(self) -> list[str]:
        order = self._order
        lines = programs.absent("kubectl")
        lines += [] if order.value("image") else ["image: --image NAME/evonas:0.1.0, built of cluster/Dockerfile"]
        if order.config_path and not self.run_folder():
            lines.append("run: --run gs://BUCKET/run, or --bucket gs://BUCKET: the pods' own disks go with them")
        if not lines and not self._place.context:
            lines.append("context: kubectl config use-context NAME, or KUBECONFIG: kubectl knows no cluster")
        return lines

    def prepare(self) -> list[str]:
        order, here = self._order, self._place
        order.folder.mkdir(parents=True, exist_ok=True)
        change(order.folder, given={**order.remembered, **self._where})
        code, said = programs.ask(*self._line("get", "crd", "rayclusters.ray.io"))
        if code and "Forbidden" not in said:  # who has a namespace alone may not ask this
            raise UserError(f"KubeRay is not there in {here.context}: {OPERATOR}")
        claim(order.folder, here.name, self.is_own(), pod_objects.there(here, CLUSTER))
        change(order.folder, server=server(here))
        code, said = programs.ask(*self._line("auth", "can-i", "create", "rayclusters.ray.io"))
        if code or said != "yes":
            raise UserError(f"you may not create rayclusters.ray.io in {here}")
        platform = order.value("platform") or self._platform()
        write(order.folder / "kuberay")
        text = built(order.folder / "kuberay", platform)
        check_resources(FILE, text, order.resources)
        token()
        anew = order.replace or not hand_note(order.folder, FILE)  # which its template says, as it is till now
        template = put(order.folder, FILE, self._with_place(text), anew)
        copy = own_copy(template, {"image": order.value("image") or ""}, anew, keep=True)
        copy.write_text(self._with_place(copy.read_text()))  # one that was changed by hand may be of another
        self._make(SECRET, "create", "secret", "generic", "evonas-auth", f"--from-file=auth_token={token_file()}")
        self._make(ACCOUNT, "create", "serviceaccount", "evonas")
        return [
            f"{here}, by overlays/{platform}; {SECRET}",
            f"{ACCOUNT} must be allowed to write {self.run_folder()}",
            *(hand_note(order.folder, FILE) or [str(copy)]),
        ]

    def start(self) -> None:
        programs.run(*self._line("apply", "-f", str(self._copy)))
        programs.run(*self._line("wait", "raycluster/evonas", "--for=condition=HeadPodReady", "--timeout=1800s"))
        change(self._order.folder, started=True)

    def search(self) -> int:
        return run_search(self._order, self._tunnel, self.run_folder() or "", CPUS)

    def run_folder(self) -> str | None:
        bucket = self._order.value("bucket")
        place = bucket if bucket is None or "://" in bucket else f"gs://{bucket}"
        return self._order.run(f"{place}/{self._order.title}" if place else None)

    def nodes(self) -> list[str]:
        found = programs.answer(
            *self._namespaces.reached.line(
                *PODS,
                "-o",
                r"jsonpath={range .items[*]}{.metadata.labels.ray\.io/group} "
                r"{.status.phase}{'\n'}{end}",
            )
        )
        counts = [f"{count} x {name}" for name, count in sorted(Counter(found.splitlines()).items())]
        groups = [name for name, _, phase in (line.partition(" ") for line in found.splitlines()) if phase == "Running"]
        text = self._copy.read_text() if self._copy.exists() else None
        with self._reading():
            types = {machine.group: machine.type for machine in pods.machines(text, self._order)} if text else {}
        on = [Running(types.get(group, group), None, group) for group in groups]
        return [*counts, *bill.lines(on, self._order.prices)]

    def elsewhere(self) -> list[str]:
        return []  # a folder has one place

    def is_own(self) -> bool:
        return self._namespaces.is_own()

    def down(self) -> None:
        here, folder = self._place, self._order.folder
        is_its = self._namespaces.is_of_folder
        # By names and label, too: the file may be another folder's, be lost, or be one that kubectl does not take.
        if jobs := pod_objects.jobs(here):
            pod_objects.delete_cluster(here)
        else:
            pod_objects.delete(here, self._made)
            self._pools = pools.delete(self._copy, here)
        programs.ask(*self._line("wait", "pod", "--for=delete", "-l", SELECTED, "--timeout=300s"))
        if jobs:
            change(folder, started=False)
            return
        if is_its:
            change(folder, started=False, made=())
        for name in self._namespaces.names:
            give_up(folder, name)

    def left(self) -> list[str]:
        names = programs.answer(*self._namespaces.reached.line(*PODS, "-o", "name")).split()
        there = pod_objects.all_there(self._place, self._made)
        is_needed = bool(pod_objects.jobs(self._place))
        return [*names, *(name for name in there if not is_needed or pod_objects.is_cluster(name))]

    @property
    def _made(self) -> tuple[str, ...]:
        """What this folder has made beside the launch file, where its cluster is meant."""
        return read(self._order.folder).made if self._namespaces.is_of_folder else ()

    def others(self) -> list[str]:
        return [*self._namespaces.others(), *self._of_jobs()]

    def _of_jobs(self) -> list[str]:
        """A line where a job is there, with what stays for it."""
        if not (jobs := pod_objects.jobs(self._place)):
            return []
        rest = [name for name in pod_objects.all_there(self._place, self._made) if not pod_objects.is_cluster(name)]
        stays = f" and keeps {', '.join(rest)}" if rest else ""
        own = [name for name in jobs if name.startswith("rayjob")]
        way = f"{shlex.join(self._line('delete', *own))} ends it" if own else "end what has made it"
        return [
            f"{', '.join(jobs)} in {self._place} is not of this cluster{stays}: {way}; then {self._order.again('down')}"
        ]

    def where(self) -> str:
        return self._namespaces.where()

    def unseen(self) -> list[str]:
        return self._namespaces.unseen()

    def kept(self) -> list[str]:
        runs = self._order.runs(None).values() or [name for name in [self._order.bucket] if name]
        needed = [f"NodePool {name}, which clusters of other namespaces may need" for name in self._pools]
        before = [
            f"{name}, which no `up` from here has made"
            for name in pod_objects.there(self._place, SECRET, ACCOUNT)
            if name not in self._made
        ]
        return [
            *needed,
            *before,
            *(f"{run}: what it stores is paid for" for run in runs),
            "machines of the pools, until your Kubernetes takes them away, and Kubernetes itself",
            "~/.evonas-cluster: the token of your clusters, which costs nothing",
        ]

    @property
    def _where(self) -> dict[str, str]:
        return {"context": self._place.context or "", "namespace": self._place.namespace or ""}

    def _with_place(self, text: str) -> str:
        order = self._order
        said = {name: order.value(name) for name in ("bucket", "platform")}
        runs = order.runs(self.run_folder())
        return with_place(text, {**self._where, **said, "runs": runs, "token": known_digest()})

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Raises UserError where the launch file, as its user has changed it, cannot be read."""
        try:
            yield
        except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
            why = " ".join(str(error).split())
            raise UserError(
                f"{self._copy} is not as kubectl takes it: {why}; mend it, or remove it, and it is written anew"
            ) from None

    def _line(self, *words: str) -> list[str]:
        return self._place.line(*words)

    def _platform(self) -> str:
        said = json.loads(programs.answer(*self._line("version", "-o", "json")))
        return platform_of(said.get("serverVersion", {}).get("gitVersion", ""))

    def _make(self, name: str, *words: str) -> None:
        """Makes an object unless it is there; one that was there is not taken down."""
        if programs.ask(*self._line("get", name))[0]:
            programs.run(*self._line(*words))
            change(self._order.folder, made=(*read(self._order.folder).made, name))
            pod_objects.label(self._place, name)

    def _tunnel(self, port: int) -> list[str]:
        return self._line("port-forward", "service/evonas-head-svc", f"{port}:8265")

    def _asks(self) -> list[str]:
        return [
            "kubectl get crd rayclusters.ray.io: is KubeRay there; kubectl auth can-i create rayclusters.ray.io",
            "kubectl version: is it Google's, Amazon's or another (--platform says it: gke, eks or plain)",
            f"kubectl create {SECRET} (the token) and {ACCOUNT}, where they are not there",
            f"kubectl apply -f {shlex.quote(str(self._copy))}",
            "kubectl port-forward service/evonas-head-svc, while the search is handed over and watched",
        ]
