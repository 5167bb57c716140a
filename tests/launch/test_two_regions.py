"""A folder with clusters in several regions: a line about one says what the others are, whose and at what cost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evonas.clusters.aws.bucket import bucket
from evonas.launch.costs.traffic import traffic_note
from evonas.launch.ray_launcher import gcloud
from evonas.launch.ray_launcher.aws import Aws
from evonas.launch.state import change
from evonas.launch.status import status
from evonas.launch.up import up
from tests.clouds.test_aws import REGION, _tags
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_aws import FOLDER, _order, clients  # noqa: F401 - a fixture

AWAY = "eu-west-1"
ACCOUNT = "123456789012"
Clients = Callable[[str, str], Any]


@pytest.fixture
def account(clients: Clients) -> Clients:  # noqa: F811
    """A cluster of this folder in one region, with its bucket there."""
    change(FOLDER, owns=(f"{ACCOUNT}/{REGION}",), given={"region": REGION, "bucket": "mine"})
    bucket(clients("s3", REGION), "mine", ACCOUNT, REGION)
    start(clients, REGION)
    return clients


def start(client: Clients, region: str) -> None:
    client("ec2", region).run_instances(
        ImageId="ami-1",
        InstanceType="m7i.xlarge",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=_tags("instance", "evonas"),
    )


def test_status_of_a_region_without_a_cluster_calls_nobody_elses_what_is_this_folders(
    account: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    order = _order(region=AWAY)
    assert status(order, Aws(order, account)) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"1 x m7i.xlarge in {REGION}\n")
    assert "somebody else's" not in out
    assert "; to take it down: evonas cluster down aws\n" in out


def test_status_of_a_region_with_a_colleagues_cluster_tells_it_from_this_folders(
    account: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    start(account, AWAY)
    order = _order(region=AWAY)
    assert status(order, Aws(order, account)) == 0
    theirs, _, mine = capsys.readouterr().out.partition("somebody else's: neither cluster-aws nor a key")
    assert theirs.startswith("1 x m7i.xlarge\n")
    assert f" evonas cluster down aws --region {AWAY} --anyway takes it down\n1 x m7i.xlarge in {REGION}\n" in mine
    assert "; to take it down: evonas cluster down aws\n" in mine


def test_status_takes_a_colleagues_cluster_in_the_usual_region_for_nobody_here(
    account: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where this folder's is in another."""
    change(FOLDER, owns=(f"{ACCOUNT}/{AWAY}",), given={"region": REGION})
    start(account, AWAY)
    assert status(_order(), Aws(_order(), account)) == 0
    assert capsys.readouterr().out.startswith(f"1 x m7i.xlarge in {AWAY}\n")


def test_up_in_another_region_says_what_goes_on_to_cost_and_where_the_bucket_is(
    account: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = list[str]()
    order = _order(region=AWAY)
    assert up(order, Aws(order, account), ask=lambda text: asked.append(text) or "n") == 0  # type: ignore[func-returns-value]
    shown = capsys.readouterr().out.partition("what it costs:\n")[2]
    besides = f"  besides, in {REGION}, until evonas cluster down aws --region {REGION}: 1 x m7i.xlarge; $0."
    assert besides in shown
    assert " since these were started" not in shown  # as it was agreed to does not change by the hour
    assert f"  bucket mine is in {REGION}: what goes between it and {AWAY} is billed by the gigabyte, and not" in shown
    assert len(asked) == 1
    up(_order(), Aws(_order(), account, lambda *_: None), ask=lambda _: "n")
    shown = capsys.readouterr().out
    assert "besides, in" not in shown
    assert "billed by the gigabyte" not in shown


@pytest.mark.parametrize(
    ("there", "noted"), [("US-EAST1", True), ("US-CENTRAL1", False), ("US", False), ("", False), ("NAM4", False)]
)
def test_a_bucket_of_google_in_another_region_is_said(
    there: str, noted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, gcloud=f'*"buckets describe gs://b"*"value(location)"*) echo {there} ;;')
    said = gcloud.traffic("p", "b", "us-central1")
    assert said == (traffic_note("b", "us-east1", "us-central1") if noted else [])
    assert bool(said) is noted
