"""What is wrong with a search, before anything of it costs."""

from evonas.config import Config
from evonas.errors import UserError
from evonas.launch.order import Order
from evonas.launch.provider import Provider
from evonas.launch.settled import check_bucket
from evonas.store import open_folder, read_run
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


def finished(order: Order, provider: Provider, ask: bool) -> str:
    """A line for a search in whose run folder nothing is left to do, so that no machine has to start; else empty, also
    where the folder cannot be read from here.

    Args:
        order: what is asked for.
        provider: of its cloud.
        ask: a run folder in a bucket may be read, without which no network.
    """
    config, run = order.config, provider.run_folder()
    if config is None or config.tracking or run is None or (not ask and "://" in run):
        return ""
    try:
        why = _ended(config, run)
    except Exception:  # whatever its store raises; the search itself says it
        return ""
    return f"{run}: finished: {why}; nothing is left to do, and a larger budget goes on" if why else ""


def _ended(config: Config, run: str) -> str:
    """Why the search ended, if it is this one."""
    from evonas.reuse import chosen
    from evonas.runs.going_on import ended  # pandas
    from evonas.submit.staging import check

    folder = open_folder(run)
    if not (why := ended(folder, config.budget)):
        return ""
    whole = chosen(config, check(config), folder).config
    return why if read_run(folder)["fingerprint"] == whole.fingerprint else ""


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
