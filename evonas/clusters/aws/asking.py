"""Questions to the regions of an AWS account, of which one that does not answer keeps no other from being asked."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from evonas.clusters.aws.clients import code
from evonas.clusters.refusal import refusals
from evonas.errors import UserError

AT_ONCE = 8
"""Regions, each by a client and a thread of its own."""
IAM, OTHERS = "IAM", "other regions"
"""What may not answer, beside a region: the service of the role, and that which lists regions."""
Silent = dict[str, str]
"""Region, `IAM` or `OTHERS` -> why it does not answer, by AWS's word for it where there is one."""


def told(place: str, ask: Callable[[], list[str]], silent: Silent | None = None) -> list[str]:
    """What a region or a service answers, nothing where it does not.

    Args:
        place: its name.
        ask: asks it.
        silent: gets its name where it does not answer.

    Raises:
        UserError: It does not answer, without `silent`.
    """
    try:
        with refusals(place):
            return ask()
    except UserError as error:
        if silent is None:
            raise
        cause = error.__cause__
        silent[place] = (isinstance(cause, Exception) and code(cause)) or str(error).removeprefix(f"{place}: ")
        return []


def everywhere(
    client: Callable[[str, str], Any],
    places: Iterable[str],
    questions: Sequence[Callable[[Any, str], list[str]]],
    silent: Silent | None = None,
) -> list[str]:
    """What regions answer, in their order.

    Args:
        client: makes a client of boto3 from a service and a region, in several threads.
        places: the regions.
        questions: to each, by a client of EC2 and its name; one without an answer keeps no other from being asked.
        silent: as of `told`.

    Raises:
        UserError: One does not answer, without `silent`.
    """

    def of(place: str) -> list[str]:
        asked = (told(place, partial(_asked, client, place, ask), silent) for ask in questions)
        return [line for some in asked for line in some]

    with ThreadPoolExecutor(AT_ONCE) as pool:  # an answer takes half a second, from some regions longer
        return [line for some in pool.map(of, places) for line in some]


def _asked(client: Callable[[str, str], Any], place: str, ask: Callable[[Any, str], list[str]]) -> list[str]:
    return ask(client("ec2", place), place)
