"""How a part of evonas that is not installed is added: from where this evonas came from. No package index has it, and
one where its name is free to take would run whatever is put there."""

import json
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname


def how_to_install(*extras: str) -> str:
    """The line for a shell that adds extras to an environment.

    Args:
        extras: Names below `[project.optional-dependencies]`.

    Returns:
        `pip install -e '/checkout[s3]'`, or the same with the folder, wheel or repository that evonas was installed
        from; where it is not known, or not there any more, the line for a checkout.
    """
    names = f"[{','.join(extras)}]"
    origin = _origin()
    if file := _file(origin):
        option = "-e " if origin.get("dir_info", {}).get("editable") else ""
        return f"pip install {option}{shlex.quote(f'{file}{names}')}"
    if repository := _repository(origin):
        return f"pip install {shlex.quote(f'evonas{names} @ {repository}')}"
    return f"pip install '.{names}' in a checkout of evonas"


def _origin() -> dict[str, Any]:
    """What pip wrote down of where evonas came from (PEP 610); empty where it did not."""
    try:
        found = json.loads(distribution("evonas").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _file(origin: dict[str, Any]) -> str:
    """The folder of a checkout or the file of a wheel; empty where it is none, or gone."""
    url = urlsplit(str(origin.get("url", "")))
    path = Path(url2pathname(url.path))
    there = url.scheme == "file" and (path.is_file() or (path / "pyproject.toml").is_file())
    return str(path) if there else ""


def _repository(origin: dict[str, Any]) -> str:
    url, vcs = str(origin.get("url", "")), origin.get("vcs_info")
    if vcs:
        return f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    return url if url.startswith("https://") else ""
