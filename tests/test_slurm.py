"""cluster/slurm.sbatch, in bash, with stand-ins for Slurm, Ray and evonas that write down what they are given and are
as the real ones where it matters: srun kills its tasks at SIGTERM and hands SIGUSR1 on, a head takes its time."""

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from tests.cluster_files import CLUSTER, SETTINGS, lint, linter

SBATCH = CLUSTER / "slurm.sbatch"
NODES = ("node1", "198.51.100.2", "198.51.100.3")
"""Of the second one there has to be a way to it, which an address has without a name server."""
STAND_INS = {
    "scontrol": """
if [ "$1" = hostnames ] || [ "$2" = hostnames ]; then printf '%s\\n' $NODES
else echo "NodeName=node1 CPUTot=64 Gres=gpu:a100:4(S:0-1) NodeAddr=node1"; fi
""",
    "squeue": 'echo "$LIVING"',
    "srun": """
options=() nodes=node1
while [ "${1#--}" != "$1" ]; do
    options+=("$1")
    case $1 in --nodelist=*) nodes=${1#*=} ;; esac
    shift
done
echo "srun ${options[*]} :: ${*//$'\\n'/ }" >> "$TOLD"
set -m
tasks=()
for node in ${nodes//,/ }; do
    other=/tmp/e$SLURM_JOB_ID
    [ "$node" = node1 ] || other+=-$node  # a /tmp of its own
    RAY_TMPDIR=$other SLURMD_NODENAME=$node "${@/#\\/tmp\\/e$SLURM_JOB_ID/$other}" &
    tasks+=($!)
    echo "$node $!" >> "$TASKS"
done
force() { for task in "${tasks[@]}"; do kill -KILL -- "-$task"; done 2> /dev/null; }
trap 'echo "srun: forcing job termination" >> "$EVENTS"; force' TERM HUP
trap 'kill -USR1 "${tasks[@]}" 2> /dev/null' USR1
most=0
for task in "${tasks[@]}"; do
    code=0
    while kill -0 "$task" 2> /dev/null; do wait "$task"; code=$?; done
    [ "$code" -le "$most" ] || most=$code
    case "$code ${options[*]}" in "0 "* | *--no-kill*--kill-on-bad-exit=0*) ;; *) force ;; esac
done 2> /dev/null
exit "$most"
""",
    "ray": """
echo "ray $*" >> "$TOLD"
what=$SLURMD_NODENAME
case "$*" in
*--head*)
    what=head
    env | grep ^RAY_ >> "$TOLD"
    stat -c %a "$RAY_AUTH_TOKEN_PATH" >> "$TOLD"
    echo "$(cat "$RAY_AUTH_TOKEN_PATH")" >> "$TOLD"
    [ "$RAY_STARTS" = yes ] || exit 1
    ip=$(sed 's/.*--node-ip-address=\\([^ ]*\\).*/\\1/' <<< "$*")
    sleep "${LATE:-0}"
    echo "head up" >> "$EVENTS"
    python3 -SEc "import socket, time; s = socket.create_server(('$ip', $EVONAS_PORT)); time.sleep(99)" &
    if [ "$RAY_FAILS" = once ] && [ ! -e "$GO" ]; then
        touch "$GO"
        until grep -q search "$EVENTS"; do sleep 0.05; done
        kill $!
        exit 1
    fi
    ;;
*)
    (exec 3<> "/dev/tcp/$(sed 's/.*--address=\\([^: ]*\\):\\([0-9]*\\).*/\\1\\/\\2/' <<< "$*")") || exit 1
    echo "$what up" >> "$EVENTS"
    sleep 99 &
    ;;
esac
trap 'kill $!; echo "$what down" >> "$EVENTS"; exit 143' TERM
wait $!
""",
    "nvidia-cuda-mps-control": 'if [ "${1:-}" = -d ]; then echo started; else cat; fi >> "$MPS"',
    "apptainer": """
echo "apptainer ${*//$'\\n'/ }" >> "$TOLD"
while [ "${1##*.}" != sif ]; do shift; done
shift
exec "$@"
""",
    "evonas": """
if [ "$1" = search ]; then
    echo "evonas $*" >> "$TOLD"
    wanted=$(($(wc -w <<< "$NODES") * ($(grep -cx search "$EVENTS") + 1)))
    for look in {1..2000}; do
        [ "$look" -lt 2000 ] || exit 9
        [ "$(grep -c up "$EVENTS")" -lt "$wanted" ] || break
        sleep 0.05
    done
    if [ "$RAY_FAILS" = once ] && ! grep -q search "$EVENTS"; then
        echo "search" >> "$EVENTS"
        sleep 0.5
        exit 1
    fi
    echo "search" >> "$EVENTS"
    trap 'echo "search TERM" >> "$EVENTS"; sleep 0.3; echo "search ended" >> "$EVENTS"; exit 143' TERM
    [ -z "${DEAD:-}" ] || kill -KILL -- "-$(awk -v node="$DEAD" '$1 == node { print $2 }' "$TASKS")"
    while [ -n "${WAITS:-}" ] && [ ! -e "$GO" ]; do sleep 0.05; done
    echo "$LEAVES" > "$RECORD"
    exit "${SEARCH_EXITS:-0}"
fi
[ -s "$RECORD" ] || exit 2
printf '{"evaluated": 3, "state": "%s"}' "$(cat "$RECORD")"
""",
}
FINISHED, STOPPED = "finished: the budget is used up", "stopped; to go on: evonas resume runs/a"


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((NODES[1], 9))
        except OSError:
            return ""
        found: str = probe.getsockname()[0]
        return found


