"""A Kubernetes cluster with KubeRay that is there, through kubectl."""

import json
import shlex
from collections import Counter
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from evonas.clusters.running import Running
from evonas.clusters.template import fill, own_copy
from evonas.launch import programs
from evonas.launch.costs import bill
from evonas.launch.kubernetes import pod_objects, pods, pools
from evonas.launch.kubernetes.ending import Ending
from evonas.launch.kubernetes.kubectl import Place
from evonas.launch.kubernetes.launch_file import CPUS, checked, of_head, reading
from evonas.launch.kubernetes.manifests import objects
from evonas.launch.kubernetes.namespaces import Namespaces
from evonas.launch.kubernetes.overlays import built, guessed, platform_of, write
from evonas.launch.kubernetes.pod_objects import ACCOUNT, CLUSTER, PODS, SECRET
from evonas.launch.kubernetes.rights import check_kuberay, check_rights, check_there
from evonas.launch.kubernetes.strangers import check_strangers
from evonas.launch.launch_files import images
from evonas.launch.launch_files.by_hand import instead
from evonas.launch.launch_files.head_file import head_file
from evonas.launch.launch_files.written import as_up_has_it, check_resources, hand_note, put
from evonas.launch.order import Order
from evonas.launch.owned import claim
from evonas.launch.provider import Plan
from evonas.launch.ray_search import run_search
from evonas.launch.recovered import with_place
from evonas.launch.state import change, read
from evonas.launch.tokens import known_digest, token, token_file

FILE = "cluster.yaml"
_GROUPS = r"jsonpath={range .items[*]}{.metadata.labels.ray\.io/group} {.status.phase}{'\n'}{end}"


