"""The files of cluster/kuberay as kustomize builds them, without a cluster: keys, promises, and planted faults."""

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig

from evonas.clusters.notices.__main__ import main as notices
from evonas.clusters.template import fill, slots
from evonas.prices.prices import NODE_TYPE_LABEL, Prices
from tests.clouds.test_plans import planned
from tests.cluster_files import CLUSTER, SETTINGS
from tests.kustomize import build
from tests.test_cluster_files import MOST

KUBERAY = CLUSTER / "kuberay"
PLACES = ("gke", "eks", "plain")
OVERLAYS = [f"{place}{kind}" for place in PLACES for kind in ("", "-job")]
GIVEN = {"image": f"NAME/evonas@sha256:{'0a' * 32}", "run": "gs://BUCKET/run"}
WORKER = {"CPU": 3, "GPU": 1}
CORES_OF_HEAD = 4
"""With fewer it stands still for so long, beside a driver that computes, that its workers are given up."""
SENT = 3.9e9
"""Bytes of the largest data that is sent to all workers: pictures of ImageNet, 32 x 32."""
Change = Callable[[Any], object]


def _closed(required: str = "", **properties: Any) -> dict[str, Any]:
    known = {key.replace("__", "-"): value for key, value in properties.items()}
    return {"type": "object", "additionalProperties": False, "properties": known, "required": required.split()}


TEXT, YES, TEXTS = (
    {"type": "string"},
    {"type": "boolean"},
    {"type": "object", "additionalProperties": {"type": "string"}},
)
COUNT = {"type": "integer", "minimum": 0}


def _list(item: Any) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


