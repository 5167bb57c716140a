"""A launch file that was changed by hand so that some Ray would ask for no token is refused, wherever it says so."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from evonas.cli import main
from evonas.clusters.shipped import shipped
from evonas.errors import UserError
from evonas.launch.kubernetes import pod_guards
from evonas.launch.launch_files.token_mode import taken
from tests.launch.stand_ins import user  # noqa: F401 - a fixture
from tests.test_kubernetes import built

OFF = "--env=RAY_AUTH_MODE=disabled"
START = "ray start --head"
OF_RAY = {
    "of the head": ("docker:\n", f"docker:\n  head_run_options: [{OFF}]\n", OFF),
    "of workers": ("docker:\n", f"docker:\n  worker_run_options: [{OFF}]\n", OFF),
    "of one type": ('["--env=RAY_worker_niceness=0"]', f'["{OFF}"]', OFF),
    "of who starts it": ("docker:\n", 'docker:\n  head_run_options: ["-e RAY_AUTH_MODE"]\n', "-e RAY_AUTH_MODE"),
    "without a container": ("container_name: evonas", 'container_name: ""', "docker has no container_name"),
    "before a command": (START, f"RAY_AUTH_MODE=disabled {START}", "RAY_AUTH_MODE=disabled"),
    "exported": (START, f"export RAY_AUTH_MODE=disabled; {START}", "export RAY_AUTH_MODE=disabled"),
    "unset": (START, f"unset RAY_AUTH_MODE && {START}", "unset RAY_AUTH_MODE"),
    "left out": (START, f"env -u RAY_AUTH_MODE {START}", "-u RAY_AUTH_MODE"),
    "all left out": (START, f"env -i PATH=$PATH {START}", "env -i"),
    "as another user": (START, f"sudo {START}", "sudo ray start"),
    "by Ray's own options": (START, f'{START} --system-config=\'{{"AUTH_MODE": "disabled"}}\'', "AUTH_MODE"),
    "in a worker's start": ("ray start --address", "RAY_AUTH_MODE= ray start --address", "RAY_AUTH_MODE="),
    "at setup": (
        "setup_commands:\n",
        "setup_commands:\n  - echo RAY_AUTH_MODE=off >> ~/.bashrc\n",
        "echo RAY_AUTH_MODE=off",
    ),
    "in one word": ("docker:\n", "docker:\n  head_run_options: [-eRAY_AUTH_MODE=off]\n", "-eRAY_AUTH_MODE=off"),
    "left out in one word": (START, f"env -uRAY_AUTH_MODE {START}", "env -uRAY_AUTH_MODE"),
    "but what is named": (START, f"sudo --preserve-env=PATH {START}", "sudo --preserve-env=PATH ray start"),
    "on the machine": (
        "initialization_commands:",
        "initialization_commands:\n  - echo RAY_AUTH_MODE=off | sudo tee -a /etc/environment\n#",
        "echo RAY_AUTH_MODE=off",
    ),
}


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("case", OF_RAY)
def test_a_file_of_rays_launcher_that_switches_the_token_off_is_refused(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, said = OF_RAY[case]
    for cloud in ("aws", "gcp"):
        text = shipped(f"{cloud}.yaml").replace("CHANGE-ME-image", "me/evonas:9")
        assert old in text
        copy = Path(f"cluster-{cloud}/my-{cloud}.yaml")
        copy.parent.mkdir()
        copy.write_text(text.replace(old, new, 1))
        assert main(["cluster", "up", cloud, "--dry-run"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"evonas: {copy}: {said}")


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("cloud", ["aws", "gcp"])
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "file_mounts: {/tmp/evonas-auth: ~/.evonas-cluster/auth}",
            "file_mounts: {}",
            "file_mounts does not bring the",
        ),
        ("~/.evonas-cluster/auth}", "~/other}", "file_mounts does not bring the token"),
        (
            "docker:\n",
            "docker:\n  head_run_options: [-eRAY_AUTH_TOKEN=hello]\n",
            "RAY_AUTH_TOKEN: who can read the file",
        ),
        (START, f"echo $RAY_AUTH_TOKEN; {START}", ""),
        ("~/.evonas-cluster/auth}", "~/.evonas-cluster/auth/}", ""),
    ],
)
def test_a_file_that_brings_another_token_or_none_is_refused(
    cloud: str, old: str, new: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shipped(f"{cloud}.yaml").replace("CHANGE-ME-image", "me/evonas:9")
    assert old in text
    copy = Path(f"cluster-{cloud}/my-{cloud}.yaml")
    copy.parent.mkdir()
    copy.write_text(text.replace(old, new, 1))
    assert main(["cluster", "up", cloud, "--dry-run"]) == (2 if said else 0)
    assert capsys.readouterr().err.startswith(f"evonas: {copy}: {said}" if said else "")


def _edited(**container: Any) -> str:
    """The launch file of Kubernetes, with more in the container of one group."""
    parts = list(built("eks"))
    spec = next(part for part in parts if part["kind"] == "RayCluster")["spec"]
    spec["workerGroupSpecs"][0]["template"]["spec"]["containers"][0].update(container)
    return yaml.safe_dump_all(parts)


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"env": [{"name": "RAY_AUTH_MODE", "value": "disabled"}]}, "RAY_AUTH_MODE=disabled"),
        ({"env": [{"name": "RAY_AUTH_MODE", "valueFrom": {"configMapKeyRef": {}}}]}, "RAY_AUTH_MODE"),
        ({"args": ["export RAY_AUTH_MODE=disabled; $KUBERAY_GEN_RAY_START_CMD"]}, "export RAY_AUTH_MODE=disabled"),
        ({"command": ["env", "-i"], "args": ["ray", "start"]}, "env -i"),
    ],
)
def test_so_is_one_of_kubernetes(container: dict[str, Any], said: str) -> None:
    """KubeRay sets no mode where a container has one."""
    with pytest.raises(UserError, match=f"f: {said}: Ray would not have RAY_AUTH_MODE=token"):
        pod_guards.check_guards(_edited(**container), "f")


def test_what_leaves_the_token_on_passes() -> None:
    pod_guards.check_guards(_edited(env=[{"name": "RAY_AUTH_MODE", "value": "token"}], args=["env | sort -i"]), "f")
    for line in (
        "export RAY_AUTH_MODE=token",
        "RAY_AUTH_MODE='token'; export RAY_AUTH_MODE",
        'test "$RAY_AUTH_MODE" = token || echo ${RAY_AUTH_MODE:-none}',
        "MY_AUTH_MODE=none",
        "sudo rm -f x; ray start",
        "sudo -E ray start",
        "sudo -u ray -nE bash -c 'ulimit -n 4096; ray start'",
        "env OMP_NUM_THREADS=4 A='b c' ray start --head",
        "env -C /x -u HTTP_PROXY ray start",
        "nice -n 5 ray start",
        "unset HTTP_PROXY; ray start",
        "exec ray start",
        "su postgres -c ls; ray start",
        "pip install python-env -i x; ray start",
        "docker run --env-file x --env A=b y",
    ):
        assert taken(line) == ""


@pytest.mark.parametrize(
    "line",
    [
        "-iteRAY_AUTH_MODE=disabled",
        "env -vi ray start --head",
        "env -iS 'ray start'",
        "env -C /tmp -i ray start",
        "env A=b - ray start",
        "/usr/bin/env -i bash",
        "sudo bash -c 'cd x; ray start --head'",
        "sudo -E -i ray start",
        "sudo -iu ray ray start",
        "sudo -E env -i ray start",
        "su -lc 'ray start' ray",
        "su --login ray -c 'ray start'",
        "su -c 'ray start' - ray",
        "runuser -l ray -c 'ray start'",
        "doas ray start",
        "exec -lc ray start",
        "unset ${!RAY_*}; ray start --head",
        "for v in $(compgen -v RAY_); do unset $v; done; ray start",
        'ray start --system-config=\'{"auth_mode":"disabled"}\'',
        "RAY_AUTH_MODE+=x ray start",
        "sudo $KUBERAY_GEN_RAY_START_CMD",
    ],
)
def test_a_ray_whose_environment_may_be_another_is_not_let_through(line: str) -> None:
    """What is not known to keep it counts as what takes it."""
    assert taken(line)


def test_many_quotes_of_one_word_are_read_in_one_way() -> None:
    """In two ways each they would take for ever."""
    quoted = "'b'" * 200
    assert taken(f"env A={quoted} ray start --head") == ""
    assert taken(f"env A={quoted} -q ray start --head")
