"""The SSH keys by which it is known whose machines are: whole ones, for part of one is in many."""

import re

_PUBLIC = re.compile(r"\b((?:ssh|ecdsa|sk)-[\w@.-]+) (AAAA[A-Za-z0-9+/]*=*)")


def public_keys(text: str) -> set[str]:
    """The public keys in a text, as the metadata of machines or a launch file has them, without their comments."""
    return {f"{kind} {half}" for kind, half in _PUBLIC.findall(text)}
