"""Libraries that a cloud needs."""

from importlib.util import find_spec


def absent(**remedies: str) -> list[str]:
    """A line for each library that is not installed.

    Args:
        remedies: module -> how it is installed.
    """
    return [f"{name}: is not installed: {remedy}" for name, remedy in remedies.items() if not find_spec(name)]
