"""The files of cluster/, without a network: what Ray and the schemas accept, their promises, and planted faults."""

import copy
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import pytest
import yaml
from botocore.validate import ParamValidator
from ray.autoscaler._private.util import prepare_config, validate_config

from evonas.cli import _parser
from tests.cluster_files import CLUSTER, ROOT, SETTINGS, lint, linter

README = (CLUSTER / "README.md").read_text()
LOCKED_RAY = re.findall(r"^ray==(.+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)[0]
BASE_IMAGE = f"rayproject/ray:{LOCKED_RAY}-py311"
MOST = 32
"""Machines that a file may ask for."""

EC2 = ParamValidator()
RUN_INSTANCES = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
RUN_INSTANCES.required_members.clear()  # how many is said by Ray
"""The parameters of the AWS call that gets a `node_config`, as AWS's own client knows them."""

Change = Callable[[Any], object]


# Ray's cluster launcher


def launcher(name: str) -> Any:
    return yaml.safe_load((CLUSTER / name).read_text())


BIG_ENOUGH = {"m7i.xlarge", "e2-standard-4"}
"""Four cores and 16 GB."""


def launcher_faults(config: Any) -> Iterator[str]:
    """What Ray refuses, and what it accepts but we do not."""
    try:
        prepared = prepare_config(copy.deepcopy(config))
        validate_config(prepared)
    except (ValueError, KeyError, jsonschema.ValidationError) as error:
        yield f"refused: {str(error).splitlines()[0]}"
        return
    types: dict[str, Any] = prepared["available_node_types"]
    head = types[prepared["head_node_type"]]
    if head["resources"].get("CPU") != 0 or head.get("max_workers") != 0:
        yield "work on the head"
    if not {head["node_config"].get("InstanceType"), head["node_config"].get("machineType")} & BIG_ENOUGH:
        yield "few cores for the driver beside the cluster's services, or little memory for what is sent to workers"
    for name, kind in types.items():
        measures = [word for word in kind["resources"] if word.startswith("latency_")]
        if _on_spot(kind["node_config"]) != name.startswith("spot_"):
            yield f"{name}: spot where it should not be, or not where it should"
        if measures and (
            kind["resources"][measures[0]] != 1 or {kind["resources"].get(r) for r in ("CPU", "GPU")} != {0}
        ):
            yield f"{name}: others may run beside a measurement"
        if measures and "--env=RAY_worker_niceness=0" not in _options(kind):
            yield f"{name}: measures, niced"
        if kind["min_workers"]:
            yield f"{name}: is paid for while no search asks for it"
        if ("packed" in name) != any("CUDA_MPS_PIPE_DIRECTORY" in option for option in _options(kind)):
            yield f"{name}: MPS where no packing is meant, or none where it is"
        if "packed" in name and kind["resources"]["CPU"] < 8 * kind["resources"]["GPU"]:
            yield f"{name}: no core for each candidate of a GPU"
        if name not in config["available_node_types"] or "max_workers" not in config["available_node_types"][name]:
            yield f"{name}: unbounded"
    if not 0 < config.get("max_workers", MOST + 1) <= MOST:
        yield "max_workers: unbounded"
    if not 0 < config.get("idle_timeout_minutes", 0) <= 30:
        yield "idle machines stay"
    if config["provider"].get("cache_stopped_nodes") is not False:
        yield "machines are stopped and not terminated"
    if not any(measure.startswith("measure") for measure in types) or sum(_is_spot(name) for name in types) < 2:
        yield "no measuring machine, or one type of spot machine"
    order = [kind.get("priority", 0) for name, kind in types.items() if _is_spot(name) and "packed" not in name]
    if len(order) < 2 or len({*order, 0}) <= len(order):
        yield "spot types are mixed and not preferred"
    environment = dict(re.findall(r"--env=(\w+)=(\S+)", " ".join(prepared["docker"]["run_options"])))
    if environment != {"RAY_AUTH_MODE": "token", **SETTINGS}:
        yield f"settings: {environment}"
    installs = [line for line in prepared["setup_commands"] if "-m 600" in line and line.endswith("~/.ray/auth_token")]
    if not installs or not any(f" {mount}/" in installs[0] for mount in prepared["file_mounts"]):
        yield "no token on the nodes"
    if prepared["worker_setup_commands"][-1] != "sudo rm -f /tmp/evonas-auth/token":
        yield "what the token came as stays on the workers"
    if "chmod 600 /tmp/evonas-auth/token" not in prepared["head_setup_commands"][-1]:
        yield "what the token came as can be read by all on the head"
    if not any("usermod -aG docker" in line for line in prepared["initialization_commands"]):
        yield "who starts the container may not be allowed to"
    if "--dashboard-host=127.0.0.1" not in " ".join(prepared["head_start_ray_commands"]):
        yield "the dashboard listens elsewhere than on loopback"
    mps = 'test -z "$CUDA_MPS_PIPE_DIRECTORY" || nvidia-cuda-mps-control -d'
    before = config["worker_start_ray_commands"][1:-1]
    if before[:1] != [mps]:
        yield "MPS is started elsewhere than on nodes that are packed, or behind Ray"
    cloud = {"aws": "aws", "gcp": "google"}[prepared["provider"]["type"]]
    watcher = f"python -m evonas.clusters.notices {cloud} < /dev/null > /tmp/evonas-notices.log 2>&1"
    if before[1:] != [f"setsid --fork flock -n /tmp/evonas-notices.lock {watcher}"]:
        yield "nobody hears that a machine will be taken away"
    commands = json.dumps([value for key, value in prepared.items() if key.endswith("commands")])
    if "0.0.0.0" in commands or ".whl" in commands or "pip install" in commands:
        yield "a default of Ray's is left: all addresses, or a nightly build"
    yield from _aws_faults(prepared) if prepared["provider"]["type"] == "aws" else _gcp_faults(prepared)


def _on_spot(node: Any) -> bool:
    market = node.get("InstanceMarketOptions", {}).get("MarketType")
    return market == "spot" or node.get("scheduling", {}).get("provisioningModel") == "SPOT"


def _is_spot(name: str) -> bool:
    return name.startswith("spot_")


def _options(kind: Any) -> list[str]:
    options: list[str] = kind.get("docker", {}).get("worker_run_options", [])
    return options


def _watchdog() -> str:
    text: str = launcher("aws.yaml")["metadata"]["watchdog"]
    return text


WATCHDOG = _watchdog()
"""Its work is tested by itself, below; it is the same in both files."""
NO_BFLOAT16 = {"g4dn", "p3", "p2", "n1"}
"""Families of machines whose GPUs are older than Ampere."""


def _aws_faults(config: Any) -> Iterator[str]:
    if len(config["provider"]["availability_zone"].split(",")) < 3:
        yield "few zones"
    if not config["provider"].get("key_pair", {}).get("key_name"):
        yield "the key pair is that of all clusters of the account"
    for name, kind in config["available_node_types"].items():
        node = kind["node_config"]
        if errors := EC2.validate(node, RUN_INSTANCES).generate_report():
            yield f"{name}: {errors}"
        if node.get("UserData") != WATCHDOG:
            yield f"{name}: has no end of its own"
        if node["InstanceType"].split(".")[0] in NO_BFLOAT16:
            yield f"{name}: no bfloat16"
        if ("IamInstanceProfile" in node) != (name == "head"):
            yield f"{name}: a role that is Ray's, or that is not the head's"
        if {tags["ResourceType"] for tags in node.get("TagSpecifications", ())} != {"instance", "volume"}:
            yield f"{name}: cannot be told from others on the bill"
        if any(disk["Ebs"].get("Throughput", 125) < 500 for disk in node["BlockDeviceMappings"]):
            yield f"{name}: waits for its disk while it is paid for"
        if not node.get("SecurityGroupIds") or not node.get("ImageId"):
            yield f"{name}: Ray would open SSH to all, or take its old image"
        if node.get("InstanceInitiatedShutdownBehavior") != "terminate":
            yield f"{name}: stops and stays on the bill"
        if not all(disk["Ebs"].get("DeleteOnTermination") for disk in node["BlockDeviceMappings"]):
            yield f"{name}: leaves a disk"


GCP_KEYS = {"machineType", "disks", "networkInterfaces", "scheduling", "metadata", "labels", "serviceAccounts"}
GCP_RULES = {"provisioningModel", "onHostMaintenance", "maxRunDuration", "instanceTerminationAction"}
WITH_GPU = {"g2", "a2", "a3"}


def _gcp_faults(config: Any) -> Iterator[str]:
    if "ssh_private_key" not in config["auth"]:
        yield "Ray would put its key into the metadata of the project"
    for name, kind in config["available_node_types"].items():
        node = kind["node_config"]
        rules = node["scheduling"]
        family = node["machineType"].split("-")[0]
        if unknown := (node.keys() - GCP_KEYS) | (rules.keys() ^ GCP_RULES):
            yield f"{name}: {unknown}"
        moves = family not in WITH_GPU and rules.get("provisioningModel") == "STANDARD"
        if rules.get("onHostMaintenance") != ("MIGRATE" if moves else "TERMINATE"):
            yield f"{name}: Google refuses it, or ends it at each maintenance"
        if family in NO_BFLOAT16:
            yield f"{name}: no bfloat16"
        if rules.get("instanceTerminationAction") != "DELETE":
            yield f"{name}: stops and stays on the bill"
        if not node.get("networkInterfaces") or not all(disk.get("autoDelete") for disk in node["disks"]):
            yield f"{name}: the default network, which lets SSH in from anywhere, or a disk is left"
        if any(not disk["initializeParams"].get("diskType", "").endswith("/pd-balanced") for disk in node["disks"]):
            yield f"{name}: a disk that its family does not take, or that is slow"
        items = {item["key"]: item["value"] for item in node.get("metadata", {}).get("items", ())}
        if items.get("startup-script") != WATCHDOG:
            yield f"{name}: has no end of its own"
        if items.get("enable-oslogin") != "FALSE" or not items.get("ssh-keys", "").startswith("ubuntu:"):
            yield f"{name}: nobody gets in"
        if ("serviceAccounts" in node) != (name == "head"):
            yield f"{name}: an account that is Ray's, or that is not the head's"
        if not node.get("labels") or not all(disk["initializeParams"].get("labels") for disk in node["disks"]):
            yield f"{name}: cannot be told from others on the bill"


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_launcher_file_keeps_its_promises(name: str) -> None:
    assert list(launcher_faults(launcher(name))) == []


def _types(config: Any) -> Any:
    return config["available_node_types"]


def _starts(config: Any) -> Any:
    return config["worker_start_ray_commands"]


LAUNCHER_FAULTS: dict[str, tuple[str, Change]] = {
    "unknown key": ("refused", lambda c: c.update(idle_timeout_minuets=5)),
    "unknown key of a type": ("refused", lambda c: _types(c)["spot_l4"].update(max_worker=5)),
    "fractional resource": ("refused", lambda c: _types(c)["spot_l4"]["resources"].update(CPU=0.5)),
    "no such head": ("refused", lambda c: c.update(head_node_type="haed")),
    "work on the head": ("work on the head", lambda c: _types(c)["head"]["resources"].update(CPU=2)),
    "spot head": ("head: spot", lambda c: _types(c)["head"].update(node_config=_types(c)["spot_l4"]["node_config"])),
    "on-demand workers": (
        "spot_l4: spot",
        lambda c: _types(c)["spot_l4"].update(node_config=_types(c)["measure_l4"]["node_config"]),
    ),
    "trains where it measures": ("beside a measurement", lambda c: _types(c)["measure_l4"]["resources"].update(GPU=1)),
    "niced": ("niced", lambda c: _types(c)["measure_l4"].pop("docker")),
    "measures for nobody": ("no search asks", lambda c: _types(c)["measure_l4"].update(min_workers=1)),
    "unbounded type": ("spot_l4: unbounded", lambda c: _types(c)["spot_l4"].pop("max_workers")),
    "unbounded": ("max_workers: unbounded", lambda c: c.update(max_workers=1000)),
    "Ray's bound": ("max_workers: unbounded", lambda c: (c.pop("max_workers"), _types(c)["spot_l4"])),
    "idle for ever": ("idle machines stay", lambda c: c.update(idle_timeout_minutes=600)),
    "stopped and not terminated": ("stopped", lambda c: c["provider"].pop("cache_stopped_nodes")),
    "no authentication": ("settings", lambda c: c["docker"]["run_options"].remove("--env=RAY_AUTH_MODE=token")),
    "slow to notice": ("settings", lambda c: c["docker"]["run_options"].pop()),
    "token not sent": ("no token", lambda c: c.update(file_mounts={})),
    "token left on workers": ("stays on the workers", lambda c: c["worker_setup_commands"].clear()),
    "token open on the head": ("on the head", lambda c: c["head_setup_commands"].clear()),
    "token not installed": ("no token", lambda c: c.update(setup_commands=[])),
    "dashboard on all addresses": (
        "dashboard",
        lambda c: c["head_start_ray_commands"].append(
            c["head_start_ray_commands"].pop().replace("127.0.0.1", "0.0.0.0")
        ),
    ),
    "MPS where latencies are measured": (
        "measure_l4: MPS",
        lambda c: _options(_types(c)["measure_l4"]).append("--env=CUDA_MPS_PIPE_DIRECTORY=/tmp/nvidia-mps"),
    ),
    "packing in turns": ("spot_packed: MPS", lambda c: _types(c)["spot_packed"].pop("docker")),
    "packing without cores": ("no core", lambda c: _types(c)["spot_packed"]["resources"].update(CPU=4)),
    "MPS behind Ray": (
        "behind Ray",
        lambda c: _starts(c).append(_starts(c).pop(1)),
    ),
    "no notice": ("nobody hears", lambda c: _starts(c).pop(2)),
    "MPS nowhere": ("behind Ray", lambda c: _starts(c).pop(1)),
    "Ray's start commands": ("dashboard", lambda c: c.pop("head_start_ray_commands")),
    "Ray's setup commands": ("no token", lambda c: c.pop("setup_commands")),
    "mixed": ("mixed", lambda c: _types(c)["spot_l4"].pop("priority")),
    "mixed by a tie": ("mixed", lambda c: _same_priority(c)),
    "no Docker for the user": ("may not be allowed", lambda c: c["initialization_commands"].pop(0)),
    "a head of two cores": ("few cores", lambda c: _small_head(c)),
    "Ray's setup of the head": ("nightly build", lambda c: c.pop("head_setup_commands")),
}
AWS_FAULTS: dict[str, tuple[str, Change]] = {
    "typo in spot": ("spot_l4: ", lambda c: _misspelt(_types(c)["spot_l4"]["node_config"], "InstanceMarketOptions")),
    "one zone": ("few zones", lambda c: c["provider"].update(availability_zone="us-west-2a")),
    "Ray's security group": ("open SSH", lambda c: _types(c)["head"]["node_config"].pop("SecurityGroupIds")),
    "no end": ("measure_l4: has no end", lambda c: _types(c)["measure_l4"]["node_config"].pop("UserData")),
    "everybody's key pair": ("key pair", lambda c: c["provider"].pop("key_pair")),
    "Ray's role": ("head: a role", lambda c: _types(c)["head"]["node_config"].pop("IamInstanceProfile")),
    "a role of a worker": (
        "spot_l4: a role",
        lambda c: _types(c)["spot_l4"]["node_config"].update(IamInstanceProfile={"Name": "evonas-head"}),
    ),
    "no tag on disks": ("bill", lambda c: c["metadata"]["tags"].pop()),
    "T4": ("no bfloat16", lambda c: _types(c)["spot_l4"]["node_config"].update(InstanceType="g4dn.xlarge")),
    "slow disk": ("waits for its disk", lambda c: c["metadata"]["disk"][0]["Ebs"].pop("Throughput")),
    "wrong type": ("VolumeSize", lambda c: c["metadata"]["disk"][0]["Ebs"].update(VolumeSize="150 GB")),
    "disk left": ("leaves a disk", lambda c: c["metadata"]["disk"][0]["Ebs"].pop("DeleteOnTermination")),
}
GCP_FAULTS: dict[str, tuple[str, Change]] = {
    "typo in spot": ("spot_l4: ", lambda c: _misspelt(_types(c)["spot_l4"]["node_config"], "scheduling")),
    "default network": ("default network", lambda c: _types(c)["spot_l4"]["node_config"].pop("networkInterfaces")),
    "no end": ("spot_l4: ", lambda c: c["metadata"]["spot"].pop("maxRunDuration")),
    "a head that cannot be": (
        "head: Google refuses",
        lambda c: _types(c)["head"]["node_config"].update(scheduling=c["metadata"]["on_demand"]),
    ),
    "a GPU that should move": (
        "measure_l4: Google refuses",
        lambda c: _types(c)["measure_l4"]["node_config"].update(scheduling=c["metadata"]["head_rules"]),
    ),
    "no watchdog": ("has no end", lambda c: c["metadata"]["machine"]["items"].pop()),
    "OS Login": ("nobody gets in", lambda c: c["metadata"]["machine"]["items"].pop(2)),
    "a key for the project": ("of the project", lambda c: c["auth"].pop("ssh_private_key")),
    "Ray's account": ("head: an account", lambda c: _types(c)["head"]["node_config"].pop("serviceAccounts")),
    "no label": ("bill", lambda c: _types(c)["spot_l4"]["node_config"].pop("labels")),
    "Google's default disk": ("does not take", lambda c: c["metadata"]["disks"][0]["initializeParams"].pop("diskType")),
}


def _same_priority(config: Any) -> None:
    for name, kind in _types(config).items():
        kind["priority"] = 1 if _is_spot(name) else 0


def _small_head(config: Any) -> None:
    node = _types(config)["head"]["node_config"]
    key = "machineType" if "machineType" in node else "InstanceType"
    node[key] = {"machineType": "e2-standard-2", "InstanceType": "m7i.large"}[key]


def _misspelt(where: Any, key: str) -> None:
    where[key[:-1]] = where[key]
    where[key] = {"InstanceMarketOptions": {}, "scheduling": {}}[key]


@pytest.mark.parametrize(
    ("name", "fault"),
    [(n, f) for n, own in (("aws.yaml", AWS_FAULTS), ("gcp.yaml", GCP_FAULTS)) for f in {**LAUNCHER_FAULTS, **own}],
)
def test_launcher_fault_is_seen(name: str, fault: str) -> None:
    expected, plant = {**LAUNCHER_FAULTS, **(AWS_FAULTS if name == "aws.yaml" else GCP_FAULTS)}[fault]
    config = launcher(name)
    plant(config)
    assert any(expected in found for found in launcher_faults(config)), list(launcher_faults(config))


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_what_must_be_filled_in_cannot_work_by_accident(name: str) -> None:
    """An image's name is in lower case, and no AMI, group, project or bucket has such a name."""
    text = (CLUSTER / name).read_text()
    assert text.count("image: &image CHANGE-ME-image\n") == 1
    assert "CHANGE-ME" not in text.split("What to change")[0]


# The image


def test_dockerfile_passes_itslinter() -> None:
    lint(linter("hadolint"), "--failure-threshold=info", CLUSTER / "Dockerfile")


def test_dockerfile_linter_sees_a_fault(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text((CLUSTER / "Dockerfile").read_text().replace("FROM ${BASE}", "FROM rayproject/ray:latest"))
    assert subprocess.run([linter("hadolint"), bad], capture_output=True, check=False).returncode != 0


def test_image_is_locked_and_not_root() -> None:
    lines = (CLUSTER / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    users = [line for line in lines if line.startswith("USER")]
    assert users == ["USER 1000"]  # by number: Kubernetes checks runAsNonRoot against it
    installs = [part for line in lines if line.startswith("RUN") for part in line.split("&&") if "pip install" in part]
    assert all("-r image.lock" in part or "--no-deps" in part for part in installs)
    assert len(installs) == 2


def locked(name: str) -> dict[str, str]:
    return dict(line.split("==") for line in (ROOT / name).read_text().splitlines())


def test_image_has_one_cuda_and_it_is_that_of_torch() -> None:
    """Ray's image for GPUs has one of its own, of another version than the wheels of torch and onnxruntime."""
    image, ours = locked("requirements-gpu.lock"), locked("requirements.lock")
    assert not BASE_IMAGE.endswith("-gpu")
    assert "NVIDIA_VISIBLE_DEVICES=all" in (CLUSTER / "Dockerfile").read_text()
    majors = {found[1] for name in image if (found := re.search(r"-cu(\d+)$", name))}
    assert majors == {image["cuda-toolkit"].partition(".")[0]}
    assert {"onnxruntime-gpu", "nvidia-ml-py", "nvidia-cudnn-cu13", "triton"} <= image.keys()
    assert "onnxruntime" not in image  # they would share a folder
    assert not any("+" in version for version in image.values())
    assert {name for name in image.keys() & ours.keys() if image[name] != ours[name]} == set()
    assert {"torch", "ray", "numpy", "pyarrow", "gcsfs", "s3fs"} <= image.keys()


@pytest.mark.parametrize(("device", "cuda"), [("gpu", "13"), ("cpu", "13"), ("gpu", "12")])
def test_image_installs_what_is_locked_for_its_device(device: str, cuda: str, tmp_path: Path) -> None:
    for name in ("requirements-gpu.lock", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    text = (CLUSTER / "Dockerfile").read_text().replace("\\\n", " ")
    [line] = re.findall(
        r"^RUN (if .* > image\.lock) +&& pip install --no-cache-dir -r image\.lock$", text, re.MULTILINE
    )
    subprocess.run(["sh", "-euc", line], cwd=tmp_path, env={**os.environ, "DEVICE": device, "CUDA": cuda}, check=True)
    found = dict(line.split("==") for line in (tmp_path / "image.lock").read_text().splitlines())
    image, ours = locked("requirements-gpu.lock"), locked("requirements.lock")
    if device == "gpu":
        others = [name for name in image if name not in found]
        brought = [n for n in image if n.startswith(("cuda", "nvidia", "triton")) and n != "nvidia-ml-py"]
        brought.append("onnxruntime-gpu")  # which is for the lock's CUDA
        assert sorted(others) == ([] if cuda == "13" else sorted(brought))  # another torch brings its own
        assert found.items() <= (image if cuda == "13" else image | {"onnxruntime": ours["onnxruntime"]}).items()
        assert ("onnxruntime" in found) is (cuda != "13")
        return
    assert not [name for name in found if name.startswith(("cuda", "nvidia", "triton")) or name == "onnxruntime-gpu"]
    assert found["onnxruntime"] == ours["onnxruntime"]
    assert {"torch", "ray", "gcsfs", "s3fs"} <= found.keys()
    assert found.items() <= {**image, **ours}.items()


def test_without_an_image_the_same_is_installed(tmp_path: Path) -> None:
    """For each driver one way, in one place, to which other pages lead: what the Dockerfile makes of the locks."""
    (tmp_path / ".evonas-cluster").mkdir()
    [line] = re.findall(r"^(.* > ~/\.evonas-cluster/cuda-12\.lock)$", README, re.MULTILINE)
    subprocess.run(["sh", "-euc", line], cwd=ROOT, env={**os.environ, "HOME": str(tmp_path)}, check=True)
    [rule] = re.findall(
        r"!= 13 \]; then\s+(grep .*);\s+else", (CLUSTER / "Dockerfile").read_text().replace("\\\n", " ")
    )
    image = subprocess.run(["sh", "-euc", rule], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (tmp_path / ".evonas-cluster" / "cuda-12.lock").read_text() == image
    installs = re.findall(r"^pip install (?!-c).*$", README.partition("\n## AWS")[0], re.MULTILINE)
    older = "pip install --extra-index-url INDEX -r ~/.evonas-cluster/cuda-12.lock"
    own = "pip install --no-deps ."
    assert installs == ["pip install -r requirements-gpu.lock", own, older, own]
    for heading in ("Slurm", "Machines at home"):
        assert "(#once)" in README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    for page in ("how-to/cluster.md", "tutorials/first-search.md"):
        text = (ROOT / "docs" / page).read_text()
        assert "requirements-gpu.lock" in text
        assert "../../cluster/README.md#once" in text


def test_image_has_one_base_which_a_build_may_fix() -> None:
    text = (CLUSTER / "Dockerfile").read_text()
    assert re.findall("^FROM .*$", text, re.MULTILINE) == ["FROM ${BASE}"]
    arguments = re.findall("^ARG .*$", text, re.MULTILINE)
    assert arguments == [f"ARG BASE={BASE_IMAGE}", "ARG DEVICE=gpu", "ARG CUDA=13", "ARG PIP_EXTRA_INDEX_URL="]
    assert text.index("ARG BASE") < text.index("FROM ") < text.index("ARG DEVICE")


def test_ray_is_one_version_everywhere() -> None:
    assert f"\nARG BASE={BASE_IMAGE}\nFROM ${{BASE}}\n" in (CLUSTER / "Dockerfile").read_text()
    assert set(re.findall(r"rayproject/ray:\d[\w.-]+", README)) == {BASE_IMAGE}
    assert f'rayVersion: "{LOCKED_RAY}"' in (CLUSTER / "kuberay" / "base" / "raycluster.yaml").read_text()


def test_image_gets_what_it_copies_and_nothing_else() -> None:
    copies = re.findall(r"^COPY --chown=\S+ (.+) \S+$", (CLUSTER / "Dockerfile").read_text(), re.MULTILINE)
    copied = {name for line in copies for name in line.split()}
    rules = [r for r in (CLUSTER / "Dockerfile.dockerignore").read_text().splitlines() if r and not r.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


# The README


def test_the_ports_of_machines_at_home_are_all_that_ray_opens() -> None:
    from ray.autoscaler._private.constants import AUTOSCALER_METRIC_PORT
    from ray.dashboard.consts import DASHBOARD_METRIC_PORT

    section = README.partition("\n## Machines at home\n")[2].partition("\n## ")[0]
    table = "\n".join(re.findall(r"^\| [^|]*\d", section, re.MULTILINE))
    ranges = [range(int(low), int(high or low) + 1) for low, high in re.findall(r"\b(\d+)(?:-(\d+))?", table)]
    opened = {int(port) for port in re.findall(r"port=(\d+)", section)}
    by_itself = {10001, AUTOSCALER_METRIC_PORT, DASHBOARD_METRIC_PORT}
    assert [port for port in sorted(opened | by_itself) if not any(port in of for of in ranges)] == []


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("shell", ["bash", *(pytest.param(name, marks=pytest.mark.slow) for name in ("dash", "zsh"))])
def test_every_line_that_runs_anywhere_runs(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = "\n".join(_blocks("sh")) + '\nprintf "token %s" "$RAY_AUTH_TOKEN"'
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(tmp_path)}
    line = [shell, "-euc", script]
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "cluster/aws.yaml is valid\ncluster/gcp.yaml is valid\n" in done.stdout
    folder = tmp_path / ".evonas-cluster"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    token = (folder / "auth" / "token").read_text()
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert done.stdout.endswith(f"token {token}")
    assert json.loads((folder / "config.schema.json").read_text())["$defs"]


def test_token_is_where_the_files_take_it_from() -> None:
    for name in ("aws.yaml", "gcp.yaml"):
        assert list(launcher(name)["file_mounts"].values()) == ["~/.evonas-cluster/auth"]


def test_lines_for_clouds_name_what_there_is() -> None:
    assert len(re.findall("^```", README, re.MULTILINE)) == 2 * (len(_blocks("sh")) + len(_blocks("console")))
    for block in _blocks("console"):
        paths = re.findall(r"(?<!-)cluster/[\w/.-]+\w", block)
        assert all((ROOT / path.replace("my-", "")).exists() for path in paths)
    assert set(re.findall(r"--region (us-west-\S+)", README)) == {launcher("aws.yaml")["provider"]["region"]}
    assert set(re.findall(r"gcsfs==(\S+)", README)) == {locked("requirements-gpu.lock")["gcsfs"]}
    builds = re.findall(r"\bdocker (?:build|pull) .*$", README + (CLUSTER / "Dockerfile").read_text(), re.MULTILINE)
    assert builds
    assert all("--platform=linux/amd64 " in line for line in builds)  # on Apple's machines it would be another one
    with_gcsfs = re.findall(r"^pip install .*gcsfs==.*$", README, re.MULTILINE)
    assert len(with_gcsfs) == 2  # Google's machines, Kubernetes
    assert all(line.startswith("pip install -c requirements.lock ") for line in with_gcsfs)  # or fsspec moves away


SAID = {
    "Google Cloud": [
        "with a driver of 580 or newer (`...-nvidia-580`)",
        "python3 cluster/cloud.py gcp quotas ```",
        "`python3 cluster/cloud.py gcp admit` where your address has changed",
    ],
    "AWS": [
        "Your address has changed (home, train), and SSH gets no answer: `python3 cluster/cloud.py aws admit`",
        "Machines and disks bear the tag `project: evonas`: activate it as a cost allocation tag under Billing, "
        "and a budget with that tag warns by mail",
    ],
    "Kubernetes": [
        "pip install -c requirements.lock gcsfs==",
        "as image the digest that `docker push` prints, so that all nodes have the same one",
        "A tag (`evonas:0.1.0`) is taken, too, and `fill.py` notes that it may move",
        "its control plane ($0.10 an hour on either cloud",
        "The limit that counts is `budget.hours` in the config",
    ],
    "Slurm": [
        "sbatch --job-name=evonas-NAME --gpus-per-node=4",
        "which waits for jobs of the same name, hence one name a search",
        "HF_HUB_OFFLINE=1 sbatch cluster/slurm.sbatch CONFIG",
        "export HF_HOME=/shared/huggingface python3 -c 'import datasets; datasets.load_dataset(",
    ],
    "Run folders on shared file systems and in buckets": [
        "The lease is written every 5 s, 17,280 times a day",
        "in a bucket with *versioning* each stays as an old version",
        '"NoncurrentVersionExpiration": {"NoncurrentDays": 1}',
        "*object lock* or a retention policy refuses to write it again",
        "A job that Slurm queues again does that by itself; the next one of a chain does not",
        "`--take-over` at the end of its `sbatch` line is safe where `--dependency=singleton` is on it",
    ],
}
"""What a reader has to be told, because nothing else does."""


@pytest.mark.parametrize(("section", "text"), [(section, text) for section, texts in SAID.items() for text in texts])
def test_what_only_the_readme_can_tell_is_told(section: str, text: str) -> None:
    assert text in " ".join(README.partition(f"\n## {section}\n")[2].partition("\n## ")[0].split())


def test_own_copies_of_launch_files_are_nothing_to_commit() -> None:
    rules = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/cluster/**/my-*", "/cluster-*/"} <= set(rules)


def test_what_a_job_takes_at_most_is_what_it_says() -> None:
    """On Kubernetes, where each try has a limit of its own."""
    text = (CLUSTER / "kuberay" / "components" / "job" / "rayjob.yaml").read_text()
    spec = yaml.safe_load(text)["spec"]
    hours = (1 + spec["backoffLimit"]) * spec["activeDeadlineSeconds"] / 3600
    assert f"so {hours:g} hours are the most" in text


def _commands() -> Iterator[str]:
    for block in _blocks("console"):
        yield from re.findall(r"^evonas .*$", block.replace("\\\n", " "), re.MULTILINE)
    job = yaml.safe_load((CLUSTER / "kuberay" / "components" / "job" / "rayjob.yaml").read_text())
    yield job["spec"]["entrypoint"].replace("python -m evonas.clusters.attempt", "evonas")


@pytest.mark.parametrize("line", sorted({*_commands()}))
def test_command_line_takes_what_is_written_here(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    _parser(words[:1]).parse_args(words)


def test_every_file_is_explained() -> None:
    for path in CLUSTER.rglob("*"):
        if path.is_file() and path.name != "README.md" and not path.name.startswith("my-"):
            names = [path.relative_to(CLUSTER), *path.relative_to(CLUSTER).parents]  # or a folder that it is in
            assert any(f"`{name}`" in README or f"`{name}/`" in README for name in names)
            assert path.suffix == ".json" or any(line.startswith("#") for line in path.read_text().splitlines()[:12])
