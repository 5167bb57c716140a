"""Whether pods of a RayCluster fit on the machines that they select: those that do not never start."""

from collections.abc import Iterator, Mapping
from typing import Any

from evonas.errors import UserError
from evonas.launch.kubernetes.pod_labels import groups, selected, types_of
from evonas.launch.kubernetes.pods import quantity
from evonas.launch.launch_files.fitting import MEMORY
from evonas.prices import list_prices


def check_sizes(spec: Mapping[str, Any], name: object) -> None:
    """Lets go on where no pod asks for more CPUs or memory than its type of machine has.

    Args:
        spec: of the RayCluster.
        name: of the file, for people.

    Raises:
        UserError: One does.
        ValueError: An amount is none.
    """
    for group, said in groups(spec):
        known = [size for type_ in types_of(said) if (size := list_prices().size_of(type_))]
        for what, unit in (("cpu", "CPUs"), (MEMORY, "MB of memory")):
            asked = sum(_of(each, what) for each in said["template"]["spec"]["containers"])
            most = max((getattr(size, what) for size in known), default=asked)
            if asked > most:
                raise UserError(
                    f"{name}: {group} asks for {asked:,g} {unit}, and a machine of its type, "
                    f"{' or '.join(types_of(said))}, has {most:,g}: its pods would never start; make them one"
                )


def unserved(spec: Mapping[str, Any], pools: list[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each group that selects machines which no pool of the file starts, where it has pools at all."""
    for group, said in groups(spec) if pools else ():
        wanted = dict(selected(said["template"]["spec"]))
        if not any(_starts(pool, wanted) for pool in pools):
            labels = ", ".join(f"{key}: {value}" for key, value in wanted.items())
            yield (
                f"no NodePool of the file starts what {group} selects ({labels}): without another of your Kubernetes' "
                f"its pods never start"
            )


def _starts(pool: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    """Whether a pool has machines of these labels, as far as it says it."""
    said = pool["spec"]["template"]["spec"].get("requirements") or ()
    lists = {one["key"]: [str(value) for value in one["values"]] for one in said if one["operator"] == "In"}
    return all(wanted[key] in values for key, values in lists.items() if key in wanted)


def _of(container: Mapping[str, Any], what: str) -> float:
    """What Kubernetes keeps for a container: what it requests, else its limit."""
    resources = container.get("resources") or {}
    found = [amounts[what] for kind in ("requests", "limits") if what in (amounts := resources.get(kind) or {})]
    return quantity(found[0], what) if found else 0.0
