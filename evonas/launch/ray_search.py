"""A search on a Ray cluster that only a tunnel leads to."""

import shlex
from collections.abc import Callable, Sequence

from evonas.launch.order import WORKERS, Order
from evonas.launch.tokens import token_file, token_known
from evonas.launch.tunnel import tunnel
from evonas.submit.ray_jobs import parse
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
        return submit(
            order.config_path,
            url,
            run,
            order.line,
            overrides=overrides,
            modules=order.modules,
            follow=True,
            stopping=lambda line: _stopping(line, words(parse(url).port or 0)),
        )


def _stopping(line: str, words: Sequence[str]) -> str:
    """How a job is stopped when the tunnel of this line is closed, and the token no more in the environment."""
    token = f"RAY_AUTH_TOKEN_PATH={shlex.quote(str(token_file()))}"
    return f"open the tunnel again, `{shlex.join(words)}`, and meanwhile: {token} {line}"
