"""Clusters of AWS, Google and Slurm that their folder knows nothing of: where was looked is said, and what is found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evonas.cli import main
from evonas.clusters.aws.network import security_group
from evonas.launch.down import down
from evonas.launch.ray_launcher import aws, google
from evonas.launch.ray_launcher.aws import Aws
from evonas.launch.state import read
from evonas.launch.status import status
from tests.clouds.test_aws import REGION, THERE, _tags
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_aws import FOLDER, _order, clients  # noqa: F401 - a fixture
from tests.launch.test_programs import GCLOUD, SLURM

Clients = Callable[[str, str], Any]
WHOSE = "of others as far as is known here; if it is yours, it goes by"
REGIONS = [REGION, "eu-west-1", "eu-west-2"]


def test_aws_looks_in_all_regions_where_nothing_says_one(
    clients: Clients,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(aws.ending, "regions_of", lambda _: REGIONS)
    assert status(_order(), Aws(_order(), clients)) == 0
    assert capsys.readouterr().out.startswith("nothing runs in any region of account 123456789012\n")
    own, other = (clients("ec2", region) for region in REGIONS[1:])
    key = Path.home() / ".ssh/evonas.pem"
    key.write_text(own.create_key_pair(KeyName="evonas")["KeyMaterial"])
    key.chmod(0o600)
    for ec2 in (own, other):
        ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=_tags("instance", "evonas"))
    security_group(other, THERE)
    assert status(_order(), Aws(_order(), clients)) == 0
    found = capsys.readouterr().out
    assert "1 x m1.small in eu-west-1\n" in found
    assert f" in eu-west-2, {WHOSE} evonas cluster down aws --region eu-west-2 --anyway\n" in found
    assert down(_order(), Aws(_order(), clients), sure=True) == 0  # the key says whose the one is
    assert [len(aws.ending.machines(clients("ec2", region))) for region in REGIONS] == [0, 0, 1]
    out = capsys.readouterr().out
    assert "kept: security group " in out
    assert out.count(f" in eu-west-2, {WHOSE} evonas cluster down aws --region eu-west-2 --anyway\n") == 2
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "my-aws.yaml").write_text("# Defaults: region=eu-west-1\n")
    assert main(["cluster", "status", "aws"]) == 0  # and it is read for the region, whatever else it lacks
    said = capsys.readouterr()
    assert ("nothing runs in eu-west-1 of" in said.out, "has no cluster_name; mend it" in said.err) == (True, True)
    assert read(FOLDER).given == {}


@pytest.mark.usefixtures("user")
def test_google_says_which_project_and_that_gcloud_has_said_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, monkeypatch, gcloud=GCLOUD)
    for name in ("left", "instances"):
        monkeypatch.setattr(google.ending, name, lambda *_, **__: [])
    monkeypatch.setattr(google.ending, "take_down", lambda *_: None)
    for name in ("running", "stopped"):
        monkeypatch.setattr(google, name, lambda *_: [])
    monkeypatch.setattr(google.Google.__init__, "__defaults__", (object,))
    said = "cluster-gcp does not say where a cluster was started, and my-project is what gcloud is set to: --project"
    for words in (["status"], ["down", "--dry-run"], ["down", "--yes"]):
        assert main(["cluster", words[0], "gcp", *words[1:]]) == 1
        assert f" in project my-project\n{said} PROJECT looks in another\n" in capsys.readouterr().out
    assert main(["cluster", "down", "gcp", "--yes", "--project", "other-project"]) == 0
    assert "nothing is left in project other-project\n" in capsys.readouterr().out
    (tmp_path / "cluster-gcp").mkdir()
    (tmp_path / "cluster-gcp/my-gcp.yaml").write_text('# Filled in: {"project": "its-project"}\ncluster_name: x\n')
    assert main(["cluster", "down", "gcp", "--yes"]) == 0  # by its project, whatever else the file lacks
    assert "nothing is left in project its-project\n" in capsys.readouterr().out


@pytest.mark.usefixtures("user")
def test_slurm_says_whose_queue_and_finds_searches_of_other_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, monkeypatch, **SLURM)
    another = "8\tanother\t/home/me/else.sh\n"
    (tmp_path / "jobs").write_text(f"7\tmine\t/home/me/cluster-slurm/slurm.sbatch /home/me/c.yaml\n{another}")
    (tmp_path / "queue").write_text("RUNNING")
    monkeypatch.setenv("LOGNAME", "me")
    monkeypatch.setenv("SLURM_CLUSTERS", "alpha")
    assert main(["cluster", "down", "slurm", "--yes"]) == 1
    out = capsys.readouterr().out
    assert "still there: job 7, running: mine, not started from cluster-slurm; scancel 7 ends it\n" in out
    assert "another" not in out
    (tmp_path / "jobs").write_text(another)
    assert main(["cluster", "down", "slurm", "--yes"]) == 0
    assert "nothing is left in the queue of me on alpha (squeue --me)\n" in capsys.readouterr().out
    assert main(["cluster", "status", "slurm"]) == 0
    assert capsys.readouterr().out.startswith("nothing runs in the queue of me on alpha (squeue --me)\n")