AMOUNTS = _closed("requests limits", requests=TEXTS, limits=TEXTS)
LEAVE = {"exec": {"command": ["python", "-m", "evonas.clusters.notices", "now", "--seconds", "100"]}}
CONTAINER = _closed(
    "name image securityContext envFrom resources volumeMounts",
    name=TEXT,
    image=TEXT,
    securityContext=_closed(
        "allowPrivilegeEscalation capabilities",
        allowPrivilegeEscalation={"const": False},
        capabilities={"const": {"drop": ["ALL"]}},
    ),
    envFrom={"const": [{"configMapRef": {"name": "evonas-settings"}}]},
    env=_list(_closed("name value", name=TEXT, value=TEXT)),
    resources=AMOUNTS,
    lifecycle=_closed(
        postStart={"const": {"exec": {"command": ["nvidia-cuda-mps-control", "-d"]}}}, preStop={"const": LEAVE}
    ),
    volumeMounts=_list(_closed("name mountPath", name=TEXT, mountPath=TEXT, readOnly=YES)),
)
POD = _closed(
    "restartPolicy securityContext nodeSelector containers volumes",
    restartPolicy={"const": "Never"},
    serviceAccountName=TEXT,
    automountServiceAccountToken={"const": False},
    securityContext=_closed(
        "runAsNonRoot runAsUser", runAsNonRoot={"const": True}, runAsUser={"const": 1000}, fsGroup=COUNT
    ),
    nodeSelector=TEXTS,
    tolerations=_list(_closed("key operator effect", key=TEXT, operator=TEXT, value=TEXT, effect=TEXT)),
    terminationGracePeriodSeconds=COUNT,
    containers=_list(CONTAINER),
    volumes=_list(
        _closed(
            "name",
            name=TEXT,
            configMap=_closed("name", name=TEXT),
            emptyDir=_closed("medium sizeLimit", medium={"const": "Memory"}, sizeLimit=TEXT),
        )
    ),
)
TEMPLATE = _closed("metadata spec", metadata=_closed("labels", labels=TEXTS, annotations=TEXTS), spec=POD)
START = {
    "type": "object",
    "propertyNames": {"enum": ["num-cpus", "num-gpus", "resources"]},
    "additionalProperties": TEXT,
}
RAY_CLUSTER = _closed(
    "rayVersion enableInTreeAutoscaling autoscalerOptions authOptions headGroupSpec workerGroupSpecs",
    rayVersion=TEXT,
    enableInTreeAutoscaling={"const": True},
    autoscalerOptions=_closed(
        "version idleTimeoutSeconds",
        version={"const": "v2"},
        idleTimeoutSeconds={"type": "integer", "minimum": 1, "maximum": 1800},
        upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
    ),
    authOptions=_closed("mode secretName", mode={"const": "token"}, secretName={"const": "evonas-auth"}),
    headGroupSpec=_closed(
        "serviceType rayStartParams template",
        labels=_closed("evonas-node-type", evonas__node__type=TEXT),
        serviceType={"const": "ClusterIP"},
        rayStartParams=_closed(
            "num-cpus object-store-memory", num__cpus={"const": "0"}, object__store__memory={"pattern": "^[0-9]+$"}
        ),
        template=TEMPLATE,
    ),
    workerGroupSpecs=_list(
        _closed(
            "groupName replicas minReplicas maxReplicas rayStartParams template",
            groupName=TEXT,
            labels=_closed("evonas-node-type", evonas__node__type=TEXT),
            priority=COUNT,
            replicas={"const": 0},
            minReplicas={"const": 0},
            maxReplicas={"type": "integer", "minimum": 1, "maximum": MOST},
            rayStartParams=START,
            template=TEMPLATE,
        )
    ),
)
RAY_JOB = _closed(
    "entrypoint submissionMode backoffLimit preRunningDeadlineSeconds activeDeadlineSeconds "
    "shutdownAfterJobFinishes ttlSecondsAfterFinished rayClusterSpec",
    # The run folder is outside of the cluster. KubeRay puts the line into a shell's, so nothing of a shell is in it.
    entrypoint={
        "type": "string",
        "pattern": r"^python -m evonas\.clusters\.attempt search \S+ --run (gs|s3)://[\w./ =-]+$",
    },
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "SidecarMode"]},
    backoffLimit={"type": "integer", "minimum": 1},
    preRunningDeadlineSeconds={"type": "integer", "minimum": 600, "maximum": 3600},
    activeDeadlineSeconds={"type": "integer", "minimum": 1},
    shutdownAfterJobFinishes={"const": True},
    ttlSecondsAfterFinished={"type": "integer", "maximum": 3600},
    rayClusterSpec=RAY_CLUSTER,
)
PODS = _closed("matchLabels", matchLabels=TEXTS)
PEER = _closed(podSelector={"anyOf": [PODS, _closed()]}, namespaceSelector=_closed())
POLICY = _closed(
    "podSelector policyTypes ingress",
    podSelector=PODS,
    policyTypes={"const": ["Ingress"]},
    ingress=_list(
        _closed("from", **{"from": _list(PEER)}, ports=_list(_closed("port", protocol={"const": "TCP"}, port=COUNT)))
    ),
)
BUDGET = _closed("minAvailable selector", minAvailable={"type": "integer"}, selector=PODS)
POOL = _closed(
    "limits disruption template",
    limits=_closed(cpu={"const": 4}, **{"nvidia.com/gpu": {"type": "integer", "minimum": 1, "maximum": MOST}}),
    disruption=_closed(
        "consolidationPolicy consolidateAfter", consolidationPolicy={"const": "WhenEmpty"}, consolidateAfter=TEXT
    ),
    template=_closed(
        "spec",
        spec=_closed(
            "nodeClassRef requirements",
            nodeClassRef=_closed("group kind name", group=TEXT, kind=TEXT, name=TEXT),
            taints=_list(_closed("key effect", key=TEXT, value=TEXT, effect=TEXT)),
            requirements=_list(_closed("key operator values", key=TEXT, operator={"const": "In"}, values=_list(TEXT))),
        ),
    ),
)
META = _closed("name", name=TEXT, labels=TEXTS, annotations=TEXTS)


