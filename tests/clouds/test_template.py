"""A launch file with the user's values in it, as a copy."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from evonas.clusters.template import by_hand, defaults, fill, own_copy, pairs, slots, unchanged
from evonas.errors import UserError
from tests.test_cluster_files import CLUSTER, launcher_faults

TEXT = "# Defaults: region=us-1 zone=us-1-a\nimage: CHANGE-ME-image\nregion: us-1\nzone: us-1-a\nbucket: s3://CHANGE-ME-bucket/x\n"
GIVEN = {
    "image": "registry.example/name/evonas:0.1.0",
    "ami": "ami-0123",
    "group": "sg-0123",
    "project": "my-project",
    "family": "common-cu130-ubuntu-2204-nvidia-580",
    "key": "ssh-ed25519 AAAAC3Nza+/x== evonas",
    "bucket": "my-bucket",
}


def script(name: str) -> ModuleType:
    """One of cluster/'s programs, as a module."""
    spec = importlib.util.spec_from_file_location(f"cluster_{name}", CLUSTER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)  # nothing is left beside the files
        spec.loader.exec_module(module)
    return module


def test_values_are_put_where_they_are_named() -> None:
    assert slots(TEXT) == ["image", "bucket"]
    assert defaults(TEXT) == {"region": "us-1", "zone": "us-1-a"}
    assert fill(TEXT, {"image": "a/b:1", "bucket": "c"}) == TEXT.replace("CHANGE-ME-image", "a/b:1").replace(
        "CHANGE-ME-bucket", "c"
    )


@pytest.mark.parametrize(
    ("given", "region", "zone"),
    [
        ({"region": "eu-2"}, "eu-2", "eu-2-a"),
        ({"zone": "us-1-b"}, "us-1", "us-1-b"),
        ({"region": "eu-2", "zone": "eu-2-c"}, "eu-2", "eu-2-c"),
    ],
)
def test_a_default_can_be_another_and_a_zone_follows_its_region(given: dict[str, str], region: str, zone: str) -> None:
    done = yaml.safe_load(fill(TEXT, {"image": "a", "bucket": "b", **given}))
    assert (done["region"], done["zone"]) == (region, zone)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"image": "a"}, "also wanted: bucket=..."),
        ({"image": "a", "bukket": "b"}, "did you mean 'bucket'?"),
        ({"image": "a # b", "bucket": "b"}, "in one line"),
        ({"image": "a\nb", "bucket": "b"}, "in one line"),
        ({"image": "a b", "bucket": "b"}, "image 'a b': an image of a registry is as"),
    ],
)
def test_a_value_that_is_not_right_is_said(values: dict[str, str], expected: str) -> None:
    with pytest.raises(UserError) as caught:
        fill(TEXT, values)
    assert expected in str(caught.value).replace('"', "'")


def test_a_copy_that_was_changed_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(TEXT)
    copy = own_copy(file, {"image": "a", "bucket": "b"})
    assert copy == tmp_path / "my-a.yaml"
    own_copy(file, {"image": "a", "bucket": "b"})
    own_copy(file, {"image": "c", "bucket": "d"})  # nobody has changed it
    assert "image: c\n" in copy.read_text()
    copy.write_text(copy.read_text() + "more: 1\n")
    with pytest.raises(UserError, match="--replace"):
        own_copy(file, {"image": "a", "bucket": "b"})
    assert "more: 1" in copy.read_text()
    own_copy(file, {"image": "a", "bucket": "b"}, replace=True)
    assert "more: 1" not in copy.read_text()
    assert file.read_text() == TEXT


