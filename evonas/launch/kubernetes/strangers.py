"""What others have made under a name that a launch file uses: `up` does not write over it, and `down` leaves it."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evonas.clusters.shipped import shipped
from evonas.errors import UserError
from evonas.launch import programs
from evonas.launch.kubernetes.kubectl import Place, listed
from evonas.launch.kubernetes.manifests import named, objects
from evonas.launch.kubernetes.pod_objects import ACCOUNT, CLUSTER, LABEL, OBJECTS, POOLS, SECRET
from evonas.launch.launch_files.differences import lacking

_GUARDS = [name for name in OBJECTS if name != CLUSTER]  # whose the cluster is, its token says
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SHIPPED = ("kuberay/base/settings.yaml", "kuberay/base/guards.yaml")


def check_strangers(here: Place, parts: Sequence[Mapping[str, Any]], file: Path, anyway: bool) -> None:
    """Lets go on where nothing is written over that is there otherwise than a launch file has it.

    Args:
        here: where the cluster is, or is about to be.
        parts: the objects of the file that is applied.
        file: where that is.
        anyway: write over it.

    Raises:
        UserError: Something is, or kubectl does not show whether.
    """
    if anyway:
        return
    _, strange, unsaid = look(here, parts)
    if unsaid:
        raise not_shown(here, unsaid[0])
    if strange:
        raise UserError(
            f"{', '.join(strange)} is there in {here}, and no `up` has made it: it may be somebody else's; another "
            f"--namespace, with a --folder of its own, or --anyway writes over it"
        )
    yours = [part for part in parts if named(part) not in {*OBJECTS, *POOLS, SECRET, ACCOUNT}]
    if others := [named(part) for part in yours if _would_change(here, part)]:
        raise UserError(
            f"{', '.join(others)} of {file} is there in {here}, and is another: it may be somebody else's; take it out "
            f"of the file or give it another name, or --anyway writes over it"
        )


def look(here: Place, parts: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str], list[str]]:
    """The guards that are there: those of evonas, those of its names that no `up` has made, as they lack its label and
    are as no launch file has them, and why kubectl does not show others, a line each.

    Args:
        here: where they are.
        parts: the objects of the launch files that are known; those that come with evonas are, too.
    """
    code, said, errors = programs.unseen(*here.line("get", *_GUARDS, "--ignore-not-found", "-o", "json"))
    found = listed(said)
    known = [*parts, *(part for name in _SHIPPED for part in objects(shipped(name)))] if found else []
    strange = [named(each) for each in found if not _has_label(each) and not _is_one_of(each, known)]
    own = [name for name in map(named, found) if name not in strange]
    return own, strange, programs.reasons(code, errors)


def not_shown(where: object, why: str) -> UserError:
    """What is said before anything is applied over what nobody can see."""
    return UserError(
        f"kubectl does not show all that is there in {where}, which may be somebody else's ({why}); nothing was started"
    )


def _has_label(found: Mapping[str, Any]) -> bool:
    key, _, value = LABEL.partition("=")
    return (found["metadata"].get("labels") or {}).get(key) == value


def _is_one_of(found: Mapping[str, Any], known: Collection[Mapping[str, Any]]) -> bool:
    """Whether it has all that one of these says; an older evonas has made it without the label."""
    same = (part for part in known if named(part) == named(found))
    return any(not any(lacking(_content(found), _content(part))) for part in same)


def _would_change(here: Place, part: Mapping[str, Any]) -> bool:
    """Whether this object is there and applying it would make it another, as the server says, which keeps some values
    otherwise than they are written (`2048Mi` as `2Gi`, `stringData` as `data`) and takes out what is not said again."""
    text = json.dumps(part)
    code, said = programs.ask(*here.line("get", "-f", "-", "--ignore-not-found", "-o", "json"), text=text)
    if code:
        raise not_shown(here, said)
    if not said:
        return False
    (there,) = listed(said)
    code, said = programs.ask(*here.line("apply", "--dry-run=server", "-f", "-", "-o", "json"), text=text)
    if code:  # as where an admission webhook has no dry runs, or a value may not change
        return any(lacking(_own(there), _own(part)))
    (then,) = listed(said)
    return _own(there) != _own(then)


def _content(found: Mapping[str, Any]) -> dict[str, Any]:
    """An object without what the server writes into it, and what else its metadata say."""
    return {name: value for name, value in found.items() if name not in ("metadata", "status")}


def _own(found: Mapping[str, Any]) -> dict[str, Any]:
    """An object with what people write into its metadata, as by which account of a cloud pods run."""
    written = {name: dict(found["metadata"].get(name) or {}) for name in ("labels", "annotations")}
    written["annotations"].pop(_APPLIED, None)
    return {**_content(found), **{name: each for name, each in written.items() if each}}