def _kind(version: str, **body: Any) -> dict[str, Any]:
    return _closed(
        f"apiVersion kind metadata {' '.join(body)}", apiVersion={"const": version}, kind=TEXT, metadata=META, **body
    )


SCHEMAS = {
    "ConfigMap": _kind("v1", data=TEXTS),
    "RayCluster": _kind("ray.io/v1", spec=RAY_CLUSTER),
    "RayJob": _kind("ray.io/v1", spec=RAY_JOB),
    "NetworkPolicy": _kind("networking.k8s.io/v1", spec=POLICY),
    "PodDisruptionBudget": _kind("policy/v1", spec=BUDGET),
    "NodePool": _kind("karpenter.sh/v1", spec=POOL),
}
SPOT = ({"cloud.google.com/gke-spot": "true"}, {"karpenter.sh/capacity-type": "spot"})


@cache
def _built(overlay: str) -> str:
    text = yaml.safe_dump_all(build(KUBERAY / "overlays" / overlay))
    return fill(text, {name: GIVEN[name] for name in slots(text)})


def built(overlay: str) -> list[Any]:
    return list(yaml.safe_load_all(_built(overlay)))


def one(resources: list[Any], kind: str) -> Any:
    (found,) = [resource for resource in resources if resource["kind"] == kind]
    return found


def cluster(resources: list[Any]) -> Any:
    kinds = {resource["kind"]: resource["spec"] for resource in resources if "spec" in resource}
    return kinds["RayJob"]["rayClusterSpec"] if "RayJob" in kinds else kinds["RayCluster"]


def faults(resources: list[Any], plain: bool = False) -> Iterator[str]:
    refused = False
    for document in resources:
        for error in jsonschema.Draft202012Validator(SCHEMAS[document["kind"]]).iter_errors(document):
            refused = True
            yield f"refused: {error.json_path}: {error.message}"
    if refused:
        return
    if one(resources, "ConfigMap")["data"] != SETTINGS:
        yield "settings"
    spec = cluster(resources)
    groups = spec["workerGroupSpecs"]
    boards = [group for group in groups if group["groupName"].startswith("measure")]
    spots = [group for group in groups if group not in boards]
    if _on_spot(spec["headGroupSpec"]):
        yield "the head is on spot"
    if len(boards) != 1 or len(spots) < (1 if plain else 2):
        yield "groups on spot and one that measures"
    if any(_on_spot(group) == plain for group in spots) or any(map(_on_spot, boards)):
        yield "spot where it should not be, or not where it should"
    order = [group.get("priority", 0) for group in spots if "packed" not in group["groupName"]]
    if len({*order, 0}) <= len(order):
        yield "spot types are mixed and not preferred"
    for group in [spec["headGroupSpec"], *groups]:
        yield from _pod_faults(group, group in boards, group in spots)
    yield from _guard_faults(resources)