class Kubernetes:
    """A cluster of `cluster/kuberay`, as the `Provider` of an order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._copy = order.folder / f"my-{FILE}"
        self._namespaces = Namespaces(order)
        self._ending = Ending(order, self._namespaces, self._copy)

    @property
    def _place(self) -> Place:
        return self._namespaces.here

    def plan(self, ask: bool) -> Plan:
        order, copy = self._order, self._copy
        if ask:
            _ = self._namespaces.reached
        self._namespaces.check_one()
        if ask:
            self._namespaces.check_own()
            self._namespaces.check_token()
        with TemporaryDirectory() as folder:
            write(Path(folder))
            new = built(Path(folder), platform := self._platform(ask))
        check_resources(FILE, new, order.resources)
        new = fill(self._with_place(new), {"image": order.value("image") or "NAME/evonas:0.1.0"})
        known = {"image": image} if (image := order.value("image")) else {}
        edited = as_up_has_it(order.folder, FILE, new, order.replace, known)
        with reading(copy):
            used = images.of_pods(pods.cluster(edited))
            text, notes = of_head(copy, edited) if ask and self._is_there else (edited, [])
            found = checked(text, copy, order, self._place.namespace, self.run_folder() if order.config else None)
        hand = (*hand_note(order.folder, FILE, order.replace), *instead(order, copy, {"image": used}))
        notes += self._namespaces.notes() if ask else self._guess(platform, edited == new)
        return Plan(
            {copy.name: edited},
            found.machines,
            self._asks(),
            found.room,
            None,
            idle_h=found.idle_h,
            notes=(*found.notes, *notes),
            by_hand=hand,
        )

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
        check_kuberay(here)
        check_there(here)
        there = pod_objects.there(here, CLUSTER)
        claim(order.folder, here.name, self.is_own(), there)
        change(order.folder, server=self._namespaces.server)
        platform, copy = self._platform(True), self._write()
        text, new, notes = copy.read_text(), list[str](), list[str]()
        if not there:
            pools.check_room(text, here, order.anyway)
            text, new, notes = pools.fitted(text, here, read(order.folder).made)
        check_rights(here, objects(text), copy)
        applied = head_file(copy) if there else copy
        if applied.exists():
            check_strangers(here, objects(applied.read_text()), applied, order.anyway)
        self._make(SECRET, "create", "secret", "generic", "evonas-auth", f"--from-file=auth_token={token_file()}")
        self._make(ACCOUNT, "create", "serviceaccount", "evonas")
        if not there:  # one that is there keeps the file that its head was started with
            head_file(copy).write_text(text)
            self._note(*new)
        return [
            f"{here}, by overlays/{platform}; {SECRET}",
            f"{ACCOUNT} must be allowed to write {self.run_folder() or self._bucket or 'the run folders to come'}",
            *(hand_note(order.folder, FILE) or [str(copy)]),
            *notes,
        ]

    def start(self) -> None:
        if (file := head_file(self._copy)).exists():
            programs.run(*self._line("apply", "-f", str(file)))
        programs.run(*self._line("wait", CLUSTER, "--for=condition=HeadPodReady", "--timeout=1800s"))
        change(self._order.folder, started=True)

    def search(self) -> int:
        return run_search(self._order, self._tunnel, self.run_folder() or "", CPUS)

    def run_folder(self) -> str | None:
        return self._order.run(f"{place}/{self._order.title}" if (place := self._bucket) else None)

    def next_run(self) -> str | None:
        return self.run_folder()

    def nodes(self) -> list[str]:
        code, found = programs.ask(*self._namespaces.reached.line(*PODS, "-o", _GROUPS))
        if code or not found:  # why pods are not shown, `unseen` says
            is_there = pod_objects.cluster(self._place)[0]
            return [f"{CLUSTER} is there{'' if code else ', and its head has not come'}"] if is_there else []
        counts = [f"{count} x {name}" for name, count in sorted(Counter(found.splitlines()).items())]
        groups = [name for name, _, phase in (line.partition(" ") for line in found.splitlines()) if phase == "Running"]
        file = next((file for file in (head_file(self._copy), self._copy) if file.exists()), None)
        with reading(file or self._copy):
            machines = pods.machines(file.read_text(), self._order) if file else []
        types = {machine.group: machine.type for machine in machines}
        on = [Running(types.get(group, group), None, group) for group in groups]
        return [*counts, *bill.lines(on, self._order.prices)]

    def elsewhere(self) -> list[str]:
        return []  # a folder has one place

    def is_own(self) -> bool:
        return self._namespaces.is_own()

    def down(self) -> None:
        self._ending.down()

    def left(self) -> list[str]:
        return self._ending.left()

    def others(self) -> list[str]:
        return [*self._namespaces.others(), *self._ending.others()]

    def where(self) -> str:
        return self._namespaces.where() + (", as far as kubectl shows it" if self._ending.unseen() else "")

    def unseen(self) -> list[str]:
        return [*self._namespaces.unseen(), *self._ending.unseen()]

    def kept(self) -> list[str]:
        return self._ending.kept()

    @property
    def _bucket(self) -> str | None:
        bucket = self._order.value("bucket")
        return bucket if bucket is None or "://" in bucket else f"gs://{bucket}"

    @property
    def _is_there(self) -> bool:
        """Whether there is a cluster, whose head keeps what it was started with."""
        code, said = programs.ask(*self._line("get", CLUSTER, "--ignore-not-found", "-o", "name"))
        return not code and bool(said)

    @property
    def _where(self) -> dict[str, str]:
        return {"context": self._place.context or "", "namespace": self._place.namespace or ""}

    def _with_place(self, text: str) -> str:
        order = self._order
        said = {name: order.value(name) for name in ("bucket", "platform")}
        found = {"server": self._namespaces.server, "runs": order.runs(self.run_folder()), "token": known_digest()}
        return with_place(text, {**self._where, **said, **found})

    def _write(self) -> Path:
        """Writes the launch file into the folder, with what it is made of."""
        order = self._order
        write(order.folder / "kuberay")
        text = built(order.folder / "kuberay", self._platform(True))
        check_resources(FILE, text, order.resources)
        token()
        anew = order.replace or not hand_note(order.folder, FILE)  # which its template says, as it is till now
        template = put(order.folder, FILE, self._with_place(text), anew)
        copy = own_copy(template, {"image": order.value("image") or ""}, anew, keep=True)
        copy.write_text(self._with_place(copy.read_text()))  # one that was changed by hand may be of another
        return copy

    def _line(self, *words: str) -> list[str]:
        return self._place.line(*words)

    def _platform(self, ask: bool) -> str:
        if said := self._order.value("platform"):
            return said
        return self._platform_said if ask else guessed(self._place.context or "", self._namespaces.server)

    @cached_property
    def _platform_said(self) -> str:
        """As the server itself says what it is."""
        found = json.loads(programs.answer(*self._line("version", "-o", "json")))
        return platform_of(found.get("serverVersion", {}).get("gitVersion", ""))

    def _guess(self, platform: str, is_new: bool) -> list[str]:
        """A line where a file is of a platform that nobody has said."""
        if self._order.value("platform") or not is_new:
            return []
        return [
            f"the file of {platform} is a guess, as a dry run asks nobody: `up` asks the server; --platform says it"
        ]

    def _make(self, name: str, *words: str) -> None:
        """Makes an object unless it is there; one that was there is not taken down."""
        if programs.ask(*self._line("get", name))[0]:
            programs.run(*self._line(*words))
            self._note(name)
            pod_objects.label(self._place, name)

    def _note(self, *names: str) -> None:
        """Keeps what was made from here, which goes with the cluster."""
        change(self._order.folder, made=tuple(dict.fromkeys((*read(self._order.folder).made, *names))))

    def _tunnel(self, port: int) -> list[str]:
        return self._line("port-forward", "service/evonas-head-svc", f"{port}:8265")

    def _asks(self) -> list[str]:
        return [
            f"kubectl get {CLUSTER}: is KubeRay there; kubectl get namespace, nodepools: what is there",
            "kubectl version: is it Google's, Amazon's or another (--platform says it: gke, eks or plain)",
            "kubectl auth can-i: may you make and delete each kind of object",
            f"kubectl create {SECRET} (the token) and {ACCOUNT}, where they are not there",
            f"kubectl apply -f {shlex.quote(str(head_file(self._copy)))}, which is {self._copy.name} as it is then",
            "kubectl port-forward service/evonas-head-svc, while the search is handed over and watched",
        ]
