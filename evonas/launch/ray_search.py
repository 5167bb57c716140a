"""A search on a Ray cluster that only a tunnel leads to."""

from collections.abc import Callable, Sequence

from evonas.launch.order import WORKERS, Order
from evonas.launch.tokens import token_known
from evonas.launch.tunnel import tunnel
from evonas.submit.submission import submit


def run_search(order: Order, words: Callable[[int], Sequence[str]], run: str, cpus: int) -> int:
    """Submits the search and shows it until it ends; boards come when it asks for them.

    Args:
        order: with a config.
        words: as of `tunnel`.
        run: its folder.
        cpus: of a worker, where the config does not say; it gets a GPU then.

    Returns:
        The exit status of the search, 130 where it goes on unseen.
    """
    if order.config_path is None:
        print("no CONFIG: the cluster is up, and no search runs")
        return 0
    overrides = order.with_defaults(max_workers=WORKERS, gpus_per_worker=1, cpus_per_worker=cpus)
    with token_known(), tunnel(order.folder, words) as url:
        return submit(order.config_path, url, run, order.line, overrides=overrides, modules=order.modules, follow=True)
