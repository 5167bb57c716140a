"""How to install what is missing: from where evonas came from, and never by a name that anybody may register."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evonas.installing import how_to_install

ROOT = Path(__file__).parents[1]
TEXTS = {".py", ".md", ".yaml", ".yml", ".toml", ".ipynb", ".sbatch", ".sh", ".lock", ".html", ".js", ""}
FOLDERS = ("evonas", "docs", "configs", "notebooks", "examples", "benchmarks", "cluster", "tests", ".github", ".ci")
BY_NAME = re.compile(
    r"\b(?:pip3?|pipx|uv|poetry) (?:pip )?(?:install|add|download|run)\b[^\n`|&;]*?"
    r"[\s'\"](?<!of )evonas(?:\\?\[[^]]*\])?(?! ?@)(?=['\"`=<>~,\s)]|$)"
)


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, **origin: Any) -> None:
    """An evonas that Python finds first, with what pip writes down of where it came from."""
    about = folder / "site" / "evonas-0.1.0.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: evonas\nVersion: 0.1.0\n")
    if origin:
        (about / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.setattr(sys, "path", [str(about.parent), *sys.path])


@pytest.mark.parametrize(("editable", "option"), [(True, "-e "), (False, "")])
def test_from_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editable: bool, option: str) -> None:
    checkout = tmp_path / "my checkout"
    checkout.mkdir()
    (checkout / "pyproject.toml").write_text("")
    installed(tmp_path, monkeypatch, url=checkout.as_uri(), dir_info={"editable": editable})
    assert how_to_install("s3", "plot") == f"pip install {option}'{checkout}[s3,plot]'"


def test_from_a_wheel_that_is_still_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "it's" / "evonas-0.1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    installed(tmp_path, monkeypatch, url=wheel.as_uri(), archive_info={})
    assert how_to_install("s3") == "pip install '.[s3]' in a checkout of evonas"
    wheel.write_bytes(b"")
    assert shlex.split(how_to_install("s3"))[2:] == [f"{wheel}[s3]"]


def test_from_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = {"url": "https://host/evonas.git", "vcs_info": {"vcs": "git", "commit_id": "0a1b"}}
    installed(tmp_path, monkeypatch, **origin)
    assert how_to_install("s3") == "pip install 'evonas[s3] @ git+https://host/evonas.git@0a1b'"


def test_from_nobody_knows_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch)
    assert how_to_install("s3") == "pip install '.[s3]' in a checkout of evonas"


def by_name() -> Iterator[str]:
    """Lines that would have somebody install whatever has this name on an index."""
    files = [*ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]
    files += [file for name in FOLDERS for file in sorted((ROOT / name).rglob("*")) if file.suffix in TEXTS]
    for file in files:
        if file.is_file() and file != Path(__file__) and "__pycache__" not in file.parts:
            for line in file.read_text(errors="replace").splitlines():
                if BY_NAME.search(line):
                    yield f"{file.relative_to(ROOT)}: {line.strip()[:200]}"


def test_nothing_has_anybody_install_what_the_name_stands_for_on_an_index() -> None:
    assert list(by_name()) == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("pip install 'evonas[s3]'", True),
        ("pip install --no-deps evonas", True),
        ("`pip install evonas`, then", True),
        ("RUN uv pip install evonas==0.1", True),
        ("pip install '.[s3]'", False),
        ("pip install 'evonas[s3] @ git+https://host/evonas.git'", False),
        ("pip install PATH/evonas-0.1.0-py3-none-any.whl; evonas search", False),
        ("pip install -e /home/me/evonas && evonas search", False),
    ],
)
def test_a_line_that_installs_by_name_is_found(line: str, wrong: bool) -> None:
    assert bool(BY_NAME.search(line)) == wrong
