"""`evonas cluster` on Kubernetes, Slurm and Google, with stand-ins for their programs."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evonas.cli import main
from evonas.launch import programs, up
from evonas.launch.ray_launcher import google
from evonas.launch.slurm import provider as slurm
from evonas.launch.slurm.squeue import queue
from evonas.launch.state import change, read
from evonas.submit import submission
from tests.launch.stand_ins import CONFIG, stand_in, user  # noqa: F401 - a fixture
from tests.test_submission import TOKEN, Pretended, served

KUBECTL = """
*"config current-context"*) echo mine ;;
*"can-i"*) echo yes ;;
*"config get-contexts"*) echo mine ;;
*" version "*"-o json") echo '{"clientVersion": {}, "serverVersion": {"gitVersion": "v1.32.4-eks-a737599"}}' ;;
*kustomize*/overlays/eks) cat "${2%/overlays/eks}/base/raycluster.yaml"; echo ---
    cat "${2%/overlays/eks}/base/guards.yaml" ;;
*"get namespace/"*) echo namespace/default ;;
*" get secret/evonas-auth") [ -e "$HERE/secret" ] || { echo NotFound >&2; exit 1; } ;;
*" get serviceaccount/evonas") ;;
*"get "*" serviceaccount/evonas --ignore-not-found"*) echo ServiceAccount/evonas
    [ ! -e "$HERE/secret" ] || echo Secret/evonas-auth ;;
*"get raycluster/evonas "*)
    [ ! -e "$HERE/no-operator" ] || { echo "the server doesn't have a resource type" >&2; exit 1; }
    [ ! -e "$HERE/cluster" ] || echo raycluster.ray.io/evonas ;;
*"create secret"*) touch "$HERE/secret" ;;
*"apply -f"*) touch "$HERE/cluster" ;;
*"delete raycluster/evonas "*) rm -f "$HERE/cluster" ;;
*"delete "*secret/evonas-auth*) rm -f "$HERE/secret" ;;
*"get pods"*"-o name"*) [ ! -e "$HERE/cluster" ] || echo pod/evonas-head ;;
*"get pods"*) [ ! -e "$HERE/cluster" ] || printf 'headgroup Running\\nspot-l4 Running\\nspot-l4 Running\\n' ;;
*port-forward*) last=; for last in "$@"; do :; done; exec $FORWARD "${last%:*}" "$API" ;;
"""
KUBERNETES = ["kubernetes", "c.yaml", "--image", "me/evonas:9", "--bucket", "mine"]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pretended]:
    """The job API of a cluster whose token is the user's; its searches end at once."""
    monkeypatch.setattr(submission, "POLL_S", 0.01)
    pretended = Pretended(token=TOKEN, outputs=["starting\n"])
    server = served(pretended)
    monkeypatch.setenv("API", str(server.server_address[1]))
    yield pretended
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("user", "api")
def test_status_without_its_config_has_the_prices_that_were_agreed_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, monkeypatch, kubectl=KUBECTL)
    auth = tmp_path / "home/.evonas-cluster/auth"
    auth.mkdir(parents=True)
    (auth / "token").write_text(TOKEN)
    assert main(["cluster", "up", *KUBERNETES, "--yes", "--set", "runtime.prices={headgroup: 1.5, spot-l4: 0.25}"]) == 0
    capsys.readouterr()
    for config, usd in ((["c.yaml"], "is not known"), ([], "$2.00 an hour")):  # the file alone has none
        assert main(["cluster", "status", "kubernetes", *config]) == 0
        assert usd in capsys.readouterr().out


