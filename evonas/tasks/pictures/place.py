"""Where decoded pictures are kept."""

import os
from pathlib import Path

from evonas.paths import expanded

Cache = bool | str
"""A config's `cache`: true, in the user's cache folder; false, nowhere; or a folder."""


def place_of(cache: Cache) -> Path | None:
    """The folder; None for nowhere, or where the user has no folder for caches.

    Args:
        cache: of the config.

    Raises:
        UserError: it names a variable that is not set, or a user that does not exist.
    """
    if cache is False:
        return None
    if isinstance(cache, str):
        return expanded(cache, "task.cache").absolute()
    if os.path.isabs(given := os.environ.get("XDG_CACHE_HOME", "")):  # which is to be ignored where it is relative
        return Path(given) / "evonas" / "pictures"
    try:
        return Path("~/.cache").expanduser() / "evonas" / "pictures"
    except RuntimeError:  # a user without a home
        return None