OWN = _own_address()
pytestmark = pytest.mark.skipif(not OWN or OWN.startswith("127."), reason="this machine has no network at all")


def _free_port() -> int:
    with socket.create_server((OWN, 0)) as server:
        port: int = server.getsockname()[1]
        return port


@dataclass(frozen=True)
class Job:
    """A batch job of the stand-ins."""

    folder: Path
    environment: Mapping[str, str]

    def start(self, *words: str) -> "subprocess.Popen[str]":
        line = ["bash", str(SBATCH), *(words or ("config.yaml", "runs/a", "--set", "seed=3"))]
        log = (self.folder / "log").open("a")
        return subprocess.Popen(line, env=dict(self.environment), stderr=log, stdout=log, text=True, cwd=self.folder)

    def run(self, *words: str) -> int:
        status = self.start(*words).wait(600)
        assert list((self.folder / "home").iterdir()) == []  # no token is left
        assert list(Path("/tmp").glob(f"e{self.environment['SLURM_JOB_ID']}*")) == []
        return status

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def await_event(self, event: str) -> None:
        while event not in self.lines("events"):
            time.sleep(0.02)

    def log(self) -> str:
        return (self.folder / "log").read_text()


Jobs = Callable[..., Job]


_NUMBERS = itertools.count()


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Jobs]:
    number = f"{os.getpid()}{next(_NUMBERS):02}"

    def made(nodes: int = 2, **environment: str) -> Job:
        programs = tmp_path / "bin"
        programs.mkdir()
        (tmp_path / "home").mkdir()
        for name, body in STAND_INS.items():
            (programs / name).write_text(f"#!/bin/bash\n{body}\n")
            (programs / name).chmod(0o755)
        given = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(tmp_path / "home"),
            "SLURM_CLUSTER_NAME": "alpha",
            "SLURM_JOB_ID": number,
            "SLURM_JOB_NODELIST": "node[1-3]",
            "SLURM_GPUS_PER_NODE": "a100:4",
            "EVONAS_PORT": str(_free_port()),
            "NODES": " ".join(NODES[:nodes]),
            "RAY_STARTS": "yes",
            "RAY_FAILS": "never",
            "LEAVES": FINISHED,
            "LIVING": number,
        }
        files = {name: str(tmp_path / name.lower()) for name in ("TOLD", "EVENTS", "TASKS", "RECORD", "MPS", "GO")}
        (tmp_path / "events").touch()
        return Job(tmp_path, {**given, **files, **environment})

    yield made
    end_all(tmp_path)
    for left in Path("/tmp").glob(f"e{number}*"):  # of a node that was killed
        shutil.rmtree(left)