@pytest.mark.usefixtures("user")
def test_kubernetes_up_again_status_and_down(
    api: Pretended, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, kubectl=KUBECTL)
    auth = tmp_path / "home/.evonas-cluster/auth"
    auth.mkdir(parents=True)
    (auth / "token").write_text(TOKEN)
    assert main(["cluster", "up", *KUBERNETES, "--yes"]) == 0
    (job,) = api.jobs.values()
    assert job["metadata"]["run"] == "gs://mine/c"
    assert told.lines("create secret generic evonas-auth", f"auth_token={auth / 'token'}")
    (forward,) = told.lines("port-forward service/evonas-head-svc")
    assert "8265:8265" not in forward
    assert read(tmp_path / "cluster-kubernetes").tunnels == {}
    assert "image: &image me/evonas:9" in (tmp_path / "cluster-kubernetes/my-cluster.yaml").read_text()
    assert main(["cluster", "up", "kubernetes", "c.yaml"]) == 0  # nothing is asked or said again
    assert len(api.jobs) == 1
    assert len(told.lines("create secret generic")) == 1
    assert main(["cluster", "status", "kubernetes"]) == 0
    out = capsys.readouterr().out
    assert "2 x spot-l4 Running\n1 x headgroup\n2 x spot-l4\nwhat it costs an hour is not known: no price of" in out
    assert "\ngs://mine/c: " in out  # that of the last `up`
    kubectl = tmp_path / "bin/kubectl"
    kubectl.write_text(kubectl.read_text().replace("echo mine", "echo other"))  # as `kubectl config use-context` does
    for _ in range(2):
        assert main(["cluster", "down", "kubernetes", "--yes"]) == 0
        out = capsys.readouterr().out
        assert "nothing is left" in out
        assert "kept: serviceaccount/evonas, which no `up` from here has made" in out
    assert not (tmp_path / "secret").exists()
    state = read(tmp_path / "cluster-kubernetes")
    assert (state.owns, state.made, state.started) == ((), (), False)
    assert told.lines("default delete", "serviceaccount") == []  # it was there before
    assert all(
        "--context=mine --namespace=default " in line or " config " in line or "kustomize" in line
        for line in told.lines("kubectl")
    )


@pytest.mark.usefixtures("user")
def test_kubernetes_without_its_operator_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, kubectl=KUBECTL)
    (tmp_path / "no-operator").touch()
    assert main(["cluster", "up", *KUBERNETES, "--yes"]) == 2
    assert "helm install kuberay-operator" in capsys.readouterr().err
    (tmp_path / "bin/kubectl").write_text("#!/bin/sh\necho no way >&2; exit 1\n")
    assert main(["cluster", "status", "kubernetes"]) == 2
    said = "the cluster was started in context mine, which kubectl does not show: no way\n"
    assert capsys.readouterr().err.endswith(said)
    assert told.lines("create") == told.lines("apply -f") == []


@pytest.mark.usefixtures("user")
def test_kubernetes_is_asked_whether_one_may_and_pods_that_wait_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl = KUBECTL.replace('*"can-i"*) echo yes', '*"can-i"*) echo no').replace(
        "spot-l4 Running", "spot-l4 Pending", 1
    )
    assert "Pending" in kubectl
    told = stand_in(tmp_path, monkeypatch, kubectl=kubectl)
    assert main(["cluster", "up", *KUBERNETES, "--yes"]) == 2
    assert (
        "evonas: you may not in namespace default of mine: get, create, patch, delete secret; get, "
        in capsys.readouterr().err
    )
    assert told.lines("create secret generic") == told.lines("apply -f") == []
    (tmp_path / "cluster").touch()
    assert main(["cluster", "status", "kubernetes"]) == 0
    assert "1 x spot-l4 Pending\n1 x spot-l4 Running\n1 x headgroup\n1 x spot-l4\n" in capsys.readouterr().out


def test_a_question_that_nobody_sees_is_not_waited_for() -> None:
    there, here = os.pipe()
    before = os.dup(0)
    os.dup2(there, 0)
    try:
        os.write(here, b"a person's\n")
        assert programs.ask("head", "-n1") == (0, "")
        assert programs.ask("head", "-n1", text="said") == (0, "said")
    finally:
        os.dup2(before, 0)
        for file in (there, here, before):
            os.close(file)