def _pod_faults(group: Any, measures: bool, leaves: bool) -> Iterator[str]:
    name, pod = group.get("groupName", "head"), group["template"]["spec"]
    container, metadata = pod["containers"][0], group["template"]["metadata"]
    if not re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", container["image"]):
        yield f"{name}: an image that may change"
    (memory,) = [volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume]
    store = 0.3 * 2**30 * _gib(container["resources"]["limits"]["memory"])  # as Ray has it
    store = float(group["rayStartParams"].get("object-store-memory", store))
    if 2**30 * _gib(memory["sizeLimit"]) < store:
        yield f"{name}: no room for Ray's object store"
    if name == "head" and store < SENT:
        yield f"{name}: the object store does not hold what is sent to all workers"
    if name == "head" and float(container["resources"]["limits"]["cpu"]) < CORES_OF_HEAD:
        yield f"{name}: few cores for the driver beside the cluster's services"
    pipes = any(variable["name"] == "CUDA_MPS_PIPE_DIRECTORY" for variable in container.get("env", ()))
    if {"packed" in name} != {pipes, "postStart" in container.get("lifecycle", ())}:
        yield f"{name}: MPS where no packing is meant, or none where it is"
    if name != "head" and pod.get("automountServiceAccountToken") is not False:
        yield f"{name}: a worker may talk to Kubernetes"
    if leaves and not (pod.get("terminationGracePeriodSeconds", 30) > 100 and "preStop" in container["lifecycle"]):
        yield f"{name}: its end comes without a notice"
    stays = metadata.get("annotations", {}).get("cluster-autoscaler.kubernetes.io/safe-to-evict") == "false"
    if stays == leaves:
        yield f"{name}: may be evicted where it should not, or not where it may"
    if measures:
        start = group["rayStartParams"]
        resources = json.loads(json.loads(start.get("resources", '"{}"')))  # quoted for a shell
        alone = [*resources.values()] == [1] and all(each.startswith("latency_") for each in resources)
        if not alone or (start.get("num-cpus"), start.get("num-gpus")) != ("0", "0"):
            yield f"{name}: others may run beside a measurement"
        if {"name": "RAY_worker_niceness", "value": "0"} not in container.get("env", ()):
            yield f"{name}: measures, niced"


def _guard_faults(resources: list[Any]) -> Iterator[str]:
    """Every pod is behind the policy, and those that no upgrade may evict have a budget."""
    spec = cluster(resources)
    labels = [g["template"]["metadata"]["labels"] for g in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]
    policy = one(resources, "NetworkPolicy")["spec"]
    chosen = policy["podSelector"]["matchLabels"].items()
    if not all(chosen <= own.items() for own in labels):
        yield "a pod that everybody may reach"
    open_to_all = [
        rule
        for rule in policy["ingress"]
        if any(peer != {"podSelector": policy["podSelector"]} for peer in rule["from"])
    ]
    if [rule.get("ports") for rule in open_to_all] != [[{"protocol": "TCP", "port": 8265}]]:
        yield "others reach more than the job server"
    held = [b["spec"] for b in resources if b["kind"] == "PodDisruptionBudget" and b["spec"]["minAvailable"] > MOST]
    for own in labels:
        budget = any(each["selector"]["matchLabels"].items() <= own.items() for each in held)
        if budget != (own["app.kubernetes.io/component"] in ("head", "measure")):
            yield f"{own['app.kubernetes.io/component']}: a budget where none should be, or none"


def _gib(amount: str) -> int:
    return int(amount.removesuffix("Gi"))


def _on_spot(group: Any) -> bool:
    own = group["template"]["spec"]["nodeSelector"].items()
    return any(spot.items() <= own for spot in SPOT)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_keeps_its_promises(overlay: str) -> None:
    resources = built(overlay)
    assert list(faults(resources, plain="plain" in overlay)) == []
    kinds = {resource["kind"] for resource in resources}
    assert ("RayJob" in kinds, "RayCluster" in kinds) == ("-job" in overlay, "-job" not in overlay)
    assert "CHANGE-ME" not in _built(overlay)


@pytest.mark.parametrize("place", PLACES)
def test_a_job_has_the_cluster_of_its_place(place: str) -> None:
    job, alone = cluster(built(f"{place}-job")), cluster(built(place))
    head = job["headGroupSpec"]["template"]["spec"]
    assert head["volumes"].pop() == {
        "name": "config",
        "configMap": {"name": "evonas-config"},
    }  # `evonas submit` brings it
    assert head["containers"][0]["volumeMounts"].pop()["name"] == "config"
    assert job == alone


def test_where_things_run_is_all_that_places_differ_in() -> None:
    def elsewhere(place: str) -> Any:
        spec = cluster(built(place))
        for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
            for key in ("nodeSelector", "tolerations"):
                group["template"]["spec"].pop(key, None)
            group.pop("labels")
            group["template"]["metadata"].get("annotations", {}).pop("karpenter.sh/do-not-disrupt", None)
        return spec

    assert elsewhere("gke") == elsewhere("eks")


