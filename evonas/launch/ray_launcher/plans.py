"""What `up` is about to do with a launch file of Ray, as the file says it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evonas.launch.costs import estimate
from evonas.launch.launch_files import images
from evonas.launch.launch_files.by_hand import instead, of_ray
from evonas.launch.launch_files.fitting import Room, check_fits, of_launch_file
from evonas.launch.launch_files.gpu_counts import Asked, check_counts, unknown_counts
from evonas.launch.launch_files.guards import check_guards, strange_doors, strange_roles
from evonas.launch.launch_files.head_file import head_file
from evonas.launch.launch_files.numbers import number
from evonas.launch.launch_files.written import hand_note
from evonas.launch.order import Order
from evonas.launch.provider import Plan
from evonas.launch.ray_launcher.lasting import idle_h, longest_h, outlive_h
from evonas.launch.ray_launcher.ray_schema import check_schema
from evonas.launch.ray_launcher.staying import staying
from evonas.launch.ray_launcher.uncounted import uncounted


def plan_of(
    name: str,
    text: str,
    launch: dict[str, Any],
    order: Order,
    asks: list[str],
    region: str,
    notes: Sequence[str],
    cpus: float,
    edited: Mapping[str, Any],
    beside: Mapping[str, str],
) -> Plan:
    """The plan of a launch file.

    Args:
        name: of the file, in the folder of the cluster.
        text: of the file.
        launch: the same, as `parsed` reads it.
        order: what is asked for.
        asks: what is asked of the cloud, a line each.
        region: of its machines.
        notes: what of the costs is not known, a line each.
        cpus: of a worker, where the config does not say.
        edited: the file in the folder, of which a head that runs may have an earlier one.
        beside: name -> text of what else is written there that the user has to know.

    Raises:
        UserError: A machine's label is another's of the list of prices, a worker fits on none, one has
            fewer GPUs than the file says, the file lacks what keeps strangers out, or Ray's launcher would refuse it.
    """
    _check(edited, order.cloud, order.folder / name)  # also while a head runs: it is what is started next
    if launch != edited:
        _check(launch, order.cloud, head_file(order.folder / name))
    together = int(launch["max_workers"])
    room = Room(of_launch_file(launch), together, f"the launch file allows {together} machines (max_workers)", cpus)
    check_fits(order, room, name)
    beyond, gpus = uncounted(launch), unknown_counts(asked_of_machines(launch))
    machines = estimate.of_launch_file(launch, order.prices)
    return Plan(
        {name: text, **beside},
        machines,
        asks,
        room,
        longest_h(launch),
        together,
        idle_h=idle_h(launch),
        outlive_h=outlive_h(launch),
        region=region,
        notes=(*notes, *strange_doors(launch, text), *strange_roles(launch), *staying(launch), *beyond, *gpus),
        by_hand=(
            *hand_note(order.folder, name.removeprefix("my-"), order.replace),
            *instead(order, order.folder / name, of_ray(edited)),
        ),
    )


def _check(launch: Mapping[str, Any], cloud: str, path: Path) -> None:
    """Raises UserError as `plan_of` says; path: of the file."""
    estimate.check_labels(launch, path)
    check_counts(asked_of_machines(launch), path, "workers")
    check_guards(launch, path)
    check_schema(launch, cloud, path)
    images.check_images(images.of_launch_file(launch), path)


def asked_of_machines(launch: Mapping[str, Any]) -> Iterator[Asked]:
    """What each type of a launch file asks of its machine: its GPUs as Ray is told them.

    Raises:
        ValueError: A count is none.
    """
    for group, kind in launch["available_node_types"].items():
        gpus = (kind.get("resources") or {}).get("GPU", 0)
        yield Asked(group, [estimate.type_of(kind["node_config"])], number(gpus, f"GPU of {group}"))