SLURM = {
    "sbatch": r"""*) number="7$(cat "$HERE/number" 2> /dev/null)"; echo "$number;alpha"; echo RUNNING > "$HERE/queue"
    while [ "${1#-}" != "$1" ]; do shift; done
    printf '%s\tevonas-c\t%s\n' "$number" "$PWD/$*" >> "$HERE/jobs" ;;""",
    "squeue": r"""
*%r*) echo None ;;
*) [ -e "$HERE/jobs" ] || printf '7\tevonas-c\t\n' > "$HERE/jobs"
    [ ! -s "$HERE/queue" ] || sed "s|\t|\t$(cat "$HERE/queue")\t${WORKS_IN:-$HERE}\t|; s/$/\t./" "$HERE/jobs" ;;
""",
    "scancel": """*) rm -f "$HERE/queue" "$HERE/jobs" ;;""",
}
"""A queue whose jobs are all in the state that `queue` has; `jobs` has their numbers, names and lines."""


@pytest.mark.usefixtures("user")
def test_slurm_up_again_status_and_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, **SLURM)
    order = ["cluster", "up", "slurm", "c.yaml", "--sbatch=--partition=gpu", "--set", "runtime.workers=3", "--yes"]
    script, run = Path("cluster-slurm/slurm.sbatch"), tmp_path / "runs/c"
    seen = list[str]()

    def interrupted(_: float) -> None:
        seen.append(capsys.readouterr().out)
        raise KeyboardInterrupt

    monkeypatch.setattr(slurm.Slurm.__init__, "__defaults__", (interrupted,))
    for _ in range(2):
        assert main(order) == 130
        assert "evonas cluster down slurm" in capsys.readouterr().out
        assert "job 7 is running" in seen[-1]
    (line,) = told.lines("sbatch")
    options = f"--parsable --job-name=evonas-c --partition=gpu {script} {tmp_path / 'c.yaml'} {run}"
    assert line == f"sbatch {options} --set runtime.workers=3 --set runtime.gpus_per_worker=1"
    assert main(["cluster", "status", "slurm"]) == 0
    assert capsys.readouterr().out.startswith(f"job 7, running: {run}\n{run}: ")  # and no other job
    for _ in range(2):
        assert main(["cluster", "down", "slurm", "--yes"]) == 0
        assert "nothing is left" in capsys.readouterr().out
    assert told.lines("scancel") == ["scancel 7"]
    (tmp_path / "number").write_text("1")
    assert main(order) == 130
    assert len(told.lines("sbatch")) == 2  # the job is gone: another one goes on
    script.write_text(script.read_text() + "# mine\n")
    assert main(order) == 130
    assert script.read_text().endswith("# mine\n")


@pytest.mark.usefixtures("user")
def test_each_config_has_a_run_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, **SLURM)
    other = tmp_path / "other"
    other.mkdir()
    for path in (tmp_path / "d.yaml", other / "c.yaml"):
        path.write_text(CONFIG)

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(slurm.Slurm.__init__, "__defaults__", (interrupted,))

    def up_slurm(*words: str) -> int:
        return main(["cluster", "up", "slurm", *words, "--yes"])

    assert up_slurm("c.yaml", "--run", "own") == 130
    (tmp_path / "number").write_text("1")
    assert up_slurm("d.yaml") == 130
    assert f"d.yaml runs in {tmp_path / 'runs/d'}" in capsys.readouterr().out
    for config in ("c.yaml", "d.yaml"):
        assert up_slurm(config) == 130  # goes on with its own
    first, second = told.lines("sbatch")
    assert f" {tmp_path / 'own'} " in first
    assert f"d.yaml {tmp_path / 'runs/d'} " in second
    assert read(tmp_path / "cluster-slurm").jobs == {
        str(tmp_path / "own"): "7;alpha",
        str(tmp_path / "runs/d"): "71;alpha",
    }
    capsys.readouterr()
    assert main(["cluster", "status", "slurm"]) == 0
    assert f"\n{tmp_path / 'runs/d'}: " in capsys.readouterr().out
    assert up_slurm("d.yaml", "--run", "own") == 2
    assert "job 7 of" in capsys.readouterr().err
    assert up_slurm(str(other / "c.yaml"), "--run", "runs/o") == 130
    (tmp_path / "e.yaml").write_text(CONFIG)
    assert up_slurm("e.yaml") == 130
    (other / "e.yaml").write_text(CONFIG)
    assert up_slurm(str(other / "e.yaml")) == 2
    assert "--run" in capsys.readouterr().err


