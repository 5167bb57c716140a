"""The end of a cluster, and what is left of it."""

from collections.abc import Callable

from evonas.errors import Halted, UserError
from evonas.launch.order import Order
from evonas.launch.owned import not_own
from evonas.launch.provider import Provider
from evonas.launch.tunnel import close
from evonas.signals import status_of

NOTHING_HERE = "nothing is there that was started from this folder"


def down(
    order: Order, provider: Provider, sure: bool = False, dry: bool = False, ask: Callable[[str], str] = input
) -> int:
    """Takes everything down that costs or lets somebody in; it can be done again.

    Args:
        order: what is asked for.
        provider: of its cloud.
        sure: do not ask.
        dry: say what would go, and touch nothing.
        ask: puts a question.

    Returns:
        1 where something of this user is left, or would be, also what this folder knows nothing of, or may be where
        nobody can say so; that of the signal where it was interrupted; else 0.

    Raises:
        UserError: Somebody else started it, or nobody is there to be asked.
    """
    try:
        return _down(order, provider, sure, dry, ask)
    except KeyboardInterrupt as stop:
        print(f"\ninterrupted: what is still there stays and costs; it goes by {order.again('down')}")
        return status_of(stop)


def _down(order: Order, provider: Provider, sure: bool, dry: bool, ask: Callable[[str], str]) -> int:
    there, others = provider.left(), _may_be_its(provider)
    refused = bool(there) and not order.anyway and not provider.is_own()
    if dry:
        print(*_said(provider, there, others, refused), sep="\n")
    if refused:
        raise UserError(f"{there[0]}: {not_own(order)}")
    if dry:
        return int(bool(others or provider.unseen()))
    print(*(f"to be taken down: {line}" for line in there), sep="\n", end="\n" if there else "")
    if there and not (sure or _agreed(ask)):
        print("nothing was taken down")
        return 0
    close(order.folder, all_of_it=True)
    return _ended(order, provider)


def _ended(order: Order, provider: Provider) -> int:
    """Ends it, and says what is left, also where something has failed."""
    why = _failure(provider)
    left, others, unseen = provider.left(), _may_be_its(provider), provider.unseen()
    still = [f"still there: {line}" for line in [*left, *others] if line not in unseen]
    nothing = [] if left or others or why else [f"nothing is left in {provider.where()}"]
    print(*still, *nothing, *unseen, *why, sep="\n")
    for line in provider.kept():
        print(f"kept: {line}")
    if left or why:
        print(f"again: {order.again('down')}")
    return int(bool(left or others or unseen or why))


def _failure(provider: Provider) -> list[str]:
    """A line that says why something is not ended."""
    try:
        provider.down()
    except (UserError, Halted) as error:
        return [f"not ended: {error}"]
    return []


def _may_be_its(provider: Provider) -> list[str]:
    """What of the others is not for certain another folder's, which is kept and no fault."""
    others = provider.others()
    kept = provider.kept() if others else []
    return [line for line in others if line not in kept]


def _said(provider: Provider, there: list[str], others: list[str], refused: bool) -> list[str]:
    """What a dry run says."""
    unseen = provider.unseen()
    named = [line for line in there if line not in unseen]
    staying = [*(named if refused else []), *others]
    nothing = [] if there and not refused else [NOTHING_HERE if staying else f"nothing is there in {provider.where()}"]
    lines = nothing or [f"would go: {line}" for line in named]
    return [*lines, *(f"would stay: {line}" for line in staying), *unseen, *_kept(provider)]


def _kept(provider: Provider) -> list[str]:
    return [f"would stay: {line}" for line in provider.kept()]


def _agreed(ask: Callable[[str], str]) -> bool:
    try:
        return ask("take it down? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        raise UserError("nobody is there to say yes; --yes takes it down") from None
