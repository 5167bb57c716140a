"""Whose a cluster of Google Cloud is, of users of one project, who may be in one office."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evonas.launch.ray_launcher.google_before import key
from evonas.launch.state import read
from tests.clouds.test_google import PROJECT
from tests.launch.stand_ins import user  # noqa: F401 - a fixture
from tests.launch.ups import Ups, on  # noqa: F401 - a fixture

OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAITheirs bob"


def _public() -> Path:
    return Path.home() / ".evonas-cluster/ssh_key.pub"


def _theirs(ups: Ups) -> None:
    """Has a colleague's head run, and no other."""
    ups.compute.things["instances"].clear()
    ups._started()
    ups.compute.things["instances"]["head"]["metadata"]["items"][0]["value"] = f"ubuntu:{OTHER}"


@pytest.mark.parametrize("part", ["", "ssh-ed25519", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIThe"])
def test_part_of_a_key_opens_no_cluster(
    part: str,
    on: Callable[[str], Ups],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on("gcp")
    assert ups.up() == 0
    _theirs(ups)
    shutil.rmtree(ups.folder)
    _public().write_text(part)
    for how in ("--dry-run", "--yes"):
        assert ups.line("down", how) == 2
        assert "machine head in us-central1-a: neither cluster-gcp nor a key of" in capsys.readouterr().err
    assert ups.machines() == ["head"]
    _public().write_text(f"{OTHER} and whatever comes after it\n")
    assert ups.line("down", "--yes", "--project", PROJECT) == 0
    assert ups.machines() == []


def test_machines_with_anothers_key_are_anothers_whatever_the_state_says(
    on: Callable[[str], Ups],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A colleague's next cluster is in the same project, and the state is of one whose machines have ended."""
    ups = on("gcp")
    assert ups.up() == 0
    _theirs(ups)
    assert ups.line("status") == 0
    assert "somebody else's: neither cluster-gcp nor a key of this machine" in capsys.readouterr().out
    assert ups.line("down", "--yes") == 2
    assert ups.up() == 2
    assert "machine head in us-central1-a is of a cluster that neither" in capsys.readouterr().err
    assert (ups.machines(), len(ups.runs)) == (["head"], 1)
    ups.compute.things["instances"].clear()
    assert ups.line("down", "--yes") == 0  # what has no key is whose the state says


REFUSED = [
    ("firewall-rules describe evonas-ssh", "Internal error", 2),
    ("networks describe evonas", "Required compute.networks.get", 2),
    ("firewall-rules update", "denied", 1),
    ("networks create", "denied", 1),
    ("buckets create", "billing is off", 1),
]


def _refuse(ups: Ups, line: str, why: str) -> Path:
    """Has gcloud refuse a line; the program as it was."""
    gcloud = ups.folder.parent / "bin/gcloud"
    gcloud.rename(before := gcloud.with_name("answering"))
    gcloud.write_text(
        f'#!/bin/sh\ncase "$*" in *"{line}"*) echo "ERROR: {why}" >&2; exit 1 ;; esac\nexec {before} "$@"\n'
    )
    gcloud.chmod(0o755)
    return before


@pytest.mark.parametrize(("line", "why", "status"), REFUSED)
def test_an_up_that_has_made_nothing_owns_nothing(
    line: str,
    why: str,
    status: int,
    on: Callable[[str], Ups],  # noqa: F811
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What gcloud does not say is not taken for what is not there."""
    ups = on("gcp")
    if "create" not in line:
        (ups.folder.parent / "made").touch()
    _refuse(ups, line, why)
    assert ups.up() == status
    assert re.search(rf"^.*ERROR: {why}$", capfd.readouterr().err, re.MULTILINE)
    assert ups.machines() == []
    assert read(ups.folder).owns == ()
    ups.compute.things["networks"]["evonas"] = {"name": "evonas"}  # a colleague's
    assert ups.line("down", "--yes", "--project", PROJECT) == 2
    assert ups.compute.deleted == []
    assert "networks" in ups.compute.things


def test_an_up_that_has_made_something_owns_it(on: Callable[[str], Ups]) -> None:  # noqa: F811
    ups = on("gcp")
    _refuse(ups, "add-iam-policy-binding my-project", "denied")
    assert ups.up() == 1
    assert read(ups.folder).owns == ("my-project/us-central1",)


@pytest.mark.parametrize("left", [None, "", "ssh-ed25519 AAAAC3NzaC1l"])
def test_a_public_key_that_is_lost_is_made_of_the_private_one(left: str | None, on: Callable[[str], Ups]) -> None:  # noqa: F811
    ups = on("gcp")
    assert ups.up() == 0
    before = _public().read_text()
    _public().unlink() if left is None else _public().write_text(left)
    assert ups.up() == 0
    assert _public().read_text() == before
    assert ups.line("down", "--yes") == 0
    _public().with_suffix("").unlink()
    assert ups.up() == 0  # and a new one is made where the private one is lost
    assert _public().read_text() != before


@pytest.mark.parametrize("anew", [False, True])
def test_a_head_that_knows_a_lost_key_alone_is_not_gone_on_with(
    anew: bool,
    on: Callable[[str], Ups],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the launch file it is this user's, and a tunnel would not open."""
    ups = on("gcp")
    assert ups.up("c.yaml") == 0
    old = (_public().with_suffix("").read_text(), _public().read_text())
    (ups.folder / "state.json").unlink()
    for path in (_public().with_suffix(""), _public()):
        path.unlink()
    if anew:
        key()
    capsys.readouterr()
    assert ups.up("c.yaml") == 2
    out, err = capsys.readouterr()
    assert "the head that runs has another key than " in err
    assert "first (evonas cluster down gcp), and the same line" in err
    assert "what it costs" not in out
    _public().with_suffix("").write_text(old[0])
    _public().with_suffix("").chmod(0o600)
    assert ups.up("c.yaml") == 0
    assert (_public().read_text(), ups.started, len(ups.runs)) == (old[1], 1, 2)
    _public().with_suffix("").unlink()
    assert ups.line("down", "--yes") == 0
