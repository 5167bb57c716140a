"""Whose a cluster of Google Cloud is, of users of one project, who may be in one office."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

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
