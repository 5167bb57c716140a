"""What is wrong with a search, before anything of it costs."""

from evonas.config import Config
from evonas.errors import UserError
from evonas.launch.order import Order
from evonas.launch.provider import Provider
from evonas.launch.settled import check_bucket
from evonas.spaces.space import Space
from evonas.store import Folder, open_folder, read_run
from evonas.text import describe_error, in_usd, one_line

_SOMEWHERE = "s3://bucket/run"
"""A run folder that `submit` would take, where the true one is not known yet."""


def check_search(order: Order, provider: Provider, ask: bool) -> list[str]:
    """Checks what `evonas submit` and the search itself check, which come to their turn when the head is paid for.

    Args:
        order: what is asked for.
        provider: of its cloud.
        ask: cloud and bucket may be asked for the run folder, without which no network.

    Returns:
        What could not be looked at, a line each.

    Raises:
        UserError: The config is wrong, or nothing for a cluster, or the head may not write its run folder, or that is
            sure to refuse the search, or its money is spent.
    """
    from evonas.submit.staging import check, stage  # torch, which `down` can do without

    if order.config_path is None or order.config is None:
        return []
    run = provider.run_folder()
    check_bucket(order.cloud, run, order.value("bucket"))
    if order.cloud == "slurm":
        check(order.config)  # sbatch is given the files where they are
    else:
        stage(order.config_path, run or _SOMEWHERE, order.overrides, order.modules)
    run = _readable(provider, ask)
    return [] if run is None else _check_folder(order, order.config, run)


def finished(order: Order, provider: Provider, ask: bool) -> str:
    """A line for a search in whose run folder nothing is left to do, so that no machine has to start; else empty, also
    where the folder cannot be read from here.

    Args:
        order: what is asked for.
        provider: of its cloud.
        ask: as of `check_search`.
    """
    config = order.config
    if config is None or config.tracking or (run := _readable(provider, ask)) is None:
        return ""
    try:
        why = _ended(config, run)
    except Exception:  # whatever its store raises; the search itself says it
        return ""
    return f"{run}: finished: {why}; nothing is left to do, and a larger budget goes on" if why else ""


def _readable(provider: Provider, ask: bool) -> str | None:
    """The run folder, where it may be looked at."""
    run = provider.next_run() if ask else provider.run_folder()
    return None if run is None or (not ask and "://" in run) else run


def _ended(config: Config, run: str) -> str:
    """Why the search ended, if it is this one."""
    from evonas.runs.going_on import ended  # pandas

    folder = open_folder(run)
    if not (why := ended(folder, config.budget)):
        return ""
    return why if read_run(folder)["fingerprint"] == _whole(config, folder)[0].fingerprint else ""


def _whole(config: Config, folder: Folder) -> tuple[Config, Space]:
    """The config with its founders as a list, and its space."""
    from evonas.reuse import chosen
    from evonas.submit.staging import check

    return chosen(config, space := check(config), folder).config, space


def _check_folder(order: Order, config: Config, run: str) -> list[str]:
    """What cannot be said of a run folder. Raises UserError where machines would be paid for and the search would stop
    at once."""
    from evonas.run_identity.checking import check_config

    try:
        folder = open_folder(run)
    except UserError as error:
        if "://" not in run:
            raise
        return [_unread(run, config, error)]  # a library of its store is not here
    try:
        check_config(folder, *_whole(config, folder))
    except UserError:
        raise
    except Exception as error:  # whatever its store raises
        return [_unread(run, config, error)]
    return _check_money(order, config, run)


def _check_money(order: Order, config: Config, run: str) -> list[str]:
    """What cannot be said of the money. Raises UserError where it is used up."""
    from evonas.runs.going_on import used_up  # pandas
    from evonas.runs.money import with_more_money

    try:
        spent = used_up(run, config.budget)
    except Exception as error:  # whatever its store raises
        return [_unread(run, config, error, is_this=True)]
    if spent is not None:
        usd = in_usd(config.budget.usd or 0)
        raise UserError(
            f"the budget of {usd} (budget.usd) is used up in {run}, and nothing was started. To go on: "
            f"{with_more_money(order.line, spent)}"
        )
    return []


def _unread(run: str, config: Config, error: Exception, is_this: bool = False) -> str:
    """What is not known of a folder that cannot be read. is_this: it is known to hold this search."""
    why = str(error) if isinstance(error, UserError) else describe_error(error)
    why = one_line(why.removeprefix("OSError: ").removeprefix(f"{run}: "))
    unknown, fatal = ([], []) if is_this else (["whether it holds another search"], ["it does"])
    if usd := config.budget.usd:
        unknown.append(f"how much of the budget of {in_usd(usd)} (budget.usd) is left")
        fatal.append("that is used up")
    return (
        f"{run} cannot be read from here ({why}): {' and '.join(unknown)} is not known; where {' or '.join(fatal)}, "
        f"the search stops once machines are there and paid for"
    )
