"""How a cluster and its search are."""

from collections.abc import Callable

from evonas.errors import UserError
from evonas.launch.holding import holder
from evonas.launch.order import Order
from evonas.launch.owned import not_own
from evonas.launch.places import Unanswered
from evonas.launch.provider import Provider


def status(order: Order, provider: Provider) -> int:
    """Prints what runs, how far the search is and what it has cost.

    Returns:
        0, also where nothing runs; 1 where something may run and nobody has looked or no answer has come.

    Raises:
        UserError: Nothing can be looked at.
    """
    (here, silent), (away, silent_away) = _asked(provider.nodes), _asked(provider.elsewhere)
    silent, own = [*silent, *silent_away], not here or provider.is_own()
    whose = [] if own else [f"somebody else's: {not_own(order)}"]
    found, unseen = [*here, *whose, *away, *provider.others()], [*silent, *provider.unseen()]
    print(*(found or ([] if silent else [f"nothing runs in {provider.where()}"])), *unseen, sep="\n")
    if who := holder(order.folder):
        print(f"{who} is at it now")
    if run := provider.run_folder():
        print(f"{run}: {_search(run)}")
    if order.bucket:
        print(f"bucket {order.bucket}: `down` leaves it, and what it stores is paid for")
    if own or away:
        print(f"to go on: evonas cluster up {order.cloud} CONFIG; to take it down: {order.again('down')}")
    return int(bool(unseen))


def _asked(ask: Callable[[], list[str]]) -> tuple[list[str], list[str]]:
    """What a provider says, and where it has no answer, a line each."""
    try:
        return ask(), []
    except Unanswered as error:
        return error.found, [f"{error}: whether something runs there, which costs, nobody has said"]


def _search(run: str) -> str:
    from evonas.runs.run import Run  # pandas, which `down` can do without
    from evonas.store.description import FIRST_START, RUN
    from evonas.store.opening import open_folder

    try:
        if not {RUN, FIRST_START} & {*open_folder(run).names()}:
            return "the search has not begun: nothing is recorded there"
        read = Run(run)
        parts = (f"{len(read.evaluations):,} evaluated", f"front of {len(read.front())}", read.money.text, read.state)
    except (UserError, OSError) as error:
        return str(error)
    return "; ".join(filter(None, parts))
