"""A launch file that is edited or damaged while a head runs: what is there goes by the head's."""

from collections.abc import Callable
from typing import Any

import pytest

from evonas.launch.launch_files.differences import differences
from evonas.launch.order import Order
from evonas.launch.ray_launcher.aws import Aws
from evonas.launch.ray_launcher.google import Google
from evonas.launch.state import read
from tests.launch.stand_ins import user  # noqa: F401 - a fixture
from tests.launch.ups import FILES, Ups, on  # noqa: F401 - a fixture

On = Callable[[str], Ups]
CLOUDS = ("aws", "gcp")


def _edit(ups: Ups, old: str, new: str) -> None:
    copy = ups.folder / f"my-{ups.cloud}.yaml"
    text = copy.read_text()
    assert old in text
    copy.write_text(text.replace(old, new))


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("how", ["another", "damaged"])
def test_the_tunnel_is_that_of_the_head_whatever_the_edited_file_says(on: On, cloud: str, how: str) -> None:  # noqa: F811
    ups = on(cloud)
    assert ups.up() == 0
    _edit(ups, "cluster_name: evonas", "cluster_name: colleague" if how == "another" else "a: [")
    order = Order(cloud, "", ups.folder, read(ups.folder), {})
    provider: Any = Aws(order) if cloud == "aws" else Google(order)
    assert provider._tunnel(8266)[-1] == str(ups.folder / f"my-head-{cloud}.yaml")


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("text", ["", "a: [", b"\xff\xfe\x00"])
def test_a_damaged_file_keeps_neither_status_nor_down(
    on: On,  # noqa: F811
    cloud: str,
    text: str | bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    assert ups.up() == 0
    copy = ups.folder / f"my-{cloud}.yaml"
    copy.write_bytes(text if isinstance(text, bytes) else text.encode())
    capsys.readouterr()
    assert ups.line("status") == 0
    err = capsys.readouterr().err
    assert f"note: cluster-{cloud}/my-{cloud}.yaml " in err
    assert f"what is there is counted by cluster-{cloud}/my-head-{cloud}.yaml" in err
    assert (ups.up(), len(ups.runs)) == (2, 1)
    assert f"cluster-{cloud}/my-{cloud}.yaml" in capsys.readouterr().err
    assert ups.line("down", "--yes") == 0
    assert ups.machines() == []


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cluster_name: evonas", "cluster_name: colleague", "cluster_name is colleague"),
        ("RAY_AUTH_MODE=token", "RAY_AUTH_MODE=none", "whoever reaches the head could run anything"),
        ("--dashboard-host=127.0.0.1", "--dashboard-host 0.0.0.0", "--dashboard-host is 0.0.0.0"),
    ],
)
def test_what_lets_strangers_in_is_refused_while_a_head_runs_too(
    on: On,  # noqa: F811
    cloud: str,
    old: str,
    new: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    assert ups.up() == 0
    _edit(ups, old, new)
    capsys.readouterr()
    assert ups.up() == 2
    err = capsys.readouterr().err
    assert f"cluster-{cloud}/my-{cloud}.yaml" in err
    assert said in err


@pytest.mark.parametrize("cloud", FILES)
def test_a_damaged_file_of_the_head_is_not_said_to_be_written_anew(
    on: On,  # noqa: F811
    cloud: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    assert ups.up() == 0
    copy = ups.folder / FILES[cloud]
    copy.with_name(copy.name.replace("my-", "my-head-")).write_text("a: [")
    assert ups.up() == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "my-head-" in line)
    assert line.startswith(f"evonas: cluster-{cloud}/{copy.name.replace('my-', 'my-head-')} is not ")
    assert line.endswith(f"; remove it, and what runs is counted by cluster-{cloud}/{copy.name}")
    copy.with_name(copy.name.replace("my-", "my-head-")).unlink()
    assert ups.up() == 0


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_second_cluster_is_advised_where_the_edited_file_is_of_another_region(
    on: On,  # noqa: F811
    cloud: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups, here, there = on(cloud), *{"aws": ("us-west-2", "eu-west-1"), "gcp": ("us-central1", "europe-west4")}[cloud]
    assert ups.up() == 0
    _edit(ups, f"\n  region: {here}", f"\n  region: {there}")
    capsys.readouterr()
    for words in (["--yes"], ["--dry-run"]):
        assert ups.up(*words) == 2
        err = capsys.readouterr().err
        assert f"was changed by hand and is of {there}, not of {here}, where a cluster was started from here: " in err
        assert f": --replace, or first evonas cluster down {cloud}\n" in err
    assert ups.line("down", "--yes") == 0
    assert ups.up("--dry-run") == 2
    assert f"not of {here}: --region {there}, or --replace\n" in capsys.readouterr().err


def test_another_region_of_google_is_refused_while_a_head_runs(
    on: On,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on("gcp")
    assert ups.up() == 0
    before = {path: path.read_text() for path in ups.folder.glob("*")}
    told = len(ups.told.lines())
    capsys.readouterr()
    assert ups.up("--zone", "europe-west4-a") == 2
    err = capsys.readouterr().err
    assert "the head runs in us-central1-a, and a project has one cluster" in err
    assert "--zone us-central1-a goes on with it; to move it, first evonas cluster down gcp" in err
    assert [line for line in ups.told.lines()[told:] if "create" in line] == []
    assert {path: path.read_text() for path in ups.folder.glob("*")} == before
    assert ups.up("--zone", "us-central1-b") == 0


def test_what_differs_is_a_line_with_the_part_that_differs() -> None:
    script = "#!/bin/bash\n" + "echo a long line of a script that nobody wants to read twice\n" * 9

    def launch(image: str, minutes: int, *options: str) -> dict[str, Any]:
        node = {"ImageId": image, "UserData": f"{script}left={minutes}\n{script}"}
        kinds = {name: {"node_config": node} for name in ("head", "spot", "other")}
        return {"docker": {"run_options": ["--gpus=all", *options]}, "available_node_types": kinds}

    assert differences(launch("ami-1", 45, "--env=A"), launch("ami-1", 45, "--env=A")) == []
    assert differences(launch("ami-1", 45, "--env=A"), launch("ami-2", 99, "--env=B", "--env=C")) == [
        "head.ImageId is ami-1, not ami-2 (2 other types alike)",
        "docker.run_options is --env=A, not --env=B, --env=C",
        "head.UserData is ...twice left=45 #!/bin/bash..., not ...twice left=99 #!/bin/bash... (2 other types alike)",
    ]
    assert differences({"a": ["b", "c"]}, {"a": ["c", "b"]}) == ["a is in another order"]
    assert differences({"a": 1}, {}) == ["a is 1, not nothing"]