def test_a_kept_copy_gets_the_values_of_now_where_nobody_has_changed_them(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(TEXT)
    copy = own_copy(file, {"image": "a", "bucket": "b"})
    copy.write_text(copy.read_text().replace("image: a\n", "image: mine\n") + "more: 1\n")
    for bucket in ("c", "d"):
        own_copy(file, {"image": "new", "bucket": bucket}, keep=True)
        first, _, rest = copy.read_text().replace("image: mine\n", "image: new\n").partition("\n")
        assert first.startswith(f'# Filled in: {{"image": "a", "bucket": "{bucket}"}} ')  # and not what it has nowhere
        assert rest == fill(TEXT, {"image": "new", "bucket": bucket}) + "more: 1\n"
    copy.write_text(bare := copy.read_text().partition("\n")[2])
    own_copy(file, {"image": "new", "bucket": "e"}, keep=True)
    assert copy.read_text() == bare, "its first line says nothing"


def test_a_value_that_was_changed_in_all_of_the_file_stays(tmp_path: Path) -> None:
    """As `sed -i s/a:1/a:2/` does, in the first line too."""
    file = tmp_path / "a.yaml"
    file.write_text(TEXT)
    copy = own_copy(file, {"image": "a:1", "bucket": "b"})
    copy.write_text(edited := copy.read_text().replace("a:1", "a:2"))
    with pytest.raises(UserError, match="--replace"):
        own_copy(file, {"image": "a:1", "bucket": "b"})
    for bucket in ("b", "c", "c"):  # what was not changed is put in anew
        own_copy(file, {"image": "a:1", "bucket": bucket}, keep=True)
        assert copy.read_text().partition("\n")[2] == edited.partition("\n")[2].replace("//b/", f"//{bucket}/")
        assert (by_hand(copy, TEXT), unchanged(copy.read_text())) == (True, {"bucket": bucket})
    own_copy(file, {"image": "a:3", "bucket": "b"}, replace=True)
    assert (by_hand(copy, TEXT), "image: a:3\n" in copy.read_text()) == (False, True)


def test_what_is_no_pair_is_said() -> None:
    assert pairs(["key=ssh-ed25519 AAA== me"]) == {"key": "ssh-ed25519 AAA== me"}
    with pytest.raises(UserError, match="as in image="):
        pairs(["image"])


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_filling_in_leaves_nothing_out(name: str) -> None:
    text = (CLUSTER / name).read_text()
    done = fill(text, {slot: GIVEN[slot] for slot in slots(text)})
    assert "CHANGE-ME" not in done
    assert f"image: &image {GIVEN['image']}\n" in done
    for usual in defaults(text).values():
        assert usual in done
    assert list(launcher_faults(yaml.safe_load(done))) == []


def test_another_region_is_another_region_everywhere() -> None:
    text = (CLUSTER / "gcp.yaml").read_text()
    done = fill(text, {**{slot: GIVEN[slot] for slot in slots(text)}, "region": "europe-west4"})
    assert "us-central1" not in done.split("provider:")[0].split("metadata:")[1]
    assert yaml.safe_load(done)["provider"]["availability_zone"] == "europe-west4-a"
    text = (CLUSTER / "aws.yaml").read_text()
    done = fill(text, {**{slot: GIVEN[slot] for slot in slots(text)}, "region": "us-east-1"})
    assert "us-west-2" not in done


def test_the_program_says_what_is_wanted_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(TEXT)
    fill_in = script("fill")
    for words, status in (
        (["a.yaml"], 0),
        (["a.yaml", "image=x"], 2),
        (["b.yaml", "image=x"], 2),
        (["a.yaml", "image=x", "bucket=y"], 0),
    ):
        monkeypatch.setattr(sys, "argv", ["fill.py", str(tmp_path / words[0]), *words[1:]])
        assert fill_in.main() == status
    out, err = capsys.readouterr()
    assert out.splitlines() == ["image=... bucket=... [region=us-1] [zone=us-1-a]", str(tmp_path / "my-a.yaml")]
    assert [line.split(": ", 1)[1] for line in err.splitlines()] == [
        "also wanted: bucket=...",
        f"{tmp_path / 'b.yaml'}: No such file or directory",
    ]


@pytest.mark.parametrize(("image", "moves"), [("NAME/evonas:0.1.0", True), (f"NAME/evonas@sha256:{'0a' * 32}", False)])
def test_an_image_by_a_tag_is_noted_where_pods_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], image: str, moves: bool
) -> None:
    for text, kubernetes in (
        ("apiVersion: ray.io/v1\nimage: CHANGE-ME-image\n", True),
        ("image: CHANGE-ME-image\n", False),
    ):
        (tmp_path / "a.yaml").write_text(text)
        monkeypatch.setattr(sys, "argv", ["fill.py", str(tmp_path / "a.yaml"), f"image={image}", "--replace"])
        assert script("fill").main() == 0
        assert ("a tag may move" in capsys.readouterr().err) == (moves and kubernetes)
