"""From nothing to a search that runs; the same line again goes on from where it stopped."""

import sys
from collections.abc import Callable

from evonas.errors import UserError
from evonas.launch.before import check_search, finished
from evonas.launch.costs import estimate
from evonas.launch.launch_files.fitting import too_many
from evonas.launch.order import Order
from evonas.launch.owned import NotOwn
from evonas.launch.provider import Plan, Provider
from evonas.launch.state import change
from evonas.signals import INTERRUPTED, TERMINATED, Terminated, status_of

UP, NOTHING = "what is up stays up and costs", "nothing of it runs"
UNKNOWN = "something may run, which costs: nobody has said yet that nothing does"


def dry_run(order: Order, provider: Provider) -> int:
    """Prints the files, the cost and what would be asked of the cloud; writes and asks nothing."""
    check_search(order, provider, ask=False)
    if line := finished(order, provider, ask=False):
        print(f"`up` starts nothing: {line}")
    plan = provider.plan(ask=False)
    print(*plan.by_hand, sep="\n", end="\n" * bool(plan.by_hand))
    for name, text in plan.files.items():
        print(f"=== {order.folder / name}\n{text.rstrip()}\n=== end of {order.folder / name}")
    print("what it costs:", *_costs(order, plan), *_refused(order, plan), "what is asked:", *plan.asks, sep="\n  ")
    if missing := provider.missing():
        print("what `up` will want:", *missing, sep="\n  ")
    return 0


def up(
    order: Order,
    provider: Provider,
    sure: bool = False,
    ask: Callable[[str], str] = input,
    *,
    begun_with: Callable[[], object] = lambda: None,
) -> int:
    """Makes ready, starts, hands the search over and shows it.

    Args:
        order: what is asked for.
        provider: of its cloud.
        sure: do not ask whether it may cost this.
        ask: puts a question.
        begun_with: is called when the cluster is there and the search is about to be shown.

    Returns:
        The exit status of the search; 2 where something is missing, 130 or 143 where it was interrupted.

    Raises:
        UserError: The cloud refuses something, or nobody is there to be asked.
        Halted: A launcher has failed, or a board does not come.
    """
    try:
        agreed = _agreed_to(order, provider, sure, ask)
    except KeyboardInterrupt as stop:
        print("\ninterrupted before this line had started anything")
        return status_of(stop)
    if isinstance(agreed, int):
        return agreed
    plan, asked = agreed
    change(order.folder, agreed=asked, cloud=order.cloud, prices=dict(order.own_prices))
    begun = coming = False
    try:
        for line in provider.prepare():
            if line not in plan.by_hand:
                print(line, flush=True)
        if order.config_path:
            print(f"{order.config_path} runs in {provider.run_folder()}", flush=True)
        begun = coming = True
        provider.start()
        coming = plan.stays
        order.remember(provider.run_folder())
        begun_with()
        status = provider.search()
    except KeyboardInterrupt as stop:
        print("\ninterrupted", flush=True)
        if isinstance(stop, Terminated):  # SIGKILL follows soon, and a cloud may take its time
            print(*_ways_on(order, None, UP if begun else UNKNOWN), sep="\n", flush=True)
            return TERMINATED
        print(*_ways_on(order, provider.run_folder(), _what_runs(provider, coming)), sep="\n")
        return INTERRUPTED
    except NotOwn:
        raise
    except BaseException:
        print(
            *_ways_on(order, provider.run_folder(), _what_runs(provider, begun and plan.stays)),
            sep="\n",
            file=sys.stderr,
        )
        raise
    print(*_ways_on(order, provider.run_folder(), _what_runs(provider, False)), sep="\n")
    return status


def _agreed_to(
    order: Order, provider: Provider, sure: bool, ask: Callable[[str], str]
) -> tuple[Plan, tuple[str, ...]] | int:
    """What is about to be done, and what it costs, as the user has agreed to it; else the exit status."""
    if missing := provider.missing():
        for line in missing:
            print(f"evonas: {line}", file=sys.stderr)
        return 2
    unread = check_search(order, provider, ask=True)
    if line := finished(order, provider, ask=True):
        print(f"{line}; nothing was started", *_standing(order, provider), sep="\n")
        return 0
    plan = provider.plan(ask=True)
    estimate.require_prices(plan.machines, order.config)
    lines = _costs(order, plan)
    first = [*plan.by_hand, *unread]
    print(*first, sep="\n", end="\n" * bool(first))
    print("what it costs:", *lines, sep="\n  ")
    # On Slurm, another search is another job.
    asked = (*lines, *([f"run {provider.run_folder()}"] if order.cloud == "slurm" else ()))
    if sure or _goes_on(order, provider, asked) or _agreed(ask):
        return plan, asked
    print("nothing was started")
    return 0


def _costs(order: Order, plan: Plan) -> list[str]:
    found = estimate.lines(
        plan.machines,
        order.workers,
        order.config,
        plan.longest_h,
        plan.stays,
        plan.region,
        plan.most,
        plan.idle_h,
        plan.outlive_h,
    )
    return [*found, *plan.notes, *too_many(order, plan.room)]


def _goes_on(order: Order, provider: Provider, asked: tuple[str, ...]) -> bool:
    """Whether the machines run that were agreed to, at what was agreed to; they may have ended by themselves."""
    return order.state.started and order.state.agreed == asked and bool(provider.nodes())


def _refused(order: Order, plan: Plan) -> list[str]:
    """What `up` would not begin with."""
    try:
        estimate.require_prices(plan.machines, order.config)
    except UserError as error:
        return [f"`up` refuses this: {error}"]
    return []


def _agreed(ask: Callable[[str], str]) -> bool:
    try:
        return ask("start it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        raise UserError("nobody is there to say yes; --yes starts it") from None


def _what_runs(provider: Provider, coming: bool) -> str:
    """Asked of the cloud, whatever this line has come to: an earlier one may have started something.

    Args:
        provider: of the cloud.
        coming: this line has begun something, which may not be seen at once.
    """
    try:
        if [*provider.nodes(), *provider.elsewhere()]:
            return UP
        return f"{NOTHING} yet, and what was begun may still come and cost" if coming else NOTHING
    except KeyboardInterrupt:
        return UNKNOWN
    except Exception as error:  # it is not to hide why the line has failed
        return f"{UNKNOWN} ({error})"


def _standing(order: Order, provider: Provider) -> list[str]:
    """A line where machines run all the same, or may."""
    runs = _what_runs(provider, False)
    return [] if runs == NOTHING else [f"{runs}. To take it down: {order.again('down')}"]


def _ways_on(order: Order, run: str | None, what_runs: str) -> list[str]:
    from evonas.runs.going_on import going_on  # pandas, which is not needed before

    line = going_on(order.line, run, order.config.budget if order.config else None)
    return [
        f"{what_runs}. To go on: {line}",
        f"how it is: {order.again('status')}",
        f"to take it down: {order.again('down')}",
    ]