def test_every_machine_of_eks_has_a_pool() -> None:
    resources = built("eks")
    pools = {
        requirement["key"] + "=" + value
        for pool in resources
        if pool["kind"] == "NodePool"
        for requirement in pool["spec"]["template"]["spec"]["requirements"]
        for value in requirement["values"]
    }
    spec = cluster(resources)
    selectors = [g["template"]["spec"]["nodeSelector"] for g in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]
    assert {f"{key}={value}" for selector in selectors for key, value in selector.items()} == pools


@pytest.mark.parametrize("place", ["gke", "eks"])
def test_every_machine_has_a_price(place: str) -> None:
    spec = cluster(built(place))
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        name = group["labels"][NODE_TYPE_LABEL]
        assert Prices({}).of([name]) is not None
        assert name.endswith(".spot") == _on_spot(group)
        machine = group["template"]["spec"]["nodeSelector"].get("node.kubernetes.io/instance-type")
        assert machine in (None, name.removesuffix(".spot"))


@pytest.mark.parametrize(
    ("place", "wish", "number", "found"),
    [
        ("gke", WORKER, 16, {"spot-l4": 16}),
        ("eks", WORKER, 16, {"spot-l4": 16}),
        ("gke", {"CPU": 1, "GPU": 0.125}, 32, {"spot-packed": 4}),
        ("gke", {"latency_l4": 1}, 1, {"measure-l4": 1}),
        ("plain", {"latency_gpu": 1}, 1, {"measure": 1}),
        ("gke", WORKER, 0, {}),
    ],
)
def test_the_autoscaler_asks_for_one_type(place: str, wish: dict[str, float], number: int, found: Any) -> None:
    """Ray's own, from what it makes of the cluster in Kubernetes; that pods can be had, only Kubernetes can say."""
    custom = {"metadata": {"name": "evonas", "namespace": "default"}, "spec": cluster(built(place))}
    config = AutoscalingConfig(_derive_autoscaling_config_from_ray_cr(custom), skip_content_hash=True)
    assert planned(config, wish, number, head="headgroup") == found


@pytest.mark.parametrize("overlay", ["eks-job", "plain-job", "kueue"])  # those that have the others in them
def test_kustomize_itself_builds_the_same(overlay: str, tmp_path: Path) -> None:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    folder = shutil.copytree(KUBERAY, tmp_path / "kuberay") / "overlays" / overlay
    if overlay == "kueue":
        folder.mkdir()
        (folder / "kustomization.yaml").write_text(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../gke-job]\n"
            "components: [../../components/kueue]\n"
            "images: [{name: CHANGE-ME-image, newName: NAME/evonas, digest: 'sha256:0a'}]\n"
        )
    done = subprocess.run([program, "kustomize", folder], capture_output=True, text=True, check=True, timeout=600)
    by_name = sorted((repr(sorted(d["metadata"].items())), d["kind"], d) for d in yaml.safe_load_all(done.stdout))
    assert by_name == sorted((repr(sorted(d["metadata"].items())), d["kind"], d) for d in build(folder))


def test_kueue_lets_a_job_begin_that_grows_in_its_quota(tmp_path: Path) -> None:
    folder = shutil.copytree(KUBERAY, tmp_path / "kuberay") / "overlays" / "gke-job"
    said = folder / "kustomization.yaml"
    said.write_text(said.read_text().replace("components/alone]", "components/alone, ../../components/kueue]"))
    metadata = one(build(folder), "RayJob")["metadata"]
    assert metadata["labels"] == {"kueue.x-k8s.io/queue-name": "evonas"}
    assert metadata["annotations"] == {"kueue.x-k8s.io/elastic-job": "true"}


