"""A decoded architecture: what a genome means, to read and to build."""

from collections.abc import Mapping
from typing import Any


class Arch:
    """A decoded architecture: frozen, attribute access, comparable; a `Repeat` is a tuple of these."""

    __slots__ = ("_fields",)
    _fields: dict[str, Any]

    def __init__(self, fields: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_fields", dict(fields))

    def __getattr__(self, name: str) -> Any:
        fields: dict[str, Any] = object.__getattribute__(self, "_fields")
        if name not in fields:
            raise AttributeError(f"this architecture has no {name!r}; it has {', '.join(fields) or 'no fields'}")
        return fields[name]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an architecture is frozen: encode a changed mapping instead")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Arch) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(tuple(self._fields.items()))

    def __reduce__(self) -> tuple[type["Arch"], tuple[dict[str, Any]]]:
        return Arch, (self._fields,)

    def __repr__(self) -> str:
        return f"Arch({listing(self._fields)})"

    def to_dict(self) -> dict[str, Any]:
        """Nested dicts, lists and scalars: JSON-able, and what `Space.encode` takes."""
        return {name: _plain(value) for name, value in self._fields.items()}


def fields_of(value: Any) -> Mapping[str, Any]:
    """The values of an architecture by name, or of a mapping that says the same."""
    if isinstance(value, Arch):
        return value._fields
    if not isinstance(value, Mapping):
        raise ValueError(f"needs a mapping of names to values, not {value!r}")
    return value


def listing(fields: Mapping[Any, Any]) -> str:
    """As arguments by name, for a `repr`."""
    return ", ".join(f"{name}={value!r}" for name, value in fields.items())


def _plain(value: Any) -> Any:
    if isinstance(value, Arch):
        return value.to_dict()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
