"""Linear algebra on one thread: what is computed is small, and its last digits would depend on their number."""

from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> "ThreadpoolController":
    """Returns a context in which numpy's and scipy's libraries use one thread."""
    return _controller().limit(limits=1)
