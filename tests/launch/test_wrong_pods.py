"""Launch files of Kubernetes that were changed by hand, by the command: one line, before anything."""

from pathlib import Path

import pytest
import yaml

from evonas.cli import main
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import KUBECTL
from tests.test_kubernetes import built

WHOLE = yaml.safe_dump_all(built("eks"))
REFUSED = {
    "node.kubernetes.io/instance-type: g6.xlarge": (
        "node.kubernetes.io/instance-type: p5.48xlarge",
        "spot-l4 selects node.kubernetes.io/instance-type: p5.48xlarge, and its label evonas-node-type, by which its",
    ),
}
REFUSED |= {
    "minReplicas: 0": ("minReplicas: -1", "minReplicas of spot-l4 is -1, and is a whole number from 0"),
    "maxReplicas: 16": ("a: 16", "spot-l4 has no maxReplicas, without which any number of pods could come"),
    "enableInTreeAutoscaling: true": ("suspend: false", "no group has replicas: no worker would ever come; mend it"),
    "rayVersion: 2.60.0": ("suspend: true", "it is suspended (suspend: true), and has no pods; mend it"),
}
REFUSED |= {
    "serviceType: ClusterIP": ("serviceType: LoadBalancer", "the head has a service of type LoadBalancer: it would be"),
    "rayStartParams:\n      num-cpus": (
        "enableIngress: true\n    rayStartParams:\n      num-cpus",
        "has an ingress (enable",
    ),
    "automountServiceAccountToken: false": ("hostNetwork: true", "spot-l4 has ports of its machine (hostNetwork, host"),
    "kind: NetworkPolicy": ("kind: ConfigMap", "it has no NetworkPolicy evonas: every pod of your Kubernetes could"),
    "kind: PodDisruptionBudget": ("kind: Ingress", "Ingress evonas-head would open the cluster to the outside: take"),
    "namespaceSelector: {}\n      podSelector": (
        "ipBlock: {cidr: 0.0.0.0/0}\n      a",
        "NetworkPolicy evonas lets anyb",
    ),
    "component: spot\n          app.kubernetes.io/part-of: evonas": (
        "a: b",
        "does not select the pods of spot-l4: every",
    ),
    "kind: ConfigMap": (
        "kind: RayCluster",
        "is not as kubectl takes it: it has 2 RayClusters, and one is what is star",
    ),
    "  name: evonas-settings": (
        "  namespace: other",
        "names the namespace other, and its cluster is in default: take i",
    ),
}
REFUSED |= {
    "secretName: evonas-auth": ("secretName: other", "secretName: other, and the token is in evonas-auth: name that"),
    "cpu: '2'": ("cpu: 64", "headgroup asks for 64 CPUs, and a machine of its type, m7i.xlarge, has 4: its pods"),
    "memory: 10Gi": (
        "memory: 900Gi",
        "headgroup asks for 966,368 MB of memory, and a machine of its type, m7i",
    ),
    "    replicas: 0\n": (
        "    suspend: true\n",
        "every group is suspended or has maxReplicas: 0: no worker would eve",
    ),
    "headGroupSpec:": ("headGroupSpecX:", "is not as kubectl takes it: no headGroupSpec; mend it"),
    "nvidia.com/gpu: '1'": (
        "nvidia.com/gpu: '8'",
        "spot-l4 asks for 8 GPUs, and a machine of its type, g6.xlarge.spot, has 1: its pods would never start",
    ),
    "nvidia.com/gpu: '1'\n": (
        "nvidia.com/gpu: 0.5\n",
        "nvidia.com/gpu of spot-l4 is 0.5, and is a whole number from 0; mend it",
    ),
    "idleTimeoutSeconds: 600": ("idleTimeoutSeconds: ten", "idleTimeoutSeconds is 'ten', and is a number; mend it"),
    "num-gpus: '0'": ("num-gpus: '2'", "measure-l4 asks for 2 GPUs, and a machine of its type, g6.xlarge, has 1: its"),
}


TOLD = {
    "values:\n        - spot": (
        "values:\n        - on-demand",
        "no NodePool of the file starts what spot-l4 selects (karpenter.sh/capacity-type: spot, node.kubernete",
    ),
    "num-cpus: '0'\n      object-store": (
        "num-cpus: '4'\n      object-store",
        "the head has CPUs for Ray (num-cpus: 4): candidates may train beside the driver",
    ),
    "serviceAccountName: evonas": (
        "a: b",
        "the head runs by serviceaccount/default, not by serviceaccount/evonas",
    ),
    "priority: 2": ("suspend: true", "16 workers can ask for: at most $9.67 an hour"),
    "    priority: 2\n": ("    suspend: true\n", "no pod of spot-l4 comes: it is suspended (suspend: true)"),
}


@pytest.fixture
def copy(user: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """Of the launch file, which is not there yet."""
    stand_in(user, monkeypatch, kubectl=KUBECTL)
    (user / "cluster-kubernetes").mkdir()
    return user / "cluster-kubernetes/my-cluster.yaml"


@pytest.mark.parametrize("text", REFUSED)
def test_a_launch_file_that_is_not_as_it_should_be_is_refused(
    text: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, expected = REFUSED[text]
    assert text in WHOLE
    copy.write_text(WHOLE.replace(text, new))
    assert main(["cluster", "up", "kubernetes", "--platform", "eks", "--dry-run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert main(["cluster", "status", "kubernetes"]) in (0, 2)  # and no traceback


@pytest.mark.parametrize("text", TOLD)
def test_an_edit_that_may_not_work_is_told(text: str, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, expected = TOLD[text]
    assert text in WHOLE
    for whole in (WHOLE, WHOLE.replace(text, new)):
        copy.write_text(whole)
        assert main(["cluster", "up", "kubernetes", "--platform", "eks", "--dry-run"]) == 0
        assert (expected in capsys.readouterr().out) is (whole != WHOLE)


def test_pods_that_come_at_once_are_counted(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the autoscaler they go again; without it as many as there are stay until `down`."""
    nine = WHOLE.replace("replicas: 0", "replicas: 9", 1).replace("idleTimeoutSeconds: 600", "idleTimeoutSeconds: 300")
    for text, most in ((nine, 16), (nine.replace("Autoscaling: true", "Autoscaling: false"), 9)):
        copy.write_text(text)
        assert main(["cluster", "up", "kubernetes", "--platform", "eks", "--dry-run"]) == 0
        out = capsys.readouterr().out
        assert f"from the start: ${0.2016 + 9 * 0.4541:.2f} an hour (1 x m7i.xlarge at $0.20, 9 x g6.xlarge.spot" in out
        assert ("9 pods of spot-l4 come at once (replicas), and 9 of them go after 5 idle minutes" in out) is (most > 9)
        whole = f"${24 * (0.2016 + 9 * 0.4541):.2f}"
        assert (f"nothing ends them but you: at most {whole}" in out) is (most == 9)
