"""README.md's lines for clouds, with stand-ins for the clouds' programs: in every shell the same words reach them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.test_cluster_files import README, ROOT

SECTIONS = ("Once", "AWS", "Google Cloud", "Kubernetes")
OTHERS = ("Slurm", "Run folders on shared file systems and in buckets", "SkyPilot", "Machines at home")
PAGES = ("docs/how-to/existing-ray.md", "docs/how-to/offline.md")
PLACES = pytest.mark.parametrize("section", [*SECTIONS, *OTHERS, *PAGES])
UP = ("create", "update")
PROGRAMS = ["aws", "curl", "docker", "evonas", "gcloud", "helm", "kubectl", "pip", "python3", "ray", "rm", "ssh-keygen"]
PROGRAMS += ["apptainer", "eksctl", "make", "python", "sbatch", "scancel", "sky"]
STAND_IN = """#!/bin/sh
name="${0##*/}"
{ printf '%s\\037' "$name" "$@"; echo; } >> "$TOLD"
case "$name $*" in
  curl*) echo 198.51.100.7 ;;
  "docker image inspect"*) echo rayproject/ray@sha256:0a ;;
esac
"""


def _lines(place: str) -> str:
    """Of a section of cluster/README.md, or of a page."""
    if place in PAGES:
        text = (ROOT / place).read_text()
    else:
        text = re.split(rf"^## {place}$", README, flags=re.MULTILINE)[1].split("\n## ")[0]
    return "".join(re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def _said(tmp_path: Path, shell: str, script: str) -> list[list[str]]:
    """The words of each call that the stand-ins have got."""
    home, programs, told = tmp_path / "home", tmp_path / "bin", tmp_path / f"told-{shell}"
    (home / ".evonas-cluster" / "auth").mkdir(parents=True, exist_ok=True)
    (home / ".evonas-cluster" / "auth" / "token").write_text("0123")
    (home / ".evonas-cluster" / "ssh_key.pub").write_text("ssh-ed25519 AAAAC3Nza evonas\n")
    programs.mkdir(exist_ok=True)
    for name in PROGRAMS:
        (programs / name).write_text(STAND_IN)
        (programs / name).chmod(0o755)
    environment = {
        "PROXY_KEY": "0123",
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "TOLD": str(told),
    }
    done = subprocess.run(
        [shell, "-euc", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split("\037")[:-1] for line in told.read_text().splitlines()]


@PLACES
def test_every_shell_says_the_same(tmp_path: Path, section: str) -> None:
    script = _lines(section)
    first, *others = [shell for shell in ("bash", "dash", "zsh") if shutil.which(shell)]
    said = _said(tmp_path, first, script)
    assert said
    for shell in others:
        assert _said(tmp_path, shell, script) == said
    for words in said:
        assert words[0] == "ssh-keygen" or all(word and "$" not in word for word in words), words
    if section == "Kubernetes":
        pools = [words for words in said if words[1:4] == ["container", "node-pools", "create"]]
        assert [words[4] for words in pools] == ["spot-l4", "spot-a100", "measure-l4", "head"]
        assert all({"--cluster=evonas", "--location-policy=ANY"} <= set(words) for words in pools)
        unrepaired = [words[4] for words in pools if "--no-enable-autorepair" in words]
        assert unrepaired == ["measure-l4", "head"]  # an exclusion holds no repairs
        made, held = (next(w for w in said if w[:4] == ["gcloud", "container", "clusters", a]) for a in UP)
        assert "--release-channel=None" in made  # without it Google refuses such pools
        assert {"--add-maintenance-exclusion-end=+P30D", "--add-maintenance-exclusion-scope=no_upgrades"} <= set(held)
    if section == "Machines at home":
        assert [words[:3] for words in said if words[0] == "ray"] == [
            ["ray", "start", "--head"],
            ["ray", "start", "--address=192.168.1.10:6379"],
        ]
    if section == "Google Cloud":
        assert any("key=ssh-ed25519 AAAAC3Nza evonas" in words for words in said)
        assert any("--source-ranges=198.51.100.7/32" in words for words in said)
    if section == "Once":
        assert any("BASE=rayproject/ray@sha256:0a" in words for words in said)


@PLACES
def test_nothing_is_meant_for_one_shell_or_one_system(section: str) -> None:
    script = _lines(section)
    assert faults(script) == []


def faults(script: str) -> list[str]:
    """What an interactive zsh or the programs of macOS take for something else."""
    bare = re.sub(r'"[^"]*"|\'[^\']*\'', "Q", script)
    found = [f"zsh does not split: {word}" for word in re.findall(r"\$\w+|\$\{\w+\}", bare)]
    found += [f"zsh takes a comment for words: {line}" for line in bare.splitlines() if re.search(r"(^|\s)#", line)]
    return found + [f"GNU alone: {line}" for line in script.splitlines() if re.match(r"\s*(sed -i|readlink -f)", line)]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("gcloud create $POOL --spot\n", "does not split: $POOL"),
        ("ray dashboard x.yaml   # http://127.0.0.1\n", "takes a comment"),
        ("sed -i 's/a/b/' cluster/aws.yaml\n", "GNU alone"),
        ('aws x "$SG" --cidr "$(curl -s x)/32"\n', ""),
    ],
)
def test_such_a_line_is_seen(line: str, fault: str) -> None:
    assert [fault in found for found in faults(line)] == [True] * bool(fault)


def test_a_tunnel_does_not_end_at_a_ray_of_this_machine() -> None:
    """Ray's own port is that of a Ray on this machine, to which a search would be submitted instead."""
    lines = "".join(_lines(section) for section in SECTIONS)
    assert "127.0.0.1:8265" not in lines
    tunnels = re.findall(r"^(?:ray dashboard|kubectl port-forward) .*$", lines, re.MULTILINE)
    assert len(tunnels) == 2
    assert all("8266" in line for line in tunnels)


def test_a_project_is_named_before_anything_is_made_in_one() -> None:
    lines = _lines("Google Cloud").splitlines()
    named = lines.index("export CLOUDSDK_CORE_PROJECT=PROJECT")
    assert all(" create " not in line and " enable " not in line for line in lines[:named])


def test_down_takes_what_is_the_clusters_own() -> None:
    for section, cloud in (("AWS", "aws"), ("Google Cloud", "gcp")):
        down = _lines(section).partition("ray down")[2]
        assert f"cluster/cloud.py {cloud} down" in down
        assert "ray-autoscaler" not in down