@pytest.mark.usefixtures("user")
def test_a_squeue_that_fails_does_not_say_that_a_job_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, **{**SLURM, "squeue": "*) echo Unable to contact >&2; exit 1 ;;"})
    change(tmp_path / "cluster-slurm", jobs={str(tmp_path / "runs/c"): "7"})
    for line in (["up", "slurm", "c.yaml", "--yes"], ["status", "slurm"], ["down", "slurm"]):
        assert main(["cluster", *line]) == 2
        assert "squeue: Unable to contact" in capsys.readouterr().err
    assert told.lines("sbatch") == []


@pytest.mark.usefixtures("user")
def test_slurm_is_asked_for_jobs_that_no_state_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, **SLURM)
    (tmp_path / "queue").write_text("RUNNING")
    line = "job 7, running: evonas-c, not started from cluster-slurm; scancel 7 ends it"
    assert main(["cluster", "status", "slurm"]) == 0
    assert capsys.readouterr().out.startswith(f"{line}\n")
    assert main(["cluster", "down", "slurm", "--dry-run"]) == 1
    assert f"would stay: {line}" in capsys.readouterr().out
    assert main(["cluster", "down", "slurm", "--yes"]) == 1
    assert f"still there: {line}" in capsys.readouterr().out
    assert told.lines("scancel") == []
    (tmp_path / "bin/squeue").unlink()
    for action in ("status", "down"):
        assert main(["cluster", action, "slurm"]) == 2
        assert "squeue: no such program in the PATH" in capsys.readouterr().err


@pytest.mark.usefixtures("user")
def test_slurm_takes_no_job_for_ended_that_holds_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, **{**SLURM, "scancel": "*7) exit 1 ;;"})
    change(tmp_path / "cluster-slurm", jobs={str(tmp_path / "runs/c"): "7"})
    (tmp_path / "queue").write_text("SIGNALING")

    def times_out(_: float) -> None:
        assert (tmp_path / "queue").read_text() == "SIGNALING"
        (tmp_path / "queue").write_text("TIMEOUT")

    monkeypatch.setattr(slurm.Slurm.__init__, "__defaults__", (times_out,))
    assert main(["cluster", "status", "slurm"]) == 0
    assert "job 7, signaling: " in capsys.readouterr().out
    assert main(["cluster", "up", "slurm", "c.yaml", "--yes"]) == 1
    assert "job 7 has ended and the search has not" in capsys.readouterr().out
    assert told.lines("sbatch") == []
    (tmp_path / "queue").write_text("STAGE_OUT")
    assert main(["cluster", "down", "slurm", "--yes"]) == 1
    out = capsys.readouterr().out
    assert "still there: job 7" in out
    assert "7: scancel 7 ended with status 1" in out


STATES = "PENDING RUNNING COMPLETING SUSPENDED SPECIAL_EXIT COMPLETED CANCELLED FAILED TIMEOUT NODE_FAIL PREEMPTED"
STATES += " BOOT_FAIL DEADLINE OUT_OF_MEMORY REVOKED LAUNCH_FAILED RECONFIG_FAIL"