def _left(folder: Path) -> list[psutil.Process]:
    """The processes of a job of this folder, by what the stand-ins are told in their environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("TOLD") == str(folder / "told"):
                found.append(process)
    return found


def end_all(folder: Path) -> None:
    """Ends what a job of this folder has left: where a test fails, its stand-ins would wait for it for ever."""
    while left := _left(folder):  # what ends can have started another
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=1)


def test_a_test_that_fails_leaves_no_process(job: Jobs) -> None:
    run = job(WAITS="yes")
    run.start()
    run.await_event("search")
    assert len(_left(run.folder)) > 3
    end_all(run.folder)
    assert _left(run.folder) == []


def test_sbatch_passes_its_linter() -> None:
    lint(linter("shellcheck"), "--severity=style", SBATCH)


def test_sbatch_linter_sees_a_fault(tmp_path: Path) -> None:
    bad = tmp_path / "slurm.sbatch"
    bad.write_text(SBATCH.read_text() + "\nrm $1/x\n")
    assert subprocess.run([linter("shellcheck"), bad], capture_output=True, check=False).returncode != 0


def test_what_slurm_is_asked_for() -> None:
    asked = re.findall(r"^#SBATCH --(\S+)$", SBATCH.read_text(), re.MULTILINE)
    assert {"job-name=evonas", "exclusive", "mem=0", "requeue", "no-kill", "ntasks-per-node=1"} <= set(asked)
    assert [word for word in asked if word.startswith("signal=")] == ["signal=B:TERM@60"]


def test_a_head_workers_and_the_search_are_tasks_of_their_own_by_address(job: Jobs) -> None:
    """The head is late; no name, no loopback and no IPv6 is anywhere; a token that nobody else can read."""
    run = job(3, LATE="1.5")
    assert run.run() == 0, run.log()
    assert run.lines("events")[0] == "head up"
    assert sorted(run.lines("events")[-3:]) == sorted(["head down", *(f"{node} down" for node in NODES[1:])])
    told = "\n".join(run.lines("told"))
    port = run.environment["EVONAS_PORT"]
    assert f"ray start --head --port={port} --dashboard-host=127.0.0.1 --node-ip-address={OWN} --block" in told
    assert told.count(f"ray start --address={OWN}:{port} --node-ip-address={OWN} --block") == 2
    runtime = f"--set runtime.kind=ray --set runtime.address={OWN}:{port}"
    assert f"\nevonas search config.yaml --run runs/a {runtime} --set seed=3\n" in told
    steps = [line.partition(" :: ")[0] for line in run.lines("told") if line.startswith("srun ")]
    common = "srun --export=ALL --overlap --ntasks-per-node=1 --cpu-bind=none --no-kill --kill-on-bad-exit=0 --wait=0"
    first = f"{common} --nodes=1 --ntasks=1 --nodelist=node1"
    workers = f"{common} --nodes=2 --ntasks=2 --nodelist={','.join(NODES[1:])}"
    assert sorted(steps) == sorted([first, first, workers, first, first])  # address, head, workers, search, status
    expected = {**SETTINGS, "RAY_AUTH_MODE": "token", "RAY_worker_niceness": "0"}
    variables = dict(line.split("=", 1) for line in run.lines("told") if line.startswith("RAY_"))
    assert expected.items() <= variables.items()
    assert variables["RAY_TMPDIR"] == f"/tmp/e{run.environment['SLURM_JOB_ID']}"
    mode, token = run.lines("told")[run.lines("told").index("600") :][:2]
    assert mode == "600"
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert run.log() == ""


def test_slurms_word_to_end_reaches_the_search_and_nobody_else(job: Jobs) -> None:
    """To the shell of the job alone, as `--signal=B:` has it."""
    run = job(WAITS="yes")
    process = run.start()
    run.await_event("search")
    process.send_signal(signal.SIGTERM)
    assert process.wait(600) == 143
    events = run.lines("events")
    assert events[events.index("search") + 1 :][:2] == ["search TERM", "search ended"]
    assert sorted(events[-2:]) == [f"{NODES[1]} down", "head down"]
    assert "srun: forcing job termination" not in events
    assert "To go on: the same sbatch line" in run.log()


@pytest.mark.slow
def test_scancel_ends_the_search_before_ray(job: Jobs) -> None:
    """It sends SIGTERM to every task that Slurm started, and to the shell."""
    run = job(WAITS="yes")
    process = run.start()
    run.await_event("search")
    for line in run.lines("tasks")[1:]:
        os.kill(int(line.split()[1]), signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert process.wait(600) == 143
    events = run.lines("events")
    assert events.index("search ended") < min(events.index("head down"), events.index(f"{NODES[1]} down"))


@pytest.mark.slow
def test_a_word_to_end_before_the_search_began_is_not_lost(job: Jobs) -> None:
    run = job(LATE="2")
    process = run.start()
    while not any(line.startswith("ray start --head") for line in run.lines("told")):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(600) == 143
    assert "search" not in run.lines("events")
    for line in run.lines("tasks"):  # as Slurm does when the shell has ended
        with suppress(ProcessLookupError):
            os.killpg(int(line.split()[1]), signal.SIGKILL)


@pytest.mark.slow
def test_a_dead_node_costs_itself_alone(job: Jobs) -> None:
    run = job(3, DEAD=NODES[1], WAITS="yes")
    process = run.start()
    run.await_event("search")
    time.sleep(0.5)
    (run.folder / "go").touch()
    assert process.wait(600) == 0, run.log()
    assert {f"{NODES[2]} down", "head down"} <= set(run.lines("events"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "environment", "status"),
    [
        (STOPPED, {"LEAVES": FINISHED}, 0),
        ("", {"RAY_STARTS": "no"}, 1),
        (FINISHED, {"RAY_STARTS": "no"}, 1),  # after a job that finished on a smaller budget
        ("", {"LEAVES": STOPPED}, 1),
        ("", {"LEAVES": STOPPED, "SEARCH_EXITS": "1"}, 1),
        ("", {"LEAVES": "", "SEARCH_EXITS": "2"}, 2),
    ],
)
def test_sbatch_ends_well_only_when_search_and_record_say_so(
    job: Jobs, before: str, environment: dict[str, str], status: int
) -> None:
    run = job(1, **environment)
    if before:
        (run.folder / "record").write_text(before)
    assert run.run() == status, run.log()
    assert ("To go on" in run.log()) == (status != 0)
    assert run.log().count("Ray ended on node1") == (3 if "RAY_STARTS" in environment else 0)


@pytest.mark.slow
def test_a_head_that_fails_is_followed_by_another(job: Jobs) -> None:
    run = job(2, RAY_FAILS="once")
    assert run.run() == 0, run.log()
    assert "Ray ended on node1 (try 1 of 3)" in run.log()
    assert run.lines("events").count("search") == run.lines("events").count("head up") == 2
    assert run.lines("events").count(f"{NODES[1]} up") == 2


@pytest.mark.parametrize(
    ("count", "takes"),
    [
        pytest.param("", False, marks=pytest.mark.slow),
        pytest.param("0", False, marks=pytest.mark.slow),
        ("1", True),
    ],
)
def test_a_job_that_is_queued_again_takes_the_folder_over(job: Jobs, count: str, takes: bool) -> None:
    """Its first try may have left a lock that nobody frees, on NFS; and its token."""
    run = job(1, **({"SLURM_RESTART_COUNT": count} if count else {}))
    for left in (f".evonas-alpha-{run.environment['SLURM_JOB_ID']}-AAAAAA", ".evonas-alpha-1-BBBBBB"):
        (run.folder / "home" / left).mkdir()
    assert run.run() == 0, run.log()
    line = next(line for line in run.lines("told") if line.startswith("evonas search"))
    assert ("--take-over" in line) == takes


@pytest.mark.parametrize("known", [True, False])
def test_only_what_dead_jobs_of_this_cluster_left_is_removed(job: Jobs, known: bool) -> None:
    run = job(1, EVONAS_NIC="lo")  # which ends it soon
    own = run.environment["SLURM_JOB_ID"]
    run = replace(run, environment={**run.environment, "LIVING": f"{own if known else ''}\n41"})
    dead, again = ".evonas-alpha-4-BBBBBB", f".evonas-alpha-{own}-CCCCCC"
    others = {".evonas-backup-monday", ".evonas-4-DDDDDD", ".evonas-beta-4-AAAAAA", ".evonas-alpha-2-4-EEEEEE"}
    others |= {".evonas-alpha-41-AAAAAA", ".evonas-cluster", ".evonas-alpha-my-backup"}
    for left in (dead, again, *others):
        (run.folder / "home" / left).mkdir()
        (run.folder / "home" / left / "token").touch()
    mine = run.folder / "home/.evonas-alpha-5-monday"
    mine.mkdir()
    (mine / "of-the-user").touch()
    assert run.start().wait(600) == 1, run.log()
    kept = others | {mine.name} | (set() if known else {dead})
    assert {path.name for path in (run.folder / "home").iterdir()} == kept


@pytest.mark.slow
@pytest.mark.parametrize("packed", [True, False])
def test_sbatch_has_mps_around_ray_where_packing_is_meant(job: Jobs, tmp_path: Path, packed: bool) -> None:
    run = job(1, **({"CUDA_MPS_PIPE_DIRECTORY": str(tmp_path / "pipes")} if packed else {}))
    assert run.run() == 0, run.log()
    assert run.lines("mps") == (["started", "quit"] if packed else [])


@pytest.mark.slow
def test_a_site_has_its_say(job: Jobs, tmp_path: Path) -> None:
    """Lines of its own first, its interface, its folder for the token; GPUs that are paid and idle are told."""
    (tmp_path / "site.sh").write_text("[ -n $unset ] && export FROM_SITE=yes LEAVES='finished: by the site'")
    (tmp_path / "private").mkdir()
    site = {"EVONAS_SETUP": str(tmp_path / "site.sh"), "EVONAS_PRIVATE": str(tmp_path / "private")}
    run = job(1, LEAVES=STOPPED, SLURM_GPUS_PER_NODE="", SLURM_GPUS_ON_NODE="1", **site)
    assert run.run() == 0, run.log()
    path = next(line for line in run.lines("told") if line.startswith("RAY_AUTH_TOKEN_PATH"))
    assert str(tmp_path / "private") in path
    assert "node1 has 4 GPUs and 1 of them is asked for: sbatch --gpus-per-node=4" in run.log()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["apptainer", "pyxis"])
def test_all_runs_in_the_image(job: Jobs, kind: str) -> None:
    run = job(2, **{f"EVONAS_{kind.upper()}": "/shared/evonas.sif", "EVONAS_BINDS": "/data:/data"})
    assert run.run() == 0, run.log()
    told = run.lines("told")
    bound = f"/tmp:/tmp,{run.folder}/home/.evonas-alpha-{run.environment['SLURM_JOB_ID']}-"
    rest = f",{run.folder}:{run.folder},/data:/data"
    programs = ["ray start --head", "ray start --address", "python3 -c", "bash -c .*evonas search", "evonas status"]
    if kind == "apptainer":
        lines = [line for line in told if line.startswith("apptainer exec --nv --bind")]
        assert all(bound in line and rest in line and f"--pwd {run.folder} " in line for line in lines)
        assert all(any(re.search(f"/shared/evonas.sif {program}", line) for line in lines) for program in programs)
    else:
        steps = [line for line in told if line.startswith("srun ")]
        assert len(steps) == 5
        for line in steps:
            assert "--container-image=/shared/evonas.sif" in line
            assert f"--container-mounts={bound}" in line
            assert f"{rest} --container-workdir={run.folder}" in line


@pytest.mark.parametrize(
    ("words", "environment", "status", "says"),
    [
        (["config.yaml"], {}, 2, "usage: sbatch"),
        ([], {"RAY_TMPDIR": "/scratch/" + "x" * 30}, 2, "longer than the 30 bytes that Ray's sockets leave"),
        ([], {"EVONAS_PRIVATE": "/proc"}, 2, "/proc cannot be written: EVONAS_PRIVATE=FOLDER"),
        ([], {"EVONAS_NIC": "lo"}, 1, "127.0.0.1 is a loopback address\nevonas: no IPv4 address of node1"),
    ],
)
def test_what_cannot_go_well_is_one_line(
    job: Jobs, words: list[str], environment: dict[str, str], status: int, says: str
) -> None:
    run = job(**environment)
    assert run.run(*words) == status
    assert says in run.log()
    assert "evonas search" not in "".join(run.lines("told"))


@pytest.mark.slow
def test_a_port_that_another_program_has_is_told(job: Jobs) -> None:
    run = job()
    with socket.create_server((OWN, int(run.environment["EVONAS_PORT"]))):
        assert run.run() == 1
    assert f"another program listens at {OWN}:{run.environment['EVONAS_PORT']}" in run.log()


@pytest.mark.slow
def test_a_search_with_the_real_ray_is_stopped_and_goes_on(job: Jobs, tmp_path: Path) -> None:
    """Two nodes of one machine: two raylets."""
    run = job(SLURM_RESTART_COUNT="", PYTHONPATH=str(CLUSTER.parent))
    (tmp_path / "bin" / "ray").unlink()
    (tmp_path / "bin" / "evonas").write_text('#!/bin/bash\nexec python3 -m evonas "$@"\n')
    environment = {**run.environment, "PATH": f"{tmp_path}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    run = Job(tmp_path, environment)
    cheap = {"runtime.workers": 1, "training.epochs": 2, "training.rungs": [], "targets": "{}"}
    line = [str(CLUSTER.parent / "configs" / "digits.yaml"), str(tmp_path / "run")]
    line += [f"--set={key}={value}" for key, value in cheap.items()]
    line += ["--set=objectives=[{metric: error}, {metric: params}]", "--set=limits=[]"]
    process = run.start(*line, "--set=budget.evaluations=1000")
    while not re.search("[1-9]/1,000 evaluated", run.log()):
        assert process.poll() is None, run.log()
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(600) == 143, run.log()
    assert "To go on: the same sbatch line" in run.log()
    (tmp_path / "log").unlink()
    again = Job(tmp_path, {**environment, "SLURM_RESTART_COUNT": "1"})
    assert again.run(*line, "--set=budget.evaluations=8") == 0, again.log()
