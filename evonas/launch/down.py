"""The end of a cluster, and what is left of it."""

from evonas.launch.order import Order
from evonas.launch.provider import Provider
from evonas.launch.tunnel import close


def down(order: Order, provider: Provider) -> int:
    """Takes everything down that costs or lets somebody in; it can be done again.

    Returns:
        1 where something is left, else 0.
    """
    close(order.folder)
    provider.down()
    left = provider.left()
    print(*([f"still there: {line}" for line in left] or ["nothing is left"]), sep="\n")
    for line in provider.kept():
        print(f"kept: {line}")
    if left:
        print(f"again: {order.again('down')}")
    return int(bool(left))
