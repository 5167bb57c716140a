"""How a cluster and its search are."""

from evonas.errors import UserError
from evonas.launch.order import Order
from evonas.launch.provider import Provider


def status(order: Order, provider: Provider) -> int:
    """Prints what runs, how far the search is and what it has cost.

    Returns:
        0, also where nothing runs.
    """
    found = [*provider.nodes(), *provider.elsewhere(), *provider.others()]
    print(*(found or ["nothing runs"]), sep="\n")
    if run := provider.run_folder():
        print(f"{run}: {_search(run)}")
    print(f"to go on: evonas cluster up {order.cloud} CONFIG; to take it down: {order.again('down')}")
    return 0


def _search(run: str) -> str:
    from evonas.runs.run import Run  # pandas, which `down` can do without

    try:
        read = Run(run)
        parts = (f"{len(read.evaluations):,} evaluated", f"front of {len(read.front())}", read.money.text, read.state)
    except (UserError, OSError) as error:
        return str(error)
    return "; ".join(filter(None, parts))
