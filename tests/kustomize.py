"""What kustomize builds of a folder, for the features that cluster/kuberay uses; anything else is refused.

`tests/test_kubernetes.py` compares it with the real one where that is installed.
"""

import copy
from pathlib import Path
from typing import Any

import yaml

KEYS = {"apiVersion", "kind", "resources", "components", "patches", "replacements", "images"}
Resources = list[dict[str, Any]]


def build(folder: Path) -> Resources:
    """The resources of a folder, in no particular order."""
    return _accumulate([], folder)


def _accumulate(found: Resources, folder: Path) -> Resources:
    """In kustomize's order: resources, components, then what changes them."""
    said = _unaliased(yaml.safe_load((folder / "kustomization.yaml").read_text()))
    if unknown := said.keys() - KEYS:
        raise ValueError(f"{folder}: {unknown}")
    for name in said.get("resources", ()):
        path = folder / name
        new = build(path) if path.is_dir() else _documents(path)
        for resource in new:
            if any(_is(other, resource["kind"], _name(resource)) for other in found):
                raise ValueError(f"{folder}: {resource['kind']} {_name(resource)} twice")
        found = found + new
    for name in said.get("components", ()):
        found = _accumulate(found, folder / name)
    for patch in said.get("patches", ()):
        found = _patched(found, patch, folder)
    for replacement in said.get("replacements", ()):
        _replace(found, replacement)
    for image in said.get("images", ()):
        _rename(found, image)
    return found


def _documents(path: Path) -> Resources:
    return [_unaliased(document) for document in yaml.safe_load_all(path.read_text())]


def _unaliased(document: Any) -> Any:
    """As the real one reads files: a place that an anchor is used at is a copy."""
    if isinstance(document, dict):
        return {key: _unaliased(value) for key, value in document.items()}
    return [_unaliased(item) for item in document] if isinstance(document, list) else document


def _name(resource: dict[str, Any]) -> str:
    return str(resource["metadata"]["name"])


def _is(resource: dict[str, Any], kind: str = "", name: str = "", group: str = "") -> bool:
    own = resource["apiVersion"].rpartition("/")[0]
    return kind in ("", resource["kind"]) and name in ("", _name(resource)) and group in ("", own)


def _patched(found: Resources, patch: dict[str, Any], folder: Path) -> Resources:
    if unknown := patch.keys() - {"patch", "path", "target"}:
        raise ValueError(f"{folder}: patches: {unknown}")
    text = patch.get("patch") or (folder / patch["path"]).read_text()
    changes = _unaliased(yaml.safe_load(text))
    if isinstance(changes, list):
        targets = [resource for resource in found if _is(resource, **patch["target"])]
        for resource in targets:
            for change in changes:
                _change(resource, **change)
    else:  # of strategic merges only this one
        targets = [resource for resource in found if _is(resource, changes["kind"], _name(changes))]
        if changes.pop("$patch") != "delete" or changes.keys() != {"apiVersion", "kind", "metadata"}:
            raise ValueError(f"{folder}: {changes}")
        found = [resource for resource in found if resource not in targets]
    if not targets:
        raise ValueError(f"{folder}: nothing to patch: {patch}")
    return found


def _change(resource: Any, op: str, path: str, value: Any = None) -> None:
    """RFC 6902."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
    where = resource
    for part in way:
        where = where[int(part)] if isinstance(where, list) else where[part]
    key: Any = last
    if isinstance(where, list):
        key = len(where) if last == "-" else int(last)
    if op == "remove":
        del where[key]
    elif op == "add" and isinstance(where, list):
        where.insert(key, copy.deepcopy(value))
    elif op == "add" or (op == "replace" and (isinstance(where, list) or key in where)):
        where[key] = copy.deepcopy(value)
    else:
        raise ValueError(f"{op} {path}")


def _replace(found: Resources, replacement: dict[str, Any]) -> None:
    path, *select = [replacement["source"][key] for key in ("fieldPath", "kind", "name")]
    (value,) = [resource[path] for resource in found if _is(resource, *select)]
    for target in replacement["targets"]:
        for resource in found:
            if _is(resource, **target["select"]):
                for path in target["fieldPaths"]:
                    _change(resource, "replace", "/" + path.replace(".", "/"), value)


def _rename(where: Any, image: dict[str, str]) -> None:
    if unknown := image.keys() - {"name", "newName", "digest"}:
        raise ValueError(f"images: {unknown}")
    if isinstance(where, dict):
        for container in where.get("containers", ()):
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}@{image['digest']}"
    for inner in where.values() if isinstance(where, dict) else where if isinstance(where, list) else ():
        _rename(inner, image)
