"""Launch files, states and options that are not as they should be: one line, before anything."""

from pathlib import Path

import pytest
import yaml

from evonas.cli import main
from evonas.launch import aws
from tests.launch.stand_ins import user  # noqa: F401 - a fixture

NODE = {"InstanceType": "m7i.xlarge"}
WHOLE = {
    "cluster_name": "evonas",
    "provider": {},
    "head_node_type": "head",
    "available_node_types": {"head": {"node_config": NODE}},
}
WRONG = {
    "a: [1": "is not YAML",
    "a: b: c": "is not YAML",
    "": "has no cluster_name",
    yaml.safe_dump({**WHOLE, "cluster_name": None}): "has no cluster_name",
    yaml.safe_dump({**WHOLE, "available_node_types": None}): "has no available_node_types",
    yaml.safe_dump({**WHOLE, "head_node_type": "other"}): "has no head_node_type that",
    yaml.safe_dump({**WHOLE, "available_node_types": {"head": {}}}): "in the node_config of head",
    yaml.safe_dump(
        {**WHOLE, "available_node_types": {"head": {"node_config": NODE, "max_workers": "x"}}}
    ): "whole min_",
}


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("text", WRONG)
@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_a_launch_file_that_was_changed_wrongly_is_said(
    cloud: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(f"cluster-{cloud}/my-{cloud}.yaml")
    copy.parent.mkdir()
    copy.write_text(text)
    assert main(["cluster", "up", cloud, "--dry-run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"evonas: {copy} ")
    assert WRONG[text] in line


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("cloud", ["aws", "gcp"])
@pytest.mark.parametrize("words", [("--image", "me/e:1 x: y"), ("--region", "us west: x"), ("--image", "me/e:")])
def test_a_value_that_yaml_takes_for_something_else_is_said(
    cloud: str, words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", "up", cloud, *words, "--dry-run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{words[1]!r}: a value is" in line


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("aws", "--zone", "z"), "--zone is of gcp, and not of aws"),
        (("kubernetes", "--region", "r"), "--region is of aws and gcp, and not of kubernetes"),
        (("slurm", "--image", "i"), "--image is of aws and gcp and kubernetes, and not of slurm"),
    ],
)
def test_an_option_of_another_cloud_is_refused(
    words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", "up", *words, "--dry-run"]) == 2
    assert capsys.readouterr().err == f"evonas: {expected}\n"


@pytest.mark.usefixtures("user")
def test_down_goes_on_without_a_state_that_is_damaged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = Path("my cluster/state.json")
    state.parent.mkdir()
    state.write_text('{"given": ')
    monkeypatch.setattr(aws.Aws, "left", lambda _: [])
    monkeypatch.setattr(aws.Aws, "down", lambda _: None)
    assert main(["cluster", "status", "aws", "--folder", "my cluster"]) == 2
    assert "my cluster/state.json is not as evonas wrote it: remove it" in capsys.readouterr().err
    assert main(["cluster", "down", "aws", "--folder", "my cluster"]) == 0
    assert "nothing is left" in capsys.readouterr().out
    assert not state.exists()