def test_jobs_that_hold_nothing_any_more_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Slurm's documentation; an array's tasks are one job, and a name can have bars."""
    states = STATES.split()
    rows = [f"{number}\t{state}\t/a\tevonas-{state}|x\t/a/slurm.sbatch c\t\t." for number, state in enumerate(states)]
    text = "\n".join([*rows, "1\tRUNNING\t/a\tevonas-RUNNING|x\t\t."])
    stand_in(tmp_path, monkeypatch, squeue=f"*--me*) echo '{text}' ;;")
    jobs = queue("").jobs
    assert [job.state for job in jobs] == states[:5]
    assert [job.name for job in jobs] == [f"evonas-{state}|x" for state in states[:5]]


@pytest.mark.usefixtures("user")
def test_down_waits_for_a_job_to_close_its_record_and_names_no_other_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "jobs").write_text("9\tanother\t/a/train.sh\n7\tevonas-c\t\n")
    stand_in(tmp_path, monkeypatch, **{**SLURM, "scancel": '*) echo COMPLETING > "$HERE/queue" ;;'})
    change(tmp_path / "cluster-slurm", jobs={str(tmp_path / "runs/c"): "7"})
    (tmp_path / "queue").write_text("RUNNING")
    monkeypatch.setattr(slurm.Slurm.__init__, "__defaults__", (lambda _: (tmp_path / "queue").write_text(""),))
    assert main(["cluster", "down", "slurm", "--yes"]) == 0
    out = capsys.readouterr().out
    assert ("nothing is left" in out, "another" in out) == (True, False)


@pytest.mark.usefixtures("user")
def test_slurm_ends_as_the_record_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, monkeypatch, **{**SLURM, "sbatch": "*) echo 8 ;;"})
    (tmp_path / "evonas-8.log").write_text("evonas: no head\x1b[2J\n")
    assert main(["cluster", "up", "slurm", "c.yaml", "--yes"]) == 1
    out = capsys.readouterr().out
    assert "evonas: no head[2J\n" in out
    assert "job 8 has ended and the search has not" in out


@pytest.mark.usefixtures("user")
def test_nothing_starts_without_a_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, **{**SLURM, "sbatch": "*) exit 1 ;;"})

    def closed(_: str) -> Any:
        raise EOFError

    for answer, status in ((lambda _: "n", 0), (closed, 2)):
        monkeypatch.setattr(up.up, "__defaults__", (False, answer))
        assert main(["cluster", "up", "slurm", "c.yaml"]) == status
    out, err = capsys.readouterr()
    assert "nothing was started" in out
    assert "--yes starts it" in err
    assert told.lines() == []


@pytest.mark.usefixtures("user")
def test_an_interrupt_says_what_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stand_in(tmp_path, monkeypatch, **{**SLURM, "scancel": ""})

    def interrupted(_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(up.up, "__defaults__", (False, interrupted))
    assert main(["cluster", "up", "slurm", "c.yaml"]) == 130
    assert capsys.readouterr().out.endswith("\ninterrupted before this line had started anything\n")
    assert told.lines() == []
    change(tmp_path / "cluster-slurm", jobs={str(tmp_path / "runs/c"): "7"})
    (tmp_path / "queue").write_text("RUNNING")
    monkeypatch.setattr(slurm.Slurm.__init__, "__defaults__", (interrupted,))
    assert main(["cluster", "down", "slurm", "--yes"]) == 130
    said = "\ninterrupted: what is still there stays and costs; it goes by evonas cluster down slurm\n"
    assert capsys.readouterr().out.endswith(said)

    def terminated(_: Any) -> None:
        handler = signal.getsignal(signal.SIGTERM)  # called, for a signal itself would end a worker of tests
        assert callable(handler)
        handler(signal.SIGTERM, None)

    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        monkeypatch.setattr(slurm.Slurm.__init__, "__defaults__", (terminated,))
        assert main(["cluster", "down", "slurm", "--yes"]) == 143
        assert capsys.readouterr().out.endswith(said)
        assert main(["cluster", "up", "slurm", "c.yaml", "--yes"]) == 143
    finally:
        signal.signal(signal.SIGTERM, before)
    out = capsys.readouterr().out
    assert "\ninterrupted\nwhat is up stays up and costs. To go on: evonas cluster up slurm c.yaml --yes\n" in out
    assert out.endswith("\nto take it down: evonas cluster down slurm\n")


KEYGEN = """*" -y "*) echo "ssh-ed25519 AAAA evonas" ;;
*) for last in "$@"; do :; done; echo "ssh-ed25519 AAAA evonas" > "$last.pub"; touch "$last" ;;"""
GCLOUD = """
*"config get-value project"*) echo my-project ;;
*"images list"*) printf 'common-cu129-ubuntu-2204-nvidia-570\\ncommon-cu130-ubuntu-2204-nvidia-580\\n' ;;
*"iam service-accounts list"*) [ ! -e "$HERE/made" ] || echo evonas-head@my-project.iam.gserviceaccount.com ;;
*" describe "*) [ -e "$HERE/made" ] || { echo NOT_FOUND >&2; exit 1; } ;;
*"iam service-accounts create"*) touch "$HERE/made" ;;
*"iam service-accounts delete"*) rm "$HERE/made" ;;
"""


@pytest.mark.usefixtures("user")
def test_google_up_again_and_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What gcloud and `ray up` are given, and what is deleted; tests/clouds/test_google.py has the rest."""
    told = stand_in(tmp_path, monkeypatch, gcloud=GCLOUD, ray="", ssh="", rsync="", ssh_keygen=KEYGEN)
    credentials = tmp_path / "home/.config/gcloud/application_default_credentials.json"
    credentials.parent.mkdir(parents=True)
    credentials.touch()
    monkeypatch.setattr(google, "absent", lambda **_: [])
    monkeypatch.setattr(google, "quotas", lambda *_: [])
    taken = list[tuple[Any, ...]]()
    monkeypatch.setattr(google.ending, "take_down", lambda *words: taken.append(words))
    monkeypatch.setattr(google.ending, "left", lambda *_, **__: [])
    monkeypatch.setattr(google.ending, "machines", lambda *_: [])
    monkeypatch.setattr(google.ending, "head_zone", lambda *_: None)
    monkeypatch.setattr(google.ending, "keys", lambda *_: set())
    client = object()
    monkeypatch.setattr(google.Google.__init__, "__defaults__", (lambda: client,))
    up_again = ["cluster", "up", "gcp", "--image", "me/evonas:9", "--address", "198.51.100.7", "--yes"]
    assert main(up_again) == 0
    text = (tmp_path / "cluster-gcp/my-gcp.yaml").read_text()
    assert "family/common-cu130-ubuntu-2204-nvidia-580" in text
    assert "ubuntu:ssh-ed25519 AAAA evonas" in text
    made = [line.split(" create ")[0].split()[-1] for line in told.lines("gcloud", " create ")]
    assert made == ["buckets", "networks", "subnets", "firewall-rules", "firewall-rules", "roles", "service-accounts"]
    assert all("--project=" in line for line in told.lines("gcloud") if "config get-value" not in line)
    assert told.lines("firewall-rules create evonas-ssh", "--source-ranges=198.51.100.7/32", "--allow=tcp:22")
    assert told.lines("ray up -y cluster-gcp/my-gcp.yaml")
    monkeypatch.setattr(google.ending, "machines", lambda *_: [("head", "us-central1-a")])
    monkeypatch.setattr(google.ending, "head_zone", lambda *_: "us-central1-a")
    assert main(up_again) == 0
    assert (len(told.lines(" create ")), len(told.lines("ray up"))) == (7, 1)
    monkeypatch.setattr(google.ending, "machines", lambda *_: [])
    for _ in range(2):
        assert main(["cluster", "down", "gcp", "--yes"]) == 0
    assert taken == [(client, "my-project")] * 2
    assert len(told.lines("remove-iam-policy-binding")) == len(told.lines("service-accounts delete")) == 1
    assert "nothing is left" in capsys.readouterr().out
    change(tmp_path / "cluster-gcp", owns=("other-project/us-central1",))
    assert main(["cluster", "down", "gcp", "--yes"]) == 1
    said = "still there: a cluster in project other-project may run: it was started from here, and goes by evonas"
    assert f"{said} cluster down gcp --project other-project\n" in capsys.readouterr().out
    (tmp_path / "bin/gcloud").write_text(
        "#!/bin/sh\n[ $1 != config ] || { echo my-project; exit; }\necho no way >&2; exit 1\n"
    )
    assert main(["cluster", "down", "gcp", "--yes"]) == 2  # and not that nothing is left
    assert "no way" in capsys.readouterr().err
