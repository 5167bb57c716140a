"""How many GPUs of each node a job of Slurm asks for, in whichever of sbatch's four ways."""

from collections.abc import Callable, Mapping

from evonas.errors import UserError

OPTIONS = ("gpus-per-node", "gres", "gpus-per-task", "gpus")
VARIABLES = {f"SBATCH_{name.replace('-', '_').upper()}": name for name in OPTIONS}
"""Of sbatch's environment -> the option in whose place they are."""


def gpus_of_a_node(found: Mapping[str, str], nodes: int, is_range: bool) -> tuple[float | None, tuple[str, ...]]:
    """Reads the options.

    Args:
        found: option of sbatch -> its value.
        nodes: of the job, at most.
        is_range: whether fewer nodes may come.

    Returns:
        The GPUs of a node, None where no option says them; and what is not counted, a line each.

    Raises:
        UserError: A number is not as sbatch takes it, or two options say different ones.
    """
    tasks = int(found["ntasks-per-node"]) if found.get("ntasks-per-node", "").isdecimal() else 1
    each = {name: _count(name, found[name]) for name in OPTIONS if name in found}
    each = {name: count * tasks if name == "gpus-per-task" else count for name, count in each.items()}
    each = {name: count for name, count in each.items() if count or name != "gres"}  # --gres=shard:2 says nothing
    total = each.pop("gpus", None)
    if len({*each.values()}) > 1:
        raise _contradiction(found, [*each], max(each.values()))
    known = next(iter(each.values()), None)
    if total is None:
        return known, ()
    if known is None:
        uneven = f"--gpus={found['gpus']} over {nodes} nodes: how many a node has is Slurm's to say, and not counted"
        return (None, (uneven,)) if is_range or total % nodes else (total / nodes, ())
    if total != known * nodes and not (is_range and known and total % known == 0 and total < known * nodes):
        raise _contradiction(found, [next(iter(each)), "gpus"], total / nodes)
    return known, ()


def _count(name: str, text: str) -> float:
    """Of `4`, `a100:4` and `a100:2,l4:2`; of --gres of `gpu`, `gpu:4` and `gpu:a100:4,shard:8`."""
    count: Callable[[str], float] = _of_gres if name == "gres" else _last
    try:
        return sum(count(part.strip()) for part in text.split(","))
    except ValueError:
        takes = "gpu:4 or gpu:a100:4" if name == "gres" else "4 or a100:4"
        raise UserError(f"--{name}={text}: sbatch takes how many, as {takes}") from None


def _of_gres(part: str) -> float:
    """A resource that is no GPU has none; one without a number is one."""
    name, *rest = part.removeprefix("gres/").removeprefix("gres:").split(":")
    if name != "gpu":
        return 0
    if not rest or (len(rest) == 1 and not rest[0].isdecimal()):
        return 1  # nothing behind it, or a type, as a100 or 1g.5gb
    return _last(part)


def _last(part: str) -> float:
    return int(part.rpartition(":")[2])


def _contradiction(found: Mapping[str, str], names: list[str], each: float) -> UserError:
    said = " and ".join(f"--{name}={found[name]}" for name in names)
    return UserError(
        f"{said} ask for different numbers of GPUs a node: leave one out; --sbatch=--gpus-per-node={each:g} alone "
        f"takes the place of the script's"
    )
