"""What is wrong with a search, before anything of it costs."""

from evonas.errors import UserError
from evonas.launch.order import Order
from evonas.launch.provider import Provider
from evonas.launch.settled import check_bucket
from evonas.text import describe_error, in_usd, one_line

_SOMEWHERE = "s3://bucket/run"
"""A run folder that `submit` would take, where the true one is not known yet."""


def check_search(order: Order, provider: Provider, ask: bool) -> list[str]:
    """Checks what `evonas submit` checks, which comes to its turn when the head is paid for.

    Args:
        order: what is asked for.
        provider: of its cloud.
        ask: a run folder in a bucket may be read, without which no network.

    Returns:
        What could not be looked at, a line each.

    Raises:
        UserError: The config is wrong, or nothing for a cluster, or the head may not write its run folder, or its
            money is spent.
    """
    from evonas.submit.staging import check, stage  # torch, which `down` can do without

    if order.config_path is None or order.config is None:
        return []
    check_bucket(order.cloud, provider.run_folder(), order.value("bucket"))
    if order.cloud == "slurm":
        check(order.config)  # sbatch is given the files where they are
    else:
        stage(order.config_path, provider.run_folder() or _SOMEWHERE, order.overrides, order.modules)
    return _check_money(order, provider.run_folder(), ask)


def _check_money(order: Order, run: str | None, ask: bool) -> list[str]:
    """What cannot be said of the money. Raises UserError where machines would be paid for and the search would stop at
    once."""
    from evonas.runs.going_on import used_up  # pandas
    from evonas.runs.money import with_more_money

    usd = order.config.budget.usd if order.config else None
    if not usd or run is None or (not ask and "://" in run):
        return []
    try:
        spent = used_up(run, order.config.budget if order.config else None)
    except Exception as error:  # whatever its store raises
        return [_unread(run, usd, error)]
    if spent is not None:
        raise UserError(
            f"the budget of {in_usd(usd)} (budget.usd) is used up in {run}, and nothing was started. To go on: "
            f"{with_more_money(order.line, spent)}"
        )
    return []


def _unread(run: str, usd: float, error: Exception) -> str:
    why = str(error) if isinstance(error, UserError) else describe_error(error)
    why = one_line(why.removeprefix("OSError: ").removeprefix(f"{run}: "))
    return (
        f"{run} cannot be read from here ({why}): how much of the budget of {in_usd(usd)} (budget.usd) is left is not "
        "known; where it is used up, the search stops once machines are there and paid for"
    )
