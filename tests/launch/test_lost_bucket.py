"""A bucket and run folders that only the launch file knows any more: the next line goes on with them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from evonas.clusters.template import PLACE, fill
from evonas.errors import Halted
from evonas.launch.ray_launcher import aws, google
from evonas.launch.recovered import recovered, with_place
from evonas.launch.state import read
from tests.clouds.test_aws import REGION
from tests.launch.stand_ins import CONFIG, user  # noqa: F401 - a fixture
from tests.launch.ups import FILES, Ups, on  # noqa: F401 - a fixture

REFUSED = [
    ("aws", "HeadBucket", "403"),
    ("aws", "CreateBucket", "AccessDenied"),
    ("gcp", "services enable", ""),
    ("gcp", "buckets create", ""),
    ("gcp", "buckets add-iam-policy-binding", ""),
]
SCHEMES = {"aws": "s3", "gcp": "gs", "kubernetes": "gs"}


@pytest.mark.parametrize("cloud", list(FILES))
def test_up_goes_on_in_the_bucket_and_run_folder_of_before_where_the_state_is_lost(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups, scheme = on(cloud), SCHEMES[cloud]
    Path("d.yaml").write_text(CONFIG)
    assert ups.up("c.yaml", "--bucket", "mine-us-west-2", "--run", f"{scheme}://mine-us-west-2/own") == 0
    assert ups.up("d.yaml") == 0
    (ups.folder / "state.json").unlink()
    capsys.readouterr()
    assert ups.line("status") == 0
    said = capsys.readouterr().out
    assert f"\n{scheme}://mine-us-west-2/d: " in said
    assert "\nbucket mine-us-west-2: `down` leaves it, and what it stores is paid for\n" in said
    assert ups.up("c.yaml") == 0
    assert "was changed by hand" not in capsys.readouterr().out
    assert ups.up("d.yaml") == 0
    assert ups.runs == [f"{scheme}://mine-us-west-2/{name}" for name in ("own", "d", "own", "d")]
    (ups.folder / "state.json").unlink()
    assert ups.line("down", "--yes") == 0
    kept = [line for line in capsys.readouterr().out.splitlines() if line.startswith("kept: ")]
    assert any("mine-us-west-2" in line and "is paid for" in line for line in kept)
    assert ups.up("c.yaml") == 0  # after `down`, too
    assert ups.runs[-1] == f"{scheme}://mine-us-west-2/own"


@pytest.mark.parametrize("cloud", list(FILES))
def test_a_file_that_was_changed_by_hand_says_the_bucket_and_is_written_over_as_it_was(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    copy = ups.folder / FILES[cloud]
    assert ups.up("--bucket", "old") == 0
    copy.write_text(f"{copy.read_text()}# mine\n")
    assert ups.up("--bucket", "new", *(["--replace"] if cloud == "aws" else [])) == (2 if cloud == "aws" else 0)
    if cloud != "aws":  # where machines run with the old one
        assert "was changed by hand" in capsys.readouterr().out
        assert recovered(cloud, ups.folder).given["bucket"] == "new"
        assert copy.read_text().endswith("# mine\n")
    capsys.readouterr()
    last = "old" if cloud == "aws" else "third"
    assert ups.up("--replace", "--bucket", last) == 0
    assert "was changed by hand" not in capsys.readouterr().out
    assert recovered(cloud, ups.folder).given["bucket"] == last
    assert "# mine" not in copy.read_text()


def test_what_a_launch_file_says_of_its_bucket_is_no_place_of_a_region() -> None:
    text = with_place("# Defaults: region=us-west-2\nregion: us-west-2\n", {"bucket": "data-us-west-2"})
    filled = fill(text, {"region": "eu-west-1"})
    assert filled.splitlines()[-1] == "region: eu-west-1"
    assert filled.startswith(f"{PLACE}{json.dumps({'bucket': 'data-us-west-2'})}\n")


def test_on_aws_the_role_of_the_head_says_which_bucket_it_was_where_no_file_does(
    on: Callable[[str], Ups],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on("aws")
    assert ups.up("--bucket", "mine") == 0
    for path in ups.folder.iterdir():
        path.unlink()
    assert ups.line("down", "--dry-run") == 0
    said = "bucket mine, which the head could use: what it stores is paid for\n"
    assert f"\nwould stay: {said}" in capsys.readouterr().out
    assert ups.line("down", "--yes") == 0  # its key pair says whose it is
    assert "\nkept: bucket mine, which the head could use: what it stores is paid for\n" in capsys.readouterr().out
    assert ups.up("--bucket", "mine") == 0
    ups.end()
    for path in ups.folder.iterdir():
        path.unlink()
    assert ups.up() == 2
    said = capsys.readouterr().err
    assert "is still there for bucket mine: --bucket mine goes on with the runs in it, --bucket evonas-" in said
    assert ups.up("--bucket", "another") == 0


def _refuse(ups: Ups, action: str, code: str, patch: pytest.MonkeyPatch) -> None:
    """Has an action that looks for the bucket, or makes it, fail from now on; as if it were there where it is used."""

    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code}}, action)

    def run(*words: str) -> None:
        if action in " ".join(words):
            raise Halted(f"gcloud {action} ended with status 1")
        before(*words)

    before, ask = google.programs.run, google.programs.ask
    if ups.cloud == "aws":
        aws.Aws.__init__.__defaults__[0]("s3", REGION).meta.events.register(f"before-call.s3.{action}", fail)
    elif "binding" in action:
        patch.setattr(google.programs, "ask", lambda *words: (0, "") if "describe" in words else ask(*words))
    patch.setattr(google.programs, "run", run)


@pytest.mark.parametrize("had", [True, False])
@pytest.mark.parametrize(("cloud", "action", "code"), REFUSED)
def test_a_bucket_that_was_refused_is_not_kept_as_this_users(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    action: str,
    code: str,
    had: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    if had:
        assert ups.up("--bucket", "mine") == 0
        assert ups.line("down", "--yes") == 0
    _refuse(ups, action, code, monkeypatch)
    assert ups.up("c.yaml", "--bucket", "somebodys") > 0
    assert read(ups.folder).given.get("bucket") == ("mine" if had else None)
    capsys.readouterr()
    ups.line("status")
    assert "somebodys" not in capsys.readouterr().out


def test_a_bucket_that_up_has_made_is_kept_whatever_fails_then(
    on: Callable[[str], Ups],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ups = on("gcp")
    _refuse(ups, "networks create", "", monkeypatch)
    assert ups.up("--bucket", "new") > 0
    assert read(ups.folder).given["bucket"] == "new"


@pytest.mark.parametrize("number", ["echo 2", "echo denied >&2; exit 1"])
def test_a_usual_bucket_of_google_that_is_of_another_project_is_refused_before_anything_is_made(
    on: Callable[[str], Ups],  # noqa: F811
    number: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Anybody can take a name; one that the user gives is theirs to judge."""
    ups = on("gcp")
    gcloud = ups.folder.parent / "bin/gcloud"
    cases = f'"gcloud storage buckets describe"*) echo 1 ;;\n"gcloud projects describe"*) {number} ;;\n'
    gcloud.write_text(gcloud.read_text().replace('case "$name $*" in\n', f'case "$name $*" in\n{cases}'))
    for _ in range(2):
        assert ups.up("c.yaml") == 2
        said = "bucket my-project-evonas is of project number 1, and my-project is "
        assert said in capsys.readouterr().err
    assert not ups.told.lines(" create ") + ups.told.lines("enable")
    assert read(ups.folder).owns == ()
    assert ups.up("c.yaml", "--bucket", "my-project-evonas") == 0
    gcloud.write_text(gcloud.read_text().replace(number, "echo 1"))
    assert ups.up("c.yaml") == 0
