"""Whether an account may have what a cluster needs, before anything of it costs."""

from collections.abc import Sequence

from evonas.clusters.quota import Quota
from evonas.errors import UserError


def check(quotas: Sequence[Quota], refused: Sequence[str], anyway: bool = False) -> None:
    """Lets go on where rights and quotas suffice for a machine of each kind.

    Args:
        quotas: what the account may have.
        refused: what it may not do, a line each.
        anyway: go on with quotas that are too small.

    Raises:
        UserError: They do not; with all that is wrong.
    """
    short = [quota.line() for quota in quotas if quota.granted is not None and quota.granted < quota.least]
    if refused:
        raise UserError("; ".join(refused))
    if short and not anyway:
        raise UserError(f"no machine would come: {'; '.join(short)}; --anyway starts the head all the same")