def test_the_stand_in_for_kustomize_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("kind: Kustomization\nnamePrefix: a-\n")
    with pytest.raises(ValueError, match="namePrefix"):
        build(tmp_path)


def test_what_must_be_filled_in_cannot_work_by_accident() -> None:
    """An image's name is in lower case, and a folder of that name is not where a job could write."""
    for overlay in OVERLAYS:
        text = yaml.safe_dump_all(build(KUBERAY / "overlays" / overlay))
        assert sorted(slots(text)) == (["image", "run"] if overlay.endswith("-job") else ["image"])


def test_a_pod_says_its_end_in_words_that_are_taken() -> None:
    words = LEAVE["exec"]["command"]
    assert words[:3] == ["python", "-m", "evonas.clusters.notices"]
    assert notices([*words[3:], "--raylet", "1"]) == 0


FAULTS: dict[str, tuple[str, Change]] = {
    "typo": ("idleTimeoutSecond", lambda r: cluster(r)["autoscalerOptions"].update(idleTimeoutSecond=5)),
    "typo in a pod": ("nodeSelectors", lambda r: _pod(r).update(nodeSelectors={})),
    "typo in a container": ("envForm", lambda r: _pod(r)["containers"][0].update(envForm=[])),
    "number for text": ("refused", lambda r: _group(r, 0)["rayStartParams"].update({"num-cpus": 4})),
    "no token": ("authOptions", lambda r: cluster(r).pop("authOptions")),
    "token off": ("authOptions.mode", lambda r: cluster(r)["authOptions"].update(mode="disabled")),
    "open to the world": ("serviceType", lambda r: cluster(r)["headGroupSpec"].update(serviceType="LoadBalancer")),
    "ingress": ("enableIngress", lambda r: cluster(r)["headGroupSpec"].update(enableIngress=True)),
    "no autoscaler": ("enableInTree", lambda r: cluster(r).update(enableInTreeAutoscaling=False)),
    "work on the head": ("rayStartParams", lambda r: cluster(r)["headGroupSpec"].update(rayStartParams={})),
    "unbounded": ("maxReplicas", lambda r: _group(r, 0).pop("maxReplicas")),
    "too many": ("maxReplicas", lambda r: _group(r, 0).update(maxReplicas=1000)),
    "as root": ("runAsUser", lambda r: _pod(r)["securityContext"].update(runAsUser=0)),
    "not on spot": ("spot where", lambda r: _pod(r)["nodeSelector"].pop("cloud.google.com/gke-spot")),
    "measures on spot": (
        "spot where",
        lambda r: _pod(r, -1).update(nodeSelector=dict(_pod(r)["nodeSelector"])),
    ),
    "mixed": ("mixed", lambda r: _group(r, 0).pop("priority")),
    "a machine that measures for nobody": ("minReplicas", lambda r: _group(r, -1).update(minReplicas=1)),
    "no mutual exclusion": ("beside a measurement", lambda r: _group(r, -1)["rayStartParams"].pop("resources")),
    "trains where it measures": ("beside a measurement", lambda r: _group(r, -1)["rayStartParams"].pop("num-gpus")),
    "niced": ("niced", lambda r: _pod(r, -1)["containers"][0].pop("env")),
    "MPS where latencies are measured": (
        "measure-l4: MPS",
        lambda r: _pod(r, -1)["containers"][0]["env"].append(
            {"name": "CUDA_MPS_PIPE_DIRECTORY", "value": "/tmp/nvidia-mps"}
        ),
    ),
    "MPS that nobody starts": ("spot-packed: MPS", lambda r: _lifecycle(r, 2).pop("postStart")),
    "no notice": ("spot-l4: its end", lambda r: _lifecycle(r, 0).pop("preStop")),
    "no time after a notice": ("spot-l4: its end", lambda r: _pod(r).update(terminationGracePeriodSeconds=25)),
    "head may be evicted": (
        "head: may be evicted",
        lambda r: cluster(r)["headGroupSpec"]["template"]["metadata"].pop("annotations"),
    ),
    "spot may not be evicted": (
        "spot: a budget",
        lambda r: (
            _group(r, 0)["template"]["metadata"]["labels"].update({"app.kubernetes.io/component": "head"})
            or _group(r, 1)["template"]["metadata"]["labels"].update({"app.kubernetes.io/component": "spot"})
            or _budgets(r)[0]["selector"].update(matchLabels={"app.kubernetes.io/part-of": "evonas"})
        ),
    ),
    "no budget": ("head: a budget", lambda r: _budgets(r)[0].update(minAvailable=0)),
    "a head of two cores": ("few cores", lambda r: _head(r)["resources"]["limits"].update(cpu="2")),
    "Ray's own share for data": (
        "what is sent",
        lambda r: cluster(r)["headGroupSpec"]["rayStartParams"].update({"object-store-memory": "3221225472"}),
    ),
    "data larger than the shared memory": (
        "head: no room",
        lambda r: cluster(r)["headGroupSpec"]["rayStartParams"].update({"object-store-memory": "4400000000"}),
    ),
    "memory of the object store": (
        "measure-l4: no room",
        lambda r: _pod(r, -1)["volumes"][0]["emptyDir"].update(sizeLimit="2Gi"),
    ),
    "an image by its tag": ("may change", lambda r: _pod(r)["containers"][0].update(image="NAME/evonas:0.1.0")),
    "a pod outside of the policy": (
        "everybody may reach",
        lambda r: _group(r, 0)["template"]["metadata"]["labels"].pop("app.kubernetes.io/part-of"),
    ),
    "all ports": ("more than the job server", lambda r: one(r, "NetworkPolicy")["spec"]["ingress"][1].pop("ports")),
    "no retry": ("backoffLimit", lambda r: one(r, "RayJob")["spec"].update(backoffLimit=0)),
    "cluster left": ("shutdownAfter", lambda r: one(r, "RayJob")["spec"].pop("shutdownAfterJobFinishes")),
    "no deadline": ("activeDeadline", lambda r: one(r, "RayJob")["spec"].pop("activeDeadlineSeconds")),
    "waits for ever": ("preRunning", lambda r: one(r, "RayJob")["spec"].pop("preRunningDeadlineSeconds")),
    "mode that KubeRay's schema lets pass": (
        "submissionMode",
        lambda r: one(r, "RayJob")["spec"].update(submissionMode="K8sMode"),
    ),
    "mistakes are paid for again": (
        "entrypoint",
        lambda r: one(r, "RayJob")["spec"].update(entrypoint="evonas search c --run gs://a/b"),
    ),
    "run folder in the cluster": (
        "entrypoint",
        lambda r: one(r, "RayJob")["spec"].update(entrypoint="python -m evonas.clusters.attempt search c --run runs/a"),
    ),
    "setting": ("settings", lambda r: one(r, "ConfigMap")["data"].pop("RAY_task_oom_retries")),
}


def _group(resources: list[Any], index: int) -> Any:
    return cluster(resources)["workerGroupSpecs"][index]


def _pod(resources: list[Any], group: int = 0) -> Any:
    return _group(resources, group)["template"]["spec"]


def _head(resources: list[Any]) -> Any:
    return cluster(resources)["headGroupSpec"]["template"]["spec"]["containers"][0]


def _lifecycle(resources: list[Any], group: int) -> Any:
    return _pod(resources, group)["containers"][0]["lifecycle"]


def _budgets(resources: list[Any]) -> list[Any]:
    return [resource["spec"] for resource in resources if resource["kind"] == "PodDisruptionBudget"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(fault: str) -> None:
    expected, plant = FAULTS[fault]
    resources = copy.deepcopy(json.loads(json.dumps(built("gke-job"))))  # without anchors: one place changes
    plant(resources)
    assert any(expected in found for found in faults(resources)), list(faults(resources))
